#include "collector/text_encoder.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include "tests/collector/family_builder.h"

namespace tine::collector {
namespace {

using format::MetricType;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::string Encode(const FamilyBuilder& builder) {
  TextEncoder encoder;
  std::string text;
  encoder.Encode(builder.Get(), &text);
  return text;
}

TEST(TextEncoderTest, NothingIsEmpty) { EXPECT_EQ(Encode({}), ""); }

TEST(TextEncoderTest, CounterHasHelpTypeAndSamples) {
  FamilyBuilder builder;
  builder.Family("requests_total", MetricType::kCounter, "Requests served.")
      .Add({{"code", "200"}, {"method", "GET"}}, 3)
      .Add({{"code", "500"}, {"method", "GET"}}, 1.5);
  EXPECT_EQ(Encode(builder),
            "# HELP requests_total Requests served.\n"
            "# TYPE requests_total counter\n"
            "requests_total{code=\"200\",method=\"GET\"} 3\n"
            "requests_total{code=\"500\",method=\"GET\"} 1.5\n");
}

TEST(TextEncoderTest, WithoutLabelsThereAreNoBraces) {
  FamilyBuilder builder;
  builder.Family("up_down", MetricType::kUpDownCounter).Add({}, -2);
  EXPECT_EQ(Encode(builder), "# TYPE up_down gauge\nup_down -2\n");
}

TEST(TextEncoderTest, HelpEscapesBackslashAndLineEndOnly) {
  FamilyBuilder builder;
  builder.Family("g", MetricType::kGauge, "a\\b\nforged 1\n\"quoted\"")
      .Add({}, 1);
  EXPECT_EQ(Encode(builder),
            "# HELP g a\\\\b\\nforged 1\\n\"quoted\"\n# TYPE g gauge\ng 1\n");
}

TEST(TextEncoderTest, LabelValueEscapesBackslashQuoteAndLineEnd) {
  FamilyBuilder builder;
  builder.Family("g", MetricType::kGauge)
      .Add({{"path", "C:\\dir\n\"x\"} 1"}}, 1)
      .Add({{"path", "grün 東"}}, 2);
  EXPECT_EQ(Encode(builder),
            "# TYPE g gauge\n"
            "g{path=\"C:\\\\dir\\n\\\"x\\\"} 1\"} 1\n"
            "g{path=\"grün 東\"} 2\n");
}

TEST(TextEncoderTest, HistogramIsCumulativeAndCountEqualsInfinityBucket) {
  FamilyBuilder builder;
  builder
      .Family("seconds", MetricType::kHistogram, "", {0.005, 1, 2.5, 1000000})
      .AddHistogram({{"op", "read"}}, 7.25, {1, 0, 2, 3, 4});
  EXPECT_EQ(Encode(builder),
            "# TYPE seconds histogram\n"
            "seconds_bucket{op=\"read\",le=\"0.005\"} 1\n"
            "seconds_bucket{op=\"read\",le=\"1\"} 1\n"
            "seconds_bucket{op=\"read\",le=\"2.5\"} 3\n"
            "seconds_bucket{op=\"read\",le=\"1e+06\"} 6\n"
            "seconds_bucket{op=\"read\",le=\"+Inf\"} 10\n"
            "seconds_sum{op=\"read\"} 7.25\n"
            "seconds_count{op=\"read\"} 10\n");
}

TEST(TextEncoderTest, HistogramWithoutLabelsAndBoundsHasInfinityBucket) {
  FamilyBuilder builder;
  builder.Family("h", MetricType::kHistogram).AddHistogram({}, 0, {0});
  EXPECT_EQ(Encode(builder),
            "# TYPE h histogram\n"
            "h_bucket{le=\"+Inf\"} 0\nh_sum 0\nh_count 0\n");
}

TEST(TextEncoderTest, BucketsThatOverflowStayMonotone) {
  FamilyBuilder builder;
  builder.Family("h", MetricType::kHistogram, "", {1})
      .AddHistogram({}, 0, {UINT64_MAX, 5});
  EXPECT_EQ(Encode(builder),
            "# TYPE h histogram\n"
            "h_bucket{le=\"1\"} 18446744073709551615\n"
            "h_bucket{le=\"+Inf\"} 18446744073709551615\n"
            "h_sum 0\nh_count 18446744073709551615\n");
}

TEST(TextEncoderTest, SummaryHasSumAndCountAndNoQuantiles) {
  FamilyBuilder builder;
  builder.Family("bytes", MetricType::kSummary, "Sizes.")
      .AddSummary({{"kind", "in"}}, 12.5, 3);
  EXPECT_EQ(Encode(builder),
            "# HELP bytes Sizes.\n# TYPE bytes summary\n"
            "bytes_sum{kind=\"in\"} 12.5\nbytes_count{kind=\"in\"} 3\n");
}

TEST(TextEncoderTest, UnknownTypeIsUntyped) {
  FamilyBuilder builder;
  builder.Family("x", MetricType::kNone).Add({}, 1);
  EXPECT_EQ(Encode(builder), "# TYPE x untyped\nx 1\n");
}

TEST(TextEncoderTest, SpecialValuesHaveTheirNames) {
  FamilyBuilder builder;
  builder.Family("g", MetricType::kGauge)
      .Add({{"v", "a"}}, kInfinity)
      .Add({{"v", "b"}}, -kInfinity)
      .Add({{"v", "c"}}, std::nan(""));
  EXPECT_EQ(Encode(builder),
            "# TYPE g gauge\ng{v=\"a\"} +Inf\ng{v=\"b\"} -Inf\n"
            "g{v=\"c\"} NaN\n");
}

TEST(TextEncoderTest, SeriesThatAreNotPresentAreLeftOut) {
  FamilyBuilder builder;
  builder.Family("g", MetricType::kGauge, "Some.")
      .Add({{"a", "1"}}, 1)
      .Add({{"a", "2"}}, 2)
      .Add({{"a", "3"}}, 3);
  builder.family(0).series[1].is_present = false;
  EXPECT_EQ(Encode(builder),
            "# HELP g Some.\n# TYPE g gauge\ng{a=\"1\"} 1\ng{a=\"3\"} 3\n");
}

TEST(TextEncoderTest, FamilyWithNothingPresentLeavesNoTrace) {
  FamilyBuilder builder;
  builder.Family("empty", MetricType::kGauge, "No series at all.");
  builder.Family("gone", MetricType::kGauge, "Nothing to serve.").Add({}, 1);
  builder.last_series().is_present = false;
  builder.Family("here", MetricType::kGauge).Add({}, 1);
  EXPECT_EQ(Encode(builder), "# TYPE here gauge\nhere 1\n");
}

TEST(TextEncoderLayoutTest, NumbersChangeWithoutANewLayout) {
  FamilyBuilder builder;
  builder.Family("a", MetricType::kCounter).Add({{"l", "x"}}, 1);
  TextEncoder encoder;
  std::string text;
  encoder.Encode(builder.Get(), &text);
  builder.last_series().value = 2;
  encoder.Encode(builder.Get(), &text);
  EXPECT_EQ(text, "# TYPE a counter\na{l=\"x\"} 2\n");
  builder.last_series().is_present = false;
  encoder.Encode(builder.Get(), &text);
  EXPECT_EQ(text, "");
}

TEST(TextEncoderLayoutTest, NewLayoutIdRendersLabelsAndHelpAgain) {
  FamilyBuilder builder;
  builder.Family("a", MetricType::kCounter, "Old.").Add({{"l", "x"}}, 1);
  TextEncoder encoder;
  std::string text;
  encoder.Encode(builder.Get(), &text);
  builder.family(0).help = "New.";
  builder.family(0).series[0].labels = MakeLabelSet({{"l", "y"}});
  builder.Touch(0);
  encoder.Encode(builder.Get(), &text);
  EXPECT_EQ(text, "# HELP a New.\n# TYPE a counter\na{l=\"y\"} 1\n");
}

TEST(TextEncoderLayoutTest, FamiliesComeAndGoBetweenScrapes) {
  FamilyBuilder builder;
  for (const char* name : {"a", "b", "c"}) {
    builder.Family(name, MetricType::kGauge).Add({{"of", name}}, 1);
  }
  const MergedFamilies all = builder.Get();
  TextEncoder encoder;
  for (const MergedFamilies& some :
       {MergedFamilies{all[1]}, MergedFamilies{all[0], all[2]}, all,
        MergedFamilies{}, MergedFamilies{all[2]}}) {
    std::string text;
    encoder.Encode(some, &text);
    TextEncoder fresh;
    std::string expected;
    fresh.Encode(some, &expected);
    EXPECT_EQ(text, expected);
  }
}

TEST(TextEncoderLayoutTest, OutputThatShrinksAndGrowsIsExact) {
  FamilyBuilder builder;
  builder.Family("g", MetricType::kGauge);
  for (int i = 0; i < 2000; ++i) {
    builder.Add({{"i", std::to_string(i)}}, i);
  }
  TextEncoder encoder;
  std::string first;
  encoder.Encode(builder.Get(), &first);
  for (MergedSeries& series : builder.family(0).series) {
    series.value = -1.2345678901234567e-300;
  }
  std::string longer;
  encoder.Encode(builder.Get(), &longer);
  EXPECT_GT(longer.size(), first.size());
  EXPECT_EQ(longer, Encode(builder));
  for (MergedSeries& series : builder.family(0).series) {
    series.is_present =
        series.labels.packed() == MakeLabelSet({{"i", "7"}}).packed();
  }
  encoder.Encode(builder.Get(), &longer);
  EXPECT_EQ(longer, "# TYPE g gauge\ng{i=\"7\"} -1.2345678901234568e-300\n");
}

}  // namespace
}  // namespace tine::collector
