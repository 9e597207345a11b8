#include "collector/merged_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "collector/collect_loop.h"
#include "tests/testing/metric_file_builder.h"
#include "tests/testing/one_shot_scrape.h"
#include "tests/testing/test_directory.h"

namespace tine::collector {
namespace {

using format::GaugeMode;
using testing::BuilderHeader;
using ::testing::ElementsAre;
using testing::F64CounterFamily;
using testing::GaugeFamily;
using testing::HistogramFamily;
using ::testing::IsEmpty;
using testing::MetricFileBuilder;
using ::testing::Pair;
using testing::Scrape;
using testing::ScrapeOnce;
using testing::ScrapeResult;
using testing::SummaryFamily;
using ::testing::UnorderedElementsAre;
using testing::UpDownFamily;

class MergedViewTest : public ::testing::Test {
 protected:
  MetricFileBuilder NewFile(const BuilderHeader& header = {}) {
    return MetricFileBuilder(directory_.path(), header);
  }
  MetricFileBuilder NewLiveFile(const BuilderHeader& header = {}) {
    MetricFileBuilder file = NewFile(header);
    file.HoldLifeLock();
    return file;
  }
  static void AddGauge(MetricFileBuilder* file, const std::string& name,
                       GaugeMode mode, double value) {
    file->SetGauge(file->AddSeries(file->AddFamily(GaugeFamily(name, mode))),
                   value);
  }
  static std::vector<std::pair<std::string, std::string>> Conflicts(
      const ScrapeResult& result) {
    std::vector<std::pair<std::string, std::string>> conflicts;
    for (const FamilyConflict& conflict : result.statistics.conflicts) {
      conflicts.emplace_back(conflict.family, conflict.reason);
    }
    return conflicts;
  }

  testing::TestDirectory directory_;
};

using CounterMergeTest = MergedViewTest;
using GaugeModeMergeTest = MergedViewTest;
using HistogramMergeTest = MergedViewTest;
using LabelMergeTest = MergedViewTest;
using LimitsTest = MergedViewTest;

TEST_F(CounterMergeTest, LiveAndDeadWritersOfOneSeriesAddUp) {
  MetricFileBuilder live = NewLiveFile();
  MetricFileBuilder dead = NewFile();
  live.AddCounter("a_total", 3, {{"x", "1"}});
  dead.AddCounter("a_total", 4, {{"x", "1"}});
  dead.AddCounter("a_total", 5, {{"x", "2"}});
  const ScrapeResult result = ScrapeOnce(directory_.path());
  EXPECT_THAT(result.numbers,
              ElementsAre(Pair("a_total{x=1}", 7), Pair("a_total{x=2}", 5)));
  EXPECT_EQ(result.statistics.files.live_writers, 1u);
  EXPECT_EQ(result.statistics.files.dead_writers, 1u);
  EXPECT_EQ(result.statistics.series_count, 2u);
}

TEST_F(CounterMergeTest, SlotsOfThreadsAddUp) {
  MetricFileBuilder file = NewFile();
  const uint32_t cell = file.AddCounter("a_total", 1);
  const uint32_t f64_cell =
      file.AddSeries(file.AddFamily(F64CounterFamily("b_total")));
  file.AddBlock(3, 0);
  file.AddBlock(7, 0);
  file.AddU64(cell, 20, 3);
  file.AddU64(cell, 300, 7);
  file.AddF64(f64_cell, 0.5, 0);
  file.AddF64(f64_cell, 0.25, 3);
  file.AddF64(f64_cell, 0.125, 7);
  EXPECT_THAT(ScrapeOnce(directory_.path()).numbers,
              ElementsAre(Pair("a_total{}", 321), Pair("b_total{}", 0.875)));
}

TEST_F(CounterMergeTest, U64AndF64OfOneNameAddAndAreNoConflict) {
  MetricFileBuilder integers = NewFile();
  integers.AddCounter("a_total", 3);
  MetricFileBuilder reals = NewFile();
  reals.AddF64(reals.AddSeries(reals.AddFamily(F64CounterFamily("a_total"))),
               0.5);
  const ScrapeResult result = ScrapeOnce(directory_.path());
  EXPECT_THAT(result.numbers, ElementsAre(Pair("a_total{}", 3.5)));
  EXPECT_THAT(Conflicts(result), IsEmpty());
}

TEST_F(CounterMergeTest, SumStaysAtTheTopAndIsCounted) {
  MetricFileBuilder a = NewFile();
  a.AddCounter("a_total", UINT64_MAX - 1);
  MetricFileBuilder b = NewFile();
  b.AddCounter("a_total", 7);
  const ScrapeResult result = ScrapeOnce(directory_.path());
  EXPECT_EQ(result.numbers.at("a_total{}"), 18446744073709551615.0);
  EXPECT_EQ(result.statistics.files.saturated_sums, 1u);
}

TEST_F(CounterMergeTest, F64SumDoesNotShowTheOrderOfFiles) {
  // 0.1 + 0.2 + 0.3 differs from 0.3 + 0.2 + 0.1 in doubles.
  for (const std::vector<double>& order : std::vector<std::vector<double>>{
           {0.1, 0.2, 0.3, 1e9}, {1e9, 0.3, 0.2, 0.1}, {0.2, 1e9, 0.1, 0.3}}) {
    testing::TestDirectory directory;
    std::vector<MetricFileBuilder> files;
    for (const double value : order) {
      files.emplace_back(directory.path());
      MetricFileBuilder& file = files.back();
      file.AddF64(file.AddSeries(file.AddFamily(F64CounterFamily("a_total"))),
                  value);
    }
    EXPECT_EQ(ScrapeOnce(directory.path()).numbers.at("a_total{}"),
              1000000000.6);
  }
}

TEST_F(CounterMergeTest, SummaryAddsSumAndCount) {
  for (int i = 1; i <= 2; ++i) {
    MetricFileBuilder file = NewFile();
    const uint32_t cell =
        file.AddSeries(file.AddFamily(SummaryFamily("a_seconds")));
    file.AddU64(cell, 10u * static_cast<unsigned>(i));
    file.AddF64(cell + 1, 1.5 * i);
  }
  EXPECT_THAT(
      ScrapeOnce(directory_.path()).numbers,
      ElementsAre(Pair("a_seconds_count{}", 30), Pair("a_seconds_sum{}", 4.5)));
}

TEST_F(GaugeModeMergeTest, EveryModeMergesAsItsNameSays) {
  MetricFileBuilder a = NewLiveFile();
  MetricFileBuilder b = NewLiveFile();
  MetricFileBuilder dead = NewFile();
  for (const auto& [mode, name] :
       std::vector<std::pair<GaugeMode, std::string>>{
           {GaugeMode::kSum, "sum"},
           {GaugeMode::kLiveSum, "livesum"},
           {GaugeMode::kMin, "min"},
           {GaugeMode::kLiveMin, "livemin"},
           {GaugeMode::kMax, "max"},
           {GaugeMode::kLiveMax, "livemax"}}) {
    AddGauge(&a, name, mode, 10);
    AddGauge(&b, name, mode, 20);
    AddGauge(&dead, name, mode, 1000);
    AddGauge(&dead, name + "_low", mode, -1000);
  }
  const ScrapeResult result = ScrapeOnce(directory_.path());
  EXPECT_THAT(result.numbers,
              UnorderedElementsAre(
                  Pair("sum{}", 1030), Pair("livesum{}", 30), Pair("min{}", 10),
                  Pair("livemin{}", 10), Pair("max{}", 1000),
                  Pair("livemax{}", 20), Pair("sum_low{}", -1000),
                  Pair("min_low{}", -1000), Pair("max_low{}", -1000)));
}

TEST_F(GaugeModeMergeTest, UnsetGaugeIsAbsentAndZeroIsNot) {
  MetricFileBuilder file = NewFile();
  file.AddSeries(file.AddFamily(GaugeFamily("unset", GaugeMode::kMin)));
  AddGauge(&file, "zero", GaugeMode::kMin, 0);
  EXPECT_THAT(ScrapeOnce(directory_.path()).numbers,
              ElementsAre(Pair("zero{}", 0)));
}

TEST_F(GaugeModeMergeTest, MostRecentGoesByTheWritersClock) {
  MetricFileBuilder a = NewFile();
  MetricFileBuilder b = NewLiveFile();
  for (const GaugeMode mode :
       {GaugeMode::kMostRecent, GaugeMode::kLiveMostRecent}) {
    const std::string name = mode == GaugeMode::kMostRecent ? "any" : "live";
    a.SetRecent(a.AddSeries(a.AddFamily(GaugeFamily(name, mode))), 1, 2000);
    b.SetRecent(b.AddSeries(b.AddFamily(GaugeFamily(name, mode))), 2, 1000);
  }
  EXPECT_THAT(ScrapeOnce(directory_.path()).numbers,
              ElementsAre(Pair("any{}", 1), Pair("live{}", 2)));
}

TEST_F(GaugeModeMergeTest, AllModesShowEachProcessByWorkerIdOrPid) {
  BuilderHeader with_id;
  with_id.worker_id = "w3";
  MetricFileBuilder a = NewLiveFile(with_id);
  BuilderHeader here;
  here.pid = 77;
  MetricFileBuilder b = NewLiveFile(here);
  BuilderHeader elsewhere;
  elsewhere.pid = 1;
  elsewhere.pid_namespace = 12345;
  elsewhere.uuid.bytes[0] = 0xAB;
  elsewhere.uuid.bytes[3] = 0x01;
  MetricFileBuilder c = NewFile(elsewhere);
  AddGauge(&a, "all", GaugeMode::kAll, 1);
  AddGauge(&b, "all", GaugeMode::kAll, 2);
  AddGauge(&c, "all", GaugeMode::kAll, 3);
  AddGauge(&c, "liveall", GaugeMode::kLiveAll, 4);
  EXPECT_THAT(ScrapeOnce(directory_.path()).numbers,
              ElementsAre(Pair("all{pid=1-ab000001}", 3),
                          Pair("all{pid=77}", 2), Pair("all{pid=w3}", 1)));
}

TEST_F(GaugeModeMergeTest,
       OfTwoLiveWritersWithOneWorkerIdTheNewestIsShownAndCounted) {
  BuilderHeader header;
  header.worker_id = "1";
  header.pid = 10;
  header.created_wall_ns = 2000;
  MetricFileBuilder newer = NewLiveFile(header);
  header.pid = 11;
  header.created_wall_ns = 1000;
  MetricFileBuilder older = NewLiveFile(header);
  header.created_wall_ns = 3000;
  MetricFileBuilder dead = NewFile(header);
  AddGauge(&newer, "all", GaugeMode::kAll, 1);
  AddGauge(&older, "all", GaugeMode::kAll, 2);
  AddGauge(&dead, "all", GaugeMode::kAll, 3);
  const ScrapeResult result = ScrapeOnce(directory_.path());
  EXPECT_THAT(result.numbers, ElementsAre(Pair("all{pid=1}", 1)));
  EXPECT_EQ(result.statistics.files.worker_id_clashes, 1u);
}

TEST_F(GaugeModeMergeTest, TwoFilesOfOneProcessAreNoWorkerIdClash) {
  BuilderHeader header;
  header.worker_id = "1";
  const MetricFileBuilder first = NewLiveFile(header);
  const MetricFileBuilder second = NewLiveFile(header);
  EXPECT_EQ(ScrapeOnce(directory_.path()).statistics.files.worker_id_clashes,
            0u);
}

TEST_F(GaugeModeMergeTest, UpDownCountersAddOverSlotsAndProcesses) {
  MetricFileBuilder live = NewLiveFile();
  MetricFileBuilder dead = NewFile();
  for (MetricFileBuilder* file : {&live, &dead}) {
    const uint32_t any =
        file->AddSeries(file->AddFamily(UpDownFamily("any", GaugeMode::kSum)));
    const uint32_t inflight = file->AddSeries(
        file->AddFamily(UpDownFamily("inflight", GaugeMode::kLiveSum)));
    file->AddBlock(1, 0);
    for (const uint32_t cell : {any, inflight}) {
      file->AddU64(cell, static_cast<uint64_t>(-5), 0);  // ended in one thread
      file->AddU64(cell, 7, 1);                          // begun in another
    }
  }
  const ScrapeResult result = ScrapeOnce(directory_.path());
  EXPECT_THAT(result.numbers,
              ElementsAre(Pair("any{}", 4), Pair("inflight{}", 2)));
  EXPECT_EQ(result.statistics.files.saturated_sums, 0u);
}

TEST_F(HistogramMergeTest, BucketsAndSumsAddUp) {
  for (int i = 1; i <= 2; ++i) {
    MetricFileBuilder file = NewFile();
    const uint32_t cell =
        file.AddSeries(file.AddFamily(HistogramFamily("h", {0.5, 1})));
    file.AddU64(cell, 1);
    file.AddU64(cell + 1, 10);
    file.AddU64(cell + 2, 100);
    file.AddF64(cell + 3, 2.5);
  }
  EXPECT_THAT(
      ScrapeOnce(directory_.path()).numbers,
      ElementsAre(Pair("h_bucket{}[+Inf]", 200), Pair("h_bucket{}[0.5]", 2),
                  Pair("h_bucket{}[1]", 20), Pair("h_sum{}", 5)));
}

TEST_F(HistogramMergeTest, DifferentBoundsAreUnitedAndNoted) {
  MetricFileBuilder a = NewFile();
  MetricFileBuilder b = NewFile();
  const uint32_t a_cell =
      a.AddSeries(a.AddFamily(HistogramFamily("h", {1, 10})));
  const uint32_t b_cell =
      b.AddSeries(b.AddFamily(HistogramFamily("h", {5, 10, 20})));
  for (uint32_t i = 0; i < 3; ++i) a.AddU64(a_cell + i, 1 + i);
  for (uint32_t i = 0; i < 4; ++i) b.AddU64(b_cell + i, 10 * (1 + i));
  a.AddF64(a_cell + 3, 0.5);
  b.AddF64(b_cell + 4, 0.25);
  const ScrapeResult result = ScrapeOnce(directory_.path());
  EXPECT_THAT(result.numbers,
              UnorderedElementsAre(
                  Pair("h_bucket{}[1]", 1), Pair("h_bucket{}[5]", 10),
                  Pair("h_bucket{}[10]", 22), Pair("h_bucket{}[20]", 30),
                  Pair("h_bucket{}[+Inf]", 43), Pair("h_sum{}", 0.75)));
  EXPECT_THAT(Conflicts(result), ElementsAre(Pair("h", "buckets")));
}

TEST_F(LabelMergeTest, ProcessLabelsArePartOfTheKey) {
  BuilderHeader header;
  header.process_labels = {{"app", "web"}};
  MetricFileBuilder web = NewFile(header);
  MetricFileBuilder plain = NewFile();
  MetricFileBuilder explicit_label = NewFile();
  web.AddCounter("a_total", 1);
  plain.AddCounter("a_total", 2);
  explicit_label.AddCounter("a_total", 4, {{"app", "web"}});
  EXPECT_THAT(ScrapeOnce(directory_.path()).numbers,
              ElementsAre(Pair("a_total{app=web}", 5), Pair("a_total{}", 2)));
}

TEST_F(LabelMergeTest, EmptyLabelValueIsTheSeriesWithoutTheLabel) {
  MetricFileBuilder file = NewFile();
  file.AddCounter("a_total", 1, {{"x", ""}, {"y", "1"}});
  MetricFileBuilder other = NewFile();
  other.AddCounter("a_total", 2, {{"y", "1"}});
  EXPECT_THAT(ScrapeOnce(directory_.path()).numbers,
              ElementsAre(Pair("a_total{y=1}", 3)));
}

TEST_F(LabelMergeTest, TheFamilysOwnLabelWinsAndTheClashIsCounted) {
  BuilderHeader header;
  header.process_labels = {{"app", "web"}};
  MetricFileBuilder file = NewFile(header);
  file.AddCounter("a_total", 1, {{"app", "own"}});
  const ScrapeResult result = ScrapeOnce(directory_.path());
  EXPECT_THAT(result.numbers, ElementsAre(Pair("a_total{app=own}", 1)));
  EXPECT_EQ(result.statistics.files.label_clashes, 1u);
}

TEST_F(LabelMergeTest, SeriesAreSortedAndLayoutIdChangesWithThemAlone) {
  CollectorOptions options;
  options.directory = directory_.path();
  Collector collector(options);
  MetricFileBuilder file = NewFile();
  const uint32_t cell = file.AddCounter("a_total", 1, {{"x", "m"}});
  file.HoldLifeLock();
  std::vector<std::string> orders;
  std::vector<uint64_t> layouts;
  const auto scrape = [&] {
    collector.WithScrape([&](const MergedFamilies& families, const auto&) {
      std::string order;
      for (const MergedSeries& series : families.at(0)->series) {
        order += series.labels.packed().back();
      }
      orders.push_back(order);
      layouts.push_back(families.at(0)->layout_id);
    });
  };
  scrape();
  file.AddU64(cell, 5);
  scrape();
  file.AddCounter("a_total", 1, {{"x", "z"}});
  file.AddCounter("a_total", 1, {{"x", "a"}});
  scrape();
  scrape();
  EXPECT_THAT(orders, ElementsAre("m", "m", "amz", "amz"));
  EXPECT_EQ(layouts[0], layouts[1]);
  EXPECT_NE(layouts[1], layouts[2]);
  EXPECT_EQ(layouts[2], layouts[3]);
}

TEST_F(LimitsTest, SeriesOverTheFilesLimitShareTheOverflowSeries) {
  MetricFileBuilder file = NewFile();
  for (int i = 0; i < 5; ++i) {
    file.AddCounter("a_total", 1, {{"x", std::to_string(i)}});
  }
  CollectorOptions options;
  options.directory = directory_.path();
  options.max_series_per_file = 3;
  Collector collector(options);
  const ScrapeResult result = Scrape(&collector);
  EXPECT_EQ(result.numbers.size(), 4u);
  EXPECT_EQ(result.numbers.at("a_total{x=__overflow__}"), 2);
  EXPECT_EQ(result.statistics.files.overflowed_series, 2u);
  EXPECT_EQ(result.statistics.files.refused_series, 0u);
}

TEST_F(LimitsTest, SeriesOverTheViewsLimitOverflowAndKnownOnesGoOn) {
  MetricFileBuilder file = NewFile();
  for (int i = 0; i < 5; ++i) {
    file.AddCounter("a_total", 1, {{"x", std::to_string(i)}});
  }
  file.AddCounter("a_total", 10, {{"x", "0"}});
  CollectorOptions options;
  options.directory = directory_.path();
  options.view_limits.max_series = 2;
  Collector collector(options);
  const ScrapeResult result = Scrape(&collector);
  EXPECT_THAT(result.numbers,
              ElementsAre(Pair("a_total{x=0}", 11), Pair("a_total{x=1}", 1),
                          Pair("a_total{x=__overflow__}", 3)));
  EXPECT_EQ(result.statistics.files.overflowed_series, 3u);
}

TEST_F(LimitsTest, EndlessOpinionsAboutOneFamilyAreRefused) {
  MetricFileBuilder file(directory_.path(), {}, 4 << 20);
  for (int i = 0; i < 300; ++i) {
    testing::BuilderFamily family =
        HistogramFamily("h", {static_cast<double>(i)});
    family.help = std::to_string(i);
    file.AddSeries(file.AddFamily(family));
  }
  const ScrapeResult result = ScrapeOnce(directory_.path());
  EXPECT_GT(result.statistics.refused_families, 200u);
  EXPECT_EQ(result.statistics.files.refused_series,
            result.statistics.refused_families);
  EXPECT_LT(result.numbers.size(), 100u);
}

}  // namespace
}  // namespace tine::collector
