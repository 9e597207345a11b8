#include "collector/number_text.h"

#include <gtest/gtest.h>

#include <clocale>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <random>
#include <string>

namespace tine::collector {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::string Number(double value) {
  char text[kMaxNumberTextBytes];
  return std::string(text, FormatNumber(value, text));
}

std::string Count(uint64_t value) {
  char text[kMaxNumberTextBytes];
  return std::string(text, FormatCount(value, text));
}

std::string Bound(double value) {
  char text[kMaxNumberTextBytes];
  return std::string(text, FormatBound(value, text));
}

double DoubleOfBits(uint64_t bits) {
  double value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

TEST(NumberTextTest, IntegersUpTo2To53ArePlainDigits) {
  EXPECT_EQ(Number(0), "0");
  EXPECT_EQ(Number(-1), "-1");
  EXPECT_EQ(Number(1000000), "1000000");
  EXPECT_EQ(Number(123456789), "123456789");
  EXPECT_EQ(Number(9007199254740992.0), "9007199254740992");
  EXPECT_EQ(Number(-9007199254740992.0), "-9007199254740992");
}

TEST(NumberTextTest, LargerIntegersHaveAnExponent) {
  EXPECT_EQ(Number(9007199254740994.0), "9.007199254740994e+15");
  EXPECT_EQ(Number(1e17), "1e+17");
  EXPECT_EQ(Number(1e300), "1e+300");
}

TEST(NumberTextTest, FractionsHaveGosForm) {
  // strconv.FormatFloat(x, 'g', -1, 64) says so.
  EXPECT_EQ(Number(0.1 + 0.2), "0.30000000000000004");
  EXPECT_EQ(Number(0.0001), "0.0001");
  EXPECT_EQ(Number(0.00001), "1e-05");
  EXPECT_EQ(Number(0.000012345), "1.2345e-05");
  EXPECT_EQ(Number(1722956789.1234567), "1.7229567891234567e+09");
  EXPECT_EQ(Number(123456.5), "123456.5");
  EXPECT_EQ(Number(1234567.5), "1.2345675e+06");
  EXPECT_EQ(Number(5e-324), "5e-324");
  EXPECT_EQ(Number(1.7976931348623157e308), "1.7976931348623157e+308");
  EXPECT_EQ(Number(-2.2250738585072014e-308), "-2.2250738585072014e-308");
}

TEST(NumberTextTest, WhatIsNotFiniteHasPrometheusNames) {
  EXPECT_EQ(Number(kInfinity), "+Inf");
  EXPECT_EQ(Number(-kInfinity), "-Inf");
  EXPECT_EQ(Number(std::nan("")), "NaN");
  EXPECT_EQ(Number(-std::nan("")), "NaN");
}

TEST(NumberTextTest, NegativeZeroKeepsItsSign) {
  EXPECT_EQ(Number(-0.0), "-0");
}

TEST(NumberTextTest, CountsArePlainDigitsAtAnySize) {
  EXPECT_EQ(Count(0), "0");
  EXPECT_EQ(Count(9007199254740993u), "9007199254740993");
  EXPECT_EQ(Count(UINT64_MAX), "18446744073709551615");
}

TEST(NumberTextTest, BoundsHaveGosFormEvenWhereNumbersArePlain) {
  EXPECT_EQ(Bound(1), "1");
  EXPECT_EQ(Bound(100000), "100000");
  EXPECT_EQ(Bound(1000000), "1e+06");
  EXPECT_EQ(Bound(0.005), "0.005");
  EXPECT_EQ(Bound(-2.5), "-2.5");
  EXPECT_EQ(Bound(kInfinity), "+Inf");
}

TEST(NumberTextTest, AnyDoubleReadsBackAsItselfAndFits) {
  std::mt19937_64 random(20240607);
  for (int i = 0; i < 200000; ++i) {
    const double value = DoubleOfBits(random());
    if (!std::isfinite(value)) {
      continue;
    }
    for (const std::string& text : {Number(value), Bound(value)}) {
      ASSERT_LT(text.size(), kMaxNumberTextBytes);
      const double back = std::strtod(text.c_str(), nullptr);
      ASSERT_EQ(std::memcmp(&back, &value, sizeof(value)), 0) << text;
    }
  }
}

TEST(NumberTextTest, NoShorterTextReadsBackAsTheSameDouble) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 20000; ++i) {
    const double value = DoubleOfBits(random());
    if (!std::isfinite(value) || std::fabs(value) < 9007199254740992.0) {
      continue;
    }
    size_t digits = 0;
    const std::string text = Number(value);
    for (const char c : text.substr(0, text.find('e'))) {
      digits += std::isdigit(static_cast<unsigned char>(c)) ? 1 : 0;
    }
    if (digits < 2) {
      continue;
    }
    char shorter[64];
    std::snprintf(shorter, sizeof(shorter), "%.*e",
                  static_cast<int>(digits) - 2, value);
    ASSERT_NE(std::strtod(shorter, nullptr), value) << text;
  }
}

TEST(NumberTextTest, LocaleWithDecimalCommaChangesNothing) {
  bool found = false;
  for (const char* name : {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE.utf8"}) {
    found = found || std::setlocale(LC_ALL, name) != nullptr;
  }
  EXPECT_EQ(Number(0.5), "0.5");
  std::setlocale(LC_ALL, "C");
  if (!found) {
    GTEST_SKIP() << "no locale with a decimal comma is installed";
  }
}

}  // namespace
}  // namespace tine::collector
