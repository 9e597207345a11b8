// Mistakes in how the library takes a failure, each of which the tests of
// failing calls must see.

#include <sys/syscall.h>

#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>

#include "gtest/gtest.h"
#include "tests/testing/mutant.h"
#include "tests/writer/failing_call_cases.h"
#include "tests/writer/failure_situations.h"

namespace tine::testing {
namespace {

struct Mistake {
  const char* mutant;
  const char* scenario;
  uint64_t failing_call;
};

constexpr Mistake kMistakes[] = {
    {"descriptor_left_open", "FirstSeries", SYS_fchmod},
    {"lock_descriptor_left_open", "FirstSeries", SYS_fcntl},
    {"mapping_left", "FirstSeries", SYS_renameat2},
    {"temp_file_left", "FirstSeries", SYS_renameat2},
    {"drop_not_counted", "FirstSeries", SYS_fchmod},
    {"no_back_off", "FirstSeries", SYS_fchmod},
    {"no_retry", "FirstSeries", SYS_fchmod},
    {"error_not_told", "FirstSeries", SYS_fchmod},
    {"told_each_time", "FirstSeries", SYS_fchmod},
    {"size_not_checked", "FirstSeries", SYS_ftruncate},
    {"signal_not_taken", "FurtherFile", SYS_prlimit64},
    {"populate_not_checked", "FirstSeries", SYS_madvise},
    {"errno_of_host_lost", "Thread", SYS_madvise},
    {"mask_of_nothing_restored", "NextSeries", SYS_rt_sigprocmask},
    {"interruption_is_failure", "FirstSeries", SYS_ftruncate},
};

#define TINE_SKIP_UNLESS_TRACED()     \
  do {                                \
    if (!WhyNotTraced().empty()) {    \
      GTEST_SKIP() << WhyNotTraced(); \
    }                                 \
  } while (false)

// Without the mutant there are no complaints.
void ExpectSeen(const char* mutant,
                const std::function<std::string()>& complaints) {
  EXPECT_EQ(complaints(), "");
  SetMutant(mutant);
  const std::string seen = complaints();
  SetMutant(nullptr);
  EXPECT_NE(seen, "") << mutant;
  std::printf("%s is seen: %s\n", mutant, seen.c_str());
}

class FailingCallMatrixControlTest : public ::testing::TestWithParam<Mistake> {
};

TEST_P(FailingCallMatrixControlTest, MistakeIsSeen) {
  TINE_SKIP_UNLESS_TRACED();
  const Mistake& mistake = GetParam();
  FailingCallCases cases;
  ExpectSeen(mistake.mutant, [&] {
    int case_count = 0;
    return cases.RunAll(ScenarioNamed(mistake.scenario), &case_count,
                        mistake.failing_call);
  });
}

TEST(FailingCallControlTest, MistakesWithAStoppedLockHolderAreSeen) {
  TINE_SKIP_UNLESS_TRACED();
  for (const char* mutant : {"stuck_lock_waited_for", "held_lock_asked_for"}) {
    ExpectSeen(mutant, StoppedLockHolder);
  }
}

TEST(FailingCallControlTest, CoverInTwoStepsIsSeen) {
  TINE_SKIP_UNLESS_TRACED();
  ExpectSeen("cover_in_two_steps", ChildWithoutMemoryToLeaveItsParent);
}

TEST(FailingCallControlTest, AskingForMemoryEachTimeIsSeen) {
  TINE_SKIP_UNLESS_TRACED();
  ExpectSeen("memory_asked_for_each_time", LookUpsWithoutMemory);
}

TEST(FailingCallControlTest, SignalOfStderrIsSeen) {
  ExpectSeen("pipe_signal_not_taken", StderrThatRaisesSignals);
  ExpectSeen("log_signal_not_taken", StderrThatRaisesSignals);
}

TEST(FailingCallControlTest, WaitForAFullStderrIsSeen) {
  ExpectSeen("full_pipe_waited_for", [] { return StderrThatIsFull(3); });
}

INSTANTIATE_TEST_SUITE_P(Mutants, FailingCallMatrixControlTest,
                         ::testing::ValuesIn(kMistakes),
                         [](const auto& mistake) {
                           return std::string(mistake.param.mutant);
                         });

}  // namespace
}  // namespace tine::testing
