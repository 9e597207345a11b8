// Series that are new are served as 0 first, and no other ones ever are.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <time.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/collector/limit_bench.h"
#include "tests/collector/limit_scenarios.h"
#include "tests/testing/child_process.h"

namespace tine::collector {
namespace {

using format::GaugeMode;
using ::testing::ElementsAre;
using testing::MetricFileBuilder;
using ::testing::Pair;
using testing::ServedNumbers;

constexpr uint32_t kLongerThanTheTest = 3'600'000;

uint64_t WallNowNs() {
  timespec now;
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<uint64_t>(now.tv_nsec);
}

class BirthBench : public LimitBench {
 public:
  explicit BirthBench(uint32_t birth_at_zero_ms) {
    options.birth_at_zero_ms = birth_at_zero_ms;
  }
  // A live writer whose series are made now.
  MetricFileBuilder NewWriter() {
    MetricFileBuilder file = NewLive();
    file.set_series_created_wall_ns(WallNowNs());
    return file;
  }
};

void NewSeriesAreZeroInAllTheirSamples() {
  BirthBench bench(kLongerThanTheTest);
  MetricFileBuilder old = bench.NewWriter();
  const uint32_t old_cell = old.AddCounter("old_total", 3);
  bench.Restart();
  bench.Scrape();
  MetricFileBuilder file = bench.NewWriter();
  file.AddCounter("c_total", 5);
  file.AddF64(
      file.AddSeries(file.AddFamily(testing::F64CounterFamily("f_total"))), 1);
  const uint32_t histogram =
      file.AddSeries(file.AddFamily(testing::HistogramFamily("h", {1})));
  file.AddU64(histogram, 2);
  file.AddU64(histogram + 1, 3);
  file.AddF64(histogram + 2, 4);
  const uint32_t summary =
      file.AddSeries(file.AddFamily(testing::SummaryFamily("s")));
  file.AddU64(summary, 2);
  file.AddF64(summary + 1, 3);
  // What may fall anyway is true at once.
  file.SetGauge(file.AddSeries(
                    file.AddFamily(testing::GaugeFamily("g", GaugeMode::kMax))),
                7);
  file.AddU64(file.AddSeries(file.AddFamily(
                  testing::UpDownFamily("u_d", GaugeMode::kSum))),
              8);
  // And so is an old series' new label set's neighbour.
  old.AddU64(old_cell, 1);
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(bench.Scrape(),
                ElementsAre(Pair("c_total{}", 0), Pair("f_total{}", 0),
                            Pair("g{}", 7), Pair("h_bucket{}[+Inf]", 0),
                            Pair("h_bucket{}[1]", 0), Pair("h_sum{}", 0),
                            Pair("old_total{}", 4), Pair("s_count{}", 0),
                            Pair("s_sum{}", 0), Pair("u_d{}", 8)));
  }
}

void NewbornSeriesBecomeTrueAndStayTrue() {
  BirthBench bench(1);
  bench.Restart();
  bench.Scrape();
  MetricFileBuilder file = bench.NewWriter();
  const uint32_t cell = file.AddCounter("c_total", 5);
  // However long nobody asks: the first answer is 0.
  ::usleep(20'000);
  EXPECT_THAT(bench.Scrape(), ElementsAre(Pair("c_total{}", 0)));
  EXPECT_TRUE(testing::WaitUntil(
      [&bench] { return bench.Scrape().at("c_total{}") == 5; }));
  file.AddU64(cell, 1);
  // The same series of another writer is not new, nor is one that is folded.
  MetricFileBuilder other = bench.NewWriter();
  other.AddCounter("c_total", 10);
  EXPECT_THAT(bench.Scrape(), ElementsAre(Pair("c_total{}", 16)));
  file.ReleaseLifeLock();
  bench.Scrape();
  bench.collector->FoldNow();
  EXPECT_THAT(bench.Scrape(), ElementsAre(Pair("c_total{}", 16)));
}

void RestartServesWhatIsThereAsItIs() {
  BirthBench bench(kLongerThanTheTest);
  MetricFileBuilder live = bench.NewWriter();
  live.AddCounter("live_total", 1);
  // Its clock was ahead when the series was made.
  live.set_series_created_wall_ns(WallNowNs() + 3'600'000'000'000);
  live.AddCounter("ahead_total", 2);
  bench.LeaveCounter("dead_total", 3);
  bench.Restart();
  const ServedNumbers truth = {
      {"ahead_total{}", 2}, {"dead_total{}", 3}, {"live_total{}", 1}};
  EXPECT_EQ(bench.Scrape(), truth);
  bench.collector->FoldNow();
  bench.Restart();
  EXPECT_EQ(bench.Scrape(), truth);
  // What is in the archive is not new, whoever has it now.
  MetricFileBuilder again = bench.NewWriter();
  again.AddCounter("dead_total", 10);
  EXPECT_EQ(bench.Scrape().at("dead_total{}"), 13);
}

// A file that could not be opened at first, or was moved here.
void OldSeriesThatCameLateAreTrue() {
  BirthBench bench(kLongerThanTheTest);
  testing::TestDirectory elsewhere;
  MetricFileBuilder late(elsewhere.path());
  late.HoldLifeLock();
  late.set_series_created_wall_ns(WallNowNs());
  late.AddCounter("late_total", 7);
  bench.Restart();
  bench.Scrape();
  late.MoveTo(bench.directory.path());
  EXPECT_THAT(bench.Scrape(), ElementsAre(Pair("late_total{}", 7)));
}

// When another collector folds, the reader's view begins anew.
void ViewThatBeginsAnewServesTheTruth() {
  BirthBench bench(kLongerThanTheTest);
  bench.Restart();
  CollectorOptions options = bench.options;
  options.folding.may_fold = false;
  Collector reader(options);
  MetricFileBuilder live = bench.NewWriter();
  live.AddCounter("live_total", 1);
  testing::Scrape(&reader);
  bench.LeaveCounter("dead_total", 3);
  bench.collector->FoldNow();
  EXPECT_THAT(testing::Scrape(&reader).numbers,
              ElementsAre(Pair("dead_total{}", 3), Pair("live_total{}", 1)));
  // And births go on in it.
  MetricFileBuilder newborn = bench.NewWriter();
  newborn.AddCounter("new_total", 5);
  EXPECT_EQ(testing::Scrape(&reader).numbers.at("new_total{}"), 0);
}

// A batch job that lived between two scrapes.
void NewbornOfADeadWriterIsZeroFirstToo() {
  BirthBench bench(kLongerThanTheTest);
  bench.Restart();
  bench.Scrape();
  {
    MetricFileBuilder file = bench.NewDead();
    file.set_series_created_wall_ns(WallNowNs());
    file.AddCounter("c_total", 5);
  }
  bench.collector->FoldNow();
  EXPECT_EQ(bench.FileCount(), 0u);
  EXPECT_THAT(bench.Scrape(), ElementsAre(Pair("c_total{}", 0)));
  EXPECT_THAT(bench.ScrapeOnce(), ElementsAre(Pair("c_total{}", 5)));
}

void WithoutTheOptionNewSeriesAreTrue() {
  BirthBench bench(0);
  bench.Restart();
  bench.Scrape();
  MetricFileBuilder file = bench.NewWriter();
  file.AddCounter("c_total", 5);
  EXPECT_THAT(bench.Scrape(), ElementsAre(Pair("c_total{}", 5)));
}

}  // namespace

std::vector<LimitScenario> BirthScenarios() {
  return {
      {"NewSeriesAreZeroInAllTheirSamples", NewSeriesAreZeroInAllTheirSamples},
      {"NewbornSeriesBecomeTrueAndStayTrue",
       NewbornSeriesBecomeTrueAndStayTrue},
      {"RestartServesWhatIsThereAsItIs", RestartServesWhatIsThereAsItIs},
      {"OldSeriesThatCameLateAreTrue", OldSeriesThatCameLateAreTrue},
      {"ViewThatBeginsAnewServesTheTruth", ViewThatBeginsAnewServesTheTruth},
      {"NewbornOfADeadWriterIsZeroFirstToo",
       NewbornOfADeadWriterIsZeroFirstToo},
      {"WithoutTheOptionNewSeriesAreTrue", WithoutTheOptionNewSeriesAreTrue},
  };
}

}  // namespace tine::collector
