#include "common/exact_sum.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace tine {
namespace {

// 113 bits: more than the 106 that are claimed.
#if defined(__aarch64__)
using Float128 = long double;
#else
__extension__ typedef __float128 Float128;
#endif

ExactSum SumOf(const std::vector<double>& values) {
  ExactSum sum;
  for (const double value : values) {
    sum.Add(value);
  }
  return sum;
}

double LongSumOf(const std::vector<double>& values) {
  Float128 sum = 0;
  for (const double value : values) {
    sum += value;
  }
  return static_cast<double>(sum);
}

// What counters add up to: times, sizes, prices, of any magnitude.
std::vector<double> SomeAmounts(uint32_t seed, size_t count) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> exponent(-9, 9);
  std::vector<double> values;
  for (size_t i = 0; i < count; ++i) {
    values.push_back(std::pow(10.0, exponent(random)));
  }
  return values;
}

TEST(ExactSumTest, AnyOrderGivesTheSameDouble) {
  std::mt19937_64 random(1);
  for (uint32_t seed = 0; seed < 50; ++seed) {
    std::vector<double> values = SomeAmounts(seed, 500);
    const double expected = LongSumOf(values);
    for (int round = 0; round < 20; ++round) {
      std::shuffle(values.begin(), values.end(), random);
      EXPECT_EQ(SumOf(values).value(), expected);
    }
  }
}

TEST(ExactSumTest, AnyGroupingGivesTheSameDouble) {
  for (uint32_t seed = 0; seed < 50; ++seed) {
    const std::vector<double> values = SomeAmounts(seed, 300);
    for (const size_t group_size : {1, 7, 100}) {
      ExactSum total;
      for (size_t i = 0; i < values.size(); i += group_size) {
        const size_t end = std::min(values.size(), i + group_size);
        total.Add(SumOf({values.begin() + i, values.begin() + end}));
      }
      EXPECT_EQ(total.value(), LongSumOf(values));
    }
  }
}

TEST(ExactSumTest, WhatPlainDoublesLoseIsKept) {
  EXPECT_EQ(SumOf({1e16, 1, -1e16}).value(), 1);
  EXPECT_EQ(SumOf({0.1, 1e16, 0.25, -1e16}).value(), 0.35);
  std::vector<double> tenths(10, 0.1);
  EXPECT_EQ(SumOf(tenths).value(), 1.0);
  ExactSum many;
  for (int i = 0; i < 1000000; ++i) {
    many.Add(0.1);
  }
  EXPECT_EQ(many.value(), 100000.0);
}

TEST(ExactSumTest, BothPartsAreEnoughToGoOn) {
  const std::vector<double> values = SomeAmounts(9, 200);
  ExactSum whole;
  ExactSum resumed;
  for (const double value : values) {
    whole.Add(value);
    resumed = ExactSum(resumed.high(), resumed.low());
    resumed.Add(value);
  }
  EXPECT_EQ(whole.high(), resumed.high());
  EXPECT_EQ(whole.low(), resumed.low());
}

TEST(ExactSumTest, InfinityAndNanStayWhatTheyAre) {
  const double inf = std::numeric_limits<double>::infinity();
  EXPECT_EQ(SumOf({1, inf, 2}).value(), inf);
  EXPECT_EQ(SumOf({1, -inf, 2}).value(), -inf);
  EXPECT_TRUE(std::isnan(SumOf({inf, -inf}).value()));
  EXPECT_TRUE(std::isnan(SumOf({1, std::nan(""), 2}).value()));
  EXPECT_EQ(SumOf({1.7e308, 1.7e308}).value(), inf);
  ExactSum sum = SumOf({0.1, 0.2});
  sum.Add(SumOf({inf}));
  EXPECT_EQ(sum.value(), inf);
}

TEST(ExactSumTest, NothingAddedIsZero) {
  EXPECT_EQ(ExactSum().value(), 0);
  EXPECT_EQ(SumOf({0.0, -0.0}).value(), 0);
}

TEST(SaturatingAddTest, StopsAtTheTopAndSaysSo) {
  bool saturated = false;
  EXPECT_EQ(SaturatingAdd(1, 2, &saturated), 3u);
  EXPECT_EQ(SaturatingAdd(UINT64_MAX - 1, 1, &saturated), UINT64_MAX);
  EXPECT_FALSE(saturated);
  EXPECT_EQ(SaturatingAdd(UINT64_MAX, 1, &saturated), UINT64_MAX);
  EXPECT_TRUE(saturated);
}

}  // namespace
}  // namespace tine
