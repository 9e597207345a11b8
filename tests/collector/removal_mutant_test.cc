// The control of removal_test: each of its mistakes is seen by a scenario that
// passes without it.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "tests/collector/removal_scenarios.h"
#include "tests/testing/child_process.h"
#include "tests/testing/mutant.h"

namespace tine::collector {
namespace {

struct Mutant {
  const char* name;
  const char* scenario;
  // removal_test is enough to show that it passes without the mistake.
  bool is_long = false;
};

constexpr Mutant kMutants[] = {
    {"taken_not_written", "HeldByAnotherWriterNothingFalls"},
    {"taken_not_written", "KilledAnywhereItIsTakenOnce", true},
    {"taken_not_loaded", "HeldByAnotherWriterNothingFalls"},
    {"taken_not_asked_for", "SecondRemovalInTheSameFileIsTakenToo"},
    {"taken_goes_on_counting", "HeldByAnotherWriterNothingFalls"},
    {"taken_for_good_before_it_is_written",
     "FailedFoldLeavesTheNumbersInTheFile"},
    {"taken_forgotten_when_away", "FileThatWasAwayIsTakenFromOnce"},
    {"holders_not_asked", "HeldByAnotherWriterNothingFalls"},
    {"dead_holders_not_asked", "DeadWhoHadItStillKeepsIt"},
    {"dead_holders_not_asked", "DeadWhoHadAddedItAgainKeepsIt"},
    {"holders_of_other_buckets_not_asked", "HeldWithOtherBucketsNothingFalls"},
    {"never_leaves", "WhatLastsStaysUntilTheFoldAndThenIsGone"},
    {"removal_of_the_dead_not_seen", "DeadWhoRemovedTakesItAlong"},
    {"removal_not_read_first", "UnreadRemovalIsReadFirst"},
    {"gauge_waits_for_the_fold", "GaugesOfEveryModeAreGoneAtOnce"},
    {"gauge_of_the_dead_stays", "GaugeOfTheDeadGoesWithTheLastHolder"},
    {"last_number_kept", "WhatLastsStaysUntilTheFoldAndThenIsGone"},
    {"any_owner_may_remove", "WhatOtherUsersLeftStays"},
};

const RemovalScenario* Find(const std::string& name) {
  for (const RemovalScenario& scenario : RemovalScenarios()) {
    if (scenario.name == name) {
      return &scenario;
    }
  }
  return nullptr;
}

class RemovalMutantTest : public ::testing::TestWithParam<Mutant> {
 protected:
  static testing::ChildOutcome RunWith(const char* mutant,
                                       const RemovalScenario& scenario) {
    return testing::RunInChild([&] {
      if (mutant != nullptr) {
        testing::SetMutant(mutant);
        // Its failures are no news.
        ::dup2(::open("/dev/null", O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
      }
      scenario.run();
    });
  }
};

TEST_P(RemovalMutantTest, IsSeen) {
  const RemovalScenario* scenario = Find(GetParam().scenario);
  ASSERT_NE(scenario, nullptr);
  if (scenario->needs_root && ::geteuid() != 0) {
    GTEST_SKIP() << "only root may give files away";
  }
  if (!GetParam().is_long) {
    const testing::ChildOutcome sound = RunWith(nullptr, *scenario);
    EXPECT_TRUE(sound.HasExited(0)) << sound.Description();
  }
  const testing::ChildOutcome outcome = RunWith(GetParam().name, *scenario);
  EXPECT_TRUE(outcome.HasExited(1)) << outcome.Description();
}

INSTANTIATE_TEST_SUITE_P(Mutants, RemovalMutantTest,
                         ::testing::ValuesIn(kMutants),
                         [](const ::testing::TestParamInfo<Mutant>& of) {
                           return testing::MutantTestName(of.param.scenario,
                                                          of.param.name);
                         });

}  // namespace
}  // namespace tine::collector
