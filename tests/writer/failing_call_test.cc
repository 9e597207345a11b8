// Every system call that the library makes, failing with every errno that comes
// to mind, once and for long: the host runs on, its descriptors, mappings and
// signal mask are as before, no file is damaged and none is left half made,
// every increment is in a file or counted as dropped, the status and one line
// on stderr say why, counting goes on when the cause is gone, and until then
// increments cost no system calls.

#include <cerrno>
#include <cstdio>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/child_process.h"
#include "tests/testing/sanitizers.h"
#include "tests/writer/failing_call_cases.h"
#include "tests/writer/failure_situations.h"
#include "writer/tine.h"

namespace tine::testing {
namespace {

class FailingCallMatrixTest : public ::testing::TestWithParam<const Scenario*> {
};

TEST_P(FailingCallMatrixTest, EachFailureIsTakenAndTold) {
  if (!WhyNotTraced().empty()) {
    GTEST_SKIP() << WhyNotTraced();
  }
  const std::string name = NameOf(*GetParam());
  if (kHasAsan && (name == "ThreadEnd" || name == "Exit")) {
    GTEST_SKIP() << "a sanitizer makes calls of its own at these ends, and "
                    "they would fail too";
  }
  FailingCallCases cases;
  int case_count = 0;
  EXPECT_EQ(cases.RunAll(*GetParam(), &case_count), "");
  std::printf("%d cases\n", case_count);
}

INSTANTIATE_TEST_SUITE_P(Scenarios, FailingCallMatrixTest,
                         ::testing::ValuesIn(AllScenarios()),
                         [](const auto& scenario) {
                           return NameOf(*scenario.param);
                         });

#define TINE_SKIP_UNLESS_TRACED()     \
  do {                                \
    if (!WhyNotTraced().empty()) {    \
      GTEST_SKIP() << WhyNotTraced(); \
    }                                 \
  } while (false)

// Kernels before 5.14.
TEST(FailingCallTest, PopulatingThatTheKernelDoesNotKnowIsDoneInAnotherWay) {
  TINE_SKIP_UNLESS_TRACED();
  FailingCallCases cases;
  for (const char* name : {"FirstSeries", "Growth"}) {
    const Scenario& scenario = ScenarioNamed(name);
    const auto calls = cases.Run(scenario, {}).trace.action_calls;
    int number = 0;
    int case_count = 0;
    for (const SystemCall& call : calls) {
      ++number;
      if (IsPopulating(call)) {
        ++case_count;
        const CaseOutcome outcome =
            cases.Run(scenario, {number, EINVAL, /*lasts=*/false});
        EXPECT_THAT(outcome.complaints, ::testing::IsEmpty());
      }
    }
    EXPECT_EQ(case_count, 1);
  }
}

TEST(FailingCallTest, ThreadStoppedWithTheLockIsWaitedForOnce) {
  TINE_SKIP_UNLESS_TRACED();
  EXPECT_EQ(StoppedLockHolder(), "");
}

TEST(FailingCallTest, ChildWithoutMemoryToLeaveItsParentDoesNotCrash) {
  TINE_SKIP_UNLESS_TRACED();
  EXPECT_EQ(ChildWithoutMemoryToLeaveItsParent(), "");
}

TEST(FailingCallTest, LookUpsWithoutMemoryCostNoCalls) {
  TINE_SKIP_UNLESS_TRACED();
  EXPECT_EQ(LookUpsWithoutMemory(), "");
}

TEST(FailingCallTest, StderrThatRaisesSignalsDoesNotKillTheHost) {
  EXPECT_EQ(StderrThatRaisesSignals(), "");
}

TEST(FailingCallTest, FullStderrIsNotWaitedFor) {
  EXPECT_EQ(StderrThatIsFull(kDeadlineSeconds), "");
}

}  // namespace
}  // namespace tine::testing
