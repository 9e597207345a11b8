#include "collector/series_filter.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/collector/family_builder.h"

namespace tine::collector {
namespace {

SeriesFilter Make(const std::vector<std::string>& include,
                  const std::vector<std::string>& exclude) {
  auto filter = SeriesFilter::Parse(include, exclude);
  EXPECT_TRUE(filter.ok()) << filter.status();
  return *std::move(filter);
}

TEST(SeriesFilterTest, WithoutPatternsEverythingMatches) {
  EXPECT_TRUE(SeriesFilter().Matches("a"));
  EXPECT_TRUE(Make({}, {}).Matches("a"));
}

TEST(SeriesFilterTest, PatternMustMatchTheWholeName) {
  const SeriesFilter filter = Make({"http_.*", "db"}, {});
  EXPECT_TRUE(filter.Matches("http_requests_total"));
  EXPECT_TRUE(filter.Matches("db"));
  EXPECT_FALSE(filter.Matches("my_http_requests_total"));
  EXPECT_FALSE(filter.Matches("db_queries_total"));
}

TEST(SeriesFilterTest, AlternationIsAnchoredOnBothSides) {
  const SeriesFilter filter = Make({"a|b"}, {});
  EXPECT_TRUE(filter.Matches("b"));
  EXPECT_FALSE(filter.Matches("ax"));
  EXPECT_FALSE(filter.Matches("xb"));
}

TEST(SeriesFilterTest, ExcludeWins) {
  const SeriesFilter filter = Make({"http_.*"}, {".*_debug", "http_x"});
  EXPECT_TRUE(filter.Matches("http_y"));
  EXPECT_FALSE(filter.Matches("http_x"));
  EXPECT_FALSE(filter.Matches("http_y_debug"));
}

TEST(SeriesFilterTest, BadPatternIsNamedWithItsFlag) {
  const auto include = SeriesFilter::Parse({"ok", "(x"}, {});
  ASSERT_FALSE(include.ok());
  EXPECT_EQ(include.status().message(),
            "--series.include=\"(x\": missing ): (x");
  const auto exclude = SeriesFilter::Parse({}, {"*"});
  ASSERT_FALSE(exclude.ok());
  EXPECT_EQ(exclude.status().message(),
            "--series.exclude=\"*\": no argument for repetition operator: *");
}

TEST(SeriesFilterTest, ApplyKeepsOrder) {
  FamilyBuilder builder;
  for (const char* name : {"a_1", "a_2", "b", "c"}) {
    builder.Family(name, format::MetricType::kGauge).Add({}, 1);
  }
  std::string names;
  for (const MergedFamily* family :
       Make({"a.*|c"}, {"a_1"}).Apply(builder.Get())) {
    names += family->name + " ";
  }
  EXPECT_EQ(names, "a_2 c ");
}

}  // namespace
}  // namespace tine::collector
