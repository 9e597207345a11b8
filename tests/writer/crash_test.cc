// Every call of the writer that changes a file, killed at every instruction.

#include <cstdio>
#include <random>
#include <string>

#include "tests/testing/test_effort.h"
#include "tests/writer/crash_points.h"
#include "tests/writer/crash_scenarios.h"
#include "tests/writer/writer_test_base.h"

namespace tine::testing {
namespace {

class CrashTest : public WriterTest {
 protected:
  void SetUp() override {
    WriterTest::SetUp();
    if (kHasTsan || kHasAsan) {
      GTEST_SKIP() << "sanitizers multiply the instructions to step through";
    }
    ::setenv("TINE_LOG", "off", 1);
  }
};

TEST_F(CrashTest, ReadersSeeBeforeOrAfterAtEveryInstruction) {
  uint64_t point_count = 0;
  uint64_t state_count = 0;
  for (const CrashScenario& scenario : AllCrashScenarios()) {
    SCOPED_TRACE(scenario.name);
    const CrashReport report = StepThroughCrashPoints(scenario, dir_.path());
    std::printf(
        "%-28s %7llu instructions, %4llu states, %zu files, used %llu\n",
        scenario.name.c_str(),
        static_cast<unsigned long long>(report.point_count),
        static_cast<unsigned long long>(report.state_count), report.file_count,
        static_cast<unsigned long long>(report.used_bytes));
    EXPECT_EQ(report.violation, "");
    EXPECT_GE(report.state_count, 1u);
    point_count += report.point_count;
    state_count += report.state_count;
  }
  std::printf("%llu instructions, %llu distinct states\n",
              static_cast<unsigned long long>(point_count),
              static_cast<unsigned long long>(state_count));
  EXPECT_GE(point_count, 100'000u);
  EXPECT_GE(state_count, IsStore("pwrite") ? 40u : 50u);
}

// What the steps are worth: a SIGKILL leaves the files as they are at that
// instruction.
TEST_F(CrashTest, SigkillLeavesTheFilesAsTheyWereAtTheInstruction) {
  std::mt19937_64 random(TestSeed());
  const std::vector<CrashScenario> scenarios = KillableCrashScenarios();
  std::vector<uint64_t> point_counts;
  for (const CrashScenario& scenario : scenarios) {
    point_counts.push_back(CountCrashPoints(scenario, dir_.path()));
  }
  int mismatches = 0;
  const int kill_count = Rounds(45);
  for (int i = 0; i < kill_count; ++i) {
    const size_t chosen = static_cast<size_t>(i) % scenarios.size();
    const uint64_t step = random() % point_counts[chosen];
    const std::string problem =
        KillAtCrashPoint(scenarios[chosen], dir_.path(), step);
    EXPECT_EQ(problem, "") << scenarios[chosen].name << " killed after " << step
                           << " instructions";
    mismatches += problem.empty() ? 0 : 1;
  }
  std::printf("%d kills, %d mismatches\n", kill_count, mismatches);
}

}  // namespace
}  // namespace tine::testing
