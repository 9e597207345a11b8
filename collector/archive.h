// What dead writers have left: numbers that every scrape begins with, and the
// list of files that are already in them.

#ifndef TINE_COLLECTOR_ARCHIVE_H_
#define TINE_COLLECTOR_ARCHIVE_H_

#include <cstdint>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/hash/hash.h"
#include "absl/strings/string_view.h"
#include "collector/cell_sums.h"
#include "collector/file_opener.h"
#include "collector/process_label_lists.h"
#include "collector/target_stamps.h"
#include "common/metric_file_name.h"

namespace tine::collector {

// A file whose numbers are in the archive, all of them or those of series that
// its writer has removed. All four must match: a uuid can be copied by anybody,
// the rest is the file system's word.
struct FoldedFile {
  FileUuid uuid;
  uint64_t inode = 0;
  uint64_t birth_ns = 0;
  uint32_t owner_uid = 0;
  uint32_t folded_at_s = 0;  // Unix time; of a vanished one: since when
  // Not folded, but taken from: of its REMOVED records, those that begin below
  // this offset are done with.
  uint32_t taken_before = 0;
  // It is left where it is, because it was damaged and somebody may want to
  // look at it.
  bool is_kept = false;
  // It was not there any more: moved away, perhaps, and then it may come back.
  bool has_vanished = false;

  bool Is(const FileUuid& other_uuid, const FileFacts& facts) const {
    return uuid == other_uuid && inode == facts.inode &&
           birth_ns == facts.birth_ns && owner_uid == facts.owner_uid;
  }
};

// Which archive, and how old. Each write raises the generation by one; an
// archive that was begun anew has another lineage.
struct ArchiveIdentity {
  FileUuid lineage;
  uint64_t generation = 0;  // 0: there is none yet

  friend bool operator==(const ArchiveIdentity& a, const ArchiveIdentity& b) {
    return a.lineage == b.lineage && a.generation == b.generation;
  }
  friend bool operator!=(const ArchiveIdentity& a, const ArchiveIdentity& b) {
    return !(a == b);
  }
};

struct UuidHash {
  size_t operator()(const FileUuid& uuid) const {
    return absl::Hash<absl::string_view>()(absl::string_view(
        reinterpret_cast<const char*>(uuid.bytes), sizeof(uuid.bytes)));
  }
};

// A value: a fold works on a copy and puts it in the place of the old one when
// it is safely on disk. Its numbers have the indexes of one MergedView.
struct Archive {
  ArchiveIdentity identity;
  CellSums sums;
  // By sum, the Unix time in seconds of the last fold into it; 0: the archive
  // has nothing there.
  TargetStamps stamps;
  // By sum, which process labels the last writer had that left something in it:
  // a number of process_label_lists.
  TargetStamps process_labels;
  ProcessLabelLists process_label_lists;
  // By sum, whose it is, as OwnerStamp.
  TargetStamps owners;
  // Group and declaration of the view: opinions of dead writers.
  absl::flat_hash_set<std::pair<uint32_t, uint32_t>> declarations;
  absl::flat_hash_map<FileUuid, FoldedFile, UuidHash> folded;
  // Files that counted when this was written and are not in it: so whoever
  // starts next knows what has gone without having been folded.
  absl::flat_hash_set<FileUuid, UuidHash> known;
  // How many of those were ever found to be gone, and when that was last.
  uint64_t lost_file_count = 0;
  uint64_t reset_wall_ns = 0;
  // As it was last read or written.
  size_t series_count = 0;
  size_t file_bytes = 0;
  // Files whose removed series have been taken.
  absl::flat_hash_map<FileUuid, FoldedFile, UuidHash> taken;

  // (0 is nobody.)
  static uint32_t OwnerStamp(uint32_t uid) { return uid + 1; }

  bool HasFolded(const FileUuid& uuid, const FileFacts& facts) const {
    const auto it = folded.find(uuid);
    return it != folded.end() && it->second.Is(uuid, facts);
  }
  // Of a file, as FoldedFile has it; 0: nothing was taken from it.
  uint32_t TakenBefore(const FileUuid& uuid, const FileFacts& facts) const {
    const auto it = taken.find(uuid);
    return it != taken.end() && it->second.Is(uuid, facts)
               ? it->second.taken_before
               : 0;
  }
};

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_ARCHIVE_H_
