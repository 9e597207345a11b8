// How long a test with many rounds runs, and from which seed.

#ifndef TINE_TESTS_TESTING_TEST_EFFORT_H_
#define TINE_TESTS_TESTING_TEST_EFFORT_H_

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>

namespace tine::testing {

// `count` rounds in an ordinary run; TINE_TEST_EFFORT times as many in a long
// one (--test_env=TINE_TEST_EFFORT=100).
inline int Rounds(int count) {
  const char* effort = std::getenv("TINE_TEST_EFFORT");
  const int factor = effort == nullptr ? 1 : std::atoi(effort);
  return count * (factor < 1 ? 1 : factor);
}

// A new seed for each run, printed with how to run it again; TINE_TEST_SEED
// when that is set.
inline uint64_t TestSeed() {
  const char* given = std::getenv("TINE_TEST_SEED");
  const uint64_t seed = given == nullptr ? std::random_device{}()
                                         : std::strtoull(given, nullptr, 10);
  std::printf("seed %llu; again: --test_env=TINE_TEST_SEED=%llu\n",
              static_cast<unsigned long long>(seed),
              static_cast<unsigned long long>(seed));
  return seed;
}

}  // namespace tine::testing

#endif  // TINE_TESTS_TESTING_TEST_EFFORT_H_
