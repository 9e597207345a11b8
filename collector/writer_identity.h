// What a metric file's header says about its writer, owned. These are claims:
// only the lock and the file system prove anything (see liveness.h).

#ifndef TINE_COLLECTOR_WRITER_IDENTITY_H_
#define TINE_COLLECTOR_WRITER_IDENTITY_H_

#include <cstdint>
#include <string>

#include "common/boot_id.h"
#include "common/metric_file_name.h"
#include "common/record_codec.h"
#include "common/record_layout.h"

namespace tine::collector {

struct WriterIdentity {
  FileUuid uuid;
  BootId boot_id{};
  uint64_t pid_namespace = 0;
  uint64_t time_namespace = 0;
  uint64_t process_start_ticks = 0;
  uint64_t created_boot_ns = 0;
  uint64_t created_wall_ns = 0;
  uint32_t pid = 0;
  uint32_t uid = 0;  // as the writer's user namespace has it
  uint32_t header_checksum = 0;
  format::LifeLock life_lock = format::LifeLock::kUnknown;
  std::string executable;
  std::string worker_id;  // empty: none
  // Name, value, name, value, ..., each a u16 length and its bytes.
  std::string packed_process_labels;
  size_t process_label_count = 0;

  StringListView process_labels() const {
    return StringListView(
        reinterpret_cast<const uint8_t*>(packed_process_labels.data()),
        packed_process_labels.size(), 2 * process_label_count);
  }
};

// `view` has passed DecodeFileHeaderUntrusted.
WriterIdentity CopyWriterIdentity(const FileHeaderView& view);

// What decides between two writers of one series: is the writer alive, and
// which is the newer one.
struct WriterRank {
  bool is_live = false;  // not known to be dead
  uint64_t created_wall_ns = 0;
  FileUuid uuid;

  bool IsNewerThan(const WriterRank& other) const {
    return created_wall_ns != other.created_wall_ns
               ? created_wall_ns > other.created_wall_ns
               : other.uuid < uuid;
  }
};

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_WRITER_IDENTITY_H_
