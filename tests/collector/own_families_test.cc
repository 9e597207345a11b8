#include "collector/own_families.h"

#include <gtest/gtest.h>

#include <string>

#include "collector/text_encoder.h"
#include "tests/collector/family_builder.h"

namespace tine::collector {
namespace {

using format::MetricType;

std::string Encode(const MergedFamilies& families) {
  TextEncoder encoder;
  std::string text;
  encoder.Encode(families, &text);
  return text;
}

TEST(OwnFamiliesTest, AreInNameOrderAmongTheOthers) {
  FamilyBuilder builder;
  builder.Family("a_total", MetricType::kCounter).Add({}, 1);
  builder.Family("z_total", MetricType::kCounter).Add({}, 2);
  OwnFamilies own;
  own.AddGauge("tine_polling", "Help.", 0);
  own.AddCounter("process_x_total", "X.", 3);
  EXPECT_EQ(Encode(own.MergeWith(builder.Get())),
            "# TYPE a_total counter\na_total 1\n"
            "# HELP process_x_total X.\n# TYPE process_x_total counter\n"
            "process_x_total 3\n"
            "# HELP tine_polling Help.\n# TYPE tine_polling gauge\n"
            "tine_polling 0\n"
            "# TYPE z_total counter\nz_total 2\n");
}

TEST(OwnFamiliesTest, SeriesAreSortedAndEmptyLabelsLeftOut) {
  OwnFamilies own;
  own.AddGauge("g", "", 1, {{"state", "live"}});
  own.AddGauge("g", "", 2, {{"state", "dead"}});
  own.AddGauge("g", "", 3, {{"state", ""}});
  EXPECT_EQ(Encode(own.MergeWith({})),
            "# TYPE g gauge\ng 3\ng{state=\"dead\"} 2\ng{state=\"live\"} 1\n");
}

TEST(OwnFamiliesTest, OursHidesAnotherOfTheSameName) {
  FamilyBuilder builder;
  builder.Family("tine_series", MetricType::kCounter, "A user's.")
      .Add({{"mine", "1"}}, 77);
  OwnFamilies own;
  own.AddGauge("tine_series", "Ours.", 5);
  EXPECT_TRUE(own.Has("tine_series"));
  EXPECT_FALSE(own.Has("tine_files"));
  EXPECT_EQ(Encode(own.MergeWith(builder.Get())),
            "# HELP tine_series Ours.\n# TYPE tine_series gauge\n"
            "tine_series 5\n");
}

TEST(OwnFamiliesTest, EachScrapeHasItsOwnLayout) {
  TextEncoder encoder;
  std::string text;
  for (const char* state : {"one", "two"}) {
    OwnFamilies own;
    own.AddGauge("g", "", 1, {{"state", state}});
    encoder.Encode(own.MergeWith({}), &text);
    EXPECT_NE(text.find(state), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace tine::collector
