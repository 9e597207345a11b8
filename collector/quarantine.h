// Files that lie in the directory and count for nothing: what they are, and
// removing them at an operator's word.

#ifndef TINE_COLLECTOR_QUARANTINE_H_
#define TINE_COLLECTOR_QUARANTINE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "collector/file_set.h"

namespace tine::collector {

struct QuarantinedFile {
  std::string name;
  uint64_t inode = 0;
  // Why nothing of it is used: what is wrong with it, or "folded" when its
  // numbers are in the archive and it stayed because it was damaged.
  std::string_view reason;
  // Since its last modification and its last change (mtime and ctime, the later
  // one), by this machine's clock.
  uint64_t age_s = 0;
  // Why it may not be removed: "lock_held", "no_right_to_remove",
  // "not_regular", "file_system", "cannot_open"; empty: it may.
  std::string_view obstacle;
};

// `files` have been opened. Changes nothing.
std::vector<QuarantinedFile> ListQuarantined(const FileSet& files);

// Removes one that has no obstacle. False: it cannot be.
bool RemoveQuarantined(const QuarantinedFile& file, FileSet* files);

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_QUARANTINE_H_
