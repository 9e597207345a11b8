// Does the sweep see anything? Each mistake of tests/common/mutations.txt in
// the reading code must be found by it.

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "tests/collector/damage_kinds.h"
#include "tests/collector/damage_sweep.h"
#include "tests/common/golden_file.h"
#include "tests/testing/mutant.h"
#include "tests/testing/sanitizers.h"
#include "tests/testing/test_directory.h"

namespace tine::testing {
namespace {

// Of the golden file: where `used` and the counters' cells lie.
constexpr uint64_t kUsed = 3968;
constexpr uint64_t kFirstCells = 4096 + 64;
constexpr uint64_t kFirstGauge = kFirstCells + 8 * 10;

// A short one, over before it has gone far once there are failures. Prints the
// first.
bool FindsSomething() {
  DamageSweep sweep(ReadGolden("everything"), ReadGolden("neighbour"));
  sweep.Check("sound", sweep.base(), true);
  sweep.Check("bounds", FileWithBoundsBehindTheirRecord(sweep.base()), true);
  Bytes file = sweep.base();
  for (uint64_t bit = 0; bit < 8 * file.size(); ++bit) {
    const bool is_counter = bit / 8 >= kFirstCells && bit / 8 < kFirstGauge;
    const bool is_used = bit / 8 >= kUsed && bit / 8 < kUsed + 8;
    if (!is_counter && !is_used && bit % 101 != 0) {
      continue;
    }
    const auto mask = static_cast<uint8_t>(1 << (bit % 8));
    file[bit / 8] ^= mask;
    sweep.Check("bit " + std::to_string(bit), file, false);
    file[bit / 8] ^= mask;
  }
  SweepSealedNumbers(&sweep, false);
  for (const std::string& failure : sweep.failures()) {
    std::printf("%s\n", failure.substr(0, 200).c_str());
    break;
  }
  std::fflush(stdout);
  return !sweep.failures().empty();
}

// A mistake may also crash or never come to an end: in a process of its own,
// which may use so much of a processor and so much memory.
bool IsCaught(const char* mutant) {
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit cpu = {30, 30};
    const rlimit no_core = {0, 0};
    ::setrlimit(RLIMIT_CPU, &cpu);
    ::setrlimit(RLIMIT_CORE, &no_core);
    SetMutant(mutant);
    ::_exit(FindsSomething() ? 1 : 0);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  TestDirectory::RemoveThoseOf(child);
  return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

void SkipUnderSanitizers() {
  if (kHasAsan || kHasTsan) {
    GTEST_SKIP() << "a sanitizer takes more time than a mistake may";
  }
}

class DamageSweepControlTest : public ::testing::Test {
 protected:
  void SetUp() override { SkipUnderSanitizers(); }
};

TEST_F(DamageSweepControlTest, ReadingWithoutAMistakePasses) {
  EXPECT_FALSE(IsCaught(nullptr));
}

class DamageSweepMutantTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override { SkipUnderSanitizers(); }
};

TEST_P(DamageSweepMutantTest, IsCaught) { EXPECT_TRUE(IsCaught(GetParam())); }

INSTANTIATE_TEST_SUITE_P(
    Mutants, DamageSweepMutantTest,
    ::testing::Values("record_checksum_not_compared",
                      "header_checksum_not_compared", "length_beyond_used",
                      "length_zero", "bound_bytes_overflow",
                      "label_value_not_checked", "family_name_not_checked",
                      "used_beyond_file_believed", "family_offset_not_checked",
                      "cells_of_another_series", "duplicate_block_not_seen",
                      "unknown_kind_not_skipped", "fallen_counter_not_seen",
                      "fall_within_slack_served"));

}  // namespace
}  // namespace tine::testing
