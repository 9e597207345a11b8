// The control of model_test: wrong rules are found. Each by a stored program,
// which is served right without it (model_test); and one by random programs,
// which are then made short.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <map>
#include <string>

#include "tests/model/program_run.h"
#include "tests/model/random_program.h"
#include "tests/model/stored_programs.h"
#include "tests/testing/child_process.h"
#include "tests/testing/mutant.h"

namespace tine::model {
namespace {

struct Mutant {
  const char* name;
  const char* program;
};

constexpr Mutant kMutants[] = {
    {"nan_is_the_least", "NanLoses"},
    {"first_set_wins", "LastSetWins"},
    {"dead_worker_wins", "WorkerAndSuccessor"},
    {"older_worker_wins", "WorkerAndSuccessor"},
    {"up_down_counts_are_short", "NumbersOfManyBits"},
    {"counts_wrap", "NumbersOfManyBits"},
    {"low_parts_dropped", "NumbersOfManyBits"},
    {"buckets_by_number", "OtherBuckets"},
    {"process_label_wins", "OwnLabel"},
    {"live_modes_are_not", "LiveModes"},
    {"first_opinion_wins", "Opinions"},
    {"folded_file_kept", "CountsOfTheDead"},
    {"holders_not_asked", "RemovedAndHeld"},
    {"dead_holders_not_asked", "RemovedAndDead"},
    {"taken_not_loaded", "RemovedAndRestarted"},
    {"gauge_waits_for_the_fold", "RemovedGauge"},
    {"never_leaves", "RemovedByAll"},
    {"never_expires", "Expiry"},
    {"up_down_counters_are_gauges", "Expiry"},
    {"first_states_win", "StatesOfTheLast"},
    {"sets_are_one", "StatesOfTheLast"},
    {"recent_states_never_unset", "StatesOfTheLast"},
    {"unknown_states_stay", "StatesOfWorkerAndSuccessor"},
    {"one_bit_for_all_states", "StatesAddUp"},
    {"dead_infos_stay", "InfosOfTheLiving"},
    {"left_time_is_a_date", "TimesToLive"},
    {"never_set_is_old", "TimesToLive"},
};

// A child, so that the next test has no mistake.
testing::ChildOutcome RunWith(const char* mutant, const Program& program) {
  return testing::RunInChild([&] {
    testing::SetMutant(mutant);
    // Its failure is no news.
    ::dup2(::open("/dev/null", O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
    EXPECT_EQ(RunProgram(program), "");
  });
}

class ModelControlTest : public ::testing::TestWithParam<Mutant> {};

TEST_P(ModelControlTest, IsFound) {
  const std::map<std::string, Program> programs = StoredPrograms();
  const auto program = programs.find(GetParam().program);
  ASSERT_NE(program, programs.end());
  const testing::ChildOutcome outcome =
      RunWith(GetParam().name, program->second);
  EXPECT_TRUE(outcome.HasExited(1)) << outcome.Description();
}

INSTANTIATE_TEST_SUITE_P(Mutants, ModelControlTest,
                         ::testing::ValuesIn(kMutants),
                         [](const ::testing::TestParamInfo<Mutant>& of) {
                           return testing::MutantTestName(of.param.program,
                                                          of.param.name);
                         });

// In a child: it has a mistake.
void ExpectFoundAndShortened() {
  testing::SetMutant("live_modes_are_not");
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    if (RunProgram(RandomProgram(seed)).empty()) {
      continue;
    }
    const Program shortest = Shrink(RandomProgram(seed));
    const std::string text = FormatProgram("short", shortest);
    EXPECT_EQ(shortest.size(), 3u) << text;  // start, set or add, kill or exit
    std::map<std::string, Program> programs;
    std::string problem;
    EXPECT_TRUE(ParsePrograms(text, &programs, &problem)) << problem;
    EXPECT_NE(RunProgram(programs["short"]), "") << text;
    return;
  }
  FAIL() << "a hundred random programs have not found it";
}

TEST(ModelControlTest, RandomProgramsFindAMistakeAndAreShortened) {
  const testing::ChildOutcome outcome =
      testing::RunInChild(ExpectFoundAndShortened);
  EXPECT_TRUE(outcome.HasExited(0)) << outcome.Description();
}

}  // namespace
}  // namespace tine::model
