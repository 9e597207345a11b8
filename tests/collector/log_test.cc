#include "collector/log.h"

#include <gtest/gtest.h>

#include <regex>
#include <string>

namespace tine::collector {
namespace {

TEST(LogTest, LogfmtLineBeginsWithTimeInUtc) {
  ConfigureLog(LogLevel::kInfo, LogFormat::kLogfmt);
  testing::internal::CaptureStderr();
  LogInfo("started", {{"dir", "/run/tine"}});
  const std::string line = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(std::regex_match(
      line, std::regex("ts=\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z "
                       "level=info msg=started dir=/run/tine\n")))
      << line;
}

TEST(LogTest, JsonLineIsAnObject) {
  ConfigureLog(LogLevel::kInfo, LogFormat::kJson);
  testing::internal::CaptureStderr();
  LogError("failed", {{"error", "{} {0} %v"}});
  const std::string line = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(std::regex_match(
      line, std::regex("\\{\"ts\":\"[0-9TZ:.-]+\",\"level\":\"error\","
                       "\"msg\":\"failed\",\"error\":\"\\{\\} \\{0\\} %v\""
                       "\\}\n")))
      << line;
}

TEST(LogTest, LevelsBelowTheLowestAreSilent) {
  ConfigureLog(LogLevel::kWarn, LogFormat::kLogfmt);
  testing::internal::CaptureStderr();
  LogDebug("no");
  LogInfo("no");
  LogWarn("yes");
  const std::string lines = testing::internal::GetCapturedStderr();
  EXPECT_EQ(lines.find("no"), std::string::npos);
  EXPECT_NE(lines.find("msg=yes"), std::string::npos);
}

}  // namespace
}  // namespace tine::collector
