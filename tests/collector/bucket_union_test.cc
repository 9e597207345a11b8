#include "collector/bucket_union.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <vector>

namespace tine::collector {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(BucketUnionTest, HoldsEveryBoundOnce) {
  EXPECT_THAT(UnionOfBounds({1, 5, 10}, {0.5, 5, 7}),
              ElementsAre(0.5, 1, 5, 7, 10));
  EXPECT_THAT(UnionOfBounds({}, {}), IsEmpty());
}

TEST(BucketUnionTest, BucketGoesWhereItsBoundIsAndInfinityToTheEnd) {
  EXPECT_THAT(MergedBucketIndexes({1, 5}, {0.5, 1, 2, 5, 10}),
              ElementsAre(1, 3, 5));
  EXPECT_THAT(MergedBucketIndexes({}, {1, 2}), ElementsAre(2));
}

// The rule as it is written down: at a merged bound b a writer counts what it
// has at its greatest own bound <= b.
TEST(BucketUnionTest, CumulativeCountIsThatOfTheGreatestOwnBoundNotAbove) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    std::vector<double> own;
    std::vector<double> other;
    for (double bound = 0; bound < 12; ++bound) {
      if (random() % 2 == 0) own.push_back(bound);
      if (random() % 2 == 0) other.push_back(bound);
    }
    const std::vector<double> merged = UnionOfBounds(own, other);
    const std::vector<uint32_t> indexes = MergedBucketIndexes(own, merged);
    std::vector<uint64_t> counts(own.size() + 1);
    std::vector<uint64_t> merged_counts(merged.size() + 1);
    for (size_t i = 0; i < counts.size(); ++i) {
      counts[i] = random() % 10;
      merged_counts[indexes[i]] += counts[i];
    }
    uint64_t merged_total = 0;
    for (size_t i = 0; i < merged.size(); ++i) {
      merged_total += merged_counts[i];
      uint64_t expected = 0;
      for (size_t k = 0; k < own.size() && own[k] <= merged[i]; ++k) {
        expected += counts[k];
      }
      EXPECT_EQ(merged_total, expected);
    }
  }
}

}  // namespace
}  // namespace tine::collector
