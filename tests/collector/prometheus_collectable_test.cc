#include "collector/prometheus_collectable.h"

#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/collector/family_builder.h"

namespace tine::collector {
namespace {

using format::MetricType;

std::string Serialize(const FamilyBuilder& builder) {
  return prometheus::TextSerializer().Serialize(
      ToPrometheusFamilies(builder.Get()));
}

TEST(ToPrometheusFamiliesTest, HelpCannotForgeALine) {
  FamilyBuilder builder;
  builder.Family("g", MetricType::kGauge, "a\nforged_total 1\\").Add({}, 1);
  EXPECT_EQ(Serialize(builder),
            "# HELP g a\\nforged_total 1\\\\\n# TYPE g gauge\ng 1\n");
}

TEST(ToPrometheusFamiliesTest, WhatPrometheusWouldRefuseIsLeftOut) {
  FamilyBuilder builder;
  builder.Family("bad name", MetricType::kGauge).Add({}, 1);
  builder.Family("bad_help", MetricType::kGauge, "\xff").Add({}, 1);
  builder.Family("bad_series", MetricType::kGauge)
      .Add({{"a.b", "x"}}, 1)
      .Add({{"a", "\xff"}}, 2)
      .Add({{"a", "ok"}}, 3);
  EXPECT_EQ(Serialize(builder),
            "# TYPE bad_help gauge\nbad_help 1\n"
            "# TYPE bad_series gauge\nbad_series{a=\"ok\"} 3\n");
}

TEST(ToPrometheusFamiliesTest, AbsentSeriesAndEmptyFamiliesAreLeftOut) {
  FamilyBuilder builder;
  builder.Family("absent", MetricType::kGauge).Add({}, 1);
  builder.last_series().is_present = false;
  builder.Family("empty", MetricType::kGauge);
  EXPECT_TRUE(ToPrometheusFamilies(builder.Get()).empty());
}

TEST(ToPrometheusFamiliesTest, TypesAndValues) {
  FamilyBuilder builder;
  builder.Family("a", MetricType::kCounter).Add({}, 1);
  builder.Family("b", MetricType::kUpDownCounter).Add({}, -1);
  builder.Family("c", MetricType::kHistogram, "", {1, 2})
      .AddHistogram({}, 9, {1, 2, 3});
  builder.Family("d", MetricType::kSummary).AddSummary({}, 5, 4);
  const auto families = ToPrometheusFamilies(builder.Get());
  ASSERT_EQ(families.size(), 4u);
  EXPECT_EQ(families[0].type, prometheus::MetricType::Counter);
  EXPECT_EQ(families[0].metric[0].counter.value, 1);
  EXPECT_EQ(families[1].type, prometheus::MetricType::Gauge);
  EXPECT_EQ(families[1].metric[0].gauge.value, -1);
  const auto& histogram = families[2].metric[0].histogram;
  EXPECT_EQ(histogram.sample_count, 6u);
  EXPECT_EQ(histogram.sample_sum, 9);
  ASSERT_EQ(histogram.bucket.size(), 3u);
  EXPECT_EQ(histogram.bucket[1].cumulative_count, 3u);
  EXPECT_EQ(histogram.bucket[1].upper_bound, 2);
  EXPECT_EQ(families[3].metric[0].summary.sample_count, 4u);
  EXPECT_EQ(families[3].metric[0].summary.sample_sum, 5);
}

class MergedCollectableTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "/collectable.XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern + "/metrics";
    parent_ = pattern;
  }
  void TearDown() override {
    ::unlink(FilePath().c_str());
    ::rmdir(directory_.c_str());
    ::rmdir(parent_.c_str());
  }
  std::string FilePath() const {
    return directory_ + "/1.a0a1a2a3a4a5a6a7a8a9aaabacadae01.tine";
  }
  void PlaceGoldenFile() const {
    std::ifstream golden("tests/testdata/golden/counter_u64.tine",
                         std::ios::binary);
    ASSERT_TRUE(golden.good());
    std::ofstream(FilePath(), std::ios::binary) << golden.rdbuf();
  }

  std::string parent_;
  std::string directory_;
};

TEST_F(MergedCollectableTest, MissingDirectoryIsAnEmptyAnswerUntilItComes) {
  const MergedCollectable collectable(directory_);
  EXPECT_TRUE(collectable.Collect().empty());
  ASSERT_EQ(::mkdir(directory_.c_str(), 0700), 0);
  EXPECT_TRUE(collectable.Collect().empty());
  PlaceGoldenFile();
  const auto families = collectable.Collect();
  ASSERT_EQ(families.size(), 1u);
  EXPECT_EQ(families[0].name, "requests_total");
  EXPECT_EQ(families[0].metric[0].counter.value, 42);
}

TEST_F(MergedCollectableTest, UnusableDirectoryIsAnEmptyAnswer) {
  ASSERT_EQ(::mkdir(directory_.c_str(), 0700), 0);
  ASSERT_EQ(::chmod(directory_.c_str(), 0777), 0);  // and not sticky
  PlaceGoldenFile();
  EXPECT_TRUE(MergedCollectable(directory_).Collect().empty());
  EXPECT_TRUE(MergedCollectable("/dev/null").Collect().empty());
  ASSERT_EQ(::chmod(directory_.c_str(), 0700), 0);
  EXPECT_EQ(MergedCollectable(directory_).Collect().size(), 1u);
}

TEST_F(MergedCollectableTest, SeveralThreadsCollectAtOnce) {
  ASSERT_EQ(::mkdir(directory_.c_str(), 0700), 0);
  PlaceGoldenFile();
  const MergedCollectable collectable(directory_);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 50; ++j) {
        EXPECT_EQ(collectable.Collect().size(), 1u);
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
}

}  // namespace
}  // namespace tine::collector
