#include "collector/family_group.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "collector/collect_loop.h"
#include "collector/file_opener.h"
#include "tests/testing/metric_file_builder.h"
#include "tests/testing/one_shot_scrape.h"
#include "tests/testing/test_directory.h"

namespace tine::collector {
namespace {

using format::GaugeMode;
using testing::CounterFamily;
using ::testing::ElementsAre;
using testing::GaugeFamily;
using testing::HistogramFamily;
using testing::MetricFileBuilder;
using ::testing::Pair;
using testing::Scrape;
using testing::ScrapeOnce;
using testing::ScrapeResult;
using testing::SummaryFamily;
using ::testing::UnorderedElementsAre;

class FamilyConflictTest : public ::testing::Test {
 protected:
  MetricFileBuilder NewFile() { return MetricFileBuilder(directory_.path()); }
  MetricFileBuilder NewLiveFile() {
    MetricFileBuilder file = NewFile();
    file.HoldLifeLock();
    return file;
  }
  uint64_t BirthOf(const MetricFileBuilder& file) {
    const UniqueFd directory(
        ::open(directory_.path().c_str(), O_RDONLY | O_DIRECTORY));
    return OpenUntrustedFile(directory.get(), file.name().c_str(), UINT64_MAX)
        .facts.birth_ns;
  }
  // The file system's clock moves in steps of some milliseconds.
  MetricFileBuilder NewFileBornAfter(const MetricFileBuilder& other) {
    const auto deadline =
        std::chrono::steady_clock::now() + std::chrono::seconds(10);
    for (;;) {
      MetricFileBuilder file = NewFile();
      if (BirthOf(file) > BirthOf(other)) {
        return file;
      }
      EXPECT_LT(std::chrono::steady_clock::now(), deadline);
      ::unlink(file.path().c_str());
    }
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

TEST_F(FamilyConflictTest, OfTwoLiveTypesTheYoungestFilesIsShown) {
  MetricFileBuilder older = NewLiveFile();
  older.AddCounter("a", 1);
  older.AddCounter("b_total", 1);
  MetricFileBuilder younger = NewFileBornAfter(older);
  younger.HoldLifeLock();
  AddGauge(&younger, "a", GaugeMode::kMax, 5);
  const ScrapeResult result = ScrapeOnce(directory_.path());
  EXPECT_THAT(result.numbers,
              ElementsAre(Pair("a{}", 5), Pair("b_total{}", 1)));
  EXPECT_THAT(Conflicts(result), ElementsAre(Pair("a", "type")));
}

TEST_F(FamilyConflictTest, LiveBeatsDeadUntilItDiesToo) {
  MetricFileBuilder older = NewLiveFile();
  older.AddCounter("a", 1);
  MetricFileBuilder younger = NewFileBornAfter(older);
  AddGauge(&younger, "a", GaugeMode::kMax, 5);
  CollectorOptions options;
  options.directory = directory_.path();
  Collector collector(options);
  EXPECT_THAT(Scrape(&collector).numbers, ElementsAre(Pair("a{}", 1)));
  older.ReleaseLifeLock();  // closes the file, as a death does
  EXPECT_THAT(Scrape(&collector).numbers, ElementsAre(Pair("a{}", 5)));
}

TEST_F(FamilyConflictTest, ModeHelpAndUnitAreNamed) {
  MetricFileBuilder older = NewFile();
  AddGauge(&older, "mode", GaugeMode::kMax, 1);
  testing::BuilderFamily family = CounterFamily("text_seconds_total");
  family.help = "Old.";
  older.AddU64(older.AddSeries(older.AddFamily(family)), 1);
  MetricFileBuilder younger = NewFileBornAfter(older);
  AddGauge(&younger, "mode", GaugeMode::kMin, 5);
  family.help = "New.";
  family.unit = "seconds";
  younger.AddU64(younger.AddSeries(younger.AddFamily(family)), 2);
  CollectorOptions options;
  options.directory = directory_.path();
  Collector collector(options);
  const ScrapeResult result = Scrape(&collector);
  EXPECT_THAT(result.numbers,
              ElementsAre(Pair("mode{}", 5), Pair("text_seconds_total{}", 3)));
  EXPECT_THAT(
      Conflicts(result),
      ElementsAre(Pair("mode", "mode"), Pair("text_seconds_total", "help"),
                  Pair("text_seconds_total", "unit")));
  collector.WithScrape([](const MergedFamilies& families, const auto&) {
    EXPECT_EQ(families.at(1)->help, "New.");
    EXPECT_EQ(families.at(1)->unit, "seconds");
  });
}

TEST_F(FamilyConflictTest, FamilyNamedLikeAHistogramsSampleIsLeftOut) {
  MetricFileBuilder file = NewFile();
  file.AddCounter("h_sum", 1);
  file.AddCounter("h_bucket", 1);
  file.AddCounter("h_total", 1);
  file.AddCounter("s_count", 1);
  file.AddCounter("s_bucket", 1);
  file.AddCounter("x_sum", 1);
  file.AddSeries(file.AddFamily(HistogramFamily("h", {1})));
  file.AddSeries(file.AddFamily(SummaryFamily("s")));
  const ScrapeResult result = ScrapeOnce(directory_.path());
  EXPECT_THAT(Conflicts(result), ElementsAre(Pair("h_bucket", "name_clash"),
                                             Pair("h_sum", "name_clash"),
                                             Pair("s_count", "name_clash")));
  EXPECT_THAT(
      result.numbers,
      UnorderedElementsAre(Pair("h_total{}", 1), Pair("s_bucket{}", 1),
                           Pair("x_sum{}", 1), Pair("h_bucket{}[1]", 0),
                           Pair("h_bucket{}[+Inf]", 0), Pair("h_sum{}", 0),
                           Pair("s_sum{}", 0), Pair("s_count{}", 0)));
}

}  // namespace
}  // namespace tine::collector
