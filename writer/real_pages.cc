#include "writer/real_pages.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "common/retry_if_interrupted.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

namespace tine::internal {
namespace {

// MADV_POPULATE_WRITE for kernels before 5.14: a system call that writes one
// word to each page fails with EFAULT where a store would raise SIGBUS.
bool PopulateBySystemCall(uint8_t* begin, uint64_t bytes) {
  for (uint64_t at = 0; at < bytes; at += PageBytes()) {
    if (::syscall(SYS_rt_sigprocmask, SIG_BLOCK, nullptr, begin + at, 8) != 0) {
      return false;
    }
    std::memset(begin + at, 0, 8);
  }
  return true;
}

}  // namespace

uint64_t PageBytes() noexcept {
  return static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

bool MakePagesReal(uint8_t* begin, uint64_t bytes) noexcept {
  if (RetryIfInterrupted([&] {
        return ::mprotect(begin, bytes, PROT_READ | PROT_WRITE);
      }) != 0) {
    return false;
  }
  const int result = RetryIfInterrupted(
      [&] { return ::madvise(begin, bytes, MADV_POPULATE_WRITE); });
  if (result == 0 || (errno == EINVAL && PopulateBySystemCall(begin, bytes))) {
    return true;
  }
  const int saved_errno = errno == EFAULT ? ENOSPC : errno;
  ::mprotect(begin, bytes, PROT_NONE);
  errno = saved_errno;
  return false;
}

}  // namespace tine::internal
