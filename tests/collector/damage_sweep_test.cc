// Golden files damaged in every way, beside a sound one. Each time: the sound
// one's text is the same to the byte; of the damaged one is served what a slow
// reader finds before the damage; the damage is counted and logged once; the
// whole is a valid exposition; and the work is bounded by the file's size.

#include "tests/collector/damage_sweep.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "tests/collector/damage_kinds.h"
#include "tests/common/golden_file.h"
#include "tests/testing/sanitizers.h"
#include "tests/testing/test_effort.h"

namespace tine::testing {
namespace {

bool IsLong() { return Rounds(1) > 1; }

// Together the golden files that have everything. In the ordinary form the long
// sweeps are of them alone.
constexpr char kEverything[] = "everything";
constexpr char kRemoved[] = "removed";

std::vector<std::string> DamagedNames() {
  std::vector<std::string> names = GoldenNames();
  names.erase(std::find(names.begin(), names.end(), "neighbour"));
  return names;
}

void ExpectSound(const DamageSweep& sweep) {
  for (const std::string& failure : sweep.failures()) {
    ADD_FAILURE() << failure;
  }
  std::string found;
  for (const auto& [reason, count] : sweep.reasons()) {
    found += " " + reason + "=" + std::to_string(count);
  }
  std::printf("%llu checks;%s\n",
              static_cast<unsigned long long>(sweep.check_count()),
              found.c_str());
}

class DamageSweepTest : public ::testing::TestWithParam<std::string> {
 protected:
  DamageSweepTest() : sweep_(ReadGolden(GetParam()), ReadGolden("neighbour")) {}
  ~DamageSweepTest() override { ExpectSound(sweep_); }

  static bool IsLeftToTheLongForm() {
    return !IsLong() && GetParam() != kEverything && GetParam() != kRemoved;
  }

  DamageSweep sweep_;
};

TEST_P(DamageSweepTest, SoundFileIsServedWhole) {
  sweep_.Check("sound", sweep_.base(), true);
  for (const uint64_t used : sweep_.record_offsets()) {
    sweep_.CheckReread("sound", sweep_.base(), used);
  }
  EXPECT_TRUE(sweep_.reasons().empty());
}

TEST_P(DamageSweepTest, FlippedBits) {
  if (!IsLeftToTheLongForm()) {
    SweepFlips(&sweep_, IsLong());
  }
}

TEST_P(DamageSweepTest, Truncations) { SweepTruncations(&sweep_, IsLong()); }

TEST_P(DamageSweepTest, NastyWords) {
  if (!IsLeftToTheLongForm()) {
    SweepWords(&sweep_, IsLong());
  }
}

TEST_P(DamageSweepTest, NastyNumbersBehindRightChecksums) {
  if (!IsLeftToTheLongForm()) {
    SweepSealedNumbers(&sweep_, IsLong());
  }
}

TEST_P(DamageSweepTest, BoundsBehindTheirRecord) {
  sweep_.Check("bounds", FileWithBoundsBehindTheirRecord(sweep_.base()), true);
  EXPECT_FALSE(sweep_.reasons().empty());
}

TEST_P(DamageSweepTest, RandomBlockEdits) {
  std::mt19937_64 random(TestSeed());
  SweepBlockEdits(&sweep_, Rounds(Scaled(1000)), &random);
}

TEST_P(DamageSweepTest, Garbage) {
  std::mt19937_64 random(TestSeed());
  SweepGarbage(&sweep_, &random);
}

INSTANTIATE_TEST_SUITE_P(
    Golden, DamageSweepTest, ::testing::ValuesIn(DamagedNames()),
    [](const ::testing::TestParamInfo<std::string>& golden) {
      std::string name = golden.param;
      name.erase(std::remove(name.begin(), name.end(), '_'), name.end());
      return name;
    });

}  // namespace
}  // namespace tine::testing
