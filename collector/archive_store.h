// The archive on disk: read whole, replaced whole, by one process at a time.

#ifndef TINE_COLLECTOR_ARCHIVE_STORE_H_
#define TINE_COLLECTOR_ARCHIVE_STORE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "collector/archive.h"
#include "collector/merged_view.h"
#include "common/unique_fd.h"

namespace tine::collector {

// In the state directory:
//
//   archive       what was written last; absent before the first fold
//   archive.next  the one that is being written; between folds memory set
//                 aside for it, so that a full file system can still be folded
//   lock          carries the write lock of the one process that may fold
class ArchiveStore {
 public:
  // `is_durable`: the file system is a disk, so writes are made to last.
  ArchiveStore(UniqueFd state_directory, bool is_durable)
      : directory_(std::move(state_directory)), is_durable_(is_durable) {}

  // Is the directory still where it was? (It may have been deleted.)
  bool IsLinked() const;

  // True when this object holds the lock, taken now or before. False: another
  // process has it, or it cannot be had; `*status` says which.
  bool TryLock(absl::Status* status);
  // Makes nothing, unlike TryLock.
  bool IsLockHeldByAnother() const;
  bool holds_lock() const { return lock_.valid(); }
  // A lock file that somebody has removed keeps nobody out any more: then the
  // lock is given up. True when it is still held.
  bool KeepLock();

  // OK and generation 0 when there is no archive.
  absl::Status ReadIdentity(ArchiveIdentity* identity) const;

  // Reads the archive into a new view. OK and generation 0 when there is none;
  // DATA_LOSS when it is damaged, RESOURCE_EXHAUSTED when it has more families
  // than the view takes. (The limit on series is for what is new.)
  absl::Status Read(MergedView* view, Archive* archive) const;

  // Takes its place. Needs the lock. On an error the old one is still there, or
  // (a disk that fails) the new one is and may not last: see ReadIdentity.
  absl::Status Write(const std::vector<uint8_t>& bytes);

  // Makes the archive that is in place last, whoever has written it: before
  // that, no file that is in it may go. False when the disk refuses.
  bool MakeLast();

  // Sets memory aside for the next Write. False when there is none.
  bool Reserve(size_t size_bytes);

  // Renames a damaged archive, so that it can be looked at.
  absl::Status SetAsideDamaged();

 private:
  UniqueFd OpenNext() const;
  bool IsNamedLock(int fd) const;

  UniqueFd directory_;
  UniqueFd lock_;
  const bool is_durable_;
  bool is_lasting_ = false;  // what is in place survives a loss of power
};

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_ARCHIVE_STORE_H_
