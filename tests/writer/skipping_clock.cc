#include "tests/writer/skipping_clock.h"

#include <dlfcn.h>

#include <ctime>

namespace tine::testing {

std::atomic<int64_t> g_skipped_seconds{0};

}  // namespace tine::testing

extern "C" int clock_gettime(clockid_t clock, timespec* now) noexcept {
  // The C library's own, which makes no system call.
  static const auto real = reinterpret_cast<int (*)(clockid_t, timespec*)>(
      ::dlsym(RTLD_NEXT, "clock_gettime"));
  const int result = real(clock, now);
  if (clock == CLOCK_MONOTONIC_COARSE) {
    now->tv_sec += tine::testing::g_skipped_seconds.load();
  }
  return result;
}
