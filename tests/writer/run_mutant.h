// Runs a scenario with a known mistake in the library: the control of the test
// that runs it without.

#ifndef TINE_TESTS_WRITER_RUN_MUTANT_H_
#define TINE_TESTS_WRITER_RUN_MUTANT_H_

#include <fcntl.h>
#include <unistd.h>

#include <functional>

#include "gtest/gtest.h"
#include "tests/testing/child_process.h"
#include "tests/testing/mutant.h"

namespace tine::testing {

// In a child. What its EXPECTs print is expected, and not shown.
inline ChildOutcome RunMutant(const char* mutant,
                              const std::function<void()>& scenario) {
  return RunInChild([&] {
    SetMutant(mutant);
    ::close(STDOUT_FILENO);
    ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    scenario();
  });
}

// The scenario must fail, and not crash.
inline void ExpectMutantFails(const char* mutant,
                              const std::function<void()>& scenario) {
  const ChildOutcome outcome = RunMutant(mutant, scenario);
  EXPECT_TRUE(outcome.HasExited(1)) << mutant << ": " << outcome.Description();
}

inline void ExpectMutantDies(const char* mutant, int signal_number,
                             const std::function<void()>& scenario) {
  const ChildOutcome outcome = RunMutant(mutant, scenario);
  EXPECT_TRUE(outcome.WasKilledBy(signal_number))
      << mutant << ": " << outcome.Description();
}

}  // namespace tine::testing

#endif  // TINE_TESTS_WRITER_RUN_MUTANT_H_
