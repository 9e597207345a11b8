#include "collector/cell_sums.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <vector>

namespace tine::collector {
namespace {

using ::testing::ElementsAre;

TEST(CellSumsTest, AddsEveryLengthWithoutTouchingNeighbours) {
  for (size_t count = 0; count < 40; ++count) {
    std::vector<uint64_t> cells(count + 1, 3);
    std::vector<uint64_t> sums(count + 1, 4);
    EXPECT_EQ(AddSaturating(cells.data(), count, sums.data()), 0u);
    for (size_t i = 0; i < count; ++i) {
      EXPECT_EQ(sums[i], 7u);
    }
    EXPECT_EQ(sums[count], 4u);
  }
}

TEST(CellSumsTest, SumThatWouldWrapStopsAtTheTopAndItsNeighboursAreExact) {
  std::vector<uint64_t> sums = {1, UINT64_MAX - 1, UINT64_MAX, 5, 6, 7, 8, 9,
                                10};
  const std::vector<uint64_t> cells = {1, 1, 1, 1, 1, 1, 1, 1, UINT64_MAX};
  EXPECT_EQ(AddSaturating(cells.data(), cells.size(), sums.data()), 2u);
  EXPECT_THAT(
      sums, ElementsAre(2, UINT64_MAX, UINT64_MAX, 6, 7, 8, 9, 10, UINT64_MAX));
}

TEST(CellSumsTest, TargetsMayRepeatEvenWhenTheirSumSaturates) {
  std::vector<uint64_t> sums = {0, UINT64_MAX - 10, 5};
  const std::vector<uint32_t> targets = {1, 2, 1, 2};
  const std::vector<uint64_t> cells = {6, 1, 6, 2};
  EXPECT_EQ(
      AddSaturatingTo(targets.data(), cells.data(), cells.size(), sums.data()),
      1u);
  EXPECT_THAT(sums, ElementsAre(0, UINT64_MAX, 8));
}

TEST(CellSumsTest, FallIsFoundAtEveryPositionAndRiseByHalfTheRangeIsNone) {
  for (size_t count = 1; count < 40; ++count) {
    for (size_t at = 0; at < count; ++at) {
      std::vector<uint64_t> before(count, 100);
      std::vector<uint64_t> cells(count, 100);
      cells[at] = UINT64_MAX;
      EXPECT_FALSE(HasFallen(cells.data(), before.data(), count));
      cells[at] = 99;
      EXPECT_TRUE(HasFallen(cells.data(), before.data(), count));
      before[at] = UINT64_MAX;  // by more than half the range
      EXPECT_TRUE(HasFallen(cells.data(), before.data(), count));
    }
  }
}

TEST(CellSumsTest, IsWhatSlowAdditionGivesForRandomNumbers) {
  std::mt19937_64 random(11);
  for (int round = 0; round < 200; ++round) {
    const size_t count = random() % 60;
    std::vector<uint64_t> sums(count);
    std::vector<uint64_t> cells(count);
    std::vector<uint64_t> expected(count);
    for (size_t i = 0; i < count; ++i) {
      sums[i] = random() >> (random() % 64);
      cells[i] = random() >> (random() % 64);
      const auto wide = static_cast<long double>(sums[i]) + cells[i];
      expected[i] =
          wide >= 18446744073709551616.0L ? UINT64_MAX : sums[i] + cells[i];
    }
    AddSaturating(cells.data(), count, sums.data());
    EXPECT_EQ(sums, expected);
  }
}

TEST(CellSumsTest, ResetForgetsNumbersAndKeepsIndexes) {
  CellSums sums;
  const uint32_t count = sums.NewCounts(2);
  const uint32_t value = sums.NewValue();
  sums.counts()[count] = 5;
  sums.value(value).Add(2.5);
  sums.Reset();
  EXPECT_EQ(sums.count(count), 0u);
  EXPECT_EQ(sums.value(value).value(), 0);
  EXPECT_EQ(sums.NewCounts(1), count + 2);
}

}  // namespace
}  // namespace tine::collector
