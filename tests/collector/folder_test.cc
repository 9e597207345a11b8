// Folding: the sum is the same before and after. (Killed in between:
// fold_scenario_test.)

#include "collector/folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "tests/testing/metric_file_builder.h"
#include "tests/testing/one_shot_scrape.h"
#include "tests/testing/stop_at_system_call.h"
#include "tests/testing/test_directory.h"

namespace tine::collector {
namespace {

using format::GaugeMode;
using testing::BuilderHeader;
using ::testing::ElementsAre;
using testing::MetricFileBuilder;
using ::testing::Pair;
using testing::Scrape;
using testing::ScrapeOnce;
using testing::ServedNumbers;

class FolderTest : public ::testing::Test {
 protected:
  std::unique_ptr<Collector> NewFolder() const {
    CollectorOptions options;
    options.directory = directory_.path();
    options.folding.may_fold = true;
    options.rescan_interval_ms = 3'600'000;
    return std::make_unique<Collector>(std::move(options));
  }

  std::vector<std::string> MetricFiles() const {
    std::vector<std::string> names;
    for (const auto& entry :
         std::filesystem::directory_iterator(directory_.path())) {
      if (entry.path().extension() == ".tine") {
        names.push_back(entry.path().filename());
      }
    }
    return names;
  }

  // A dead writer's file.
  void LeaveCounter(const std::string& name, uint64_t value) const {
    MetricFileBuilder file(directory_.path());
    file.AddCounter(name, value);
  }

  testing::TestDirectory directory_;
};

TEST_F(FolderTest, DeadFilesGoAndTheirNumbersStay) {
  LeaveCounter("c_total", 1);
  LeaveCounter("c_total", 41);
  auto collector = NewFolder();
  EXPECT_THAT(Scrape(collector.get()).numbers,
              ElementsAre(Pair("c_total{}", 42)));
  collector->FoldNow();
  EXPECT_THAT(MetricFiles(), ElementsAre());
  EXPECT_THAT(Scrape(collector.get()).numbers,
              ElementsAre(Pair("c_total{}", 42)));
  EXPECT_EQ(collector->statistics().folding.generation, 1u);
  collector.reset();
  EXPECT_THAT(ScrapeOnce(directory_.path()).numbers,
              ElementsAre(Pair("c_total{}", 42)));
}

TEST_F(FolderTest, LaterFoldsAddToTheFirst) {
  auto collector = NewFolder();
  for (uint64_t i = 1; i <= 5; ++i) {
    LeaveCounter("c_total", i);
    LeaveCounter("d" + std::to_string(i) + "_total", i);
    collector->FoldNow();
    EXPECT_EQ(Scrape(collector.get()).numbers.at("c_total{}"),
              static_cast<double>(i * (i + 1) / 2));
    EXPECT_EQ(ScrapeOnce(directory_.path()).numbers,
              Scrape(collector.get()).numbers);
  }
  EXPECT_EQ(collector->statistics().folding.generation, 5u);
}

TEST_F(FolderTest, FileWhoseLockIsHeldIsNeverTouched) {
  MetricFileBuilder file(directory_.path());
  file.HoldLifeLock();
  const uint32_t cell = file.AddCounter("c_total", 1);
  auto collector = NewFolder();
  collector->FoldNow();
  file.AddU64(cell, 1);
  EXPECT_THAT(MetricFiles(), ElementsAre(file.name()));
  EXPECT_EQ(collector->statistics().folding.generation, 0u);
  EXPECT_THAT(Scrape(collector.get()).numbers,
              ElementsAre(Pair("c_total{}", 2)));
}

TEST_F(FolderTest, EveryInstrumentComesBackFromTheArchive) {
  {
    MetricFileBuilder file(directory_.path());
    file.AddU64(file.AddSeries(file.AddFamily(testing::CounterFamily(
                                   "u_total", {"a", "b"})),
                               {"", "x\n\"y\""}),
                7);
    file.AddF64(
        file.AddSeries(file.AddFamily(testing::F64CounterFamily("f_total"))),
        0.1);
    file.SetGauge(file.AddSeries(file.AddFamily(
                      testing::GaugeFamily("g_sum", GaugeMode::kSum))),
                  0.5);
    file.SetGauge(file.AddSeries(file.AddFamily(
                      testing::GaugeFamily("g_all", GaugeMode::kAll))),
                  -1);
    file.SetGauge(file.AddSeries(file.AddFamily(
                      testing::GaugeFamily("g_live", GaugeMode::kLiveSum))),
                  3);
    file.AddSeries(
        file.AddFamily(testing::GaugeFamily("g_unset", GaugeMode::kMax)));
    file.SetRecent(file.AddSeries(file.AddFamily(testing::GaugeFamily(
                       "g_recent", GaugeMode::kMostRecent))),
                   17, 5);
    file.AddU64(file.AddSeries(file.AddFamily(
                    testing::UpDownFamily("u_d", GaugeMode::kSum))),
                static_cast<uint64_t>(-3));
    const uint32_t histogram = file.AddSeries(
        file.AddFamily(testing::HistogramFamily("h", {0.5, 1}, {"p"})), {"/"});
    file.AddU64(histogram, 1);
    file.AddU64(histogram + 2, 2);
    file.AddF64(histogram + 3, 9.25);
    const uint32_t summary =
        file.AddSeries(file.AddFamily(testing::SummaryFamily("s")));
    file.AddU64(summary, 4);
    file.AddF64(summary + 1, 1e-9);
  }
  const ServedNumbers before = ScrapeOnce(directory_.path()).numbers;
  EXPECT_EQ(before.size(), 12u);
  NewFolder()->FoldNow();
  EXPECT_THAT(MetricFiles(), ElementsAre());
  EXPECT_EQ(ScrapeOnce(directory_.path()).numbers, before);
}

TEST_F(FolderTest, MostRecentOfTheDeadLosesToALaterOneAndBeatsAnEarlier) {
  const auto leave = [this](double value, uint64_t wall_ns) {
    MetricFileBuilder file(directory_.path());
    file.SetRecent(file.AddSeries(file.AddFamily(
                       testing::GaugeFamily("g", GaugeMode::kMostRecent))),
                   value, wall_ns);
  };
  auto collector = NewFolder();
  leave(1, 10);
  collector->FoldNow();
  leave(2, 5);
  EXPECT_THAT(Scrape(collector.get()).numbers, ElementsAre(Pair("g{}", 1)));
  collector->FoldNow();
  EXPECT_THAT(Scrape(collector.get()).numbers, ElementsAre(Pair("g{}", 1)));
  leave(3, 11);
  EXPECT_THAT(Scrape(collector.get()).numbers, ElementsAre(Pair("g{}", 3)));
  collector->FoldNow();
  EXPECT_THAT(ScrapeOnce(directory_.path()).numbers,
              ElementsAre(Pair("g{}", 3)));
}

TEST_F(FolderTest, SecondCollectorReadsAndTakesOver) {
  LeaveCounter("c_total", 1);
  auto first = NewFolder();
  first->FoldNow();
  auto second = NewFolder();
  EXPECT_THAT(Scrape(second.get()).numbers, ElementsAre(Pair("c_total{}", 1)));
  EXPECT_FALSE(second->statistics().folding.holds_lock);
  LeaveCounter("c_total", 10);
  first->FoldNow();
  // What it remembers is old now.
  EXPECT_THAT(Scrape(second.get()).numbers, ElementsAre(Pair("c_total{}", 11)));
  LeaveCounter("c_total", 100);
  first->FoldNow();
  first.reset();
  LeaveCounter("c_total", 1000);
  second->FoldNow();
  EXPECT_TRUE(second->statistics().folding.holds_lock);
  EXPECT_THAT(Scrape(second.get()).numbers,
              ElementsAre(Pair("c_total{}", 1111)));
  EXPECT_THAT(ScrapeOnce(directory_.path()).numbers,
              ElementsAre(Pair("c_total{}", 1111)));
  EXPECT_THAT(MetricFiles(), ElementsAre());
}

TEST_F(FolderTest, ArchiveThatIsRemovedIsWrittenAgain) {
  LeaveCounter("c_total", 1);
  auto collector = NewFolder();
  collector->FoldNow();
  std::filesystem::remove_all(directory_.At(".collector"));
  LeaveCounter("c_total", 10);
  collector->FoldNow();
  EXPECT_THAT(Scrape(collector.get()).numbers,
              ElementsAre(Pair("c_total{}", 11)));
  collector.reset();
  EXPECT_THAT(ScrapeOnce(directory_.path()).numbers,
              ElementsAre(Pair("c_total{}", 11)));
}

TEST_F(FolderTest, DamagedArchiveIsSetAsideAndTheResetIsCounted) {
  LeaveCounter("c_total", 1);
  NewFolder()->FoldNow();
  const std::string archive = directory_.At(".collector/archive");
  {
    std::fstream file(archive, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-100, std::ios::end);
    file.put('!');
  }
  LeaveCounter("c_total", 10);
  auto collector = NewFolder();
  const auto result = Scrape(collector.get());
  EXPECT_THAT(result.numbers, ElementsAre(Pair("c_total{}", 10)));
  EXPECT_THAT(result.statistics.folding.resets,
              ElementsAre(Pair("archive_damaged", 1u)));
  EXPECT_FALSE(std::filesystem::exists(archive));
}

// What nobody has any more makes room for others: a family costs its owner
// nothing once it is forgotten.
TEST_F(FolderTest, FamiliesThatLeaveNothingAreForgotten) {
  CollectorOptions options;
  options.directory = directory_.path();
  options.folding.may_fold = true;
  options.owner_limits.max_families_per_uid = 2;
  options.owner_limits.max_series_per_uid = 2;
  Collector collector(std::move(options));
  for (int i = 0; i < 20; ++i) {
    MetricFileBuilder file(directory_.path());
    file.SetGauge(file.AddSeries(file.AddFamily(testing::GaugeFamily(
                      "g" + std::to_string(i), GaugeMode::kLiveSum))),
                  i);
    file.HoldLifeLock();
    EXPECT_THAT(Scrape(&collector).numbers,
                ElementsAre(Pair("g" + std::to_string(i) + "{}", i)));
    file.ReleaseLifeLock();
    collector.FoldNow();
    EXPECT_THAT(Scrape(&collector).numbers, ElementsAre());
  }
  EXPECT_EQ(collector.statistics().refused_families, 0u);
  EXPECT_EQ(collector.statistics().series_count, 0u);
}

TEST_F(FolderTest, ListThatIsFullOfFilesThatAreGoneIsMadeAnew) {
  for (uint64_t i = 0; i < 7; ++i) {
    LeaveCounter("c_total", 1);
  }
  CollectorOptions options;
  options.directory = directory_.path();
  options.folding.may_fold = true;
  options.folding.max_folded_files = 2;
  Collector collector(std::move(options));
  collector.FoldNow();
  EXPECT_THAT(MetricFiles(), ElementsAre());
  EXPECT_THAT(ScrapeOnce(directory_.path()).numbers,
              ElementsAre(Pair("c_total{}", 7)));
}

// ---- Killed anywhere
// ----------------------------------------------------------

// A fold in a process of its own, stopped at each of its system calls.
class FolderCrashTest : public FolderTest {
 protected:
  // An archive of two folds, one file that the second fold could not remove,
  // and new dead files.
  void LeaveEverything() {
    auto collector = NewFolder();
    LeaveCounter("c_total", 1);
    collector->FoldNow();
    LeaveCounter("c_total", 10);
    LeaveCounter("d_total", 5);
    collector->FoldNow();
    for (int i = 0; i < 3; ++i) {
      LeaveCounter("c_total", 100);
      LeaveCounter("e_total", 7);
    }
  }

  static const ServedNumbers& Truth() {
    static const auto* numbers = new ServedNumbers{
        {"c_total{}", 311}, {"d_total{}", 5}, {"e_total{}", 21}};
    return *numbers;
  }

  // See StopAtSystemCall.
  bool StopFold(int count, const std::function<void()>& use) {
    return testing::StopAtSystemCall(
        count, [this] { NewFolder()->FoldNow(); }, use);
  }

  void RemoveEverything() const {
    for (const auto& entry :
         std::filesystem::directory_iterator(directory_.path())) {
      std::filesystem::remove_all(entry.path());
    }
  }
};

TEST_F(FolderCrashTest, SumIsRightWhereverAFoldIsKilled) {
  int points = 0;
  for (bool is_over = false; !is_over && !HasFailure(); ++points) {
    SCOPED_TRACE("killed at stop " + std::to_string(points));
    LeaveEverything();
    is_over = !StopFold(points, [this] {
      EXPECT_EQ(ScrapeOnce(directory_.path()).numbers, Truth())
          << "for a reader during the fold";
    });
    EXPECT_EQ(ScrapeOnce(directory_.path()).numbers, Truth());
    auto next = NewFolder();
    EXPECT_EQ(Scrape(next.get()).numbers, Truth());
    next->FoldNow();
    EXPECT_EQ(Scrape(next.get()).numbers, Truth());
    EXPECT_THAT(MetricFiles(), ElementsAre());
    EXPECT_EQ(ScrapeOnce(directory_.path()).numbers, Truth());
    RemoveEverything();
  }
  std::printf("%d points\n", points);
  EXPECT_GT(points, 100);
}

}  // namespace
}  // namespace tine::collector
