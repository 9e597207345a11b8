#include "tests/collector/instrument_scenarios.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "collector/collect_loop.h"
#include "common/clock.h"
#include "common/record_codec.h"
#include "tests/collector/staged_writer.h"
#include "tests/testing/metric_file_builder.h"
#include "tests/testing/one_shot_scrape.h"
#include "tests/testing/test_directory.h"
#include "writer/tine.h"

namespace tine::collector {
namespace {

using ::testing::IsEmpty;
using testing::MetricFileBuilder;
using testing::Scrape;
using testing::ScrapeOnce;
using testing::ServedNumbers;

constexpr uint64_t kSecondNs = 1'000'000'000;
constexpr uint64_t kHourNs = 3600 * kSecondNs;

class Bench {
 public:
  Bench() : folder_(NewFolder()) {}

  ServedNumbers Served() { return Scrape(folder_.get()).numbers; }

  // Of these labels, without the family's name; what is not there is -1.
  double Of(const std::string& series) {
    const ServedNumbers numbers = Served();
    const auto it = numbers.find(series);
    return it == numbers.end() ? -1 : it->second;
  }

  // That `numbers` are served now, when the dead are folded, by one that does
  // not fold, and by a folder that begins anew.
  void ExpectFromNowOn(const ServedNumbers& numbers) {
    EXPECT_EQ(Served(), numbers);
    folder_->FoldNow();
    EXPECT_EQ(Served(), numbers) << "after a fold";
    EXPECT_EQ(ScrapeOnce(path()).numbers, numbers) << "for who does not fold";
    Restart();
    EXPECT_EQ(Served(), numbers) << "anew";
    folder_->FoldNow();
    EXPECT_EQ(Served(), numbers) << "after the next fold";
  }

  void Fold() {
    Served();
    folder_->FoldNow();
  }
  void Restart() {
    folder_.reset();
    folder_ = NewFolder();
  }

  std::string path() const { return directory_.path(); }

 private:
  std::unique_ptr<Collector> NewFolder() const {
    CollectorOptions options;
    options.directory = directory_.path();
    options.folding.may_fold = true;
    options.rescan_interval_ms = 3'600'000;
    return std::make_unique<Collector>(std::move(options));
  }

  testing::TestDirectory directory_;
  std::unique_ptr<Collector> folder_;
};

// ---- State sets -------------------------------------------------------------

// One set for each mode, in the state `state` alone.
StagedWriter::Steps SetStates(const char* worker, uint32_t state) {
  return {[worker, state] {
    ::setenv("TINE_WORKER_ID", worker, 1);
    const std::pair<const char*, GaugeMode> modes[] = {
        {"all", GaugeMode::kAll},
        {"liveall", GaugeMode::kLiveAll},
        {"sum", GaugeMode::kSum},
        {"livesum", GaugeMode::kLiveSum},
        {"max", GaugeMode::kMax},
        {"livemax", GaugeMode::kLiveMax},
        {"recent", GaugeMode::kMostRecent},
        {"liverecent", GaugeMode::kLiveMostRecent}};
    for (const auto& [name, mode] : modes) {
      const StateSet set(name, "s", {"off", "on"}, mode);
      EXPECT_TRUE(set.status().ok()) << set.status().message();
      set.SetOnly(state);
    }
  }};
}

void StateSetsAreMergedByTheirMode() {
  Bench bench;
  StagedWriter first(bench.path(), SetStates("1", 1));
  StagedWriter second(bench.path(), SetStates("2", 1));
  StagedWriter third(bench.path(), SetStates("3", 0));
  const ServedNumbers lasting = {
      {"all{all=off,pid=1}", 0}, {"all{all=on,pid=1}", 1},
      {"all{all=off,pid=2}", 0}, {"all{all=on,pid=2}", 1},
      {"all{all=off,pid=3}", 1}, {"all{all=on,pid=3}", 0},
      {"sum{sum=off}", 1},       {"sum{sum=on}", 2},
      {"max{max=off}", 1},       {"max{max=on}", 1},
      {"recent{recent=off}", 1}, {"recent{recent=on}", 0},
  };
  ServedNumbers numbers = lasting;
  numbers.insert({{"liveall{liveall=off,pid=1}", 0},
                  {"liveall{liveall=on,pid=1}", 1},
                  {"liveall{liveall=off,pid=2}", 0},
                  {"liveall{liveall=on,pid=2}", 1},
                  {"liveall{liveall=off,pid=3}", 1},
                  {"liveall{liveall=on,pid=3}", 0},
                  {"livesum{livesum=off}", 1},
                  {"livesum{livesum=on}", 2},
                  {"livemax{livemax=off}", 1},
                  {"livemax{livemax=on}", 1},
                  {"liverecent{liverecent=off}", 1},
                  {"liverecent{liverecent=on}", 0}});
  bench.ExpectFromNowOn(numbers);
  first.Kill();
  third.Kill();
  numbers = lasting;
  numbers.insert({{"liveall{liveall=off,pid=2}", 0},
                  {"liveall{liveall=on,pid=2}", 1},
                  {"livesum{livesum=off}", 0},
                  {"livesum{livesum=on}", 1},
                  {"livemax{livemax=off}", 0},
                  {"livemax{livemax=on}", 1},
                  {"liverecent{liverecent=off}", 0},
                  {"liverecent{liverecent=on}", 1}});
  bench.ExpectFromNowOn(numbers);
  second.Kill();
  bench.ExpectFromNowOn(lasting);
}

void StatesThatTheWinnerDoesNotKnowAreFalse() {
  Bench bench;
  const auto set = [](StringSpan states, const char* state) {
    StateSet("recent", "s", states, GaugeMode::kMostRecent).SetOnly(state);
    StateSetFamily("sum", "s", {"site"}, states, GaugeMode::kSum)
        .WithLabels("a")
        .SetOnly(state);
  };
  StagedWriter older(bench.path(), {[set] {
                                      set({"off", "on"}, "on");
                                    },
                                    [] {
                                      StateSet("recent", "s", {"off", "on"},
                                               GaugeMode::kMostRecent)
                                          .SetOnly("off");
                                    }});
  EXPECT_EQ(bench.Of("recent{recent=on}"), 1);
  StagedWriter newer(bench.path(), {[set] {
                       set({"on", "broken"}, "broken");
                     }});
  ServedNumbers numbers = {
      {"recent{recent=off}", 0},    {"recent{recent=on}", 0},
      {"recent{recent=broken}", 1}, {"sum{site=a,sum=off}", 0},
      {"sum{site=a,sum=on}", 1},    {"sum{site=a,sum=broken}", 1}};
  bench.ExpectFromNowOn(numbers);
  newer.Kill();
  bench.ExpectFromNowOn(numbers);
  older.Step();
  numbers["recent{recent=off}"] = 1;
  numbers["recent{recent=broken}"] = 0;
  bench.ExpectFromNowOn(numbers);
  older.Kill();
  bench.ExpectFromNowOn(numbers);
}

void StateSetIsAbsentInARecentModeUntilItIsSet() {
  Bench bench;
  StagedWriter writer(
      bench.path(),
      {[] {
         StateSet("r", "s", {"a", "b"}, GaugeMode::kMostRecent);
         StateSet("m", "s", {"a", "b"}, GaugeMode::kMax);
       },
       [] {
         StateSet("r", "s", {"a", "b"}, GaugeMode::kMostRecent).Set("b", true);
       }});
  ServedNumbers numbers = {{"m{m=a}", 0}, {"m{m=b}", 0}};
  EXPECT_EQ(bench.Served(), numbers);
  writer.Step();
  numbers.insert({{"r{r=a}", 0}, {"r{r=b}", 1}});
  EXPECT_EQ(bench.Served(), numbers);
}

void RemovedStateSetIsGone() {
  Bench bench;
  const auto family = [](GaugeMode mode) {
    return StateSetFamily(mode == GaugeMode::kMax ? "m" : "s", "s", {"site"},
                          {"a", "b"}, mode);
  };
  StagedWriter writer(
      bench.path(),
      {[family] {
         for (const auto mode : {GaugeMode::kMax, GaugeMode::kSum}) {
           family(mode).WithLabels("x").SetOnly(0);
           family(mode).WithLabels("y").SetOnly(1);
         }
       },
       [family] {
         family(GaugeMode::kMax).Remove("x");
         family(GaugeMode::kSum).Remove("x");
       }});
  EXPECT_EQ(bench.Served().size(), 8u);
  writer.Step();
  const ServedNumbers numbers = {{"m{m=a,site=y}", 0},
                                 {"m{m=b,site=y}", 1},
                                 {"s{s=a,site=y}", 0},
                                 {"s{s=b,site=y}", 1}};
  bench.ExpectFromNowOn(numbers);
  writer.Kill();
  bench.ExpectFromNowOn(numbers);
}

// ---- Info -------------------------------------------------------------------

void InfoIsServedOnceAndGoesWithTheLastThatTellsIt() {
  Bench bench;
  const auto tell = [](const char* version) {
    return [version] {
      const Info info("build_info", "i", {{"version", version}});
      EXPECT_TRUE(info.status().ok()) << info.status().message();
    };
  };
  StagedWriter first(bench.path(), {tell("1")});
  StagedWriter second(bench.path(), {tell("1"), tell("2")});
  ServedNumbers numbers = {{"build_info{version=1}", 1}};
  bench.ExpectFromNowOn(numbers);
  second.Step();
  numbers["build_info{version=2}"] = 1;
  bench.ExpectFromNowOn(numbers);
  first.Kill();
  numbers.erase("build_info{version=1}");
  bench.ExpectFromNowOn(numbers);
  second.Kill();
  bench.ExpectFromNowOn({});
}

// ---- Time to live -----------------------------------------------------------

testing::BuilderFamily WithTimeToLive(testing::BuilderFamily family,
                                      double seconds) {
  family.time_to_live_s = seconds;
  return family;
}

uint64_t BootNow() { return NowNs(CLOCK_BOOTTIME); }

void GaugeThatIsTooOldIsAbsentUntilItIsSetAgain() {
  Bench bench;
  MetricFileBuilder file(bench.path());
  file.HoldLifeLock();
  std::vector<uint32_t> cells;
  for (int mode = 1; mode <= 10; ++mode) {
    cells.push_back(file.AddSeries(file.AddFamily(
        WithTimeToLive(testing::GaugeFamily("g" + std::to_string(mode),
                                            static_cast<GaugeMode>(mode)),
                       60))));
    // In the recent modes the boot clock's time is in the third cell.
    const uint32_t boot_cell = cells.back() + (mode < 9 ? 1 : 2);
    if (mode < 9) {
      file.SetGauge(cells.back(), mode);
    } else {
      file.SetRecent(cells.back(), mode, 5);
    }
    cells.back() = boot_cell;
  }
  EXPECT_THAT(bench.Served(), IsEmpty()) << "no time yet";
  for (const uint32_t cell : cells) {
    file.SetU64(cell, BootNow());
  }
  EXPECT_EQ(bench.Served().size(), 10u);
  for (const uint32_t cell : cells) {
    file.SetU64(cell, BootNow() - 61 * kSecondNs);
  }
  EXPECT_THAT(bench.Served(), IsEmpty());
  for (const uint32_t cell : cells) {
    file.SetU64(cell, BootNow() - kSecondNs / 10);
  }
  EXPECT_EQ(bench.Served().size(), 10u);
}

void ValueThatIsTooOldHasNoShareInTheOthers() {
  Bench bench;
  const auto add = [&](MetricFileBuilder* file, double value, uint64_t age_ns) {
    for (const GaugeMode mode : {GaugeMode::kSum, GaugeMode::kMax}) {
      const uint32_t cell = file->AddSeries(file->AddFamily(WithTimeToLive(
          testing::GaugeFamily(mode == GaugeMode::kSum ? "s" : "m", mode),
          1800)));
      file->SetGauge(cell, value);
      file->SetU64(cell + 1, BootNow() - age_ns);
    }
  };
  MetricFileBuilder live(bench.path());
  live.HoldLifeLock();
  add(&live, 3, 0);
  MetricFileBuilder stuck(bench.path());
  stuck.HoldLifeLock();
  add(&stuck, 100, kHourNs);
  add(std::make_unique<MetricFileBuilder>(bench.path()).get(), 200, kHourNs);
  add(std::make_unique<MetricFileBuilder>(bench.path()).get(), 5, 0);
  bench.ExpectFromNowOn({{"s{}", 8}, {"m{}", 5}});
}

// The clocks of another boot, or of a time namespace, are no measure: how long
// ago the file was made is known by the wall clock.
void OtherBootClockIsReadByTheWallClock() {
  Bench bench;
  testing::BuilderHeader header;
  header.boot_id[0] = 1;
  header.created_wall_ns = NowNs(CLOCK_REALTIME) - kHourNs;
  header.created_boot_ns = BootNow() + 1000 * kHourNs;
  MetricFileBuilder file(bench.path(), header);
  const auto add = [&file](const char* name, uint64_t set_ns) {
    const uint32_t cell = file.AddSeries(file.AddFamily(
        WithTimeToLive(testing::GaugeFamily(name, GaugeMode::kMax), 1800)));
    file.SetGauge(cell, 1);
    file.SetU64(cell + 1, set_ns);
  };
  add("old", header.created_boot_ns + kSecondNs);
  add("young", header.created_boot_ns + kHourNs - 10 * kSecondNs);
  EXPECT_EQ(bench.Served(), (ServedNumbers{{"young{}", 1}}));
}

void ArchiveKeepsAGaugeNoLongerThanItMayLive() {
  Bench bench;
  {
    MetricFileBuilder file(bench.path());
    const auto add = [&file](const char* name, GaugeMode mode, double seconds) {
      const uint32_t cell = file.AddSeries(file.AddFamily(
          WithTimeToLive(testing::GaugeFamily(name, mode), seconds)));
      file.SetGauge(cell, 7);
      file.SetU64(cell + 1, BootNow());
    };
    add("brief_max", GaugeMode::kMax, 2);
    add("brief_sum", GaugeMode::kSum, 2);
    add("long_max", GaugeMode::kMax, 3600);
    add("long_sum", GaugeMode::kSum, 3600);
  }
  bench.Fold();
  const ServedNumbers lasting = {{"long_max{}", 7}, {"long_sum{}", 7}};
  EXPECT_EQ(bench.Of("long_max{}"), 7);
  EXPECT_TRUE(testing::WaitUntil([&] { return bench.Served() == lasting; }));
  bench.Restart();
  EXPECT_EQ(bench.Served(), lasting);
  // What comes after does not bring the old back.
  {
    MetricFileBuilder file(bench.path());
    const uint32_t cell = file.AddSeries(file.AddFamily(WithTimeToLive(
        testing::GaugeFamily("brief_sum", GaugeMode::kSum), 3600)));
    file.SetGauge(cell, 1);
    file.SetU64(cell + 1, BootNow());
  }
  ServedNumbers numbers = lasting;
  numbers["brief_sum{}"] = 1;
  bench.ExpectFromNowOn(numbers);
}

void RealGaugeLivesAsLongAsItIsSetAndOneThatIsNotGoes() {
  Bench bench;
  StagedWriter writer(
      bench.path(), {[] {
        using std::chrono::hours;
        using std::chrono::milliseconds;
        MetricOptions brief;
        brief.time_to_live = milliseconds(1);
        MetricOptions lasting;
        lasting.time_to_live = hours(1);
        Gauge("brief", "g", GaugeMode::kMax, brief).Set(1);
        Gauge("brief_recent", "g", GaugeMode::kMostRecent, brief).Set(1);
        Gauge("lasting", "g", GaugeMode::kMax, lasting).Set(2);
        Gauge("lasting_recent", "g", GaugeMode::kMostRecent, lasting).Set(3);
        const Gauge added("added", "g", GaugeMode::kSum, lasting);
        added.Add(4);
        StateSet("brief_states", "s", {"a"}, GaugeMode::kMax, brief).SetOnly(0);
        StateSet("states", "s", {"a"}, GaugeMode::kMax, lasting).SetOnly(0);
      }});
  const ServedNumbers numbers = {{"lasting{}", 2},
                                 {"lasting_recent{}", 3},
                                 {"added{}", 4},
                                 {"states{states=a}", 1}};
  EXPECT_TRUE(testing::WaitUntil([&] { return bench.Served() == numbers; }));
  bench.ExpectFromNowOn(numbers);
  writer.Kill();
  bench.ExpectFromNowOn(numbers);
}

// ---- Removed and added again ------------------------------------------------

void WhatWasAddedAgainStaysWhenItsProcessDies() {
  struct Family {
    static GaugeFamily Of(const char* name, GaugeMode mode) {
      return GaugeFamily(name, "g", {"l"}, mode);
    }
    static CounterFamily Counts() {
      return CounterFamily("c_total", "c", {"l"});
    }
    static HistogramFamily Times() {
      return HistogramFamily("h", "h", {"l"}, {1.0});
    }
    static UpDownCounterFamily Open() {
      return UpDownCounterFamily("u", "u", {"l"}, GaugeMode::kSum);
    }
    static StateSetFamily States() {
      return StateSetFamily("s", "s", {"l"}, {"a", "b"}, GaugeMode::kMax);
    }
  };
  static const std::pair<const char*, GaugeMode> kGauges[] = {
      {"max", GaugeMode::kMax},
      {"min", GaugeMode::kMin},
      {"sum", GaugeMode::kSum},
      {"all", GaugeMode::kAll},
      {"recent", GaugeMode::kMostRecent}};
  const auto set = [](double value) {
    return [value] {
      ::setenv("TINE_WORKER_ID", "w", 1);
      for (const auto& [name, mode] : kGauges) {
        Family::Of(name, mode).WithLabels("x").Set(value);
      }
      Family::Counts().WithLabels("x").Increment(static_cast<uint64_t>(value));
      Family::Times().WithLabels("x").Observe(value);
      Family::Open().WithLabels("x").Add(static_cast<int64_t>(value));
      Family::States().WithLabels("x").SetOnly(value > 5 ? 0 : 1);
    };
  };
  const auto remove = [] {
    for (const auto& [name, mode] : kGauges) {
      EXPECT_TRUE(Family::Of(name, mode).Remove("x"));
    }
    EXPECT_TRUE(Family::Counts().Remove("x"));
    EXPECT_TRUE(Family::Times().Remove("x"));
    EXPECT_TRUE(Family::Open().Remove("x"));
    EXPECT_TRUE(Family::States().Remove("x"));
  };
  ServedNumbers numbers = {{"max{l=x}", 3},    {"min{l=x}", 3},
                           {"sum{l=x}", 3},    {"all{l=x,pid=w}", 3},
                           {"recent{l=x}", 3}, {"u{l=x}", 3},
                           {"s{l=x,s=a}", 0},  {"s{l=x,s=b}", 1}};
  // In one go, so that all is found in one scan; or scraped in between, with
  // and without a fold.
  for (const bool scrapes : {false, true}) {
    for (const bool folds : {false, true}) {
      SCOPED_TRACE(std::to_string(scrapes) + std::to_string(folds));
      Bench bench;
      StagedWriter writer(bench.path(), {set(8), remove, set(3)});
      for (int step = 0; step < 2; ++step) {
        if (scrapes) {
          bench.Served();
        }
        if (folds) {
          bench.Fold();
        }
        writer.Step();
      }
      // The counts that were removed are gone if they had been taken.
      const double before = folds ? 0 : 8;
      numbers["c_total{l=x}"] = before + 3;
      numbers["h_sum{l=x}"] = before + 3;
      numbers["h_bucket{l=x}[1]"] = 0;
      numbers["h_bucket{l=x}[+Inf]"] = folds ? 1 : 2;
      EXPECT_EQ(bench.Served(), numbers);
      writer.Kill();
      bench.ExpectFromNowOn(numbers);
    }
  }
}

// ---- Since when -------------------------------------------------------------

uint64_t CreatedOf(Collector* collector, const std::string& family) {
  uint64_t created = 0;
  collector->WithScrape(
      [&](const MergedFamilies& families, const CollectorStatistics&) {
        for (const MergedFamily* merged : families) {
          if (merged->name == family && merged->series.at(0).is_present) {
            created = merged->series.at(0).created_wall_ns;
          }
        }
      });
  return created;
}

void CreatedIsTheEarliestAndStays() {
  const testing::TestDirectory directory;
  const auto new_folder = [&directory] {
    CollectorOptions options;
    options.directory = directory.path();
    options.folding.may_fold = true;
    options.rescan_interval_ms = 3'600'000;
    return std::make_unique<Collector>(std::move(options));
  };
  const auto add = [&directory](uint64_t created) {
    auto file = std::make_unique<MetricFileBuilder>(directory.path());
    file->HoldLifeLock();
    file->set_series_created_wall_ns(created);
    const uint32_t cell = file->AddSeries(
        file->AddFamily(testing::CounterFamily("c_total", {"l"})), {"x"});
    file->AddU64(cell, 1);
    return std::make_pair(std::move(file), cell);
  };
  auto collector = new_folder();
  auto first = add(1000);
  auto second = add(700);
  EXPECT_EQ(CreatedOf(collector.get(), "c_total"), 700u);
  // A clock that was set back.
  auto third = add(300);
  EXPECT_EQ(CreatedOf(collector.get(), "c_total"), 700u);
  // Forward no more than back: the first to come is the first to go.
  second.first->ReleaseLifeLock();
  third.first->ReleaseLifeLock();
  collector->FoldNow();
  EXPECT_EQ(CreatedOf(collector.get(), "c_total"), 700u);
  collector.reset();
  collector = new_folder();
  EXPECT_EQ(CreatedOf(collector.get(), "c_total"), 700u) << "from the archive";
  // Removed by the last that has it; then it is another one.
  first.first->RemoveSeries(first.second);
  EXPECT_EQ(CreatedOf(collector.get(), "c_total"), 700u);
  collector->FoldNow();
  EXPECT_EQ(CreatedOf(collector.get(), "c_total"), 0u);
  auto fourth = add(2000);
  EXPECT_EQ(CreatedOf(collector.get(), "c_total"), 2000u);
}

}  // namespace

const std::vector<InstrumentScenario>& InstrumentScenarios() {
#define SCENARIO(name) \
  { #name, name }
  static const auto* const scenarios = new std::vector<InstrumentScenario>{
      SCENARIO(StateSetsAreMergedByTheirMode),
      SCENARIO(StatesThatTheWinnerDoesNotKnowAreFalse),
      SCENARIO(StateSetIsAbsentInARecentModeUntilItIsSet),
      SCENARIO(RemovedStateSetIsGone),
      SCENARIO(InfoIsServedOnceAndGoesWithTheLastThatTellsIt),
      SCENARIO(GaugeThatIsTooOldIsAbsentUntilItIsSetAgain),
      SCENARIO(ValueThatIsTooOldHasNoShareInTheOthers),
      SCENARIO(OtherBootClockIsReadByTheWallClock),
      SCENARIO(ArchiveKeepsAGaugeNoLongerThanItMayLive),
      SCENARIO(RealGaugeLivesAsLongAsItIsSetAndOneThatIsNotGoes),
      SCENARIO(WhatWasAddedAgainStaysWhenItsProcessDies),
      SCENARIO(CreatedIsTheEarliestAndStays),
  };
#undef SCENARIO
  return *scenarios;
}

}  // namespace tine::collector
