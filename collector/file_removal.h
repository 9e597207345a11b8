// Removing files from a metrics directory, where others may have the last word.

#ifndef TINE_COLLECTOR_FILE_REMOVAL_H_
#define TINE_COLLECTOR_FILE_REMOVAL_H_

#include <cstdint>
#include <string>

#include "common/metrics_directory.h"

namespace tine::collector {

// Does the collector remove anything from such a file system? Not where another
// kernel, whose locks cannot be seen, may be at work on the files.
bool IsFoldable(FileSystemKind kind);

// May this process remove a file of `owner_uid` from the directory? (In a
// sticky one only the owners of the file and of the directory may.)
bool MayRemove(int directory_fd, uint32_t owner_uid);

// Removes `name` if it is this inode. True when that is not there any more,
// whoever has removed it.
bool RemoveIfSame(int directory_fd, const std::string& name, uint64_t inode);

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_FILE_REMOVAL_H_
