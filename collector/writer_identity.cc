#include "collector/writer_identity.h"

#include <cstring>

namespace tine::collector {

WriterIdentity CopyWriterIdentity(const FileHeaderView& view) {
  const format::FileHeader& header = *view.header;
  WriterIdentity writer;
  writer.uuid = view.uuid();
  std::memcpy(writer.boot_id.data(), header.boot_id, sizeof(header.boot_id));
  writer.pid_namespace = header.pid_namespace;
  writer.time_namespace = header.time_namespace;
  writer.process_start_ticks = header.process_start_ticks;
  writer.created_boot_ns = header.created_boot_ns;
  writer.created_wall_ns = header.created_wall_ns;
  writer.pid = header.pid;
  writer.uid = header.uid;
  writer.header_checksum = header.checksum;
  writer.life_lock = header.life_lock;
  writer.executable = std::string(view.executable);
  writer.worker_id = std::string(view.worker_id);
  if (view.process_labels.size() != 0) {
    writer.packed_process_labels.assign(
        reinterpret_cast<const char*>(view.process_labels.bytes()),
        view.process_labels.size_bytes());
    writer.process_label_count = view.process_labels.size() / 2;
  }
  return writer;
}

}  // namespace tine::collector
