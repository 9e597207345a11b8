#include "collector/self_metrics.h"

#include <gtest/gtest.h>

#include <string>

#include "collector/text_encoder.h"
#include "tests/collector/family_builder.h"
#include "version.h"

namespace tine::collector {
namespace {

using format::MetricType;

class SelfMetricsTest : public testing::Test {
 protected:
  // The whole exposition: `merged_` and the collector's own.
  std::string Encode() {
    SelfReport report;
    report.statistics = &statistics_;
    report.process = process_;
    report.last_scrape_seconds = last_scrape_seconds_;
    OwnFamilies own;
    AddSelfMetrics(report, merged_.Get(), &own);
    TextEncoder encoder;
    std::string text;
    encoder.Encode(own.MergeWith(merged_.Get()), &text);
    return text;
  }
  bool HasLine(const std::string& line) {
    return ("\n" + Encode()).find("\n" + line + "\n") != std::string::npos;
  }

  CollectorStatistics statistics_;
  ProcessStatistics process_;
  double last_scrape_seconds_ = -1;
  FamilyBuilder merged_;
};

TEST_F(SelfMetricsTest, BuildInfoIsOneAndNamesTheVersion) {
  EXPECT_NE(Encode().find(std::string("version=\"") + kVersion + "\"} 1\n"),
            std::string::npos);
}

TEST_F(SelfMetricsTest, EveryFamilyHasHelpAndType) {
  const std::string text = Encode();
  size_t help_count = 0;
  size_t type_count = 0;
  for (size_t at = 0; (at = text.find("# ", at)) != std::string::npos; ++at) {
    help_count += text.compare(at, 7, "# HELP ") == 0 ? 1 : 0;
    type_count += text.compare(at, 7, "# TYPE ") == 0 ? 1 : 0;
  }
  EXPECT_GT(type_count, 15u);
  EXPECT_EQ(help_count, type_count);
}

TEST_F(SelfMetricsTest, StatesAndReasonsAreThereFromTheStart) {
  EXPECT_TRUE(HasLine("tine_writers{state=\"live\"} 0"));
  EXPECT_TRUE(HasLine("tine_files{state=\"quarantined\"} 0"));
  EXPECT_TRUE(HasLine("tine_damage_total{reason=\"bad_magic\"} 0"));
  EXPECT_TRUE(HasLine("tine_watch_overflows_total 0"));
  EXPECT_TRUE(HasLine("tine_polling 0"));
  EXPECT_TRUE(HasLine("tine_directory_present 1"));
}

TEST_F(SelfMetricsTest, StatisticsOfTheCoreAreShown) {
  statistics_.files.live_writers = 3;
  statistics_.files.files_by_state[static_cast<size_t>(FileState::kDead)] = 4;
  statistics_.files.problems["bad_magic"] = 5;
  statistics_.files.problems["duplicate_uuid"] = 6;
  statistics_.files.reads.record_count = 7;
  statistics_.series_count = 8;
  statistics_.rescans = 9;
  statistics_.overflows = 10;
  statistics_.is_polling = true;
  statistics_.is_directory_missing = true;
  EXPECT_TRUE(HasLine("tine_writers{state=\"live\"} 3"));
  EXPECT_TRUE(HasLine("tine_files{state=\"dead\"} 4"));
  EXPECT_TRUE(HasLine("tine_damage_total{reason=\"bad_magic\"} 5"));
  EXPECT_TRUE(HasLine("tine_damage_total{reason=\"duplicate_uuid\"} 6"));
  EXPECT_TRUE(HasLine("tine_records_parsed_total 7"));
  EXPECT_TRUE(HasLine("tine_series 8"));
  EXPECT_TRUE(HasLine("tine_rescans_total 9"));
  EXPECT_TRUE(HasLine("tine_watch_overflows_total 10"));
  EXPECT_TRUE(HasLine("tine_polling 1"));
  EXPECT_TRUE(HasLine("tine_directory_present 0"));
}

TEST_F(SelfMetricsTest, ProcessAndScrapeAreLeftOutWhereUnknown) {
  EXPECT_EQ(Encode().find("process_"), std::string::npos);
  EXPECT_EQ(Encode().find("tine_scrape_duration_seconds"), std::string::npos);
  process_.cpu_seconds = 1.5;
  process_.open_fds = 12;
  last_scrape_seconds_ = 0.25;
  EXPECT_TRUE(HasLine("process_cpu_seconds_total 1.5"));
  EXPECT_TRUE(HasLine("process_open_fds 12"));
  EXPECT_FALSE(HasLine("process_max_fds 0"));
  EXPECT_TRUE(HasLine("tine_scrape_duration_seconds 0.25"));
}

TEST_F(SelfMetricsTest, ConflictIsOneWhileItLasts) {
  EXPECT_EQ(Encode().find("tine_family_conflicts"), std::string::npos);
  statistics_.conflicts = {{"requests_total", "type"}};
  EXPECT_TRUE(HasLine(
      "tine_family_conflicts{family=\"requests_total\",reason=\"type\"} 1"));
  statistics_.conflicts.clear();
  EXPECT_EQ(Encode().find("tine_family_conflicts"), std::string::npos);
}

TEST_F(SelfMetricsTest, OursHidesAUsersFamilyOfThatNameAndSaysSo) {
  merged_.Family("tine_series", MetricType::kCounter).Add({}, 77);
  merged_.Family("tine_mine", MetricType::kCounter).Add({}, 1);
  EXPECT_FALSE(HasLine("tine_series 77"));
  EXPECT_TRUE(HasLine("tine_series 0"));
  EXPECT_TRUE(HasLine("tine_mine 1"));
  EXPECT_TRUE(
      HasLine("tine_family_conflicts{family=\"tine_series\","
              "reason=\"reserved_name\"} 1"));
}

TEST_F(SelfMetricsTest, UsersFamilyNamedAsTheConflictsThemselvesIsHidden) {
  merged_.Family("tine_family_conflicts", MetricType::kGauge).Add({}, 77);
  EXPECT_FALSE(HasLine("tine_family_conflicts 77"));
  EXPECT_TRUE(
      HasLine("tine_family_conflicts{family=\"tine_family_conflicts\","
              "reason=\"reserved_name\"} 1"));
}

}  // namespace
}  // namespace tine::collector
