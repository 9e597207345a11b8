// What has no room for a series of its own goes to its family's overflow
// series, so that sums stay true.

#include <unistd.h>

#include <string>
#include <vector>

#include "tests/writer/writer_test_base.h"
#include "writer/tine.h"

namespace tine::testing {
namespace {

class SeriesCapTest : public WriterTest {};

uint64_t SumOfFamily(const std::vector<MetricFileText>& files,
                     const std::string& family) {
  uint64_t sum = 0;
  for (const MetricFileText& file : files) {
    for (const auto& [name, cells] : file.series) {
      sum += name.find(family + "{") == 0 ? cells.u64[0] : 0;
    }
  }
  return sum;
}

TEST_F(SeriesCapTest, ImpossibleLabelValuesCountInTheOverflowSeries) {
  Run([this] {
    const CounterFamily family("c_total", "c", {"a", "b"});
    family.WithLabels("\xff", "x").Increment(2);
    family.WithLabels("x", std::string(65536, 'x')).Increment(3);
    family.WithLabels("x", std::string("a\0b", 3)).Increment(4);
    const Counter overflow = family.WithLabels("\xc0\x80", "y");
    overflow.Increment(5);
    EXPECT_TRUE(overflow.is_valid());
    EXPECT_EQ(overflow.status().code(), ErrorCode::kLimitReached);
    const auto files = Read();
    EXPECT_EQ(SumU64(files, "c_total{__overflow__,__overflow__}"), 14u);
    EXPECT_EQ(files.at(0).series.size(), 1u);
    EXPECT_EQ(GetWriterStatus().dropped_series, 4u);
    EXPECT_EQ(files.at(0).dropped_series, 4u);
    EXPECT_EQ(files.at(0).dropped_observations, 0u);
  });
}

TEST_F(SeriesCapTest, BeyondMaxBytesTheSumStaysTrueAndTheFileBounded) {
  ::setenv("TINE_MAX_BYTES", "65536", 1);
  constexpr int kSeries = 3000;
  Run([this] {
    const CounterFamily family("c_total", "c", {"l"});
    const CounterFamily other("d_total", "d", {"l"});
    for (int i = 0; i < kSeries; ++i) {
      family.WithLabels(std::to_string(i)).Increment();
      other.WithLabels(std::to_string(i)).Increment(2);
    }
    const auto files = Read();
    EXPECT_EQ(SumOfFamily(files, "c_total"), 1u * kSeries);
    EXPECT_EQ(SumOfFamily(files, "d_total"), 2u * kSeries);
    EXPECT_GT(SumU64(files, "c_total{__overflow__}"), 0u);
    const WriterStatus status = GetWriterStatus();
    EXPECT_EQ(status.dropped_observations, 0u);
    EXPECT_GT(status.dropped_series, 0u);
    // Cap, reserve for overflow series, header.
    EXPECT_LE(status.file_bytes, 65536u + 65536u + 16384u);
  });
}

TEST_F(SeriesCapTest, ChildAtTheCapBringsAllSeriesAlong) {
  ::setenv("TINE_MAX_BYTES", "65536", 1);
  constexpr int kSeries = 1000;
  Run([this] {
    const CounterFamily family("c_total", "c", {"l"});
    for (int i = 0; i < kSeries; ++i) {
      family.WithLabels(std::to_string(i)).Increment();
    }
    const pid_t pid = StartChild([&] {
      for (int i = 0; i < kSeries; ++i) {
        family.WithLabels(std::to_string(i)).Increment();
      }
      EXPECT_EQ(GetWriterStatus().dropped_observations, 0u);
    });
    EXPECT_TRUE(IsSuccess(WaitFor(pid)));
    EXPECT_EQ(SumOfFamily(Read(), "c_total"), 2u * kSeries);
  });
}

TEST_F(SeriesCapTest, GaugesBeyondTheCapShareTheOverflowSeries) {
  ::setenv("TINE_MAX_BYTES", "65536", 1);
  Run([this] {
    const GaugeFamily family("g", "g", {"l"}, GaugeMode::kMax);
    for (int i = 0; i < 1000; ++i) {
      family.WithLabels(std::to_string(i)).Set(i);
    }
    double value = 0;
    EXPECT_TRUE(Read().at(0).series.at("g{__overflow__}").GaugeValue(&value));
    EXPECT_EQ(value, 999);
  });
}

TEST_F(SeriesCapTest, ManyFamiliesAtTheCapAllKeepTheirSums) {
  ::setenv("TINE_MAX_BYTES", "65536", 1);
  constexpr int kFamilies = 100;
  Run([this] {
    for (int round = 0; round < 20; ++round) {
      for (int i = 0; i < kFamilies; ++i) {
        const CounterFamily family("c" + std::to_string(i) + "_total", "c",
                                   {"l"});
        family.WithLabels(std::to_string(round)).Increment();
      }
    }
    uint64_t sum = 0;
    for (int i = 0; i < kFamilies; ++i) {
      sum += SumOfFamily(Read(), "c" + std::to_string(i) + "_total");
    }
    EXPECT_EQ(sum + GetWriterStatus().dropped_observations, 20u * kFamilies);
    EXPECT_EQ(GetWriterStatus().dropped_observations, 0u);
  });
}

TEST_F(SeriesCapTest, ManySeriesBelowTheCapAreAllThere) {
  constexpr int kSeries = Scaled(60'000);
  Run([this] {
    const CounterFamily family("c_total", "c", {"l"});
    for (int i = 0; i < kSeries; ++i) {
      family.WithLabels(std::to_string(i)).Increment();
    }
    EXPECT_EQ(GetWriterStatus().dropped_series, 0u);
    EXPECT_EQ(SumOfFamily(Read(), "c_total"), 1u * kSeries);
  });
}

TEST_F(SeriesCapTest, NonsenseInTheEnvironmentIsToldAndIgnored) {
  for (const char* value : {"1", "x", "-5", "99999999999999999999", "64k"}) {
    ::setenv("TINE_MAX_BYTES", value, 1);
    const ChildOutcome outcome = Run([this] {
      const Counter counter("c_total", "c");
      counter.Increment();
      EXPECT_EQ(SumU64(Read(), "c_total"), 1u);
      ::unlink(dir_.At(NamesIn(dir_.path()).at(0)).c_str());
    });
    EXPECT_EQ(LineCount(outcome.stderr_text), 1) << outcome.stderr_text;
  }
}

}  // namespace
}  // namespace tine::testing
