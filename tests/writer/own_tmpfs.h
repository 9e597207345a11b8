// A tmpfs of a test's own, in a mount namespace of its own: nobody else sees
// it, and it is gone with the process.

#ifndef TINE_TESTS_WRITER_OWN_TMPFS_H_
#define TINE_TESTS_WRITER_OWN_TMPFS_H_

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <string>

#include "common/unique_fd.h"
#include "gtest/gtest.h"
#include "tests/testing/child_process.h"

namespace tine::testing {

// From here on, what this process mounts below /dev/shm is seen by nobody else.
// In a chroot / may be no mount point; then /dev/shm is made private alone.
inline bool EnterOwnMountNamespace() {
  return ::unshare(CLONE_NEWNS) == 0 &&
         (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 ||
          ::mount("none", "/dev/shm", nullptr, MS_PRIVATE, nullptr) == 0);
}

inline bool CanMount() {
  return IsSuccess(
      WaitFor(StartChild([] { ::_exit(EnterOwnMountNamespace() ? 0 : 1); })));
}

#define TINE_SKIP_UNLESS_CAN_MOUNT()                                \
  do {                                                              \
    if (!::tine::testing::CanMount()) {                             \
      GTEST_SKIP() << "this process may not make mount namespaces"; \
    }                                                               \
  } while (false)

// Call it in a child. `options` like "size=1m,nr_inodes=20".
inline void MountOwnTmpfs(const std::string& path, const char* options) {
  if (!EnterOwnMountNamespace() ||
      ::mount("tine-test", path.c_str(), "tmpfs", 0, options) != 0) {
    GTEST_FAIL() << "cannot mount a tmpfs with " << options << ": " << errno;
  }
}

// Takes all of the file system but `free_bytes`, in a file named "filler" that
// was there or not.
inline void FillUpTo(const std::string& path, uint64_t free_bytes) {
  const UniqueFd fd(
      ::open((path + "/filler").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  struct statvfs info {};
  ASSERT_EQ(::fstatvfs(fd.get(), &info), 0);
  const uint64_t now_free_bytes = info.f_bfree * info.f_bsize;
  if (now_free_bytes > free_bytes) {
    const off_t end = ::lseek(fd.get(), 0, SEEK_END);
    ASSERT_EQ(
        ::posix_fallocate(fd.get(), end,
                          static_cast<off_t>(now_free_bytes - free_bytes)),
        0);
  }
}

inline void FreeFiller(const std::string& path) {
  ::unlink((path + "/filler").c_str());
}

}  // namespace tine::testing

#endif  // TINE_TESTS_WRITER_OWN_TMPFS_H_
