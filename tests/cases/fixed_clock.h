// A time of day that a test decides on. Linked in, it takes the place of the C
// library's clock_gettime() in the whole program; other clocks are as ever.

#ifndef TINE_TESTS_CASES_FIXED_CLOCK_H_
#define TINE_TESTS_CASES_FIXED_CLOCK_H_

#include <cstdint>

namespace tine::testing {

// From now on, and in later children, CLOCK_REALTIME stands still at
// `second` seconds after the 10^9th since 1970.
void FixClock(int64_t second);

}  // namespace tine::testing

#endif  // TINE_TESTS_CASES_FIXED_CLOCK_H_
