#include "collector/exposition.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>

namespace tine::collector {
namespace {

// A metrics directory with one golden file.
class ExpositionTest : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = testing::TempDir() + "/exposition.XXXXXX";
    ASSERT_NE(::mkdtemp(directory_.data()), nullptr);
    std::ifstream golden("tests/testdata/golden/counter_u64.tine",
                         std::ios::binary);
    ASSERT_TRUE(golden.good());
    std::ofstream(FilePath(), std::ios::binary) << golden.rdbuf();
  }
  void TearDown() override {
    ::unlink(FilePath().c_str());
    ::rmdir(directory_.c_str());
  }
  std::string FilePath() const {
    return directory_ + "/1.a0a1a2a3a4a5a6a7a8a9aaabacadae01.tine";
  }
  CollectorOptions Options() const {
    CollectorOptions options;
    options.directory = directory_;
    return options;
  }

  std::string directory_;
};

TEST_F(ExpositionTest, WithoutSelfMetricsItIsWhatTheFilesHold) {
  Collector collector(Options());
  const SeriesFilter all;
  EXPECT_EQ(Exposition(&collector, &all, false).Render(),
            "# HELP requests_total Requests.\n"
            "# TYPE requests_total counter\n"
            "requests_total{method=\"GET\"} 42\n");
}

TEST_F(ExpositionTest, FilterChoosesAmongAllFamilies) {
  Collector collector(Options());
  const auto filter = SeriesFilter::Parse({"requests_total|tine_polling"}, {});
  ASSERT_TRUE(filter.ok()) << filter.status();
  const std::string text = Exposition(&collector, &*filter, true).Render();
  EXPECT_NE(text.find("\nrequests_total{"), std::string::npos) << text;
  EXPECT_NE(text.find("\ntine_polling 0\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("tine_series"), std::string::npos) << text;
}

TEST_F(ExpositionTest, DurationIsThatOfTheScrapeBefore) {
  Collector collector(Options());
  const SeriesFilter all;
  Exposition exposition(&collector, &all, true);
  const std::string sample = "\ntine_scrape_duration_seconds ";
  EXPECT_EQ(exposition.Render().find(sample), std::string::npos);
  EXPECT_NE(exposition.Render().find(sample), std::string::npos);
}

}  // namespace
}  // namespace tine::collector
