// The library's coarse clock with a part that a test may add, so that no test
// waits for a back-off to pass. Linked in, it takes the place of the C
// library's clock_gettime() in the whole program.

#ifndef TINE_TESTS_WRITER_SKIPPING_CLOCK_H_
#define TINE_TESTS_WRITER_SKIPPING_CLOCK_H_

#include <atomic>
#include <cstdint>

namespace tine::testing {

// Added to CLOCK_MONOTONIC_COARSE, which nobody but the library reads.
extern std::atomic<int64_t> g_skipped_seconds;

}  // namespace tine::testing

#endif  // TINE_TESTS_WRITER_SKIPPING_CLOCK_H_
