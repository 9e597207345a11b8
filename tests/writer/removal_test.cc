// Series that the program removes: not found, not inherited, not reused.

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "tests/testing/test_effort.h"
#include "tests/writer/run_mutant.h"
#include "tests/writer/writer_test_base.h"
#include "writer/tine.h"

namespace tine::testing {
namespace {

class RemovalTest : public WriterTest {
 protected:
  void SetUp() override {
    WriterTest::SetUp();
    ::setenv("TINE_LOG", "off", 1);
  }
};

using RemovalForkTest = RemovalTest;

// Below the cap.
constexpr int kMostRemovals = 40'000;

TEST_F(RemovalTest, RemovedSeriesIsWrittenDownOnce) {
  const auto scenario = [this] {
    const CounterFamily family("c_total", "c", {"l", "m"});
    family.WithLabels("a", "b").Increment(5);
    family.WithLabels("a", "c").Increment(1);
    EXPECT_TRUE(family.Remove("a", "b"));
    EXPECT_FALSE(family.Remove("a", "b"));
    const auto files = Read();
    EXPECT_EQ(FilesWith(files, "c_total{a,b}"), 0u);
    EXPECT_EQ(files.at(0).removed.at("c_total{a,b}").u64.at(0), 5u);
    EXPECT_EQ(files.at(0).removed_count, 1u);
    EXPECT_EQ(SumU64(files, "c_total{a,c}"), 1u);
  };
  Run(scenario);
  ExpectMutantFails("removal_not_written", scenario);
}

TEST_F(RemovalTest, LookUpAfterItMakesANewSeriesAtZero) {
  const auto scenario = [this] {
    const CounterFamily family("c_total", "c", {"l"});
    for (int round = 0; round < 1000; ++round) {
      const Counter counter = family.WithLabels("a");
      EXPECT_EQ(counter.Value(), 0u);
      counter.Increment();
      EXPECT_EQ(family.WithLabels("a").Value(), 1u);
      EXPECT_TRUE(family.Remove("a"));
    }
    family.WithLabels("a").Increment(7);
    const auto files = Read();
    EXPECT_EQ(SumU64(files, "c_total{a}"), 7u);
    EXPECT_EQ(files.at(0).removed.at("c_total{a}").u64.at(0), 1000u);
    EXPECT_EQ(files.at(0).removed_count, 1000u);
  };
  Run(scenario);
  ExpectMutantFails("removed_series_found", scenario);
}

TEST_F(RemovalTest, EveryInstrumentCanBeRemoved) {
  Run([this] {
    const DoubleCounterFamily f("f_total", "f", {"l"});
    const UpDownCounterFamily u("u", "u", {"l"}, GaugeMode::kSum);
    const GaugeFamily g("g", "g", {"l"}, GaugeMode::kMostRecent);
    const HistogramFamily h("h", "h", {"l"}, {1, 2});
    const SummaryFamily s("s", "s", {"l"});
    f.WithLabels("a").Increment(1);
    u.WithLabels("a").Increment();
    g.WithLabels("a").Set(1);
    h.WithLabels("a").Observe(1);
    s.WithLabels("a").Observe(1);
    EXPECT_TRUE(f.Remove("a") && u.Remove("a") && g.Remove("a") &&
                h.Remove("a") && s.Remove("a"));
    const auto files = Read();
    EXPECT_TRUE(files.at(0).series.empty());
    EXPECT_EQ(files.at(0).removed_count, 5u);
  });
}

TEST_F(RemovalTest, HandleThatWasKeptIsSafeAndKnowsIt) {
  Run([this] {
    const CounterFamily family("c_total", "c", {"l"});
    const Counter kept = family.WithLabels("a");
    kept.Increment();
    EXPECT_TRUE(kept.status().ok());
    EXPECT_TRUE(family.Remove("a"));
    EXPECT_EQ(kept.status().code(), ErrorCode::kRemoved);
    EXPECT_NE(kept.status().message(), "");
    kept.Increment();
    // Neither in the series that came after it nor in another.
    family.WithLabels("a").Increment(10);
    family.WithLabels("b").Increment(20);
    kept.Increment();
    const auto files = Read();
    EXPECT_EQ(SumU64(files, "c_total{a}"), 10u);
    EXPECT_EQ(SumU64(files, "c_total{b}"), 20u);
    EXPECT_EQ(files.at(0).removed.at("c_total{a}").u64.at(0), 3u);
    EXPECT_TRUE(family.WithLabels("a").status().ok());
  });
}

TEST_F(RemovalTest, IsFoundByPositionByNameAndByAList) {
  Run([] {
    const CounterFamily family("c_total", "c", {"l", "m"});
    const auto is_there = [&family] {
      const bool is_old = family.WithLabels("a", "b").Value() != 0;
      family.WithLabels("a", "b").Increment();
      return is_old;
    };
    is_there();
    EXPECT_TRUE(family.Remove({{"m", "b"}, {"l", "a"}}));
    EXPECT_FALSE(is_there());
    EXPECT_TRUE(family.Remove("a", std::string("b")));
    EXPECT_FALSE(is_there());
    EXPECT_TRUE(
        family.RemoveLabelValues(std::vector<std::string_view>{"a", "b"}));
    EXPECT_FALSE(is_there());
  });
}

TEST_F(RemovalTest, WhatDoesNotFitRemovesNothingAndIsTold) {
  Run([this] {
    const CounterFamily family("c_total", "c", {"l", "m"});
    family.WithLabels("a", "b").Increment();
    EXPECT_FALSE(family.Remove("a", "c"));  // none such: no mistake
    EXPECT_EQ(GetWriterStatus().last_error, "");
    EXPECT_FALSE(family.Remove("a"));
    EXPECT_NE(GetWriterStatus().last_error.find("wrong number"),
              std::string::npos);
    EXPECT_FALSE(family.Remove("a", "b", "c"));
    EXPECT_FALSE(family.Remove({{"l", "a"}, {"x", "b"}}));
    EXPECT_NE(GetWriterStatus().last_error.find("label names"),
              std::string::npos);
    EXPECT_FALSE(family.Remove({{"l", "a"}}));
    EXPECT_EQ(SumU64(Read(), "c_total{a,b}"), 1u);
  });
}

TEST_F(RemovalTest, FamiliesWithoutLabelsRefusedAndDisabledOnesHaveNone) {
  Run([this] {
    const Counter counter("c_total", "c");
    counter.Increment();
    const CounterFamily same("c_total", "c", {});
    EXPECT_FALSE(same.Remove());
    EXPECT_TRUE(same.Clear());
    const CounterFamily refused("9", "c", {"l"});
    refused.WithLabels("a").Increment();
    EXPECT_FALSE(refused.Remove("a"));
    EXPECT_TRUE(refused.Clear());
    EXPECT_EQ(SumU64(Read(), "c_total"), 1u);
    EXPECT_EQ(Read().at(0).removed_count, 0u);
  });
  ::setenv("TINE_DISABLE", "1", 1);
  Run([] {
    const CounterFamily family("d_total", "d", {"l"});
    family.WithLabels("a").Increment();
    EXPECT_FALSE(family.Remove("a"));
    EXPECT_TRUE(family.Clear());
  });
}

TEST_F(RemovalTest, ClearRemovesAllSeriesOfTheFamilyAlone) {
  Run([this] {
    const CounterFamily family("c_total", "c", {"l"});
    const CounterFamily other("d_total", "d", {"l"});
    for (int i = 0; i < 1500; ++i) {  // three chunks
      family.WithLabels(std::to_string(i)).Increment();
      other.WithLabels(std::to_string(i % 10)).Increment();
    }
    EXPECT_TRUE(family.Clear());
    EXPECT_TRUE(family.Clear());
    const auto files = Read();
    EXPECT_EQ(files.at(0).series.size(), 10u);
    EXPECT_EQ(files.at(0).removed.size(), 1500u);
    EXPECT_EQ(files.at(0).removed_count, 1500u);
    EXPECT_EQ(SumU64(files, "d_total{3}"), 150u);
    family.WithLabels("7").Increment();
    EXPECT_EQ(SumU64(Read(), "c_total{7}"), 1u);
  });
}

TEST_F(RemovalTest, SeriesThatWaitsForAFileNeedsNoRecord) {
  Run([this] {
    rlimit limit = {};
    ::getrlimit(RLIMIT_FSIZE, &limit);
    const rlimit none = {0, limit.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &none);
    const CounterFamily family("c_total", "c", {"l"});
    family.WithLabels("gone");
    family.WithLabels("stays");
    EXPECT_TRUE(family.Remove("gone"));
    ::setrlimit(RLIMIT_FSIZE, &limit);
    Seal();  // tries again
    const auto files = Read();
    ASSERT_EQ(files.size(), 1u);
    EXPECT_EQ(FilesWith(files, "c_total{stays}"), 1u);
    EXPECT_EQ(files.at(0).series.size(), 1u);
    EXPECT_EQ(files.at(0).removed_count, 0u);
  });
}

TEST_F(RemovalTest, SealedProcessRemovesNothing) {
  Run([this] {
    const CounterFamily family("c_total", "c", {"l"});
    family.WithLabels("a").Increment();
    Seal();
    EXPECT_FALSE(family.Remove("a"));
    EXPECT_FALSE(family.Clear());
    EXPECT_NE(GetWriterStatus().last_error.find("sealed"), std::string::npos);
    EXPECT_EQ(SumU64(Read(), "c_total{a}"), 1u);
  });
}

// Counting goes on meanwhile, in handles that were kept and in new ones; every
// count is somewhere.
TEST_F(RemovalTest, ThreadsCountWhileTheirSeriesAreRemoved) {
  constexpr int kThreads = 3;
  Run([this] {
    const CounterFamily family("c_total", "c", {"l"});
    std::atomic<bool> is_over{false};
    std::atomic<uint64_t> made{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&] {
        uint64_t own = 0;
        while (!is_over) {
          const Counter kept = family.WithLabels("a");
          for (int i = 0; i < 100; ++i) {
            kept.Increment();
            family.WithLabels("a").Increment();
            own += 2;
          }
        }
        made += own;
      });
    }
    int removals = 0;
    const int rounds = std::min(Rounds(Scaled(2'000)), kMostRemovals);
    for (int i = 0; i < rounds; ++i) {
      removals += family.Remove("a") ? 1 : 0;
      std::this_thread::yield();
    }
    is_over = true;
    for (std::thread& thread : threads) {
      thread.join();
    }
    const auto files = Read();
    uint64_t sum = SumU64(files, "c_total{a}");
    size_t removed_count = 0;
    for (const MetricFileText& file : files) {
      sum += file.removed.count("c_total{a}") == 0
                 ? 0
                 : file.removed.at("c_total{a}").u64.at(0);
      removed_count += file.removed_count;
    }
    EXPECT_EQ(sum, made.load());
    EXPECT_EQ(removed_count, static_cast<size_t>(removals));
    EXPECT_GT(removals, 0);
    EXPECT_EQ(GetWriterStatus().dropped_series, 0u);
  });
}

// Cells are not used again, so there is an end to it; and a true sum then, too.
TEST_F(RemovalTest, RemovingAndAddingForEverEndsAtTheCap) {
  ::setenv("TINE_MAX_BYTES", "65536", 1);
  const auto scenario = [this] {
    const CounterFamily family("c_total", "c", {"l"});
    constexpr int kRounds = 5'000;
    family.WithLabels("stays").Increment();
    for (int i = 0; i < kRounds; ++i) {
      family.WithLabels(std::to_string(i)).Increment();
      family.Remove(std::to_string(i));
    }
    EXPECT_FALSE(family.Remove("stays"));
    EXPECT_NE(GetWriterStatus().last_error.find("no room"), std::string::npos)
        << GetWriterStatus().last_error;
    EXPECT_EQ(GetWriterStatus().dropped_observations, 0u);
    EXPECT_LE(GetWriterStatus().file_bytes, 65536u + 65536u + 16384u);
    // What everybody shares stays.
    EXPECT_FALSE(family.Remove("__overflow__"));
    EXPECT_FALSE(family.Clear());
    EXPECT_EQ(SumU64(Read(), "c_total{stays}"), 1u);
    uint64_t sum = 0;
    for (const MetricFileText& file : Read()) {
      for (const auto* series : {&file.series, &file.removed}) {
        for (const auto& [name, cells] : *series) {
          sum += cells.u64.at(0);
        }
      }
    }
    EXPECT_EQ(sum, 1u * kRounds + 1);
    EXPECT_EQ(FilesWith(Read(), "c_total{__overflow__}"), 1u);
  };
  Run(scenario);
  ExpectMutantFails("overflow_series_removed", scenario);
}

// ---- Forks ------------------------------------------------------------------

TEST_F(RemovalForkTest, ChildDoesNotHaveWhatWasRemovedBefore) {
  const auto scenario = [this] {
    const CounterFamily family("c_total", "c", {"l"});
    const Counter kept = family.WithLabels("gone");
    kept.Increment();
    family.WithLabels("stays").Increment();
    EXPECT_TRUE(family.Remove("gone"));
    const pid_t pid = StartChild([&] {
      family.WithLabels("stays").Increment(10);
      kept.Increment();  // safe, and nowhere
      EXPECT_FALSE(family.Remove("gone"));
    });
    EXPECT_TRUE(IsSuccess(WaitFor(pid)));
    const auto files = Read();
    ASSERT_EQ(files.size(), 2u);
    EXPECT_EQ(SumU64(files, "c_total{stays}"), 11u);
    EXPECT_EQ(FilesWith(files, "c_total{gone}"), 0u);
    EXPECT_EQ(files.at(0).removed_count + files.at(1).removed_count, 1u);
    const MetricFileText& childs =
        files.at(0).removed_count == 0 ? files.at(0) : files.at(1);
    EXPECT_EQ(childs.series.size(), 1u);
  };
  Run(scenario);
  ExpectMutantFails("child_brings_removed_series", scenario);
}

TEST_F(RemovalForkTest, EachProcessRemovesItsOwn) {
  Run([this] {
    const CounterFamily family("c_total", "c", {"l"});
    family.WithLabels("a").Increment(1);
    const pid_t untouched = StartChild([&] {
      // Nothing of the parent's is here before it is touched.
      EXPECT_TRUE(family.Remove("a"));
      EXPECT_EQ(family.WithLabels("a").Value(), 0u);
      family.WithLabels("a").Increment(10);
    });
    EXPECT_TRUE(IsSuccess(WaitFor(untouched)));
    const pid_t touched = StartChild([&] {
      family.WithLabels("a").Increment(100);
      EXPECT_TRUE(family.Remove("a"));
    });
    EXPECT_TRUE(IsSuccess(WaitFor(touched)));
    const auto files = Read();
    EXPECT_EQ(SumU64(files, "c_total{a}"), 11u);
    size_t removed_count = 0;
    for (const MetricFileText& file : files) {
      removed_count += file.removed_count;
    }
    EXPECT_EQ(removed_count, 1u);
  });
}

// Whenever it comes, the fork finds a series or none: never one that it can
// find and not publish, or the other way round.
TEST_F(RemovalForkTest, ForksBesideRemovalsFindOneOrNone) {
  Run([this] {
    const CounterFamily family("c_total", "c", {"l"});
    std::atomic<bool> is_over{false};
    const int rounds = std::min(Rounds(Scaled(50)), kMostRemovals / 40);
    std::atomic<int> allowed{0};
    std::thread remover([&] {
      while (!is_over) {
        if (allowed <= 0) {
          std::this_thread::yield();
          continue;
        }
        --allowed;
        family.WithLabels("a");
        family.Remove("a");
      }
    });
    for (int i = 0; i < rounds; ++i) {
      allowed = 40;
      const pid_t pid = StartChild([&] {
        family.WithLabels("a").Increment();
        EXPECT_EQ(family.WithLabels("a").Value(), 1u);
        const std::string own = std::to_string(::getpid()) + ".";
        for (const MetricFileText& file : Read()) {
          if (file.name.compare(0, own.size(), own) == 0) {
            EXPECT_EQ(file.series.at("c_total{a}").u64.at(0), 1u);
            EXPECT_EQ(file.removed_count, 0u);
          }
        }
      });
      EXPECT_TRUE(IsSuccess(WaitFor(pid)));
    }
    is_over = true;
    remover.join();
  });
}

}  // namespace
}  // namespace tine::testing
