#include "collector/file_removal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace tine::collector {

bool IsFoldable(FileSystemKind kind) {
  return kind == FileSystemKind::kMemory || kind == FileSystemKind::kDisk;
}

bool MayRemove(int directory_fd, uint32_t owner_uid) {
  struct stat directory;
  if (::faccessat(directory_fd, ".", W_OK | X_OK, AT_EACCESS) != 0 ||
      ::fstat(directory_fd, &directory) != 0) {
    return false;
  }
  const uid_t self = ::geteuid();
  return (directory.st_mode & S_ISVTX) == 0 || self == 0 ||
         self == directory.st_uid || self == owner_uid;
}

bool RemoveIfSame(int directory_fd, const std::string& name, uint64_t inode) {
  struct stat info;
  if (::fstatat(directory_fd, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    return errno == ENOENT;
  }
  return info.st_ino != inode ||
         ::unlinkat(directory_fd, name.c_str(), 0) == 0 || errno == ENOENT;
}

}  // namespace tine::collector
