#include "common/metrics_directory.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>

#include "common/retry_if_interrupted.h"

namespace tine {
namespace {

constexpr char kSystemDirectory[] = "/run/tine";
constexpr std::string_view kPrivateDirectoryPrefix = "/dev/shm/tine-";

// "/dev/shm/tine-<uid>", and nothing that only begins like it.
bool IsPrivateDefault(std::string_view path) {
  if (path.substr(0, kPrivateDirectoryPrefix.size()) !=
      kPrivateDirectoryPrefix) {
    return false;
  }
  path.remove_prefix(kPrivateDirectoryPrefix.size());
  return !path.empty() &&
         path.find_first_not_of("0123456789") == std::string_view::npos;
}

// Relative paths are taken from where the process stands now: it may chdir
// later.
std::string MakeAbsolute(std::string_view path) {
  if (path.empty() || path[0] == '/') {
    return std::string(path);
  }
  char cwd[PATH_MAX];
  if (::getcwd(cwd, sizeof(cwd)) == nullptr) {
    return std::string(path);
  }
  return std::string(cwd) + "/" + std::string(path);
}

}  // namespace

std::string ResolveMetricsDirectory(std::string_view explicit_directory) {
  if (!explicit_directory.empty()) {
    return MakeAbsolute(explicit_directory);
  }
  const char* from_environment = ::secure_getenv("TINE_DIR");
  if (from_environment != nullptr && from_environment[0] != '\0') {
    return MakeAbsolute(from_environment);
  }
  struct stat info;
  const int found =
      RetryIfInterrupted([&] { return ::stat(kSystemDirectory, &info); });
  // Who may not look cannot know that it is missing.
  if (found == 0 || (errno != ENOENT && errno != ENOTDIR)) {
    return kSystemDirectory;
  }
  return std::string(kPrivateDirectoryPrefix) + std::to_string(::geteuid());
}

int OpenMetricsDirectory(const char* path, bool may_create,
                         const char** problem) noexcept {
  *problem = nullptr;
  const bool is_private_default = IsPrivateDefault(path);
  int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  int mkdir_errno = 0;
  if (is_private_default) {
    flags |= O_NOFOLLOW;  // its parent is world-writable
    if (may_create) {
      if (RetryIfInterrupted([&] { return ::mkdir(path, 0700); }) == 0) {
        // A umask may have shut even its owner out, for good. Nobody else can
        // have put something in its place: /dev/shm is sticky.
        ::chmod(path, 0700);
      } else {
        mkdir_errno = errno;  // EEXIST is the usual case
      }
    }
  }
  const int fd = RetryIfInterrupted([&] { return ::open(path, flags); });
  if (fd < 0) {
    if (errno == ENOENT && mkdir_errno != 0) {
      errno = mkdir_errno;  // why it is not there
    }
    return -1;
  }
  struct stat info;
  if (RetryIfInterrupted([&] { return ::fstat(fd, &info); }) != 0) {
    const int saved_errno = errno;
    ::close(fd);
    errno = saved_errno;
    return -1;
  }
  if ((info.st_mode & S_IWOTH) != 0 && (info.st_mode & S_ISVTX) == 0) {
    *problem =
        "the directory is world-writable and not sticky: anybody could remove "
        "live files; chmod +t it or chmod o-w it";
  } else if (is_private_default &&
             (info.st_uid != ::geteuid() || (info.st_mode & 077) != 0)) {
    *problem =
        "the default directory in /dev/shm must be owned by this user with "
        "mode 0700; remove it or set TINE_DIR";
  }
  if (*problem != nullptr) {
    ::close(fd);
    errno = EPERM;
    return -1;
  }
  return fd;
}

FileSystemKind FileSystemKindOf(uint64_t f_type) noexcept {
  // Numbers from linux/magic.h and from the file systems' own sources.
  switch (f_type) {
    case 0x01021994:  // tmpfs
    case 0x858458f6:  // ramfs
      return FileSystemKind::kMemory;
    case 0xef53:      // ext2, ext3, ext4
    case 0x58465342:  // xfs
      return FileSystemKind::kDisk;
    case 0x6969:      // nfs
    case 0xff534d42:  // cifs
    case 0xfe534d42:  // smb2
    case 0x517b:      // smb
    case 0x00c36400:  // ceph
    case 0x01021997:  // 9p
    case 0x65735546:  // fuse, and virtiofs, which is fuse to statfs
    case 0x6a656a63:  // virtiofs, where it has a number of its own
    case 0x5346414f:  // afs
    case 0x73757245:  // coda
      return FileSystemKind::kRemote;
    default:
      return FileSystemKind::kUnknown;
  }
}

}  // namespace tine
