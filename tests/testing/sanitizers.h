// Which sanitizer this test was built with, for tests that cannot run so.

#ifndef TINE_TESTS_TESTING_SANITIZERS_H_
#define TINE_TESTS_TESTING_SANITIZERS_H_

#if defined(__SANITIZE_THREAD__)
#define TINE_HAS_TSAN 1
#else
#define TINE_HAS_TSAN 0
#endif

#if defined(__SANITIZE_ADDRESS__)
#define TINE_HAS_ASAN 1
#else
#define TINE_HAS_ASAN 0
#endif

namespace tine::testing {

inline constexpr bool kHasTsan = TINE_HAS_TSAN != 0;
inline constexpr bool kHasAsan = TINE_HAS_ASAN != 0;

// `count` where nothing slows us down, a part of it under a sanitizer.
constexpr int Scaled(int count) {
  return kHasTsan ? count / 20 : kHasAsan ? count / 4 : count;
}

}  // namespace tine::testing

// Skips the test under thread sanitizer, whose runtime takes locks of its own
// in every thread: a child of a raw clone() of a threaded process would wait
// for them for ever.
#define TINE_SKIP_UNDER_TSAN(reason)                    \
  do {                                                  \
    if (::tine::testing::kHasTsan) {                    \
      GTEST_SKIP() << "thread sanitizer: " << (reason); \
    }                                                   \
  } while (false)

#endif  // TINE_TESTS_TESTING_SANITIZERS_H_
