#include "collector/prometheus_duration.h"

#include <gtest/gtest.h>

#include <optional>

namespace tine::collector {
namespace {

constexpr uint64_t kHour = 3'600'000;

TEST(PrometheusDurationTest, UnitsAddUp) {
  EXPECT_EQ(ParsePrometheusDuration("0"), 0u);
  EXPECT_EQ(ParsePrometheusDuration("0s"), 0u);
  EXPECT_EQ(ParsePrometheusDuration("1ms"), 1u);
  EXPECT_EQ(ParsePrometheusDuration("90s"), 90'000u);
  EXPECT_EQ(ParsePrometheusDuration("12h"), 12 * kHour);
  EXPECT_EQ(ParsePrometheusDuration("30d"), 30 * 24 * kHour);
  EXPECT_EQ(ParsePrometheusDuration("1h30m"), kHour + kHour / 2);
  EXPECT_EQ(ParsePrometheusDuration("1m5ms"), 60'005u);
  EXPECT_EQ(ParsePrometheusDuration("1y2w3d4h5m6s7ms"),
            (365 + 14 + 3) * 24 * kHour + 4 * kHour + 306'007);
  EXPECT_EQ(ParsePrometheusDuration("100y"), 100 * 365 * 24 * kHour);
}

TEST(PrometheusDurationTest, AnythingElseIsNone) {
  for (const char* text : {"",
                           "1",
                           "00",
                           "d",
                           "1x",
                           "-1d",
                           "+1d",
                           "1.5h",
                           " 1d",
                           "1d ",
                           "1 d",
                           "1D",
                           "30m1h",
                           "1h1h",
                           "1s1",
                           "1e3s",
                           "101y",
                           "99y99w99d",
                           "18446744073709551616ms",
                           "99999999999999999999y"}) {
    EXPECT_EQ(ParsePrometheusDuration(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace tine::collector
