#ifndef TINE_COMMON_CLOCK_H_
#define TINE_COMMON_CLOCK_H_

#include <cstdint>
#include <ctime>

namespace tine {

// Nanoseconds of `clock`; 0 when the kernel does not have it.
// Async-signal-safe.
inline uint64_t NowNs(clockid_t clock) noexcept {
  timespec now;
  if (::clock_gettime(clock, &now) != 0) {
    return 0;
  }
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace tine

#endif  // TINE_COMMON_CLOCK_H_
