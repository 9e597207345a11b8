#ifndef TINE_COMMON_RETRY_IF_INTERRUPTED_H_
#define TINE_COMMON_RETRY_IF_INTERRUPTED_H_

#include <cerrno>

namespace tine {

// Makes a system call again while it fails with EINTR; returns its last result.
// Bounded, because a sandbox may answer so for ever. Not for close(), which has
// closed even then. Async-signal-safe.
template <typename Call>
auto RetryIfInterrupted(const Call& call) noexcept {
  constexpr int kMostAttempts = 20;
  auto result = call();
  for (int i = 1; result == -1 && errno == EINTR && i < kMostAttempts; ++i) {
    result = call();
  }
  return result;
}

}  // namespace tine

#endif  // TINE_COMMON_RETRY_IF_INTERRUPTED_H_
