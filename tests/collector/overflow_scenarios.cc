// Over a cap, what can be added up goes to its family's overflow series.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/collector/limit_bench.h"
#include "tests/collector/limit_scenarios.h"

namespace tine::collector {
namespace {

using format::GaugeMode;
using ::testing::ElementsAre;
using testing::MetricFileBuilder;
using ::testing::Pair;
using testing::ServedNumbers;

// By sample name and bucket, as sum() does.
std::map<std::string, double> SumOverSeries(const ServedNumbers& numbers) {
  std::map<std::string, double> sums;
  for (const auto& [name, value] : numbers) {
    const size_t begin = name.find('{');
    sums[name.substr(0, begin) + name.substr(name.find('}') + 1)] += value;
  }
  return sums;
}

// Six series of each type, named by `prefix`.
void AddSixOfEach(const std::string& prefix, MetricFileBuilder* file) {
  testing::BuilderFamily up_down = testing::UpDownFamily("ud", GaugeMode::kSum);
  up_down.label_names = {"x"};
  testing::BuilderFamily summary = testing::SummaryFamily("s");
  summary.label_names = {"x"};
  const uint32_t u64 =
      file->AddFamily(testing::CounterFamily("u_total", {"x"}));
  const uint32_t f64 =
      file->AddFamily(testing::F64CounterFamily("f_total", {"x"}));
  const uint32_t histogram =
      file->AddFamily(testing::HistogramFamily("h", {1, 2}, {"x"}));
  const uint32_t ups = file->AddFamily(up_down);
  const uint32_t summaries = file->AddFamily(summary);
  for (int i = 1; i <= 6; ++i) {
    const std::vector<std::string> x = {prefix + std::to_string(i)};
    file->AddU64(file->AddSeries(u64, x), i);
    file->AddF64(file->AddSeries(f64, x), i * 0.25);
    const uint32_t buckets = file->AddSeries(histogram, x);
    file->AddU64(buckets, i);
    file->AddU64(buckets + 1, 10 * i);
    file->AddU64(buckets + 2, 100 * i);
    file->AddF64(buckets + 3, i * 0.5);
    file->AddU64(file->AddSeries(ups, x), static_cast<uint64_t>(3 - i));
    const uint32_t count = file->AddSeries(summaries, x);
    file->AddU64(count, i);
    file->AddF64(count + 1, i * 0.125);
  }
}

void SumStaysTrueBeforeAndAfterTheFold() {
  LimitBench bench;
  bench.options.view_limits.max_series = 9;
  MetricFileBuilder live = bench.NewLive();
  AddSixOfEach("live", &live);
  {
    MetricFileBuilder dead = bench.NewDead();
    AddSixOfEach("dead", &dead);
  }
  const auto truth = SumOverSeries(bench.ScrapeOnce());
  bench.Restart();
  const ServedNumbers before = bench.Scrape();
  EXPECT_EQ(SumOverSeries(before), truth);
  EXPECT_EQ(before.count("u_total{x=__overflow__}"), 1u);
  EXPECT_EQ(bench.Statistics().files.overflowed_series, 60u - 9u);
  EXPECT_EQ(bench.Statistics().files.refused_series, 0u);
  bench.collector->FoldNow();
  EXPECT_EQ(bench.FileCount(), 1u);
  EXPECT_EQ(bench.Scrape(), before);
  live.ReleaseLifeLock();
  bench.collector->FoldNow();
  EXPECT_EQ(bench.FileCount(), 0u);
  EXPECT_EQ(bench.Scrape(), before);
  EXPECT_EQ(bench.ScrapeOnce(), before);
  bench.Restart();
  EXPECT_EQ(bench.Scrape(), before);
}

void NoNumberFallsWhileFilesOverflowAndAreFolded() {
  LimitBench bench;
  bench.options.max_series_per_file = 2;
  bench.Restart();
  ServedNumbers before;
  uint64_t written = 0;
  for (int round = 0; round < 5; ++round) {
    MetricFileBuilder file = bench.NewLive();
    std::vector<uint32_t> cells;
    for (int i = 0; i < 5; ++i) {
      cells.push_back(
          file.AddCounter("c_total", 1, {{"x", std::to_string(i)}}));
      ++written;
    }
    for (int step = 0; step < 5; ++step) {
      file.AddU64(cells[static_cast<size_t>(step)], 7);
      written += 7;
      if (step == 3) {
        file.ReleaseLifeLock();
      }
      bench.collector->FoldNow();
      const ServedNumbers now = bench.Scrape();
      EXPECT_EQ(SumOverSeries(now).at("c_total"), static_cast<double>(written));
      for (const auto& [name, value] : before) {
        EXPECT_GE(now.at(name), value) << name;
      }
      before = now;
      if (step == 3) {
        break;
      }
    }
  }
  EXPECT_EQ(bench.FileCount(), 0u);
}

void EveryLabelOfTheOverflowSeriesSaysSo() {
  LimitBench bench;
  bench.options.view_limits.max_series = 1;
  MetricFileBuilder file = bench.NewDead({{"app", "shop"}});
  file.AddCounter("c_total", 1, {{"x", "1"}, {"y", "2"}});
  file.AddCounter("c_total", 2, {{"x", "3"}, {"y", "4"}});
  file.AddCounter("c_total", 4, {{"x", "5"}, {"y", ""}});
  bench.Restart();
  EXPECT_THAT(
      bench.Scrape(),
      ElementsAre(
          Pair("c_total{app=__overflow__,x=__overflow__,y=__overflow__}", 6),
          Pair("c_total{app=shop,x=1,y=2}", 1)));
}

// The writer's own overflow series is the same one.
void WritersOverflowSeriesIsTheCollectorsToo() {
  LimitBench bench;
  bench.options.view_limits.max_series = 1;
  MetricFileBuilder file = bench.NewDead();
  file.AddCounter("c_total", 1, {{"x", "1"}});
  file.AddCounter("c_total", 2, {{"x", "__overflow__"}});
  file.AddCounter("c_total", 4, {{"x", "2"}});
  bench.Restart();
  EXPECT_THAT(bench.Scrape(), ElementsAre(Pair("c_total{x=1}", 1),
                                          Pair("c_total{x=__overflow__}", 6)));
}

// A file's series that count in an overflow series are none of its own, also
// when they go.
void RemovedOverflowGivesBackNoPlaces() {
  LimitBench bench;
  bench.options.max_series_per_file = 2;
  bench.Restart();
  MetricFileBuilder file = bench.NewLive();
  std::vector<uint32_t> cells;
  for (const char* x : {"1", "2", "3", "4", "5"}) {
    cells.push_back(file.AddCounter("c_total", 1, {{"x", x}}));
  }
  bench.Scrape();
  const auto series_count = [&bench] {
    return bench.collector->ReportFiles().at(0).series_count;
  };
  EXPECT_EQ(series_count(), 2u);
  for (const size_t i : {2, 3, 4}) {
    file.RemoveSeries(cells[i]);
  }
  bench.collector->FoldNow();
  bench.Scrape();
  EXPECT_EQ(series_count(), 2u);
  file.RemoveSeries(cells[0]);
  bench.collector->FoldNow();
  bench.Scrape();
  EXPECT_EQ(series_count(), 1u);
}

void GaugesThatAreSetAreLeftOutAndCountedApart() {
  LimitBench bench;
  bench.options.view_limits.max_series = 1;
  {
    MetricFileBuilder file = bench.NewDead();
    const uint32_t family =
        file.AddFamily(testing::GaugeFamily("g", GaugeMode::kSum, {"x"}));
    for (const char* x : {"1", "2", "3"}) {
      file.SetGauge(file.AddSeries(family, {x}), 5);
    }
    file.AddCounter("c_total", 1, {{"x", "1"}});
  }
  bench.Restart();
  const ServedNumbers before = bench.Scrape();
  EXPECT_THAT(before, ElementsAre(Pair("c_total{x=__overflow__}", 1),
                                  Pair("g{x=1}", 5)));
  EXPECT_EQ(bench.Statistics().files.refused_series, 2u);
  EXPECT_EQ(bench.Statistics().files.overflowed_series, 1u);
  bench.collector->FoldNow();
  EXPECT_EQ(bench.FileCount(), 0u);
  EXPECT_EQ(bench.Scrape(), before);
  EXPECT_EQ(bench.Statistics().folding.dropped_series, 2u);
}

void LiveModesOverflowOnlyWhileTheirWriterLives() {
  LimitBench bench;
  bench.options.view_limits.max_series = 1;
  testing::BuilderFamily family =
      testing::UpDownFamily("busy", GaugeMode::kLiveSum);
  family.label_names = {"x"};
  MetricFileBuilder file = bench.NewLive();
  const uint32_t offset = file.AddFamily(family);
  for (const char* x : {"1", "2", "3"}) {
    file.AddU64(file.AddSeries(offset, {x}), 1);
  }
  bench.Restart();
  EXPECT_THAT(bench.Scrape(), ElementsAre(Pair("busy{x=1}", 1),
                                          Pair("busy{x=__overflow__}", 2)));
  file.ReleaseLifeLock();
  EXPECT_THAT(bench.Scrape(), ElementsAre());
  bench.collector->FoldNow();
  EXPECT_EQ(bench.FileCount(), 0u);
  EXPECT_THAT(bench.Scrape(), ElementsAre());
}

void NewSeriesGetTheirOwnPlaceWhenThereIsRoomAgain() {
  LimitBench bench;
  bench.options.owner_limits.max_series_per_uid = 2;
  MetricFileBuilder crowd = bench.NewLive();
  const uint32_t family =
      crowd.AddFamily(testing::GaugeFamily("g", GaugeMode::kLiveMax, {"x"}));
  crowd.SetGauge(crowd.AddSeries(family, {"1"}), 1);
  crowd.SetGauge(crowd.AddSeries(family, {"2"}), 1);
  bench.Restart();
  bench.Scrape();
  MetricFileBuilder second = bench.NewLive();
  second.AddCounter("c_total", 10, {{"x", "b"}});
  EXPECT_EQ(bench.Scrape().at("c_total{x=__overflow__}"), 10);
  crowd.ReleaseLifeLock();
  bench.Scrape();
  bench.collector->FoldNow();
  MetricFileBuilder third = bench.NewLive();
  third.AddCounter("c_total", 100, {{"x", "b"}});
  EXPECT_THAT(bench.Scrape(), ElementsAre(Pair("c_total{x=__overflow__}", 10),
                                          Pair("c_total{x=b}", 100)));
}

void FileWhoseFamilyWasRefusedIsNotFolded() {
  LimitBench bench;
  bench.options.view_limits.max_families = 1;
  bench.LeaveCounter("a_total", 1);
  bench.Restart();
  bench.Scrape();
  bench.LeaveCounter("b_total", 2);
  bench.Scrape();
  bench.collector->FoldNow();
  EXPECT_EQ(bench.FileCount(), 1u);
  EXPECT_THAT(bench.Statistics().folding.blocked,
              ElementsAre(Pair("refused_series", 1u)));
  EXPECT_EQ(bench.Statistics().files.refused_series, 1u);
  EXPECT_THAT(bench.Scrape(), ElementsAre(Pair("a_total{}", 1)));
  // Nothing is lost.
  bench.options.view_limits.max_families = 2;
  bench.Restart();
  bench.collector->FoldNow();
  EXPECT_EQ(bench.FileCount(), 0u);
  EXPECT_THAT(bench.Scrape(),
              ElementsAre(Pair("a_total{}", 1), Pair("b_total{}", 2)));
}

// Whoever invents names of process labels invents overflow series.
void OverflowSeriesAreBoundedToo() {
  LimitBench bench;
  bench.options.owner_limits.max_series_per_uid = 1;
  bench.options.owner_limits.max_families_per_uid = 3;
  bench.LeaveCounter("c_total", 1, {{"x", "own"}});
  bench.Restart();
  bench.Scrape();
  for (int i = 0; i < 10; ++i) {
    bench.LeaveCounter("c_total", 1, {{"x", "1"}},
                       {{"p" + std::to_string(i), "v"}});
  }
  EXPECT_EQ(bench.Scrape().size(), 4u);
  EXPECT_EQ(bench.Statistics().files.overflowed_series, 3u);
  EXPECT_EQ(bench.Statistics().files.refused_series, 7u);
  bench.collector->FoldNow();
  EXPECT_EQ(bench.FileCount(), 7u);
}

void ArchiveIsReadWholeWhateverTheLimitsAre() {
  LimitBench bench;
  bench.options.view_limits.max_series = 5;
  for (int i = 0; i < 7; ++i) {
    bench.LeaveCounter("c_total", 1, {{"x", std::to_string(i)}});
  }
  bench.Restart();
  bench.collector->FoldNow();
  const ServedNumbers served = bench.Scrape();
  EXPECT_EQ(served.size(), 6u);
  for (const size_t max_series : {5u, 1u}) {
    bench.options.view_limits.max_series = max_series;
    bench.Restart();
    EXPECT_EQ(bench.Scrape(), served);
  }
  bench.LeaveCounter("c_total", 1, {{"x", "new"}});
  EXPECT_EQ(bench.Scrape().at("c_total{x=__overflow__}"), 3);
}

// Process labels make more lists of label names than files may bring.
void ArchiveOfManyLabelNamesIsReadAgain() {
  LimitBench bench;
  constexpr int kLists = 150;
  for (int i = 0; i < kLists; ++i) {
    bench.LeaveCounter("c_total", 1, {{"x", "1"}},
                       {{"p" + std::to_string(i), "v"}});
  }
  bench.Restart();
  bench.collector->FoldNow();
  EXPECT_EQ(bench.FileCount(), 0u);
  const ServedNumbers served = bench.Scrape();
  EXPECT_EQ(served.size(), static_cast<size_t>(kLists));
  bench.Restart();
  EXPECT_EQ(bench.Scrape(), served);
  bench.LeaveCounter("c_total", 1, {{"x", "1"}}, {{"p0", "v"}});
  bench.collector->FoldNow();
  EXPECT_EQ(bench.Scrape().at("c_total{p0=v,x=1}"), 2);
}

void LogTellsOnceOfEachOwner() {
  LimitBench bench;
  auto lines = std::make_shared<int>(0);
  bench.options.view_limits.max_series = 1;
  bench.options.log = [lines](LogLevel, const std::string& message) {
    *lines +=
        message.find("more series than the limits allow") != std::string::npos
            ? 1
            : 0;
  };
  MetricFileBuilder live = bench.NewLive();
  live.AddCounter("c_total", 1, {{"x", "1"}});
  bench.Restart();
  bench.Scrape();
  EXPECT_EQ(*lines, 0);
  CollectorOptions reader_options = bench.options;
  reader_options.folding.may_fold = false;
  Collector reader(reader_options);
  bench.options.log = nullptr;
  bench.Restart();
  for (int i = 0; i < 5; ++i) {
    live.AddCounter("c_total", 1, {{"x", std::to_string(i)}});
    testing::Scrape(&reader);
    bench.LeaveCounter("c_total", 1, {{"x", std::to_string(i)}});
    // The reader begins anew with each fold.
    bench.collector->FoldNow();
    testing::Scrape(&reader);
  }
  EXPECT_EQ(*lines, 1);
}

}  // namespace

std::vector<LimitScenario> OverflowScenarios() {
  return {
      {"SumStaysTrueBeforeAndAfterTheFold", SumStaysTrueBeforeAndAfterTheFold},
      {"NoNumberFallsWhileFilesOverflowAndAreFolded",
       NoNumberFallsWhileFilesOverflowAndAreFolded},
      {"EveryLabelOfTheOverflowSeriesSaysSo",
       EveryLabelOfTheOverflowSeriesSaysSo},
      {"WritersOverflowSeriesIsTheCollectorsToo",
       WritersOverflowSeriesIsTheCollectorsToo},
      {"RemovedOverflowGivesBackNoPlaces", RemovedOverflowGivesBackNoPlaces},
      {"GaugesThatAreSetAreLeftOutAndCountedApart",
       GaugesThatAreSetAreLeftOutAndCountedApart},
      {"LiveModesOverflowOnlyWhileTheirWriterLives",
       LiveModesOverflowOnlyWhileTheirWriterLives},
      {"NewSeriesGetTheirOwnPlaceWhenThereIsRoomAgain",
       NewSeriesGetTheirOwnPlaceWhenThereIsRoomAgain},
      {"FileWhoseFamilyWasRefusedIsNotFolded",
       FileWhoseFamilyWasRefusedIsNotFolded},
      {"OverflowSeriesAreBoundedToo", OverflowSeriesAreBoundedToo},
      {"ArchiveIsReadWholeWhateverTheLimitsAre",
       ArchiveIsReadWholeWhateverTheLimitsAre},
      {"ArchiveOfManyLabelNamesIsReadAgain",
       ArchiveOfManyLabelNamesIsReadAgain},
      {"LogTellsOnceOfEachOwner", LogTellsOnceOfEachOwner},
  };
}

}  // namespace tine::collector
