// The control of fault_test: each of its mistakes is seen by a scenario that
// passes without it.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "tests/collector/fault_scenarios.h"
#include "tests/testing/child_process.h"
#include "tests/testing/mutant.h"

namespace tine::collector {
namespace {

struct Mutant {
  const char* name;
  const char* scenario;
};

constexpr Mutant kMutants[] = {
    {"overflow_ignored", "QueueOverflows"},
    {"overflow_uncounted", "QueueOverflows"},
    {"ignored_ignored", "WatchTakenOff"},
    {"identity_not_compared", "DirectoryMadeAgain"},
    {"scan_before_watch", "FileMadeWhileListing"},
    {"failed_listing_forgotten", "ListingFails"},
    {"no_probe_after_close", "LockFreedAfterTheEvent"},
    {"death_elsewhere_missed", "DeadElsewhere"},
    {"death_on_a_short_trip_missed", "DeadOnAShortTrip"},
    {"death_of_unopened_missed", "DyingWhileItIsOpened"},
    {"polling_not_listed", "InstancesUsedUp"},
    {"vanished_dropped", "UnlinkedLiveFile"},
    {"mended_file_not_seen", "FileMendedUnseen"},
    {"name_of_another_erased", "NameTakenByAnotherFile"},
    {"no_room_made", "MoreDeadFilesThanDescriptors"},
    {"closed_not_probed", "DeathsOfClosedFiles"},
    {"reopened_unchecked", "ReplacedWhileClosed"},
    {"oldest_closed_first", "OnlyFilesOverTheLimitAreOpenedAgain"},
    {"vanished_take_turns", "UnlinkedOpenFilesAreReadOn"},
    {"closed_come_back_blind", "DeadElsewhereWhileClosed"},
    {"life_by_kill", "Zombie"},
    {"life_by_process_state", "FirstThreadEnded"},
    {"other_boot_is_dead", "OtherBootOnMemory"},
    {"probe_for_write", "SquattersReadLock"},
    {"proc_of_others", "ProcOfAnotherPidNamespace"},
    {"unknown_boot_is_another", "UnknownBootOnDisk"},
};

FaultScenario Find(const std::string& name) {
  for (const auto& scenarios : {WatchScenarios(), InotifyScenarios(),
                                LivenessScenarios(), DescriptorScenarios()}) {
    for (const FaultScenario& scenario : scenarios) {
      if (scenario.name == name) {
        return scenario;
      }
    }
  }
  return {nullptr, nullptr, false};
}

class FaultMutantTest : public ::testing::TestWithParam<Mutant> {
 protected:
  static testing::ChildOutcome RunWith(const char* mutant,
                                       const FaultScenario& scenario) {
    return testing::RunInChild([&] {
      if (mutant != nullptr) {
        testing::SetMutant(mutant);
        // Its failures are no news.
        ::dup2(::open("/dev/null", O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
      }
      scenario.run(/*has_thread=*/false);
    });
  }
};

TEST_P(FaultMutantTest, IsSeen) {
  const FaultScenario scenario = Find(GetParam().scenario);
  ASSERT_NE(scenario.run, nullptr);
  const testing::ChildOutcome sound = RunWith(nullptr, scenario);
  if (scenario.needs_namespaces && !sound.HasExited(0)) {
    GTEST_SKIP() << "this process may not make namespaces";
  }
  EXPECT_TRUE(sound.HasExited(0)) << sound.Description();
  const testing::ChildOutcome outcome = RunWith(GetParam().name, scenario);
  EXPECT_TRUE(outcome.HasExited(1)) << outcome.Description();
}

INSTANTIATE_TEST_SUITE_P(Mutants, FaultMutantTest,
                         ::testing::ValuesIn(kMutants),
                         [](const ::testing::TestParamInfo<Mutant>& of) {
                           return testing::MutantTestName(of.param.scenario,
                                                          of.param.name);
                         });

}  // namespace
}  // namespace tine::collector
