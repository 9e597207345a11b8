#include "common/metric_names.h"

#include <string>

#include "gtest/gtest.h"

namespace tine {
namespace {

using format::GaugeMode;
using format::MetricType;

TEST(MetricNamesTest, MetricNamesFollowThePrometheusDataModel) {
  for (const char* good : {"a", "_", ":", "a:b", "__a", "Z9_:", "le"}) {
    EXPECT_TRUE(IsValidMetricName(good)) << good;
  }
  for (const char* bad : {"", "0", "9a", "a-b", "a.b", "a b", "a\n", "é", "a{",
                          "\xff", "-a", " a"}) {
    EXPECT_FALSE(IsValidMetricName(bad)) << bad;
  }
  EXPECT_FALSE(IsValidMetricName(std::string("a\0b", 3)));
  EXPECT_TRUE(IsValidMetricName(std::string(kMaxMetricNameBytes, 'a')));
  EXPECT_FALSE(IsValidMetricName(std::string(kMaxMetricNameBytes + 1, 'a')));
}

TEST(MetricNamesTest, LabelNamesHaveNoColonAndNoTwoUnderscores) {
  for (const char* good : {"a", "_", "_a", "a__b", "Z9", "job"}) {
    EXPECT_TRUE(IsValidLabelName(good)) << good;
  }
  for (const char* bad : {"", "0", "a:b", ":", "__", "__name__", "__a", "a-b",
                          "a b", "é", "a="}) {
    EXPECT_FALSE(IsValidLabelName(bad)) << bad;
  }
  EXPECT_TRUE(IsValidLabelName(std::string(kMaxLabelNameBytes, 'a')));
  EXPECT_FALSE(IsValidLabelName(std::string(kMaxLabelNameBytes + 1, 'a')));
}

TEST(MetricNamesTest, OnlyLeAndQuantileAreReserved) {
  EXPECT_TRUE(IsReservedLabelName("le"));
  EXPECT_TRUE(IsReservedLabelName("quantile"));
  EXPECT_FALSE(IsReservedLabelName("Le"));
  EXPECT_FALSE(IsReservedLabelName("les"));
  EXPECT_FALSE(IsReservedLabelName(""));
}

TEST(Utf8Test, EveryLengthAndEveryBorderIsAccepted) {
  for (const char* good :
       {"", "a", "\x01", "\x7f", "\u0080", "\u07ff", "\u0800", "\ud7ff",
        "\ue000", "\uffff", "\U00010000", "\U0010ffff", "größe 日本 🎉"}) {
    EXPECT_TRUE(IsValidUtf8(good)) << good;
  }
}

TEST(Utf8Test, WhatRfc3629ForbidsIsRefused) {
  const std::string bad[] = {
      "\x80",              // continuation without a start
      "a\xbf",             //
      "\xc3",              // cut off
      "\xe2\x82",          //
      "\xf0\x9f\x8e",      //
      "\xc3\x28",          // start without a continuation
      "\xe2\x28\xa1",      //
      "\xe2\x82\x28",      //
      "\xf0\x90\x28\xbc",  //
      "\xc0\x80",          // overlong
      "\xc1\xbf",          //
      "\xe0\x9f\xbf",      //
      "\xf0\x8f\xbf\xbf",  //
      "\xed\xa0\x80",      // surrogates
      "\xed\xbf\xbf",      //
      "\xf4\x90\x80\x80",  // above U+10FFFF
      "\xf5\x80\x80\x80",  //
      "\xf8\x88\x80\x80\x80",
      "\xfe",
      "\xff",
      std::string("a\0b", 3),  // a zero byte
  };
  for (const std::string& text : bad) {
    EXPECT_FALSE(IsValidUtf8(text)) << ::testing::PrintToString(text);
  }
}

// All code points against an encoder of our own, and all sequences of two and
// three bytes against their number.
TEST(Utf8Test, CountsOfValidSequencesAreRight) {
  size_t two = 0;
  size_t three = 0;
  for (unsigned a = 0x80; a < 0x100; ++a) {
    for (unsigned b = 0x80; b < 0x100; ++b) {
      const char pair[] = {static_cast<char>(a), static_cast<char>(b)};
      two += IsValidUtf8({pair, 2}) ? 1 : 0;
      for (unsigned c = 0x80; c < 0x100; ++c) {
        const char triple[] = {pair[0], pair[1], static_cast<char>(c)};
        three += IsValidUtf8({triple, 3}) ? 1 : 0;
      }
    }
  }
  EXPECT_EQ(two, 0x800u - 0x80u);
  EXPECT_EQ(three, 0x10000u - 0x800u - 0x800u);  // less the surrogates
}

TEST(MetricNamesTest, GaugeModesHaveTheirNumbersAndNames) {
  const char* names[] = {"all",        "liveall",       "sum", "livesum",
                         "min",        "livemin",       "max", "livemax",
                         "mostrecent", "livemostrecent"};
  for (int i = 0; i < 10; ++i) {
    const auto mode = static_cast<GaugeMode>(i + 1);
    EXPECT_EQ(GaugeModeName(mode), names[i]);
    EXPECT_EQ(ParseGaugeMode(names[i]), mode);
    EXPECT_EQ(IsLiveMode(mode), std::string(names[i]).rfind("live", 0) == 0);
    EXPECT_EQ(IsAllMode(mode), i < 2);
    EXPECT_EQ(IsMostRecentMode(mode), i >= 8);
  }
  EXPECT_EQ(GaugeModeName(GaugeMode::kNone), "");
  EXPECT_EQ(GaugeModeName(static_cast<GaugeMode>(11)), "");
  EXPECT_EQ(GaugeModeName(static_cast<GaugeMode>(255)), "");
  for (const char* bad : {"", "ALL", "all ", "live", "mean"}) {
    EXPECT_EQ(ParseGaugeMode(bad), GaugeMode::kNone) << bad;
  }
  EXPECT_FALSE(IsLiveMode(GaugeMode::kNone));
}

TEST(MetricNamesTest, UpDownCountersAreShownAsGauges) {
  EXPECT_EQ(ExposedTypeName(MetricType::kCounter), "counter");
  EXPECT_EQ(ExposedTypeName(MetricType::kGauge), "gauge");
  EXPECT_EQ(ExposedTypeName(MetricType::kUpDownCounter), "gauge");
  EXPECT_EQ(ExposedTypeName(MetricType::kHistogram), "histogram");
  EXPECT_EQ(ExposedTypeName(MetricType::kSummary), "summary");
  EXPECT_EQ(ExposedTypeName(static_cast<MetricType>(99)), "untyped");
}

}  // namespace
}  // namespace tine
