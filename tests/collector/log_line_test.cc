#include "collector/log_line.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <string_view>

namespace tine::collector {
namespace {

std::string Logfmt(LogFields fields) {
  return FormatLogLine(LogFormat::kLogfmt, LogLevel::kInfo, "m", fields);
}

std::string Json(LogFields fields) {
  return FormatLogLine(LogFormat::kJson, LogLevel::kInfo, "m", fields);
}

TEST(LogLineTest, LevelMessageAndFieldsInOrder) {
  const LogFields fields = {{"path", "/run/tine"}, {"count", 3}};
  EXPECT_EQ(
      FormatLogLine(LogFormat::kLogfmt, LogLevel::kWarn, "two words", fields),
      "level=warn msg=\"two words\" path=/run/tine count=3");
  EXPECT_EQ(
      FormatLogLine(LogFormat::kJson, LogLevel::kWarn, "two words", fields),
      "\"level\":\"warn\",\"msg\":\"two words\",\"path\":\"/run/tine\","
      "\"count\":3");
}

TEST(LogLineTest, NumbersAndTruthValuesNeedNoQuotes) {
  const LogFields fields = {
      {"u", UINT64_MAX}, {"i", -1}, {"f", 0.5}, {"b", true}};
  EXPECT_EQ(Logfmt(fields),
            "level=info msg=m u=18446744073709551615 i=-1 f=0.5 b=true");
  EXPECT_EQ(Json(fields),
            "\"level\":\"info\",\"msg\":\"m\",\"u\":18446744073709551615,"
            "\"i\":-1,\"f\":0.5,\"b\":true");
}

TEST(LogLineTest, InfinityIsAStringInJson) {
  EXPECT_EQ(Json({{"f", std::numeric_limits<double>::infinity()}}),
            "\"level\":\"info\",\"msg\":\"m\",\"f\":\"+Inf\"");
}

TEST(LogLineEscapeTest, LineEndInAValueForgesNoLine) {
  const std::string_view hostile = "x\nlevel=error msg=forged";
  EXPECT_EQ(Logfmt({{"file", hostile}}),
            "level=info msg=m file=\"x\\nlevel=error msg=forged\"");
  EXPECT_EQ(Json({{"file", hostile}}),
            "\"level\":\"info\",\"msg\":\"m\","
            "\"file\":\"x\\nlevel=error msg=forged\"");
}

TEST(LogLineEscapeTest, BlankInAValueForgesNoField) {
  EXPECT_EQ(Logfmt({{"file", "a b=c"}}), "level=info msg=m file=\"a b=c\"");
  EXPECT_EQ(Logfmt({{"file", ""}}), "level=info msg=m file=\"\"");
}

TEST(LogLineEscapeTest, QuotesBackslashesAndControlCharacters) {
  const std::string_view text("\"\\\x01\x7f\x00", 5);
  EXPECT_EQ(Logfmt({{"k", text}}),
            "level=info msg=m k=\"\\\"\\\\\\u0001\\u007f\\u0000\"");
}

TEST(LogLineEscapeTest, Utf8StaysAndOtherBytesAreReplaced) {
  EXPECT_EQ(Logfmt({{"k", "grün"}}), "level=info msg=m k=grün");
  EXPECT_EQ(Logfmt({{"k", "a\xff"}}), "level=info msg=m k=\"a\\ufffd\"");
}

TEST(LogLineTest, NamesOfLevelsAndFormatsAreParsed) {
  EXPECT_EQ(ParseLogLevel("debug"), LogLevel::kDebug);
  EXPECT_EQ(ParseLogLevel("error"), LogLevel::kError);
  EXPECT_EQ(ParseLogLevel("Error"), std::nullopt);
  EXPECT_EQ(ParseLogLevel(""), std::nullopt);
  EXPECT_EQ(ParseLogFormat("json"), LogFormat::kJson);
  EXPECT_EQ(ParseLogFormat("text"), std::nullopt);
}

}  // namespace
}  // namespace tine::collector
