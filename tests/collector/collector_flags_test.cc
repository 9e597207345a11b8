#include "collector/collector_flags.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace tine::collector {
namespace {

class CollectorFlagsTest : public testing::Test {
 protected:
  // The exit code, or nothing when the program is to run.
  std::optional<ExitCode> Parse(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "tine-collector");
    flags_ = CollectorFlags();
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const std::optional<ExitCode> code = ParseCollectorFlags(
        static_cast<int>(arguments.size()), arguments.data(), &flags_);
    stdout_ = testing::internal::GetCapturedStdout();
    stderr_ = testing::internal::GetCapturedStderr();
    return code;
  }
  std::string Addresses() const {
    std::string text;
    for (const ListenAddress& address : flags_.listen_addresses) {
      text += FormatListenAddress(address) + " ";
    }
    return text;
  }

  CollectorFlags flags_;
  std::string stdout_;
  std::string stderr_;
};

TEST_F(CollectorFlagsTest, Defaults) {
  EXPECT_EQ(Parse({}), std::nullopt);
  EXPECT_EQ(flags_.directory, "");
  EXPECT_EQ(Addresses(), "127.0.0.1:9974 ");
  EXPECT_EQ(flags_.telemetry_path, "/metrics");
  EXPECT_FALSE(flags_.once);
  EXPECT_EQ(flags_.output, "");
  EXPECT_EQ(flags_.archive_ttl_s, 30u * 24 * 3600);
  EXPECT_EQ(flags_.archive_gauge_ttl_s, 3600u);
  EXPECT_EQ(flags_.birth_at_zero_ms, 0u);
  EXPECT_EQ(flags_.log_level, LogLevel::kInfo);
  EXPECT_EQ(flags_.log_format, LogFormat::kLogfmt);
  EXPECT_TRUE(flags_.series_filter.Matches("anything"));
  EXPECT_EQ(stdout_ + stderr_, "");
}

TEST_F(CollectorFlagsTest, EveryFlag) {
  EXPECT_EQ(
      Parse({"--dir=/d", "--web.listen-address=:1", "--web.listen-address",
             "[::1]:2", "--once", "--output=/o", "--web.telemetry-path=/m",
             "--series.include=[a-z],b", "--series.include=c",
             "--series.exclude=d", "--log.level=debug", "--log.format=json"}),
      std::nullopt)
      << stderr_;
  EXPECT_EQ(flags_.directory, "/d");
  EXPECT_EQ(Addresses(), ":1 [::1]:2 ");
  EXPECT_TRUE(flags_.once);
  EXPECT_EQ(flags_.output, "/o");
  EXPECT_EQ(flags_.telemetry_path, "/m");
  // A comma is part of a pattern.
  EXPECT_TRUE(flags_.series_filter.Matches("x,b"));
  EXPECT_TRUE(flags_.series_filter.Matches("c"));
  EXPECT_FALSE(flags_.series_filter.Matches("x"));
  EXPECT_FALSE(flags_.series_filter.Matches("d"));
  EXPECT_EQ(flags_.log_level, LogLevel::kDebug);
  EXPECT_EQ(flags_.log_format, LogFormat::kJson);
}

TEST_F(CollectorFlagsTest, DurationsOfTheArchiveAndOfBirths) {
  EXPECT_EQ(Parse({"--archive.ttl=1w", "--archive.gauge-ttl=1h30m",
                   "--series.birth-at-zero=500ms"}),
            std::nullopt)
      << stderr_;
  EXPECT_EQ(flags_.archive_ttl_s, 7u * 24 * 3600);
  EXPECT_EQ(flags_.archive_gauge_ttl_s, 5400u);
  EXPECT_EQ(flags_.birth_at_zero_ms, 500u);
  // 0 is for ever; what is less than a second is not.
  EXPECT_EQ(Parse({"--archive.ttl=0", "--archive.gauge-ttl=1ms"}),
            std::nullopt);
  EXPECT_EQ(flags_.archive_ttl_s, 0u);
  EXPECT_EQ(flags_.archive_gauge_ttl_s, 1u);
}

TEST_F(CollectorFlagsTest, MistakeIsOneLineThatNamesIt) {
  const std::vector<std::pair<std::vector<const char*>, std::string>> mistakes =
      {{{"--nonsense"}, "--nonsense"},
       {{"stray"}, "stray"},
       {{"two\nlines"}, "two lines"},
       {{"--dir"}, "--dir"},
       {{"--dir=/a", "--dir=/b"}, "--dir"},
       {{"--once=perhaps"}, "perhaps"},
       {{"--output=f"}, "--output requires --once"},
       {{"--web.listen-address=9974"}, "listen address \"9974\""},
       {{"--web.listen-address", ":1", ":2"}, ":2"},
       {{"--web.telemetry-path=metrics"}, "--web.telemetry-path=\"metrics\""},
       {{"--web.config.file=x"}, "--web.config.file"},
       {{"--archive.ttl=30"}, "--archive.ttl=\"30\": not a duration"},
       {{"--archive.gauge-ttl=1h1d"}, "--archive.gauge-ttl=\"1h1d\": not a"},
       {{"--archive.ttl="}, "--archive.ttl"},
       {{"--series.birth-at-zero=1x"}, "--series.birth-at-zero=\"1x\": not a"},
       {{"--series.birth-at-zero=8w"}, "--series.birth-at-zero=\"8w\": too"},
       {{"--series.birth-at-zero=1m", "--once"}, "excludes"},
       {{"--once", "--archive.ttl=1d"}, "excludes"},
       {{"--series.include=("}, "--series.include=\"(\": missing )"},
       {{"--series.exclude=["}, "--series.exclude=\"[\": missing ]"},
       {{"--log.level=loud"}, "--log.level=\"loud\""},
       {{"--log.format=xml"}, "--log.format=\"xml\""}};
  for (const auto& [arguments, part] : mistakes) {
    EXPECT_EQ(Parse(arguments), kExitUsage) << part;
    EXPECT_EQ(stdout_, "");
    EXPECT_NE(stderr_.find(part), std::string::npos) << stderr_;
    EXPECT_EQ(stderr_.rfind("tine-collector: ", 0), 0u) << stderr_;
    EXPECT_EQ(stderr_.find('\n'), stderr_.size() - 1) << stderr_;
  }
}

TEST_F(CollectorFlagsTest, VersionBeginsAsPrometheusProgramsDo) {
  EXPECT_EQ(Parse({"--version"}), kExitSuccess);
  EXPECT_EQ(stdout_.rfind("tine-collector, version 0.1.0\n", 0), 0u) << stdout_;
  EXPECT_EQ(stderr_, "");
}

TEST_F(CollectorFlagsTest, HelpNamesEveryFlagItsDefaultAndTheRest) {
  EXPECT_EQ(Parse({"--help"}), kExitSuccess);
  EXPECT_EQ(stderr_, "");
  for (const char* part : {"--dir=DIRECTORY",
                           "--web.listen-address=ADDRESS",
                           "127.0.0.1:9974",
                           "--web.telemetry-path=PATH",
                           "/metrics",
                           "--once\n",
                           "--output=FILE",
                           "--archive.ttl=DURATION",
                           "30d",
                           "--archive.gauge-ttl=DURATION",
                           "--series.birth-at-zero=DURATION",
                           "--series.include=REGEX",
                           "--series.exclude=REGEX",
                           "--log.level=LEVEL",
                           "--log.format=FORMAT",
                           "--version\n",
                           "-h,--help\n",
                           "TINE_DIR",
                           "SIGTERM",
                           "Exit status:"}) {
    EXPECT_NE(stdout_.find(part), std::string::npos) << part;
  }
}

}  // namespace
}  // namespace tine::collector
