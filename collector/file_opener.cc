#include "collector/file_opener.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>

namespace tine::collector {
namespace {

constexpr uint64_t kNanosecondsPerSecond = 1'000'000'000;

// O_NONBLOCK: a FIFO would block for ever, a file with another process's lease
// for 45 seconds (EAGAIN now).
constexpr int kOpenFlags =
    O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY;

int OpenBeneath(int directory_fd, const char* name) {
  open_how how = {};
  how.flags = static_cast<uint64_t>(kOpenFlags);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
                RESOLVE_NO_XDEV;
  const long fd = ::syscall(SYS_openat2, directory_fd, name, &how, sizeof(how));
  if (fd >= 0) {
    return static_cast<int>(fd);
  }
  // Linux before 5.6 has no such call, and a seccomp filter may refuse one that
  // it does not know. A name without a slash has nothing to resolve but its
  // last step, so openat loses only the check for another file system, which
  // the caller makes up for.
  if (errno == ENOSYS || errno == EPERM || errno == EINVAL) {
    return ::openat(directory_fd, name, kOpenFlags);
  }
  return -1;
}

uint64_t NanosecondsOf(const statx_timestamp& time) {
  return static_cast<uint64_t>(time.tv_sec) * kNanosecondsPerSecond +
         time.tv_nsec;
}

void DescribeOpenError(int error, OpenedFile* file) {
  switch (error) {
    case ENOENT:
      file->is_gone = true;
      file->problem = "gone";
      return;
    case ELOOP:
      file->problem = "symbolic_link";
      return;
    case EXDEV:
      file->problem = "other_file_system";
      return;
    case ENXIO:
    case ENODEV:
      file->problem = "not_regular";
      return;
    case EAGAIN:
      file->problem = "open_would_block";
      break;
    case EMFILE:
    case ENFILE:
      file->problem = kTooManyOpenFiles;
      break;
    case EACCES:
    case EPERM:
      file->problem = "permission_denied";
      break;
    default:
      file->problem = "open_failed";
      break;
  }
  file->is_retryable = true;
}

}  // namespace

bool ReadFileFacts(int fd, FileFacts* facts, bool* is_regular,
                   uint32_t* link_count) {
  struct statx info;
  if (::statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &info) !=
      0) {
    return false;
  }
  facts->device = makedev(info.stx_dev_major, info.stx_dev_minor);
  facts->inode = info.stx_ino;
  facts->size_bytes = info.stx_size;
  facts->owner_uid = info.stx_uid;
  facts->change_ns = NanosecondsOf(info.stx_ctime);
  facts->birth_ns = 0;
  if ((info.stx_mask & STATX_BTIME) != 0 && info.stx_btime.tv_sec > 0) {
    facts->birth_ns = NanosecondsOf(info.stx_btime);
  }
  *is_regular = S_ISREG(info.stx_mode);
  *link_count = info.stx_nlink;
  return true;
}

OpenedFile OpenUntrustedFile(int directory_fd, const char* name,
                             uint64_t max_file_bytes) {
  OpenedFile file;
  UniqueFd fd(OpenBeneath(directory_fd, name));
  if (!fd.valid()) {
    DescribeOpenError(errno, &file);
    return file;
  }
  struct stat directory;
  bool is_regular = false;
  uint32_t link_count = 0;
  if (::fstat(directory_fd, &directory) != 0 ||
      !ReadFileFacts(fd.get(), &file.facts, &is_regular, &link_count)) {
    file.problem = "stat_failed";
    file.is_retryable = true;
  } else if (!is_regular) {
    file.problem = "not_regular";
  } else if (file.facts.device != directory.st_dev) {
    file.problem = "other_file_system";
  } else if (link_count == 0) {
    file.problem = "gone";
    file.is_gone = true;
  } else if (link_count != 1) {
    file.problem = "hard_link";
    file.is_retryable = true;  // somebody else may have made it
  } else if (file.facts.size_bytes > max_file_bytes) {
    file.problem = "too_large";
  } else {
    file.fd = std::move(fd);
  }
  return file;
}

}  // namespace tine::collector
