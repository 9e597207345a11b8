#include "tests/cases/fixed_clock.h"

#include <dlfcn.h>

#include <atomic>
#include <ctime>

namespace tine::testing {
namespace {

std::atomic<int64_t> g_second{-1};  // -1: the clock goes

}  // namespace

void FixClock(int64_t second) { g_second = second; }

}  // namespace tine::testing

extern "C" int clock_gettime(clockid_t clock, timespec* now) noexcept {
  const int64_t second = tine::testing::g_second.load();
  if (clock == CLOCK_REALTIME && second >= 0) {
    *now = {1'000'000'000 + second, 0};
    return 0;
  }
  static const auto real = reinterpret_cast<int (*)(clockid_t, timespec*)>(
      ::dlsym(RTLD_NEXT, "clock_gettime"));
  return real(clock, now);
}
