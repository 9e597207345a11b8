// The control of limit_test: each of its mistakes is seen by a scenario that
// passes without it.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <ostream>
#include <string>

#include "tests/collector/limit_scenarios.h"
#include "tests/testing/child_process.h"
#include "tests/testing/mutant.h"

namespace tine::collector {
namespace {

struct Mutant {
  const char* name;
  const char* scenario;
  bool waits_for_ever = false;
  friend void PrintTo(const Mutant& mutant, std::ostream* out) {
    *out << mutant.name;
  }
};

constexpr Mutant kMutants[] = {
    {"over_a_cap_refused", "SumStaysTrueBeforeAndAfterTheFold"},
    {"over_a_cap_refused", "NoNumberFallsWhileFilesOverflowAndAreFolded"},
    {"gauges_overflow", "GaugesThatAreSetAreLeftOutAndCountedApart"},
    {"refused_family_folded", "FileWhoseFamilyWasRefusedIsNotFolded"},
    {"overflow_unlimited", "OverflowSeriesAreBoundedToo"},
    {"archive_under_limits", "ArchiveIsReadWholeWhateverTheLimitsAre"},
    {"archive_keeps_label_names", "ArchiveOfManyLabelNamesIsReadAgain"},
    {"limit_told_again", "LogTellsOnceOfEachOwner"},
    {"never_expires", "CounterThatNobodyHasExpires"},
    {"never_expires", "IdleCollectorLetsGoByItself", true},
    {"held_series_expire", "LiveHolderKeepsASeriesForEver"},
    {"stamps_begin_with_the_collector", "StampsSurviveARestart"},
    {"up_down_counters_are_gauges",
     "GaugesOfTheDeadExpireSoonerAndCountsDoNot"},
    {"any_live_writer_holds", "ProcessLabelsThatNobodyHasExpireInADay"},
    {"process_labels_not_kept", "ProcessLabelsThatNobodyHasExpireInADay"},
    {"own_labels_are_the_process", "OverflowSeriesIsNobodysVersion"},
    {"parts_expire_alone", "SeriesExpiresWholeOrNotAtAll"},
    {"expires_before_listing", "NothingExpiresBeforeTheDirectoryWasListed"},
    {"births_before_the_first_view", "RestartServesWhatIsThereAsItIs"},
    {"births_before_the_first_view", "ViewThatBeginsAnewServesTheTruth"},
    {"late_is_new", "OldSeriesThatCameLateAreTrue"},
    {"birth_when_learned", "NewbornSeriesBecomeTrueAndStayTrue"},
    {"newborn_for_ever", "NewbornSeriesBecomeTrueAndStayTrue", true},
};

LimitScenario Find(const std::string& name) {
  for (const auto& scenarios :
       {OverflowScenarios(), ExpiryScenarios(), BirthScenarios()}) {
    for (const LimitScenario& scenario : scenarios) {
      if (scenario.name == name) {
        return scenario;
      }
    }
  }
  return {nullptr, nullptr};
}

class LimitMutantTest : public ::testing::TestWithParam<Mutant> {
 protected:
  static testing::ChildOutcome RunWith(const char* mutant, bool waits_for_ever,
                                       const LimitScenario& scenario) {
    return testing::RunInChild([&] {
      if (mutant != nullptr) {
        testing::SetMutant(mutant);
        // Its failures are no news.
        ::dup2(::open("/dev/null", O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
        ::alarm(waits_for_ever ? 5 : 0);  // and this ends it
      }
      scenario.run();
    });
  }
};

TEST_P(LimitMutantTest, IsSeen) {
  const LimitScenario scenario = Find(GetParam().scenario);
  ASSERT_NE(scenario.run, nullptr);
  const testing::ChildOutcome sound = RunWith(nullptr, false, scenario);
  EXPECT_TRUE(sound.HasExited(0)) << sound.Description();
  const testing::ChildOutcome outcome =
      RunWith(GetParam().name, GetParam().waits_for_ever, scenario);
  EXPECT_FALSE(outcome.HasExited(0)) << outcome.Description();
}

INSTANTIATE_TEST_SUITE_P(All, LimitMutantTest, ::testing::ValuesIn(kMutants),
                         [](const ::testing::TestParamInfo<Mutant>& of) {
                           return std::string(of.param.name) + "_" +
                                  std::to_string(of.index);
                         });

}  // namespace
}  // namespace tine::collector
