// The directory that only the collector's user can write: the archive and the
// lock of who folds are in it.

#ifndef TINE_COLLECTOR_STATE_DIRECTORY_H_
#define TINE_COLLECTOR_STATE_DIRECTORY_H_

#include <string>

#include "absl/status/statusor.h"
#include "common/unique_fd.h"

namespace tine::collector {

// Its name inside a metrics directory.
inline constexpr char kStateDirectoryName[] = ".collector";

struct OpenedStateDirectory {
  UniqueFd fd;
  // Somebody else's thing had the name and was renamed away.
  bool has_moved_squatter = false;
};

// Opens the state directory: `path`, or when that is empty kStateDirectoryName
// in the metrics directory. It must be a directory, no link to one, of this
// user (for root: or of the metrics directory's owner) and closed to others.
//
// `may_create`: makes it, mode 0700; what somebody else has put under the name
// is renamed to ".collector.refused-<random>" first. Errors: NOT_FOUND when
// there is none (and none may or can be made); FAILED_PRECONDITION when it is
// not one to trust; PERMISSION_DENIED when it is the one of the metrics
// directory's owner, and this user may not enter it; else what the system said.
absl::StatusOr<OpenedStateDirectory> OpenStateDirectory(
    int metrics_directory_fd, const std::string& path, bool may_create);

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_STATE_DIRECTORY_H_
