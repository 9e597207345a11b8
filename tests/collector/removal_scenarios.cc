#include "tests/collector/removal_scenarios.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "collector/collect_loop.h"
#include "tests/testing/metric_file_builder.h"
#include "tests/testing/one_shot_scrape.h"
#include "tests/testing/stop_at_system_call.h"
#include "tests/testing/test_directory.h"

namespace tine::collector {
namespace {

using format::GaugeMode;
using testing::BuilderFamily;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::MetricFileBuilder;
using ::testing::Pair;
using testing::Scrape;
using testing::ScrapeOnce;
using testing::ServedNumbers;

class Bench {
 public:
  std::unique_ptr<Collector> NewFolder() const {
    CollectorOptions options;
    options.directory = directory.path();
    options.folding.may_fold = true;
    options.rescan_interval_ms = 3'600'000;
    return std::make_unique<Collector>(std::move(options));
  }

  // A living writer's file.
  MetricFileBuilder NewFile() const {
    MetricFileBuilder file(directory.path());
    file.HoldLifeLock();
    return file;
  }

  void LeaveCounter(const std::string& name, uint64_t value) const {
    MetricFileBuilder(directory.path()).AddCounter(name, value);
  }

  ServedNumbers Once() const { return ScrapeOnce(directory.path()).numbers; }

  // A removal is learned of by a scrape.
  static void ScrapeAndFold(Collector* collector) {
    Scrape(collector);
    collector->FoldNow();
  }

  // That a collector serves `numbers`, before and after a fold; one that begins
  // anew; and one that does not fold.
  void ExpectFromNowOn(std::unique_ptr<Collector>* collector,
                       const ServedNumbers& numbers) const {
    EXPECT_EQ(Scrape(collector->get()).numbers, numbers);
    (*collector)->FoldNow();
    EXPECT_EQ(Scrape(collector->get()).numbers, numbers) << "after a fold";
    EXPECT_EQ(Once(), numbers) << "for who does not fold";
    collector->reset();
    *collector = NewFolder();
    EXPECT_EQ(Scrape(collector->get()).numbers, numbers) << "anew";
    (*collector)->FoldNow();
    EXPECT_EQ(Scrape(collector->get()).numbers, numbers) << "a fold later";
  }

  testing::TestDirectory directory;
};

// One series of every instrument whose sum the dead are part of.
struct Lasting {
  explicit Lasting(MetricFileBuilder* of) : file(of) {
    u64 = file->AddSeries(file->AddFamily(testing::CounterFamily("u_total")));
    f64 =
        file->AddSeries(file->AddFamily(testing::F64CounterFamily("f_total")));
    histogram = file->AddSeries(
        file->AddFamily(testing::HistogramFamily("h", {0.5, 1})));
    summary = file->AddSeries(file->AddFamily(testing::SummaryFamily("s")));
  }
  void Count() const {
    file->AddU64(u64, 7);
    file->AddF64(f64, 0.1);
    file->AddU64(histogram, 1);
    file->AddU64(histogram + 2, 2);
    file->AddF64(histogram + 3, 9.25);
    file->AddU64(summary, 4);
    file->AddF64(summary + 1, 1e-9);
  }
  void Remove() const {
    for (const uint32_t cell : {u64, f64, histogram, summary}) {
      file->RemoveSeries(cell);
    }
  }

  MetricFileBuilder* const file;
  uint32_t u64 = 0;
  uint32_t f64 = 0;
  uint32_t histogram = 0;
  uint32_t summary = 0;
};

BuilderFamily GaugeFamilyOf(int mode) {
  return testing::GaugeFamily("g" + std::to_string(mode),
                              static_cast<GaugeMode>(mode));
}

// ---- Of one writer ----------------------------------------------------------

void GaugesOfEveryModeAreGoneAtOnce() {
  const Bench bench;
  MetricFileBuilder file = bench.NewFile();
  std::vector<uint32_t> cells;
  for (int mode = 1; mode <= 10; ++mode) {
    cells.push_back(file.AddSeries(file.AddFamily(GaugeFamilyOf(mode))));
    if (mode < 9) {
      file.SetGauge(cells.back(), mode);
    } else {
      file.SetRecent(cells.back(), mode, 5);
    }
  }
  for (const GaugeMode mode : {GaugeMode::kSum, GaugeMode::kLiveSum}) {
    BuilderFamily family = testing::UpDownFamily(
        mode == GaugeMode::kSum ? "u_sum" : "u_live", mode);
    cells.push_back(file.AddSeries(file.AddFamily(family)));
    file.AddU64(cells.back(), 3);
  }
  file.AddCounter("c_total", 1);
  auto collector = bench.NewFolder();
  EXPECT_EQ(Scrape(collector.get()).numbers.size(), 13u);
  for (const uint32_t cell : cells) {
    file.RemoveSeries(cell);
  }
  EXPECT_THAT(Scrape(collector.get()).numbers,
              ElementsAre(Pair("c_total{}", 1)));
  EXPECT_THAT(bench.Once(), ElementsAre(Pair("c_total{}", 1)));
  // And what is done with a handle that was kept, too.
  file.SetGauge(cells[6], 100);
  file.SetRecent(cells[8], 100, 100);
  bench.ExpectFromNowOn(&collector, {{"c_total{}", 1}});
}

void GaugeOfAnotherWriterStays() {
  const Bench bench;
  MetricFileBuilder a = bench.NewFile();
  MetricFileBuilder b = bench.NewFile();
  const uint32_t cell = a.AddSeries(a.AddFamily(GaugeFamilyOf(7)));
  a.SetGauge(cell, 9);
  b.SetGauge(b.AddSeries(b.AddFamily(GaugeFamilyOf(7))), 5);
  auto collector = bench.NewFolder();
  EXPECT_THAT(Scrape(collector.get()).numbers, ElementsAre(Pair("g7{}", 9)));
  a.RemoveSeries(cell);
  bench.ExpectFromNowOn(&collector, {{"g7{}", 5}});
}

void WhatLastsStaysUntilTheFoldAndThenIsGone() {
  const Bench bench;
  MetricFileBuilder file = bench.NewFile();
  const Lasting series(&file);
  series.Count();
  const uint32_t other = file.AddCounter("c_total", 1);
  auto collector = bench.NewFolder();
  const ServedNumbers before = Scrape(collector.get()).numbers;
  EXPECT_EQ(before.size(), 9u);
  series.Remove();
  EXPECT_EQ(Scrape(collector.get()).numbers, before);
  EXPECT_EQ(bench.Once(), before);
  collector->FoldNow();
  series.Count();  // with handles that were kept
  file.AddU64(other, 1);
  bench.ExpectFromNowOn(&collector, {{"c_total{}", 2}});
}

void UnreadRemovalIsReadFirst() {
  const Bench bench;
  MetricFileBuilder a = bench.NewFile();
  MetricFileBuilder b = bench.NewFile();
  const uint32_t cell = a.AddCounter("c_total", 5);
  b.AddCounter("c_total", 1);
  auto collector = bench.NewFolder();
  EXPECT_THAT(Scrape(collector.get()).numbers,
              ElementsAre(Pair("c_total{}", 6)));
  collector.reset();
  a.AddU64(cell, 10);
  a.RemoveSeries(cell);
  collector = bench.NewFolder();
  collector->FoldNow();
  EXPECT_GE(collector->statistics().folding.generation, 1u);
  bench.ExpectFromNowOn(&collector, {{"c_total{}", 16}});
}

void AddedAgainStartsAtZero() {
  const Bench bench;
  MetricFileBuilder file = bench.NewFile();
  file.RemoveSeries(file.AddCounter("c_total", 5));
  auto collector = bench.NewFolder();
  collector->FoldNow();
  const uint32_t again = file.AddCounter("c_total", 0);
  bench.ExpectFromNowOn(&collector, {{"c_total{}", 0}});
  file.AddU64(again, 3);
  bench.ExpectFromNowOn(&collector, {{"c_total{}", 3}});
  file.RemoveSeries(again);
  Bench::ScrapeAndFold(collector.get());
  bench.ExpectFromNowOn(&collector, {});
  file.AddCounter("c_total", 1);
  bench.ExpectFromNowOn(&collector, {{"c_total{}", 1}});
  file.ReleaseLifeLock();
  bench.ExpectFromNowOn(&collector, {{"c_total{}", 1}});
}

// Nobody has seen it gone, so nobody may see it fall.
void AddedAgainBeforeTheFoldGoesOn() {
  const Bench bench;
  MetricFileBuilder file = bench.NewFile();
  file.RemoveSeries(file.AddCounter("c_total", 5));
  const uint32_t again = file.AddCounter("c_total", 2);
  auto collector = bench.NewFolder();
  bench.ExpectFromNowOn(&collector, {{"c_total{}", 7}});
  file.RemoveSeries(again);
  Bench::ScrapeAndFold(collector.get());
  bench.ExpectFromNowOn(&collector, {});
}

// ---- Held by others ---------------------------------------------------------

void HeldByAnotherWriterNothingFalls() {
  const Bench bench;
  MetricFileBuilder a = bench.NewFile();
  MetricFileBuilder b = bench.NewFile();
  const Lasting in_a(&a);
  const Lasting in_b(&b);
  in_a.Count();
  in_b.Count();
  auto collector = bench.NewFolder();
  const ServedNumbers before = Scrape(collector.get()).numbers;
  EXPECT_EQ(before.size(), 8u);
  in_a.Remove();
  bench.ExpectFromNowOn(&collector, before);
  EXPECT_GE(collector->statistics().folding.generation, 1u);
  in_a.Count();  // with handles that were kept
  bench.ExpectFromNowOn(&collector, before);
  b.AddU64(in_b.u64, 1);
  EXPECT_EQ(Scrape(collector.get()).numbers.at("u_total{}"), 15);
  in_b.Remove();
  Bench::ScrapeAndFold(collector.get());
  bench.ExpectFromNowOn(&collector, {});
}

void HeldWithOtherBucketsNothingFalls() {
  const Bench bench;
  MetricFileBuilder a = bench.NewFile();
  MetricFileBuilder b = bench.NewFile();
  const uint32_t in_a =
      a.AddSeries(a.AddFamily(testing::HistogramFamily("h", {1})));
  const uint32_t in_b =
      b.AddSeries(b.AddFamily(testing::HistogramFamily("h", {1, 2})));
  a.AddU64(in_a, 5);
  b.AddU64(in_b + 1, 7);
  auto collector = bench.NewFolder();
  const ServedNumbers before = Scrape(collector.get()).numbers;
  a.RemoveSeries(in_a);
  bench.ExpectFromNowOn(&collector, before);
  b.RemoveSeries(in_b);
  Bench::ScrapeAndFold(collector.get());
  bench.ExpectFromNowOn(&collector, {});
}

void SecondRemovalInTheSameFileIsTakenToo() {
  const Bench bench;
  MetricFileBuilder a = bench.NewFile();
  MetricFileBuilder b = bench.NewFile();
  const uint32_t c = a.AddCounter("c_total", 1);
  const uint32_t d = a.AddCounter("d_total", 2);
  a.AddCounter("e_total", 3);
  for (const char* name : {"c_total", "d_total", "e_total"}) {
    b.AddCounter(name, 10);
  }
  const ServedNumbers numbers = {
      {"c_total{}", 11}, {"d_total{}", 12}, {"e_total{}", 13}};
  auto collector = bench.NewFolder();
  a.RemoveSeries(d);
  bench.ExpectFromNowOn(&collector, numbers);
  a.RemoveSeries(c);
  bench.ExpectFromNowOn(&collector, numbers);
  // The rest is folded once.
  a.ReleaseLifeLock();
  bench.ExpectFromNowOn(&collector, numbers);
  EXPECT_FALSE(std::filesystem::exists(a.path()));
}

// ---- With the dead ----------------------------------------------------------

void DeadWhoRemovedTakesItAlong() {
  const Bench bench;
  bench.LeaveCounter("c_total", 100);
  auto collector = bench.NewFolder();
  collector->FoldNow();
  MetricFileBuilder file = bench.NewFile();
  file.RemoveSeries(file.AddCounter("c_total", 5));
  file.AddCounter("d_total", 1);
  file.ReleaseLifeLock();
  EXPECT_EQ(bench.Once().at("c_total{}"), 105);
  collector->FoldNow();
  bench.ExpectFromNowOn(&collector, {{"d_total{}", 1}});
}

void DeadWhoRemovedWhatALivingOneHas() {
  const Bench bench;
  MetricFileBuilder living = bench.NewFile();
  living.AddCounter("c_total", 100);
  MetricFileBuilder file = bench.NewFile();
  file.RemoveSeries(file.AddCounter("c_total", 5));
  file.ReleaseLifeLock();
  auto collector = bench.NewFolder();
  bench.ExpectFromNowOn(&collector, {{"c_total{}", 105}});
}

// Both before one fold: nobody can tell what came first.
void DeadWhoHadItStillKeepsIt() {
  const Bench bench;
  MetricFileBuilder a = bench.NewFile();
  MetricFileBuilder b = bench.NewFile();
  const uint32_t counter = a.AddCounter("c_total", 5);
  const uint32_t gauge = a.AddSeries(a.AddFamily(GaugeFamilyOf(7)));
  a.SetGauge(gauge, 9);
  b.AddCounter("c_total", 10);
  b.SetGauge(b.AddSeries(b.AddFamily(GaugeFamilyOf(7))), 3);
  a.RemoveSeries(counter);
  a.RemoveSeries(gauge);
  b.ReleaseLifeLock();
  auto collector = bench.NewFolder();
  bench.ExpectFromNowOn(&collector, {{"c_total{}", 15}, {"g7{}", 3}});
}

void DeadWhoHadAddedItAgainKeepsIt() {
  const Bench bench;
  MetricFileBuilder file = bench.NewFile();
  file.RemoveSeries(file.AddCounter("c_total", 5));
  file.AddCounter("c_total", 2);
  const uint32_t family = file.AddFamily(GaugeFamilyOf(7));
  const uint32_t gauge = file.AddSeries(family);
  file.SetGauge(gauge, 9);
  file.RemoveSeries(gauge);
  file.SetGauge(file.AddSeries(family), 3);
  file.ReleaseLifeLock();
  auto collector = bench.NewFolder();
  bench.ExpectFromNowOn(&collector, {{"c_total{}", 7}, {"g7{}", 3}});
}

void WhatTheDeadHaveLeftGoesWithTheLastHolder() {
  const Bench bench;
  bench.LeaveCounter("c_total", 100);
  auto collector = bench.NewFolder();
  collector->FoldNow();
  MetricFileBuilder file = bench.NewFile();
  const uint32_t cell = file.AddCounter("c_total", 5);
  bench.ExpectFromNowOn(&collector, {{"c_total{}", 105}});
  file.RemoveSeries(cell);
  Bench::ScrapeAndFold(collector.get());
  bench.ExpectFromNowOn(&collector, {});
  // A later one does not remove it by having died.
  bench.LeaveCounter("c_total", 1);
  collector->FoldNow();
  bench.ExpectFromNowOn(&collector, {{"c_total{}", 1}});
}

void GaugeOfTheDeadGoesWithTheLastHolder() {
  const Bench bench;
  const auto leave = [&bench](double value) {
    MetricFileBuilder file(bench.directory.path());
    file.SetGauge(file.AddSeries(file.AddFamily(GaugeFamilyOf(7))), value);
  };
  leave(9);
  auto collector = bench.NewFolder();
  collector->FoldNow();
  MetricFileBuilder file = bench.NewFile();
  const uint32_t cell = file.AddSeries(file.AddFamily(GaugeFamilyOf(7)));
  file.SetGauge(cell, 5);
  bench.ExpectFromNowOn(&collector, {{"g7{}", 9}});
  file.RemoveSeries(cell);
  EXPECT_THAT(Scrape(collector.get()).numbers, ElementsAre(Pair("g7{}", 9)));
  collector->FoldNow();
  bench.ExpectFromNowOn(&collector, {});
  leave(2);
  collector->FoldNow();
  bench.ExpectFromNowOn(&collector, {{"g7{}", 2}});
}

void OpinionsOfTheDeadGoWithTheSeries() {
  const Bench bench;
  {
    MetricFileBuilder file(bench.directory.path());
    BuilderFamily family = testing::CounterFamily("c_total");
    family.help = "What it once was.";
    file.AddU64(file.AddSeries(file.AddFamily(family)), 1);
  }
  auto collector = bench.NewFolder();
  collector->FoldNow();
  MetricFileBuilder file = bench.NewFile();
  const uint32_t cell = file.AddCounter("c_total", 5);
  EXPECT_EQ(Scrape(collector.get()).statistics.conflicts.size(), 1u);
  file.RemoveSeries(cell);
  Bench::ScrapeAndFold(collector.get());
  EXPECT_THAT(Scrape(collector.get()).statistics.conflicts, IsEmpty());
  EXPECT_THAT(ScrapeOnce(bench.directory.path()).statistics.conflicts,
              IsEmpty());
}

void WhatOtherUsersLeftStays() {
  const Bench bench;
  constexpr uid_t kOther = 54'321;
  bench.LeaveCounter("c_total", 100);
  auto collector = bench.NewFolder();
  collector->FoldNow();
  MetricFileBuilder file = bench.NewFile();
  const uint32_t c = file.AddCounter("c_total", 5);
  const uint32_t d = file.AddCounter("d_total", 6);
  ASSERT_EQ(::chown(file.path().c_str(), kOther, kOther), 0);
  bench.ExpectFromNowOn(&collector, {{"c_total{}", 105}, {"d_total{}", 6}});
  file.RemoveSeries(c);
  file.RemoveSeries(d);
  Bench::ScrapeAndFold(collector.get());
  bench.ExpectFromNowOn(&collector, {{"c_total{}", 105}});
  // And the one whose it was does not make go what the other has left.
  MetricFileBuilder own = bench.NewFile();
  own.RemoveSeries(own.AddCounter("c_total", 1));
  Bench::ScrapeAndFold(collector.get());
  bench.ExpectFromNowOn(&collector, {{"c_total{}", 106}});
}

// ---- Exactly once -----------------------------------------------------------

void FileThatWasAwayIsTakenFromOnce() {
  const Bench bench;
  const testing::TestDirectory elsewhere;
  MetricFileBuilder a = bench.NewFile();
  MetricFileBuilder b = bench.NewFile();
  const uint32_t cell = a.AddCounter("c_total", 5);
  b.AddCounter("c_total", 10);
  a.RemoveSeries(cell);
  auto collector = bench.NewFolder();
  bench.ExpectFromNowOn(&collector, {{"c_total{}", 15}});
  collector.reset();
  a.MoveTo(elsewhere.path());
  for (int i = 1; i <= 3; ++i) {
    bench.LeaveCounter("d_total", 1);  // something to write
    collector = bench.NewFolder();
    collector->FoldNow();
    bench.ExpectFromNowOn(&collector, {{"c_total{}", 15}, {"d_total{}", i}});
    collector.reset();
  }
  a.MoveTo(bench.directory.path());
  collector = bench.NewFolder();
  bench.ExpectFromNowOn(&collector, {{"c_total{}", 15}, {"d_total{}", 3}});
}

// A reader that has read the archive before the fold begins anew after it.
void ReaderBesideTheFolderCountsOnce() {
  const Bench bench;
  MetricFileBuilder a = bench.NewFile();
  MetricFileBuilder b = bench.NewFile();
  const uint32_t cell = a.AddCounter("c_total", 5);
  b.AddCounter("c_total", 10);
  auto folder = bench.NewFolder();
  auto reader = bench.NewFolder();
  EXPECT_EQ(Scrape(folder.get()).numbers.at("c_total{}"), 15);
  EXPECT_EQ(Scrape(reader.get()).numbers.at("c_total{}"), 15);
  a.RemoveSeries(cell);
  EXPECT_EQ(Scrape(reader.get()).numbers.at("c_total{}"), 15);
  folder->FoldNow();
  EXPECT_EQ(Scrape(reader.get()).numbers.at("c_total{}"), 15);
  EXPECT_FALSE(reader->statistics().folding.holds_lock);
}

void FailedFoldLeavesTheNumbersInTheFile() {
  const Bench bench;
  MetricFileBuilder file = bench.NewFile();
  const uint32_t cell = file.AddCounter("c_total", 5);
  auto collector = bench.NewFolder();
  EXPECT_EQ(Scrape(collector.get()).numbers.at("c_total{}"), 5);
  // What is in the way of the next archive.
  std::filesystem::create_directory(
      bench.directory.At(".collector/archive.next"));
  std::filesystem::create_directory(
      bench.directory.At(".collector/archive.next/x"));
  file.RemoveSeries(cell);
  Bench::ScrapeAndFold(collector.get());
  EXPECT_EQ(collector->statistics().folding.failed_folds, 1u);
  EXPECT_EQ(Scrape(collector.get()).numbers.at("c_total{}"), 5);
  std::filesystem::remove_all(bench.directory.At(".collector/archive.next"));
  collector->FoldNow();
  bench.ExpectFromNowOn(&collector, {});
}

void KilledAnywhereItIsTakenOnce() {
  int points = 0;
  for (bool is_over = false; !is_over && !::testing::Test::HasFailure();
       ++points) {
    SCOPED_TRACE("killed at stop " + std::to_string(points));
    const Bench bench;
    bench.LeaveCounter("c_total", 100);
    bench.NewFolder()->FoldNow();
    MetricFileBuilder a = bench.NewFile();
    MetricFileBuilder b = bench.NewFile();
    a.RemoveSeries(a.AddCounter("c_total", 5));
    a.RemoveSeries(a.AddCounter("d_total", 6));
    b.AddCounter("c_total", 10);
    bench.LeaveCounter("e_total", 7);
    const ServedNumbers before = {
        {"c_total{}", 115}, {"d_total{}", 6}, {"e_total{}", 7}};
    const ServedNumbers after = {{"c_total{}", 115}, {"e_total{}", 7}};
    const auto is_one_of_them = ::testing::AnyOf(before, after);
    is_over = !testing::StopAtSystemCall(
        points, [&bench] { bench.NewFolder()->FoldNow(); },
        [&] {
          EXPECT_THAT(bench.Once(), is_one_of_them)
              << "for a reader during the fold";
        });
    auto next = bench.NewFolder();
    EXPECT_THAT(Scrape(next.get()).numbers, is_one_of_them);
    next->FoldNow();
    EXPECT_EQ(Scrape(next.get()).numbers, after);
    EXPECT_EQ(bench.Once(), after);
  }
  std::printf("%d points\n", points);
  EXPECT_GT(points, 100);
}

}  // namespace

const std::vector<RemovalScenario>& RemovalScenarios() {
  static const auto* scenarios = new std::vector<RemovalScenario>{
      {"GaugesOfEveryModeAreGoneAtOnce", GaugesOfEveryModeAreGoneAtOnce},
      {"GaugeOfAnotherWriterStays", GaugeOfAnotherWriterStays},
      {"WhatLastsStaysUntilTheFoldAndThenIsGone",
       WhatLastsStaysUntilTheFoldAndThenIsGone},
      {"UnreadRemovalIsReadFirst", UnreadRemovalIsReadFirst},
      {"AddedAgainStartsAtZero", AddedAgainStartsAtZero},
      {"AddedAgainBeforeTheFoldGoesOn", AddedAgainBeforeTheFoldGoesOn},
      {"HeldByAnotherWriterNothingFalls", HeldByAnotherWriterNothingFalls},
      {"HeldWithOtherBucketsNothingFalls", HeldWithOtherBucketsNothingFalls},
      {"SecondRemovalInTheSameFileIsTakenToo",
       SecondRemovalInTheSameFileIsTakenToo},
      {"DeadWhoRemovedTakesItAlong", DeadWhoRemovedTakesItAlong},
      {"DeadWhoRemovedWhatALivingOneHas", DeadWhoRemovedWhatALivingOneHas},
      {"DeadWhoHadItStillKeepsIt", DeadWhoHadItStillKeepsIt},
      {"DeadWhoHadAddedItAgainKeepsIt", DeadWhoHadAddedItAgainKeepsIt},
      {"WhatTheDeadHaveLeftGoesWithTheLastHolder",
       WhatTheDeadHaveLeftGoesWithTheLastHolder},
      {"GaugeOfTheDeadGoesWithTheLastHolder",
       GaugeOfTheDeadGoesWithTheLastHolder},
      {"OpinionsOfTheDeadGoWithTheSeries", OpinionsOfTheDeadGoWithTheSeries},
      {"WhatOtherUsersLeftStays", WhatOtherUsersLeftStays,
       /*needs_root=*/true},
      {"FileThatWasAwayIsTakenFromOnce", FileThatWasAwayIsTakenFromOnce},
      {"ReaderBesideTheFolderCountsOnce", ReaderBesideTheFolderCountsOnce},
      {"FailedFoldLeavesTheNumbersInTheFile",
       FailedFoldLeavesTheNumbersInTheFile},
      {"KilledAnywhereItIsTakenOnce", KilledAnywhereItIsTakenOnce},
  };
  return *scenarios;
}

}  // namespace tine::collector
