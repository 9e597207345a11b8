// Random programs over real processes and the real collector, beside a model
// that is slow and obvious.
//
//   --test_env=TINE_TEST_SEED=N      begins with the program of this seed
//   --test_env=TINE_TEST_PROGRAM=F   runs the programs of this file alone

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/model/program_run.h"
#include "tests/model/random_program.h"
#include "tests/model/stored_programs.h"
#include "tests/testing/test_effort.h"

namespace tine::model {
namespace {

TEST(ModelTest, StoredProgramsAreServedRight) {
  const char* given = std::getenv("TINE_TEST_PROGRAM");
  for (const auto& [name, program] :
       given != nullptr ? StoredPrograms(given) : StoredPrograms()) {
    const std::string difference = RunProgram(program);
    EXPECT_EQ(difference, "") << FormatProgram(name, program);
  }
}

// In parts, so that some can run at the same time.
constexpr int kParts = 4;

class ModelRandomTest : public ::testing::TestWithParam<int> {};

TEST_P(ModelRandomTest, ProgramsAreServedRight) {
  if (std::getenv("TINE_TEST_PROGRAM") != nullptr) {
    GTEST_SKIP() << "TINE_TEST_PROGRAM is to be run";
  }
  const int count = testing::Rounds(50);
  const uint64_t first =
      testing::TestSeed() + static_cast<uint64_t>(GetParam() * count);
  for (int i = 0; i < count; ++i) {
    const uint64_t seed = first + static_cast<uint64_t>(i);
    const Program program = RandomProgram(seed);
    const std::string difference = RunProgram(program);
    if (difference.empty()) {
      continue;
    }
    const Program shortest = Shrink(program);
    ADD_FAILURE() << "TINE_TEST_SEED=" << seed << ", " << difference
                  << "\nshort, and as a file for TINE_TEST_PROGRAM:\n"
                  << FormatProgram("seed-" + std::to_string(seed), shortest)
                  << RunProgram(shortest);
    return;
  }
  std::printf("%d programs\n", count);
}

INSTANTIATE_TEST_SUITE_P(Parts, ModelRandomTest, ::testing::Range(0, kParts));

}  // namespace
}  // namespace tine::model
