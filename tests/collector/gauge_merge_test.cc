#include "collector/gauge_merge.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace tine::collector {
namespace {

using format::GaugeMode;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

WriterRank Rank(bool is_live, uint64_t created_wall_ns, uint8_t uuid_byte) {
  WriterRank rank;
  rank.is_live = is_live;
  rank.created_wall_ns = created_wall_ns;
  rank.uuid.bytes[0] = uuid_byte;
  return rank;
}

struct Share {
  double value;
  uint64_t wall_ns;
  WriterRank writer;
};

// Every order must give the same.
double MergedInAllOrders(GaugeMode mode, const std::vector<Share>& shares) {
  std::vector<size_t> order(shares.size());
  for (size_t i = 0; i < order.size(); ++i) {
    order[i] = i;
  }
  double first = 0;
  bool is_first = true;
  do {
    GaugeMerge merge(mode);
    for (const size_t i : order) {
      merge.Add(shares[i].value, shares[i].wall_ns, shares[i].writer);
    }
    EXPECT_TRUE(merge.is_present());
    if (is_first) {
      first = merge.value();
    }
    EXPECT_TRUE(std::isnan(first) ? std::isnan(merge.value())
                                  : first == merge.value());
    EXPECT_EQ(std::signbit(first), std::signbit(merge.value()));
    is_first = false;
  } while (std::next_permutation(order.begin(), order.end()));
  return first;
}

TEST(GaugeMergeTest, IsAbsentUntilSetAndAfterReset) {
  GaugeMerge merge(GaugeMode::kMin);
  EXPECT_FALSE(merge.is_present());
  const WriterRank writer = Rank(true, 1, 1);
  merge.Add(5, 0, writer);
  EXPECT_TRUE(merge.is_present());
  merge.Reset();
  EXPECT_FALSE(merge.is_present());
}

TEST(GaugeMergeTest, SumMinAndMaxDoWhatTheySay) {
  const std::vector<Share> shares = {{3, 0, Rank(true, 1, 1)},
                                     {-7, 0, Rank(true, 2, 2)},
                                     {5, 0, Rank(false, 3, 3)}};
  EXPECT_EQ(MergedInAllOrders(GaugeMode::kSum, shares), 1);
  EXPECT_EQ(MergedInAllOrders(GaugeMode::kLiveSum, shares), 1);
  EXPECT_EQ(MergedInAllOrders(GaugeMode::kMin, shares), -7);
  EXPECT_EQ(MergedInAllOrders(GaugeMode::kMax, shares), 5);
}

TEST(GaugeMergeTest, SumDoesNotDependOnOrderWhenNumbersAreFarApart) {
  const WriterRank writer = Rank(true, 1, 1);
  EXPECT_EQ(MergedInAllOrders(GaugeMode::kSum, {{1e16, 0, writer},
                                                {1, 0, writer},
                                                {-1e16, 0, writer},
                                                {1e-3, 0, writer}}),
            1.001);
}

TEST(GaugeMergeTest, NanIsIgnoredByMinAndMaxUnlessAllAreNan) {
  const WriterRank writer = Rank(true, 1, 1);
  const std::vector<Share> some = {
      {kNan, 0, writer}, {2, 0, writer}, {1, 0, writer}};
  EXPECT_EQ(MergedInAllOrders(GaugeMode::kMin, some), 1);
  EXPECT_EQ(MergedInAllOrders(GaugeMode::kMax, some), 2);
  const std::vector<Share> all = {{kNan, 0, writer}, {kNan, 0, writer}};
  EXPECT_TRUE(std::isnan(MergedInAllOrders(GaugeMode::kMin, all)));
  EXPECT_TRUE(std::isnan(MergedInAllOrders(GaugeMode::kLiveMax, all)));
}

TEST(GaugeMergeTest, ZeroesOfBothSignsDoNotShowTheirOrder) {
  const WriterRank writer = Rank(true, 1, 1);
  const std::vector<Share> zeroes = {{0.0, 0, writer}, {-0.0, 0, writer}};
  EXPECT_TRUE(std::signbit(MergedInAllOrders(GaugeMode::kMin, zeroes)));
  EXPECT_FALSE(std::signbit(MergedInAllOrders(GaugeMode::kMax, zeroes)));
}

TEST(GaugeMergeTest, MostRecentIsTheLatestClockThenTheNewerWriterThenUuid) {
  EXPECT_EQ(
      MergedInAllOrders(GaugeMode::kMostRecent, {{1, 50, Rank(true, 9, 1)},
                                                 {2, 70, Rank(false, 1, 1)},
                                                 {3, 60, Rank(true, 5, 1)}}),
      2);
  EXPECT_EQ(
      MergedInAllOrders(GaugeMode::kMostRecent, {{1, 50, Rank(true, 9, 1)},
                                                 {2, 50, Rank(true, 10, 1)},
                                                 {3, 50, Rank(true, 5, 1)}}),
      2);
  EXPECT_EQ(MergedInAllOrders(GaugeMode::kLiveMostRecent,
                              {{1, 50, Rank(true, 9, 1)},
                               {2, 50, Rank(true, 9, 3)},
                               {3, 50, Rank(true, 9, 2)}}),
            2);
}

TEST(GaugeMergeTest, OfTwoProcessesWithOnePidLabelLiveBeatsDeadThenNewer) {
  EXPECT_EQ(MergedInAllOrders(GaugeMode::kAll, {{1, 0, Rank(false, 9, 1)},
                                                {2, 0, Rank(true, 3, 1)},
                                                {3, 0, Rank(true, 2, 1)}}),
            2);
}

TEST(GaugeMergeTest, UpDownCountsAreExactBeyondWhatADoubleHolds) {
  GaugeMerge merge(GaugeMode::kSum);
  merge.AddCount(INT64_MAX);
  merge.AddCount(3);
  merge.AddCount(-INT64_MAX);
  EXPECT_EQ(merge.value(), 3);
  merge.AddCount(-5);
  EXPECT_EQ(merge.value(), -2);
  merge.AddCount(INT64_MIN);
  merge.AddCount(INT64_MAX);
  EXPECT_EQ(merge.value(), -3);
}

}  // namespace
}  // namespace tine::collector
