// The control of fold_scenario_test: each of its mistakes is seen by a scenario
// that passes without it (there).

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "tests/collector/fold_scenarios.h"
#include "tests/testing/child_process.h"
#include "tests/testing/mutant.h"

namespace tine::collector {
namespace {

struct Mutant {
  const char* name;
  const char* scenario;
};

constexpr Mutant kMutants[] = {
    {"unlink_before_rename", "KilledAnywhere"},
    {"sum_without_list", "KilledAnywhere"},
    {"update_in_place", "KilledAnywhere"},
    {"list_ignored_on_start", "KilledAnywhere"},
    {"entries_dropped_before_files", "KilledAnywhere"},
    {"entries_dropped_before_files", "KilledTwice"},
    {"cut_listing_believed", "ListingFails"},
    {"files_gone_before_it_lasts", "ArchiveDoesNotLast"},
    {"one_uuid_twice_in_a_batch", "TwoUsersOneUuid"},
    {"lock_not_checked", "SecondFolderAtEachMoment"},
    {"generation_not_read_again", "ReaderAcrossAFold"},
    {"take_over_without_reading", "TakeOverWithAnOldArchiveInMemory"},
    {"write_without_a_look_at_the_disk", "ArchiveWrittenByAnother"},
    {"write_without_a_look_at_the_disk", "LockFileRemoved"},
    {"removed_lock_kept", "LockFileRemoved"},
    {"removed_archive_not_written_again", "StateFilesRemoved"},
    {"removed_archive_not_written_again", "StateDirectoryRemoved"},
    {"kept_file_forgotten_when_away", "KeptFileComesBack"},
    {"low_parts_dropped", "ScrapeIsThatOfTheCompactedFiles"},
};

FoldScenario Find(const std::string& name) {
  for (const auto& scenarios : {FoldCrashScenarios(), FoldFaultScenarios(),
                                FoldPeerScenarios(), FoldRandomScenarios()}) {
    for (const FoldScenario& scenario : scenarios) {
      if (scenario.name == name) {
        return scenario;
      }
    }
  }
  return {nullptr, nullptr, nullptr};
}

class FoldControlTest : public ::testing::TestWithParam<Mutant> {};

TEST_P(FoldControlTest, IsSeen) {
  const FoldScenario scenario = Find(GetParam().scenario);
  ASSERT_NE(scenario.run, nullptr);
  if (scenario.why_not != nullptr && !scenario.why_not().empty()) {
    GTEST_SKIP() << scenario.why_not();
  }
  const testing::ChildOutcome outcome = testing::RunInChild([&] {
    testing::SetMutant(GetParam().name);
    // Its failures are no news.
    ::dup2(::open("/dev/null", O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
    scenario.run();
  });
  EXPECT_TRUE(outcome.HasExited(1)) << outcome.Description();
}

INSTANTIATE_TEST_SUITE_P(Mutants, FoldControlTest,
                         ::testing::ValuesIn(kMutants),
                         [](const ::testing::TestParamInfo<Mutant>& of) {
                           return testing::MutantTestName(of.param.scenario,
                                                          of.param.name);
                         });

}  // namespace
}  // namespace tine::collector
