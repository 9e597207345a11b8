#include "writer/life_lock.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "common/retry_if_interrupted.h"
#include "writer/real_pages.h"

namespace tine::internal {

__thread bool t_is_forking TINE_TLS_MODEL = false;

namespace {

// Returns when no fork is under way and none can begin: fork_guard.cc looks in
// the other order. Bounded, since whoever is forking may wait, in a handler of
// the host's, for a lock that our caller holds.
void BeginTaking() {
  const uint64_t give_up_ns = CoarseNowNs() + kLongestForkDelayNs;
  g_image.is_taking_life_lock.store(true, std::memory_order_seq_cst);
  // This thread's own fork waits anyway: a handler of the host's may have made
  // us its first user.
  const int own_forks = t_is_forking ? 1 : 0;
  while (g_image.forks_under_way.load(std::memory_order_seq_cst) > own_forks &&
         CoarseNowNs() < give_up_ns) {
    g_image.is_taking_life_lock.store(false, std::memory_order_seq_cst);
    ::sched_yield();
    g_image.is_taking_life_lock.store(true, std::memory_order_seq_cst);
  }
}

bool Lock(int fd) {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;  // from 0, length 0: the whole file
  return RetryIfInterrupted([&] { return ::fcntl(fd, F_OFD_SETLK, &lock); }) ==
         0;
}

void* LockAndMap(int fd) {
  if (!Lock(fd)) {
    return nullptr;
  }
  void* mapping = ::mmap(nullptr, PageBytes(), PROT_NONE, MAP_SHARED, fd, 0);
  if (mapping == MAP_FAILED) {
    return nullptr;
  }
  g_image.unprotected_life_lock.store(mapping, std::memory_order_relaxed);
  const bool is_protected = ::madvise(mapping, PageBytes(), MADV_DONTFORK) == 0;
  g_image.unprotected_life_lock.store(nullptr, std::memory_order_relaxed);
  if (!is_protected) {
    ReleaseLifeLock(mapping);
    return nullptr;
  }
  return mapping;
}

// One of the descriptor's numbers stays open, the higher one if there is one.
bool LockAndKeep(int fd, int lowest_fd, FileDescriptor* descriptor) {
  struct stat info;
  if (!Lock(fd) || ::fstat(fd, &info) != 0) {
    return false;
  }
  descriptor->device = info.st_dev;
  descriptor->inode = info.st_ino;
  const int high_fd = ::fcntl(fd, F_DUPFD_CLOEXEC, lowest_fd);
  descriptor->fd.store(high_fd < 0 ? fd : high_fd, std::memory_order_release);
  return true;
}

}  // namespace

void* TakeLifeLock(int directory_fd, const char* name) noexcept {
  // From here to the store below, a forked child would inherit the lock. fork()
  // and we wait for each other; other ways of forking find the descriptor and
  // the mapping in g_image.
  BeginTaking();
  const int fd = RetryIfInterrupted([&] {
    return ::openat(directory_fd, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
  });
  void* life_lock = nullptr;
  int saved_errno = errno;
  if (fd >= 0) {
    g_image.open_descriptors[2].store(fd, std::memory_order_relaxed);
    life_lock = LockAndMap(fd);
    saved_errno = errno;
    g_image.open_descriptors[2].store(-1, std::memory_order_relaxed);
    ::close(fd);
  }
  g_image.is_taking_life_lock.store(false, std::memory_order_release);
  errno = saved_errno;
  return life_lock;
}

bool TakeLifeLockAndKeep(int directory_fd, const char* name, int lowest_fd,
                         FileDescriptor* descriptor) noexcept {
  BeginTaking();
  const int fd = RetryIfInterrupted([&] {
    return ::openat(directory_fd, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
  });
  bool is_taken = false;
  if (fd >= 0) {
    g_image.open_descriptors[2].store(fd, std::memory_order_relaxed);
    is_taken = LockAndKeep(fd, lowest_fd, descriptor);
    const int saved_errno = errno;
    g_image.open_descriptors[2].store(-1, std::memory_order_relaxed);
    if (!is_taken || descriptor->fd.load(std::memory_order_relaxed) != fd) {
      ::close(fd);  // the other number keeps the description, and the lock
    }
    errno = saved_errno;
  }
  g_image.is_taking_life_lock.store(false, std::memory_order_release);
  return is_taken;
}

void ReleaseLifeLock(void* life_lock) noexcept {
  if (life_lock != nullptr) {
    const int saved_errno = errno;
    ::munmap(life_lock, PageBytes());
    errno = saved_errno;
  }
}

format::LifeLock TestLifeLock(int directory_fd, const char* name) noexcept {
  const int fd = RetryIfInterrupted([&] {
    return ::openat(directory_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  });
  if (fd < 0) {
    return format::LifeLock::kUnknown;
  }
  g_image.open_descriptors[3].store(fd, std::memory_order_relaxed);
  struct flock lock {};
  lock.l_type = F_RDLCK;
  lock.l_whence = SEEK_SET;
  const bool is_answered =
      RetryIfInterrupted([&] { return ::fcntl(fd, F_OFD_GETLK, &lock); }) == 0;
  const bool is_unsupported = !is_answered && errno == EINVAL;
  g_image.open_descriptors[3].store(-1, std::memory_order_relaxed);
  ::close(fd);
  if (!is_answered) {
    // A passing trouble says nothing; the next file's test may.
    return is_unsupported ? format::LifeLock::kDoesNotHold
                          : format::LifeLock::kUnknown;
  }
  return lock.l_type == F_WRLCK ? format::LifeLock::kHolds
                                : format::LifeLock::kDoesNotHold;
}

}  // namespace tine::internal
