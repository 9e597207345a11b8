#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "tests/writer/writer_test_base.h"
#include "writer/tine.h"

namespace tine::testing {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

class InstrumentsTest : public WriterTest {};

TEST_F(InstrumentsTest, CounterCountsAndTellsItsValue) {
  Run([this] {
    const Counter counter("c_total", "c");
    counter.Increment();
    counter.Increment(41);
    counter.Increment(0);
    EXPECT_EQ(counter.Value(), 42u);
    counter.Increment(uint64_t{1} << 60);
    EXPECT_EQ(SumU64(Read(), "c_total"), (uint64_t{1} << 60) + 42);
  });
}

TEST_F(InstrumentsTest, DoubleCounterDropsWhatWouldBreakIt) {
  Run([this] {
    const DoubleCounter counter("c_total", "c");
    for (const double amount : {-1.0, kNan, kInfinity, -kInfinity, -1e-300}) {
      counter.Increment(amount);
    }
    counter.Increment(0.25);
    counter.Increment(0.0);
    counter.Increment(-0.0);
    EXPECT_EQ(counter.Value(), 0.25);
    EXPECT_EQ(GetWriterStatus().dropped_observations, 5u);
    EXPECT_EQ(Read().at(0).dropped_observations, 5u);
    EXPECT_EQ(SumF64(Read(), "c_total"), 0.25);
  });
}

TEST_F(InstrumentsTest, UpDownCounterGoesBothWays) {
  Run([this] {
    const UpDownCounter counter("u", "u", GaugeMode::kLiveSum);
    counter.Increment();
    counter.Decrement();
    counter.Decrement();
    counter.Add(-40);
    EXPECT_EQ(counter.Value(), -41);
    EXPECT_EQ(SumU64(Read(), "u"), static_cast<uint64_t>(int64_t{-41}));
  });
}

TEST_F(InstrumentsTest, GaugeKeepsTheLastValueSet) {
  Run([this] {
    const Gauge gauge("g", "g", GaugeMode::kSum);
    double value = 0;
    gauge.Set(7);
    gauge.Set(-2.5);
    EXPECT_TRUE(gauge.Value(&value));
    EXPECT_EQ(value, -2.5);
    gauge.Add(1);
    gauge.Increment();
    gauge.Decrement();
    EXPECT_TRUE(Read().at(0).series.at("g").GaugeValue(&value));
    EXPECT_EQ(value, -1.5);
    for (const double odd : {kInfinity, -kInfinity, -0.0, 5e-324}) {
      gauge.Set(odd);
      EXPECT_TRUE(gauge.Value(&value));
      EXPECT_EQ(value, odd);
    }
    gauge.Set(kNan);
    EXPECT_TRUE(gauge.Value(&value));
    EXPECT_TRUE(std::isnan(value));
  });
}

TEST_F(InstrumentsTest, GaugeAddBeginsAtZero) {
  Run([] {
    const Gauge gauge("g", "g", GaugeMode::kMax);
    gauge.Add(2);
    double value = 0;
    EXPECT_TRUE(gauge.Value(&value));
    EXPECT_EQ(value, 2);
  });
}

TEST_F(InstrumentsTest, MostRecentGaugeCarriesItsTimeAndRefusesAdd) {
  Run([this] {
    const Gauge gauge("g", "g", GaugeMode::kMostRecent);
    const auto before = static_cast<uint64_t>(::time(nullptr));
    gauge.Add(1);
    EXPECT_EQ(GetWriterStatus().dropped_observations, 1u);
    double value = 0;
    EXPECT_FALSE(gauge.Value(&value));
    gauge.Set(3);
    gauge.Add(1);
    const auto cells = Read().at(0).series.at("g");
    EXPECT_TRUE(cells.GaugeValue(&value));
    EXPECT_EQ(value, 3);
    EXPECT_GE(cells.slot0.at(1) / 1'000'000'000, before);
    EXPECT_LE(cells.slot0.at(1) / 1'000'000'000, before + 60);
  });
}

TEST_F(InstrumentsTest, SetToCurrentTimeIsUnixSeconds) {
  Run([] {
    const Gauge gauge("g", "g", GaugeMode::kMax);
    gauge.SetToCurrentTime();
    double value = 0;
    EXPECT_TRUE(gauge.Value(&value));
    EXPECT_NEAR(value, static_cast<double>(::time(nullptr)), 60);
  });
}

TEST_F(InstrumentsTest, HistogramBoundsAreInclusive) {
  Run([this] {
    const Histogram histogram("h", "h", {-1, 0, 2.5});
    for (const double value : {-kInfinity, -1.5, -1.0, -0.5, -0.0, 0.0, 1e-9,
                               2.5, std::nextafter(2.5, 3.0), kInfinity}) {
      histogram.Observe(value);
    }
    const std::vector<uint64_t> expected = {3, 3, 2, 2};
    ASSERT_EQ(histogram.bound_count(), 3u);
    for (uint32_t i = 0; i <= 3; ++i) {
      EXPECT_EQ(histogram.BucketCount(i), expected[i]) << i;
      EXPECT_EQ(SumU64(Read(), "h", i), expected[i]) << i;
    }
    EXPECT_EQ(histogram.Count(), 10u);
    EXPECT_TRUE(std::isnan(histogram.Sum()));  // Inf - Inf
    EXPECT_EQ(histogram.BucketCount(4), 0u);
  });
}

TEST_F(InstrumentsTest, HistogramDropsNanAndCountsIt) {
  Run([] {
    const Histogram histogram("h", "h", {1});
    const Summary summary("s", "s");
    histogram.Observe(kNan);
    summary.Observe(kNan);
    histogram.Observe(0.5);
    summary.Observe(0.5);
    EXPECT_EQ(histogram.Count(), 1u);
    EXPECT_EQ(histogram.Sum(), 0.5);
    EXPECT_EQ(summary.Count(), 1u);
    EXPECT_EQ(summary.Sum(), 0.5);
    EXPECT_EQ(GetWriterStatus().dropped_observations, 2u);
  });
}

// Both searches: in line, and by halves from 25 bounds on.
TEST_F(InstrumentsTest, HistogramsOfEverySizePutEdgesInTheRightBucket) {
  Run([] {
    for (const int count : {1, 2, 23, 24, 25, 26, 100, 510}) {
      const std::vector<double> bounds = LinearBuckets(1, 1, count);
      const Histogram histogram("h" + std::to_string(count), "h", bounds);
      ASSERT_TRUE(histogram.status().ok()) << histogram.status().message();
      for (const double bound : bounds) {
        histogram.Observe(std::nextafter(bound, 0.0));
        histogram.Observe(bound);
      }
      histogram.Observe(count + 0.5);
      for (int i = 0; i < count; ++i) {
        EXPECT_EQ(histogram.BucketCount(i), 2u) << i << " of " << count;
      }
      EXPECT_EQ(histogram.BucketCount(count), 1u) << count;
    }
  });
}

TEST_F(InstrumentsTest, SummaryCountsAndAdds) {
  Run([this] {
    const Summary summary("s", "s");
    summary.Observe(1.5);
    summary.Observe(-0.5);
    EXPECT_EQ(summary.Count(), 2u);
    EXPECT_EQ(summary.Sum(), 1.0);
    EXPECT_EQ(SumU64(Read(), "s", 0), 2u);
    EXPECT_EQ(SumF64(Read(), "s", 1), 1.0);
  });
}

TEST_F(InstrumentsTest, TimerObservesTheSecondsOfItsScope) {
  Run([] {
    const Histogram histogram("h", "h", {60});
    const Summary summary("s", "s");
    {
      const Timer histogram_timer(histogram);
      const Timer summary_timer(summary);
    }
    EXPECT_EQ(histogram.Count(), 1u);
    EXPECT_EQ(histogram.BucketCount(0), 1u);
    EXPECT_GE(histogram.Sum(), 0);
    EXPECT_EQ(summary.Count(), 1u);
  });
}

TEST_F(InstrumentsTest, LabelledInstrumentsAreApart) {
  Run([this] {
    const HistogramFamily histograms("h", "h", {"l"}, {1, 2});
    const SummaryFamily summaries("s", "s", {"l"});
    const GaugeFamily gauges("g", "g", {"l"}, GaugeMode::kAll);
    const UpDownCounterFamily ups("u", "u", {"l"}, GaugeMode::kSum);
    const DoubleCounterFamily doubles("d_total", "d", {"l"});
    for (const char* label : {"a", "b"}) {
      const double value = label[0] == 'a' ? 1 : 2;
      histograms.WithLabels(label).Observe(value);
      summaries.WithLabels(label).Observe(value);
      gauges.WithLabels(label).Set(value);
      ups.WithLabels(label).Add(static_cast<int64_t>(value));
      doubles.WithLabels(label).Increment(value);
    }
    const auto files = Read();
    EXPECT_EQ(files.at(0).series.at("h{a}").u64[0], 1u);
    EXPECT_EQ(files.at(0).series.at("h{b}").u64[1], 1u);
    EXPECT_EQ(SumF64(files, "s{b}", 1), 2);
    EXPECT_EQ(SumU64(files, "u{b}"), 2u);
    EXPECT_EQ(SumF64(files, "d_total{b}"), 2);
    double value = 0;
    EXPECT_TRUE(files.at(0).series.at("g{b}").GaugeValue(&value));
    EXPECT_EQ(value, 2);
  });
}

TEST(BucketsTest, HelpersMakeTheUsualBounds) {
  EXPECT_EQ(DefaultBuckets(), (std::vector<double>{.005, .01, .025, .05, .1,
                                                   .25, .5, 1, 2.5, 5, 10}));
  EXPECT_EQ(LinearBuckets(-1, 0.5, 4), (std::vector<double>{-1, -0.5, 0, 0.5}));
  EXPECT_EQ(ExponentialBuckets(1, 2, 5), (std::vector<double>{1, 2, 4, 8, 16}));
}

TEST(BucketsTest, ImpossibleArgumentsGiveNone) {
  EXPECT_TRUE(LinearBuckets(1, 0, 3).empty());
  EXPECT_TRUE(LinearBuckets(1, -1, 3).empty());
  EXPECT_TRUE(LinearBuckets(1, kNan, 3).empty());
  EXPECT_TRUE(LinearBuckets(1, 1, 0).empty());
  EXPECT_TRUE(LinearBuckets(1, 1, -1).empty());
  EXPECT_TRUE(ExponentialBuckets(0, 2, 3).empty());
  EXPECT_TRUE(ExponentialBuckets(1, 1, 3).empty());
  EXPECT_TRUE(ExponentialBuckets(1, 2, 0).empty());
}

}  // namespace
}  // namespace tine::testing
