// The control of instrument_test: each of its mistakes is seen by a scenario
// that passes without it.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "tests/collector/instrument_scenarios.h"
#include "tests/testing/child_process.h"
#include "tests/testing/mutant.h"

namespace tine::collector {
namespace {

struct Mutant {
  const char* name;
  const char* scenario;
};

constexpr Mutant kMutants[] = {
    {"unknown_states_stay", "StatesThatTheWinnerDoesNotKnowAreFalse"},
    {"one_bit_for_all_states", "StateSetsAreMergedByTheirMode"},
    {"recent_states_never_unset", "StateSetIsAbsentInARecentModeUntilItIsSet"},
    {"too_old_is_served", "GaugeThatIsTooOldIsAbsentUntilItIsSetAgain"},
    {"too_old_is_served", "ValueThatIsTooOldHasNoShareInTheOthers"},
    {"other_boot_clock_is_ours", "OtherBootClockIsReadByTheWallClock"},
    {"archive_forgets_when_it_is_too_old",
     "ArchiveKeepsAGaugeNoLongerThanItMayLive"},
    {"too_old_in_the_archive_becomes_zero",
     "ArchiveKeepsAGaugeNoLongerThanItMayLive"},
    {"added_again_is_removed", "WhatWasAddedAgainStaysWhenItsProcessDies"},
    {"created_moves_back", "CreatedIsTheEarliestAndStays"},
    {"created_not_archived", "CreatedIsTheEarliestAndStays"},
};

const InstrumentScenario* Find(const std::string& name) {
  for (const InstrumentScenario& scenario : InstrumentScenarios()) {
    if (scenario.name == name) {
      return &scenario;
    }
  }
  return nullptr;
}

class InstrumentMutantTest : public ::testing::TestWithParam<Mutant> {
 protected:
  static testing::ChildOutcome RunWith(const char* mutant,
                                       const InstrumentScenario& scenario) {
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

TEST_P(InstrumentMutantTest, IsSeen) {
  const InstrumentScenario* scenario = Find(GetParam().scenario);
  ASSERT_NE(scenario, nullptr);
  const testing::ChildOutcome sound = RunWith(nullptr, *scenario);
  EXPECT_TRUE(sound.HasExited(0)) << sound.Description();
  const testing::ChildOutcome outcome = RunWith(GetParam().name, *scenario);
  EXPECT_TRUE(outcome.HasExited(1)) << outcome.Description();
}

INSTANTIATE_TEST_SUITE_P(Mutants, InstrumentMutantTest,
                         ::testing::ValuesIn(kMutants),
                         [](const ::testing::TestParamInfo<Mutant>& of) {
                           return testing::MutantTestName(of.param.scenario,
                                                          of.param.name);
                         });

}  // namespace
}  // namespace tine::collector
