// State sets, infos, and times to live, as their own process sees them and as
// its file has them.

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <vector>

#include "common/clock.h"
#include "tests/writer/writer_test_base.h"
#include "writer/tine.h"

namespace tine::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

MetricOptions TimeToLive(milliseconds time) {
  MetricOptions options;
  options.time_to_live = time;
  return options;
}

uint64_t CellOf(const std::vector<MetricFileText>& files,
                const std::string& series, size_t cell) {
  return files.at(0).series.at(series).slot0.at(cell);
}

class StateSetTest : public WriterTest {};

TEST_F(StateSetTest, SeveralStatesMayBeTrueAndOneCanBeAlone) {
  Run([this] {
    const StateSet set("s", "s", {"a", "b", "c"}, GaugeMode::kMax);
    EXPECT_TRUE(set.status().ok()) << set.status().message();
    EXPECT_EQ(set.state_count(), 3u);
    EXPECT_EQ(CellOf(Read(), "s", 0), 0u);
    set.Set("a", true);
    set.Set(2, true);
    EXPECT_EQ(CellOf(Read(), "s", 0), 5u);
    set.Set(0, false);
    set.Set(0, false);
    EXPECT_EQ(CellOf(Read(), "s", 0), 4u);
    set.SetOnly("b");
    EXPECT_EQ(CellOf(Read(), "s", 0), 2u);
    EXPECT_FALSE(set.IsTrue(0));
    EXPECT_TRUE(set.IsTrue(set.IndexOf("b")));
    EXPECT_EQ(Read().at(0).series.at("s").slot0.size(), 1u);
    EXPECT_EQ(GetWriterStatus().dropped_observations, 0u);
  });
}

TEST_F(StateSetTest, StateThatThereIsNotIsDroppedAndCounted) {
  Run([this] {
    const StateSet set("s", "s", {"a", "b"}, GaugeMode::kMax);
    set.SetOnly("a");
    set.SetOnly("A");
    set.Set("", true);
    set.Set(2, false);
    set.SetOnly(UINT32_MAX);
    EXPECT_FALSE(set.IsTrue(2));
    EXPECT_FALSE(set.IsTrue(64));
    EXPECT_EQ(CellOf(Read(), "s", 0), 1u);
    EXPECT_EQ(GetWriterStatus().dropped_observations, 4u);
    const StateSet nowhere;
    nowhere.SetOnly(0);
    EXPECT_FALSE(nowhere.IsTrue(0));
  });
}

TEST_F(StateSetTest, SixtyFourStatesFit) {
  Run([this] {
    std::vector<std::string> names;
    for (int i = 0; i < 65; ++i) {
      names.push_back("state" + std::to_string(i));
    }
    std::vector<std::string_view> views(names.begin(), names.end());
    const StateSet refused("r", "r", views, GaugeMode::kSum);
    EXPECT_EQ(refused.status().code(), ErrorCode::kInvalidState);
    views.pop_back();
    const StateSet set("s", "s", views, GaugeMode::kSum);
    EXPECT_TRUE(set.status().ok()) << set.status().message();
    set.Set(63, true);
    EXPECT_EQ(CellOf(Read(), "s", 0), uint64_t{1} << 63);
    set.Set("state0", true);
    EXPECT_EQ(CellOf(Read(), "s", 0), (uint64_t{1} << 63) + 1);
  });
}

TEST_F(StateSetTest, MistakesAreRefusedAndSayWhatTheyAre) {
  Run([] {
    struct {
      Status status;
      ErrorCode code;
      const char* what;
    } const cases[] = {
        {StateSet("s1", "s", {}, GaugeMode::kMax).status(),
         ErrorCode::kInvalidState, "needs 1 to 64 states"},
        {StateSet("s2", "s", {"a", "b", "a"}, GaugeMode::kMax).status(),
         ErrorCode::kInvalidState, "\"a\" of \"s2\" appears twice"},
        {StateSet("s3", "s", {"a", ""}, GaugeMode::kMax).status(),
         ErrorCode::kInvalidState, "\"\" of \"s3\" is refused"},
        {StateSet("s4", "s", {"\xff"}, GaugeMode::kMax).status(),
         ErrorCode::kInvalidState, "must be UTF-8"},
        {StateSet("s5", "s", {"a"}, GaugeMode::kMin).status(),
         ErrorCode::kInvalidMode, "not kMin or kLiveMin"},
        {StateSet("s6", "s", {"a"}, GaugeMode::kNone).status(),
         ErrorCode::kInvalidMode, "mode"},
        {StateSet("a:b", "s", {"a"}, GaugeMode::kMax).status(),
         ErrorCode::kInvalidName, "name of a label"},
        {StateSet("le", "s", {"a"}, GaugeMode::kMax).status(),
         ErrorCode::kInvalidName, "name of a label"},
        {StateSet("pid", "s", {"a"}, GaugeMode::kAll).status(),
         ErrorCode::kInvalidName, "name of a label"},
        {StateSetFamily("s7", "s", {"s7"}, {"a"}, GaugeMode::kMax).status(),
         ErrorCode::kInvalidName, "name of a label"},
        {StateSet("s_seconds", "s", {"a"}, GaugeMode::kMax, {"seconds", {}, 0})
             .status(),
         ErrorCode::kInvalidName, "a state set measures nothing"},
    };
    for (const auto& of : cases) {
      EXPECT_EQ(of.status.code(), of.code) << of.status.message();
      EXPECT_NE(of.status.message().find(of.what), std::string::npos)
          << of.status.message();
    }
    EXPECT_TRUE(StateSet("s8", "s", {"a", "b"}, GaugeMode::kMax).status().ok());
    EXPECT_EQ(StateSet("s8", "s", {"a", "c"}, GaugeMode::kMax).status().code(),
              ErrorCode::kConflict);
  });
}

TEST_F(StateSetTest, ForkedChildHasStatesOfItsOwn) {
  Run([this] {
    const StateSet set("s", "s", {"a", "b"}, GaugeMode::kSum);
    set.SetOnly("a");
    const pid_t child = ::fork();
    if (child == 0) {
      set.Set("b", true);
      ::_exit(set.IsTrue(0) ? 1 : 0);
    }
    int status = -1;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
    const auto files = Read();
    ASSERT_EQ(files.size(), 2u);
    EXPECT_EQ(
        files[0].series.at("s").slot0[0] + files[1].series.at("s").slot0[0],
        3u);
    EXPECT_TRUE(set.IsTrue(0));
    EXPECT_FALSE(set.IsTrue(1));
  });
}

TEST_F(StateSetTest, SetOnlyIsNeverSeenHalfDone) {
  Run([this] {
    const StateSet set("s", "s", {"a", "b", "c"}, GaugeMode::kMax);
    set.SetOnly(0);
    const pid_t child = ::fork();
    if (child == 0) {
      // A file of the child's own; each of its two states alone.
      for (int i = 0; i < 20'000; ++i) {
        set.SetOnly(i % 2 == 0 ? 1 : 2);
      }
      ::_exit(0);
    }
    int status = -1;
    bool is_right = true;
    while (::waitpid(child, &status, WNOHANG) == 0) {
      for (const auto& file : ReadMetricFiles(dir_.path())) {
        const auto it = file.series.find("s");
        const uint64_t cell = it == file.series.end() ? 0 : it->second.slot0[0];
        is_right = is_right && cell <= 4 && (cell & (cell - 1)) == 0;
      }
    }
    EXPECT_TRUE(is_right);
    EXPECT_EQ(status, 0);
  });
}

class InfoTest : public WriterTest {};

TEST_F(InfoTest, IsOneAndSetTakesTheOldOneAway) {
  Run([this] {
    const Info info("build_info", "i", {{"version", "1"}, {"commit", "x"}});
    EXPECT_TRUE(info.status().ok()) << info.status().message();
    double value = 0;
    EXPECT_TRUE(Read().at(0).series.at("build_info{1,x}").GaugeValue(&value));
    EXPECT_EQ(value, 1);
    // By name, in any order.
    EXPECT_TRUE(info.Set({{"commit", "y"}, {"version", "2"}}));
    auto files = Read();
    EXPECT_EQ(files.at(0).series.count("build_info{1,x}"), 0u);
    EXPECT_EQ(files.at(0).removed.count("build_info{1,x}"), 1u);
    EXPECT_TRUE(files.at(0).series.at("build_info{2,y}").GaugeValue(&value));
    EXPECT_EQ(value, 1);
    // The same again is no change.
    EXPECT_TRUE(info.Set({{"version", "2"}, {"commit", "y"}}));
    EXPECT_EQ(Read().at(0).removed_count, 1u);
    EXPECT_TRUE(info.Set({{"version", "1"}, {"commit", "x"}}));
    files = Read();
    EXPECT_EQ(files.at(0).series.size(), 1u);
    EXPECT_EQ(files.at(0).families.at("build_info").mode, GaugeMode::kLiveMax);
  });
}

TEST_F(InfoTest, MistakesChangeNothing) {
  const ChildOutcome outcome = Run([this] {
    EXPECT_EQ(Info("build", "i", {{"a", "b"}}).status().code(),
              ErrorCode::kInvalidName);
    EXPECT_FALSE(Info("build", "i", {{"a", "b"}}).Set({{"a", "c"}}));
    EXPECT_EQ(Info("le_info", "i", {{"le", "b"}}).status().code(),
              ErrorCode::kInvalidLabel);
    const Info info("a_info", "i", {{"a", "1"}});
    EXPECT_FALSE(info.Set({{"b", "1"}}));
    EXPECT_FALSE(info.Set({{"a", "2"}, {"b", "1"}}));
    EXPECT_FALSE(info.Set({}));
    EXPECT_FALSE(info.Set({{"a", "\xff"}}));
    double value = 0;
    EXPECT_TRUE(Read().at(0).series.at("a_info{1}").GaugeValue(&value));
    EXPECT_FALSE(Info().Set({}));
    EXPECT_TRUE(Info().status().ok());
    // Without labels it is a 1 all the same.
    const Info bare("bare_info", "i", {});
    EXPECT_TRUE(bare.status().ok());
    EXPECT_TRUE(Read().at(0).series.at("bare_info").GaugeValue(&value));
  });
  EXPECT_NE(outcome.stderr_text.find("an info's name ends in _info"),
            std::string::npos)
      << outcome.stderr_text;
}

class TimeToLiveTest : public WriterTest {};

TEST_F(TimeToLiveTest, EverySetAndAddStoresTheBootClocksTime) {
  Run([this] {
    const uint64_t before = NowNs(CLOCK_BOOTTIME);
    const Gauge gauge("g", "g", GaugeMode::kSum, TimeToLive(seconds(30)));
    EXPECT_EQ(CellOf(Read(), "g", 1), 0u) << "not set yet";
    gauge.Set(1);
    const uint64_t set_ns = CellOf(Read(), "g", 1);
    EXPECT_GE(set_ns, before);
    EXPECT_LE(set_ns, NowNs(CLOCK_BOOTTIME));
    gauge.Add(2);
    EXPECT_GE(CellOf(Read(), "g", 1), set_ns);
    double value = 0;
    EXPECT_TRUE(gauge.Value(&value));
    EXPECT_EQ(value, 3);
    const Gauge recent("r", "r", GaugeMode::kMostRecent,
                       TimeToLive(milliseconds(1500)));
    recent.Set(1);
    recent.Add(1);  // an error, as without a time to live
    EXPECT_EQ(GetWriterStatus().dropped_observations, 1u);
    EXPECT_GE(CellOf(Read(), "r", 1), uint64_t{1'700'000'000} * 1'000'000'000);
    EXPECT_GE(CellOf(Read(), "r", 2), before);
    EXPECT_LE(CellOf(Read(), "r", 2), NowNs(CLOCK_BOOTTIME));
    const StateSet set("s", "s", {"a"}, GaugeMode::kMax,
                       TimeToLive(seconds(1)));
    set.Set(0, true);
    EXPECT_GE(CellOf(Read(), "s", 1), before);
  });
}

TEST_F(TimeToLiveTest, WhatCannotGrowOldIsRefused) {
  Run([] {
    const MetricOptions options = TimeToLive(seconds(1));
    for (const Status& status :
         {Counter("c_total", "c", options).status(),
          DoubleCounter("d_total", "c", options).status(),
          UpDownCounter("u", "u", GaugeMode::kSum, options).status(),
          Histogram("h", "h", {1}, options).status(),
          Summary("s", "s", options).status(),
          Gauge("g", "g", GaugeMode::kMax, TimeToLive(milliseconds(-1)))
              .status()}) {
      EXPECT_EQ(status.code(), ErrorCode::kInvalidTimeToLive);
      EXPECT_NE(status.message().find("time to live"), std::string::npos)
          << status.message();
    }
    EXPECT_TRUE(Gauge("k", "k", GaugeMode::kMax, options).status().ok());
    EXPECT_EQ(Gauge("k", "k", GaugeMode::kMax).status().code(),
              ErrorCode::kConflict);
  });
}

}  // namespace
}  // namespace tine::testing
