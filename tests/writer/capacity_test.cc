// The library's own limits, reached: what has no place of its own counts in its
// family's overflow series or in slot 0, and where even that is full, the drops
// are counted. Never is anything lost without a trace.

#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "tests/writer/run_mutant.h"
#include "tests/writer/writer_test_base.h"
#include "writer/tine.h"

namespace tine::testing {
namespace {

constexpr int kThreads = 64;

class CapacityTest : public WriterTest {
 protected:
  void SetUp() override {
    WriterTest::SetUp();
    ::setenv("TINE_LOG", "off", 1);
  }

  // All first cells of the series of families whose names begin so.
  static uint64_t SumOf(const std::vector<MetricFileText>& files,
                        std::string_view family_prefix) {
    uint64_t sum = 0;
    for (const MetricFileText& file : files) {
      for (const auto& [name, cells] : file.series) {
        sum += name.rfind(family_prefix, 0) == 0 ? cells.u64[0] : 0;
      }
    }
    return sum;
  }

  uint64_t SumOf(std::string_view family_prefix) const {
    return SumOf(Read(), family_prefix);
  }

  // All of them live until the last is done, so none takes over the slot of
  // another.
  static void RunThreads(const std::function<void()>& body) {
    std::vector<std::thread> threads;
    std::atomic<int> done_count{0};
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&] {
        body();
        ++done_count;
        EXPECT_TRUE(WaitUntil([&] { return done_count == kThreads; }));
      });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
  }
};

// ---- Slots and private blocks ----

TEST_F(CapacityTest, SixtyFourThreadsWithFewSlotsDropNothing) {
  constexpr int kRounds = 200;
  const auto scenario = [this] {
    const Counter counter("c_total", "c");
    const DoubleCounter seconds("s_total", "s");
    const Histogram sizes("h", "h", {1, 2, 4});
    const UpDownCounter level("u", "u", GaugeMode::kSum);
    RunThreads([&] {
      for (int i = 0; i < kRounds; ++i) {
        counter.Increment();
        seconds.Increment(0.5);
        sizes.Observe(3);
        level.Increment();
      }
    });
    const auto files = Read();
    EXPECT_EQ(SumU64(files, "c_total"), 1u * kThreads * kRounds);
    EXPECT_EQ(SumF64(files, "s_total"), 0.5 * kThreads * kRounds);
    EXPECT_EQ(SumU64(files, "h", 2), 1u * kThreads * kRounds);
    EXPECT_EQ(SumF64(files, "h", 4), 3.0 * kThreads * kRounds);
    EXPECT_EQ(SumU64(files, "u"), 1u * kThreads * kRounds);
    EXPECT_EQ(GetWriterStatus().dropped_observations, 0u);
  };
  for (const char* slots : {"0", "1", "2", "64"}) {
    SCOPED_TRACE(slots);
    ::setenv("TINE_MAX_SLOTS", slots, 1);
    Run([&] {
      scenario();
      ::unlink(dir_.At(NamesIn(dir_.path()).at(0)).c_str());
    });
  }
  ::setenv("TINE_MAX_SLOTS", "2", 1);
  ExpectMutantFails("dropped_without_a_slot", scenario);
}

// The smallest budget is 32 KiB: seven blocks, for 64 threads in three chunks.
TEST_F(CapacityTest, PrivateBudgetUsedUpLosesNothing) {
  ::setenv("TINE_MAX_BYTES", "65536", 1);
  ::setenv("TINE_MAX_SLOTS", "64", 1);
  constexpr int kSeries = 120;
  const auto scenario = [this] {
    const CounterFamily family("c_total", "c", {"l"});
    const HistogramFamily sizes("h", "h", {"l"}, std::vector<double>(1, 1.0));
    const Histogram wide("wide", "w", [] {
      std::vector<double> bounds(400);
      for (int i = 0; i < 400; ++i) {
        bounds[static_cast<size_t>(i)] = i;
      }
      return bounds;
    }());
    RunThreads([&] {
      for (int i = 0; i < kSeries; ++i) {
        family.WithLabels(std::to_string(i)).Increment();
        sizes.WithLabels(std::to_string(i)).Observe(0);
        wide.Observe(0);
      }
    });
    EXPECT_EQ(SumOf("c_total"), 1u * kThreads * kSeries);
    EXPECT_EQ(SumOf("h{"), 1u * kThreads * kSeries);
    EXPECT_EQ(SumOf("wide"), 1u * kThreads * kSeries);
    EXPECT_EQ(GetWriterStatus().dropped_observations, 0u);
    size_t private_count = 0;
    const auto files = Read();
    for (const CellsView& block : files.at(0).blocks) {
      private_count += block.slot != 0 ? 1 : 0;
    }
    EXPECT_LE(private_count, 7u);
    EXPECT_GT(private_count, 0u);
  };
  Run(scenario);
  ExpectMutantFails("dropped_without_a_slot", scenario);
}

// ---- Series ----

TEST_F(CapacityTest, OverflowSeriesKeepsTheSumTrueAtTheSmallestCap) {
  ::setenv("TINE_MAX_BYTES", "65536", 1);
  const auto scenario = [this] {
    const CounterFamily family("c_total", "c", {"l"});
    for (int i = 0; i < 3000; ++i) {
      family.WithLabels(std::to_string(i)).Increment(2);
    }
    EXPECT_EQ(SumOf("c_total"), 6000u);
    EXPECT_EQ(GetWriterStatus().dropped_observations, 0u);
    EXPECT_EQ(SumU64(Read(), "c_total{__overflow__}"),
              2 * GetWriterStatus().dropped_series);
  };
  Run(scenario);
  ExpectMutantFails("overflow_series_forgotten", scenario);
}

template <size_t... kIndex>
Counter AllAlike(const CounterFamily& family, std::string_view value,
                 std::index_sequence<kIndex...> /*labels*/) {
  return family.WithLabels((static_cast<void>(kIndex), value)...);
}

TEST_F(CapacityTest, LongestLabelValuesCountAndThenOverflow) {
  Run([this] {
    std::vector<std::string> names;
    for (int i = 0; i < 64; ++i) {
      names.push_back("l" + std::to_string(i));
    }
    const std::vector<std::string_view> views(names.begin(), names.end());
    const CounterFamily one("one_total", "1", {"l"});
    const CounterFamily many("many_total", "64 labels", views);
    constexpr size_t kLongest = 65535;
    for (int i = 0; i < 150; ++i) {
      std::string value(kLongest, 'x');
      const std::string number = std::to_string(i);
      value.replace(0, number.size(), number);
      one.WithLabels(value).Increment();
    }
    const std::string value(kLongest, 'y');
    AllAlike(many, value, std::make_index_sequence<64>()).Increment();
    one.WithLabels(std::string(kLongest + 1, 'z')).Increment();
    EXPECT_EQ(SumOf("one_total"), 151u);
    EXPECT_EQ(SumOf("many_total"), 1u);
    EXPECT_GT(SumU64(Read(), "one_total{__overflow__}"), 1u);
    EXPECT_EQ(GetWriterStatus().dropped_observations, 0u);
  });
}

TEST_F(CapacityTest, TenThousandFamiliesCountAndOneMoreIsRefused) {
  constexpr int kFamilies = Scaled(10'000);
  Run([this] {
    for (int i = 0; i < kFamilies; ++i) {
      const Counter counter("c" + std::to_string(i) + "_total", "c");
      EXPECT_TRUE(counter.status().ok()) << i;
      counter.Increment();
    }
    EXPECT_EQ(SumOf("c"), 1u * kFamilies);
    EXPECT_EQ(GetWriterStatus().dropped_observations, 0u);
    if (kFamilies < 10'000) {
      return;  // under a sanitizer, which is slow
    }
    const Counter refused("one_more_total", "c");
    EXPECT_FALSE(refused.status().ok());
    refused.Increment();
    EXPECT_EQ(GetWriterStatus().dropped_observations, 1u);
  });
}

// Their records alone are more than the cap.
TEST_F(CapacityTest, MoreFamiliesThanTheCapHoldsAreCountedOrDropped) {
  ::setenv("TINE_MAX_BYTES", "65536", 1);
  constexpr int kFamilies = Scaled(3000);
  const auto scenario = [this] {
    for (int i = 0; i < kFamilies; ++i) {
      Counter("c" + std::to_string(i) + "_total", "c").Increment();
      CounterFamily("d" + std::to_string(i) + "_total", "d", {"l"})
          .WithLabels("x")
          .Increment();
    }
    const WriterStatus status = GetWriterStatus();
    EXPECT_GT(SumOf(""), 0u);
    EXPECT_EQ(SumOf("") + status.dropped_observations, 2u * kFamilies);
    EXPECT_LE(status.file_bytes, 65536u + 65536u + 16384u);
  };
  Run(scenario);
  ExpectMutantFails("drops_not_counted", scenario);
}

// Histograms of the greatest width take a chunk each, and there are 4096.
TEST_F(CapacityTest, ChunksUsedUpLeaveTheOverflowSeries) {
  if (kHasAsan || kHasTsan) {
    GTEST_SKIP() << "checks a million cells one by one";
  }
  ::setenv("TINE_MAX_BYTES", "65011712", 1);  // 62 MiB, the most
  ::setenv("TINE_MAX_SLOTS", "0", 1);
  constexpr int kSeries = 4200;
  const auto scenario = [this] {
    std::vector<double> bounds(510);
    for (size_t i = 0; i < bounds.size(); ++i) {
      bounds[i] = static_cast<double>(i);
    }
    const HistogramFamily wide("wide", "w", {"l"}, bounds);
    const CounterFamily late("late_total", "l", {"l"});
    for (int i = 0; i < kSeries; ++i) {
      wide.WithLabels(std::to_string(i)).Observe(0);
    }
    for (int i = 0; i < 10; ++i) {
      late.WithLabels(std::to_string(i)).Increment();
    }
    ASSERT_EQ(GetWriterStatus().dropped_observations, 0u);
    const auto files = Read();
    EXPECT_EQ(SumOf(files, "wide{"), 1u * kSeries);
    EXPECT_GT(SumU64(files, "wide{__overflow__}"), 100u);
    EXPECT_EQ(SumOf(files, "late_total"), 10u);
  };
  Run(scenario);
  ExpectMutantFails("no_chunks_kept_for_overflow", scenario);
}

// ---- Files ----

// Small files are full soon; sixteen is the most that a process makes.
TEST_F(CapacityTest, AllFilesFullDropsAndCounts) {
  constexpr int kSeries = 20'000;
  const auto scenario = [this] {
    rlimit limit{};
    ::getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = 64 << 10;
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
    const CounterFamily family("c_total", "c", {"l"});
    for (int i = 0; i < kSeries; ++i) {
      family.WithLabels(std::to_string(i)).Increment();
    }
    const WriterStatus status = GetWriterStatus();
    EXPECT_EQ(status.files.size(), 16u);
    EXPECT_GT(SumOf("c_total"), 5000u);
    EXPECT_GT(status.dropped_observations, 0u);
    EXPECT_EQ(SumOf("c_total") + status.dropped_observations, 1u * kSeries);
    EXPECT_NE(status.last_error.find("no room"), std::string::npos)
        << status.last_error;
  };
  Run(scenario);
  ExpectMutantFails("drops_not_counted", scenario);
  ExpectMutantFails("file_size_limit_forgotten", scenario);
}

}  // namespace
}  // namespace tine::testing
