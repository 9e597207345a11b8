// What the archive lets go of, and what it never may.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/unique_fd.h"
#include "tests/collector/limit_bench.h"
#include "tests/collector/limit_scenarios.h"
#include "tests/testing/child_process.h"

namespace tine::collector {
namespace {

using format::GaugeMode;
using ::testing::ElementsAre;
using testing::MetricFileBuilder;
using ::testing::Pair;

constexpr uint32_t kHour = LimitBench::kHour;
constexpr uint32_t kDay = LimitBench::kDay;

void CounterThatNobodyHasExpires() {
  LimitBench bench;
  bench.LeaveCounter("c_total", 1);
  bench.Restart();
  bench.collector->FoldNow();
  bench.PassTime(30 * kDay);
  EXPECT_THAT(bench.Scrape(), ElementsAre(Pair("c_total{}", 1)));
  bench.PassTime(kHour);
  EXPECT_THAT(bench.Scrape(), ElementsAre());
  EXPECT_THAT(bench.ScrapeOnce(), ElementsAre());
  EXPECT_EQ(bench.Statistics().folding.expired_series, 1u);
  EXPECT_EQ(bench.Statistics().series_count, 0u);
}

// Nothing is ever folded again, and nobody asks.
void IdleCollectorLetsGoByItself() {
  LimitBench bench;
  bench.LeaveCounter("c_total", 1);
  bench.Restart();
  bench.collector->FoldNow();
  bench.now_s += 31 * kDay;
  bench.collector->Start();
  EXPECT_TRUE(testing::WaitUntil(
      [&bench] { return bench.Statistics().folding.expired_series == 1; }));
  bench.collector->Stop();
  EXPECT_THAT(bench.ScrapeOnce(), ElementsAre());
}

void LiveHolderKeepsASeriesForEver() {
  LimitBench bench;
  bench.LeaveCounter("c_total", 41);
  MetricFileBuilder holder = bench.NewLive();
  holder.AddCounter("c_total", 1);
  bench.Restart();
  bench.collector->FoldNow();
  bench.PassTime(365 * kDay);
  EXPECT_THAT(bench.Scrape(), ElementsAre(Pair("c_total{}", 42)));
  // Its time begins with its last holder's end.
  holder.ReleaseLifeLock();
  bench.Scrape();
  bench.PassTime(kHour);
  EXPECT_EQ(bench.FileCount(), 0u);
  bench.PassTime(29 * kDay);
  EXPECT_THAT(bench.Scrape(), ElementsAre(Pair("c_total{}", 42)));
  bench.PassTime(2 * kDay);
  EXPECT_THAT(bench.Scrape(), ElementsAre());
}

void FoldIntoItKeepsASeries() {
  LimitBench bench;
  bench.Restart();
  for (int i = 1; i <= 5; ++i) {
    bench.LeaveCounter("c_total", 1);
    bench.PassTime(29 * kDay);
    EXPECT_THAT(bench.Scrape(), ElementsAre(Pair("c_total{}", i)));
  }
}

void StampsSurviveARestart() {
  LimitBench bench;
  bench.LeaveCounter("c_total", 1);
  bench.Restart();
  bench.collector->FoldNow();
  bench.now_s += 29 * kDay;
  bench.Restart();
  bench.collector->FoldNow();
  EXPECT_THAT(bench.Scrape(), ElementsAre(Pair("c_total{}", 1)));
  bench.now_s += 2 * kDay;
  bench.Restart();
  bench.collector->FoldNow();
  EXPECT_THAT(bench.Scrape(), ElementsAre());
}

void ZeroIsForEver() {
  LimitBench bench;
  bench.options.folding.expiry = {0, 0};
  bench.LeaveCounter("c_total", 1, {}, {{"version", "1"}});
  {
    MetricFileBuilder file = bench.NewDead();
    file.SetGauge(file.AddSeries(file.AddFamily(
                      testing::GaugeFamily("g", GaugeMode::kMax))),
                  5);
  }
  bench.Restart();
  bench.collector->FoldNow();
  bench.PassTime(10 * 365 * kDay);
  EXPECT_THAT(bench.Scrape(),
              ElementsAre(Pair("c_total{version=1}", 1), Pair("g{}", 5)));
}

void GaugesOfTheDeadExpireSoonerAndCountsDoNot() {
  LimitBench bench;
  {
    MetricFileBuilder file = bench.NewDead();
    for (const auto& [name, mode] : {std::pair{"g_all", GaugeMode::kAll},
                                     {"g_max", GaugeMode::kMax},
                                     {"g_sum", GaugeMode::kSum}}) {
      file.SetGauge(
          file.AddSeries(file.AddFamily(testing::GaugeFamily(name, mode))), 5);
    }
    file.SetRecent(file.AddSeries(file.AddFamily(testing::GaugeFamily(
                       "g_recent", GaugeMode::kMostRecent))),
                   5, 1);
    file.AddU64(file.AddSeries(file.AddFamily(
                    testing::UpDownFamily("u_d", GaugeMode::kSum))),
                5);
  }
  MetricFileBuilder live = bench.NewLive();
  live.SetGauge(live.AddSeries(live.AddFamily(
                    testing::GaugeFamily("g_max", GaugeMode::kMax))),
                1);
  bench.Restart();
  bench.collector->FoldNow();
  bench.PassTime(kHour);
  EXPECT_EQ(bench.Scrape().size(), 5u);
  EXPECT_EQ(bench.Scrape().at("g_max{}"), 5);
  bench.PassTime(kHour);
  EXPECT_THAT(bench.Scrape(),
              ElementsAre(Pair("g_max{}", 1), Pair("u_d{}", 5)));
  EXPECT_EQ(bench.ScrapeOnce(), bench.Scrape());
}

void ProcessLabelsThatNobodyHasExpireInADay() {
  LimitBench bench;
  bench.LeaveCounter("c_total", 1, {}, {{"app", "a"}, {"version", "1"}});
  bench.LeaveCounter("c_total", 2, {}, {{"app", "a"}, {"version", "2"}});
  bench.LeaveCounter("c_total", 4);
  // These are labels of its own.
  bench.LeaveCounter("d_total", 8, {{"app", "a"}, {"version", "1"}});
  MetricFileBuilder live = bench.NewLive({{"version", "2"}, {"app", "a"}});
  live.AddCounter("e_total", 1);
  bench.Restart();
  bench.collector->FoldNow();
  bench.now_s += 23 * kHour;
  bench.Restart();  // and it still knows which labels
  bench.collector->FoldNow();
  EXPECT_EQ(bench.Scrape().size(), 5u);
  bench.PassTime(2 * kHour);
  EXPECT_THAT(bench.Scrape(), ElementsAre(Pair("c_total{app=a,version=2}", 2),
                                          Pair("c_total{}", 4),
                                          Pair("d_total{app=a,version=1}", 8),
                                          Pair("e_total{app=a,version=2}", 1)));
  live.ReleaseLifeLock();
  bench.Scrape();
  bench.PassTime(kHour);
  EXPECT_EQ(bench.Scrape().count("c_total{app=a,version=2}"), 0u);
  EXPECT_EQ(bench.Scrape().at("e_total{app=a,version=2}"), 1);
  bench.PassTime(25 * kHour);
  EXPECT_THAT(bench.Scrape(), ElementsAre(Pair("c_total{}", 4),
                                          Pair("d_total{app=a,version=1}", 8)));
}

void ShorterTtlIsForProcessLabelsToo() {
  LimitBench bench;
  bench.options.folding.expiry.ttl_s = 2 * kHour;
  bench.LeaveCounter("c_total", 1, {}, {{"version", "1"}});
  bench.Restart();
  bench.collector->FoldNow();
  bench.PassTime(kHour);
  EXPECT_EQ(bench.Scrape().size(), 1u);
  bench.PassTime(2 * kHour);
  EXPECT_THAT(bench.Scrape(), ElementsAre());
}

// A label of the family's own wins against the process's, and the overflow
// series has none of them.
void OverflowSeriesIsNobodysVersion() {
  LimitBench bench;
  bench.options.view_limits.max_series = 1;
  {
    MetricFileBuilder file = bench.NewDead({{"version", "1"}});
    file.AddCounter("c_total", 1, {{"version", "own"}});
    file.AddCounter("d_total", 2, {{"x", "1"}});
  }
  bench.Restart();
  bench.collector->FoldNow();
  bench.PassTime(29 * kDay);
  EXPECT_THAT(
      bench.Scrape(),
      ElementsAre(Pair("c_total{version=own}", 1),
                  Pair("d_total{version=__overflow__,x=__overflow__}", 2)));
}

// After a change of buckets the old ones' counts are the same series'.
void SeriesExpiresWholeOrNotAtAll() {
  LimitBench bench;
  {
    MetricFileBuilder file = bench.NewDead();
    file.AddU64(
        file.AddSeries(file.AddFamily(testing::HistogramFamily("h", {1}))), 10);
    file.AddF64(
        file.AddSeries(file.AddFamily(testing::F64CounterFamily("c_total"))),
        0.5);
  }
  MetricFileBuilder live = bench.NewLive();
  live.AddU64(
      live.AddSeries(live.AddFamily(testing::HistogramFamily("h", {1, 2}))), 1);
  live.AddCounter("c_total", 1);
  bench.Restart();
  bench.collector->FoldNow();
  bench.PassTime(60 * kDay);
  EXPECT_EQ(bench.Scrape().at("h_bucket{}[1]"), 11);
  EXPECT_EQ(bench.Scrape().at("c_total{}"), 1.5);
  live.ReleaseLifeLock();
  bench.Scrape();
  bench.PassTime(kHour);
  bench.PassTime(29 * kDay);
  EXPECT_EQ(bench.Scrape().at("h_bucket{}[1]"), 11);
  bench.PassTime(2 * kDay);
  EXPECT_THAT(bench.Scrape(), ElementsAre());
}

void SeriesThatComesBackIsANewOne() {
  LimitBench bench;
  bench.LeaveCounter("c_total", 1'000);
  bench.Restart();
  bench.collector->FoldNow();
  bench.PassTime(31 * kDay);
  MetricFileBuilder file = bench.NewLive();
  file.set_series_created_wall_ns(77);
  file.AddCounter("c_total", 5);
  const auto expect_new = [](const MergedFamilies& families, const auto&) {
    ASSERT_EQ(families.size(), 1u);
    ASSERT_EQ(families[0]->series.size(), 1u);
    EXPECT_EQ(families[0]->series[0].value, 5);
    EXPECT_EQ(families[0]->series[0].created_wall_ns, 77u);
  };
  bench.collector->WithScrape(expect_new);
  file.ReleaseLifeLock();
  bench.Scrape();
  bench.collector->FoldNow();
  bench.collector->WithScrape(expect_new);
  bench.Restart();
  bench.collector->WithScrape(expect_new);
}

// Who has just taken over has not seen any holder yet.
void NothingExpiresBeforeTheDirectoryWasListed() {
  LimitBench bench;
  bench.LeaveCounter("c_total", 41);
  MetricFileBuilder holder = bench.NewLive();
  holder.AddCounter("c_total", 1);
  bench.Restart();
  bench.collector->FoldNow();
  bench.collector = nullptr;
  bench.now_s += 60 * kDay;

  const UniqueFd directory(::open(bench.directory.path().c_str(),
                                  O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  Folder::Options options = bench.options.folding;
  Folder folder(options);
  folder.Attach(directory.get());
  EXPECT_TRUE(folder.IsStale());
  MergedView view((MergedView::Limits()));
  ASSERT_TRUE(folder.Load(&view).ok());
  FileSet::Options file_options;
  file_options.host = HostIdentity::OfThisProcess();
  FileSet files(file_options, &view, &folder.archive());
  files.SetDirectory(directory.get());
  EXPECT_FALSE(folder.Fold(&files, view).has_folded);
  EXPECT_EQ(folder.statistics().expired_series, 0u);
  // Listed, and not all looked at.
  ASSERT_TRUE(files.Rescan());
  folder.Fold(&files, view);
  EXPECT_EQ(folder.statistics().expired_series, 0u);
  EXPECT_THAT(bench.ScrapeOnce(), ElementsAre(Pair("c_total{}", 42)));
}

}  // namespace

std::vector<LimitScenario> ExpiryScenarios() {
  return {
      {"CounterThatNobodyHasExpires", CounterThatNobodyHasExpires},
      {"IdleCollectorLetsGoByItself", IdleCollectorLetsGoByItself},
      {"LiveHolderKeepsASeriesForEver", LiveHolderKeepsASeriesForEver},
      {"FoldIntoItKeepsASeries", FoldIntoItKeepsASeries},
      {"StampsSurviveARestart", StampsSurviveARestart},
      {"ZeroIsForEver", ZeroIsForEver},
      {"GaugesOfTheDeadExpireSoonerAndCountsDoNot",
       GaugesOfTheDeadExpireSoonerAndCountsDoNot},
      {"ProcessLabelsThatNobodyHasExpireInADay",
       ProcessLabelsThatNobodyHasExpireInADay},
      {"ShorterTtlIsForProcessLabelsToo", ShorterTtlIsForProcessLabelsToo},
      {"OverflowSeriesIsNobodysVersion", OverflowSeriesIsNobodysVersion},
      {"SeriesExpiresWholeOrNotAtAll", SeriesExpiresWholeOrNotAtAll},
      {"SeriesThatComesBackIsANewOne", SeriesThatComesBackIsANewOne},
      {"NothingExpiresBeforeTheDirectoryWasListed",
       NothingExpiresBeforeTheDirectoryWasListed},
  };
}

}  // namespace tine::collector
