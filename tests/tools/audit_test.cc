// The audit agrees with the merge where that is right, and with nothing else.

#include "tools/audit.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "collector/collect_loop.h"
#include "common/clock.h"
#include "common/unique_fd.h"
#include "tests/testing/metric_file_builder.h"
#include "tests/testing/test_directory.h"

namespace tine::tools {
namespace {

using format::GaugeMode;
using testing::BuilderHeader;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using testing::MetricFileBuilder;

class AuditTest : public ::testing::Test {
 protected:
  struct Result {
    bool is_exact = false;
    std::string text;
    std::string error;
  };

  Result RunAudit(const std::function<ServedSnapshot()>& serve) const {
    const UniqueFd directory(
        ::open(directory_.path().c_str(), O_RDONLY | O_DIRECTORY));
    const UniqueFd state(
        ::open(directory_.At(".collector").c_str(), O_RDONLY | O_DIRECTORY));
    AuditOptions options;
    options.directory_fd = directory.get();
    options.state_directory_fd = state.get();
    Result result;
    std::ostringstream out;
    result.is_exact = Audit(options, serve, out, &result.error);
    result.text = out.str();
    return result;
  }

  ServedSnapshot Serve() const { return ServeOnce(directory_.path(), ""); }
  Result RunAudit() const {
    return RunAudit([this] { return Serve(); });
  }

  void Fold() const {
    collector::CollectorOptions options;
    options.directory = directory_.path();
    options.folding.may_fold = true;
    collector::Collector(std::move(options)).FoldNow();
  }

  // One of every instrument; what `number` is shows in every value.
  void Fill(MetricFileBuilder* file, uint64_t number) const {
    const auto real = static_cast<double>(number);
    file->AddU64(file->AddSeries(file->AddFamily(testing::CounterFamily(
                                     "u_total", {"a", "app"})),
                                 {"x\n\"", ""}),
                 number << 40);
    file->AddF64(
        file->AddSeries(file->AddFamily(testing::F64CounterFamily("f_total"))),
        0.1 * real);
    file->AddCounter("f_total", number);
    file->AddU64(file->AddSeries(file->AddFamily(
                     testing::UpDownFamily("in_flight", GaugeMode::kLiveSum))),
                 static_cast<uint64_t>(-3));
    file->AddU64(file->AddSeries(file->AddFamily(
                     testing::UpDownFamily("balance", GaugeMode::kSum))),
                 number - 5);
    const std::pair<const char*, GaugeMode> modes[] = {
        {"g_all", GaugeMode::kAll},         {"g_sum", GaugeMode::kSum},
        {"g_min", GaugeMode::kMin},         {"g_max", GaugeMode::kMax},
        {"g_liveall", GaugeMode::kLiveAll}, {"g_livemax", GaugeMode::kLiveMax}};
    for (const auto& [name, mode] : modes) {
      file->SetGauge(
          file->AddSeries(file->AddFamily(testing::GaugeFamily(name, mode))),
          real / 10);
    }
    file->SetRecent(file->AddSeries(file->AddFamily(testing::GaugeFamily(
                        "g_recent", GaugeMode::kMostRecent))),
                    real, number * 7 % 5);
    std::vector<double> bounds = {0.5, 1, real + 2};
    const uint32_t histogram =
        file->AddSeries(file->AddFamily(testing::HistogramFamily("h", bounds)));
    for (uint32_t i = 0; i < 4; ++i) {
      file->AddU64(histogram + i, number + i);
    }
    file->AddF64(histogram + 4, 0.3 * real);
    const uint32_t summary =
        file->AddSeries(file->AddFamily(testing::SummaryFamily("s")));
    file->AddU64(summary, number);
    file->AddF64(summary + 1, 1e-9 * real);
  }

  // An archive, a dead file and two live ones.
  std::vector<MetricFileBuilder> FillDirectory() const {
    for (uint64_t number = 1; number <= 4; ++number) {
      MetricFileBuilder dead(directory_.path());
      Fill(&dead, number);
      if (number == 3) {
        Fold();
      }
    }
    std::vector<MetricFileBuilder> live;
    for (uint64_t number = 5; number <= 6; ++number) {
      BuilderHeader header;
      header.process_labels = {{"zone", number == 5 ? "" : "b"}};
      header.worker_id = std::to_string(number);
      live.emplace_back(directory_.path(), header);
      live.back().HoldLifeLock();
      Fill(&live.back(), number);
    }
    return live;
  }

  testing::TestDirectory directory_;
};

TEST_F(AuditTest, ArchiveAndFilesComeToWhatIsServed) {
  const auto live = FillDirectory();
  const Result result = RunAudit();
  EXPECT_TRUE(result.is_exact) << result.text << result.error;
  EXPECT_THAT(result.text, EndsWith(", all exact\n"));
  EXPECT_THAT(result.text, HasSubstr("u_total{a=\"x\\n\\\"\"}  counter\n"
                                     "  + 6597069766656  archive\n"));
  EXPECT_THAT(result.text,
              HasSubstr("  + 5497558138880  " + live[0].name() + ", live\n"));
  EXPECT_THAT(result.text, HasSubstr("chosen\n"));
  EXPECT_THAT(result.text, HasSubstr(", not counted: a live mode\n"));
}

TEST_F(AuditTest, RemovedGaugesCountForNothingAndTakenCountersOnce) {
  MetricFileBuilder live(directory_.path());
  live.HoldLifeLock();
  const uint32_t gauge = live.AddSeries(
      live.AddFamily(testing::GaugeFamily("g", GaugeMode::kMax, {"l"})), {"x"});
  live.SetGauge(gauge, 7);
  const uint32_t open = live.AddSeries(
      live.AddFamily(testing::UpDownFamily("u", GaugeMode::kSum)));
  live.AddU64(open, 3);
  const uint32_t family =
      live.AddFamily(testing::CounterFamily("c_total", {"l"}));
  const uint32_t counter = live.AddSeries(family, {"x"});
  live.AddU64(counter, 5);
  MetricFileBuilder other(directory_.path());
  other.HoldLifeLock();
  other.AddCounter("c_total", 2, {{"l", "x"}});
  for (const uint32_t cell : {gauge, open, counter}) {
    live.RemoveSeries(cell);
  }
  const auto expect_exact = [&](const char* when, double count) {
    const ServedSnapshot served = Serve();
    EXPECT_EQ(served.series.size(), 1u) << when;
    EXPECT_EQ(served.series.at({"c_total", {{"l", "x"}}}).value, count) << when;
    const Result result = RunAudit();
    EXPECT_TRUE(result.is_exact) << when << result.text << result.error;
  };
  expect_exact("not taken yet", 7);
  Fold();
  expect_exact("taken", 7);
  // What a kept handle counts is nobody's.
  live.AddU64(counter, 100);
  expect_exact("counted after it was taken", 7);
  live.AddU64(live.AddSeries(family, {"x"}), 1);
  expect_exact("added again", 8);
  // The control: without the note it would count twice.
  ServedSnapshot wrong = Serve();
  wrong.series[{"c_total", {{"l", "x"}}}].value += 105;
  EXPECT_FALSE(RunAudit([&] { return wrong; }).is_exact);
}

TEST_F(AuditTest, StatesInfosAndOldGaugesAreSeenAsTheyAre) {
  const auto add_states = [](MetricFileBuilder* file, GaugeMode mode,
                             std::vector<std::string> states, uint64_t bits) {
    testing::BuilderFamily family =
        testing::StateSetFamily("pump", mode, std::move(states));
    family.label_names = {"site"};
    const uint32_t cell = file->AddSeries(file->AddFamily(family), {"a"});
    file->SetU64(cell, bits);
    file->SetU64(cell + 1, 1000 + bits);
  };
  for (int archived = 0; archived < 2; ++archived) {
    MetricFileBuilder older(directory_.path());
    add_states(&older, GaugeMode::kMostRecent, {"off", "on"}, 2);
    MetricFileBuilder newer(directory_.path());
    newer.HoldLifeLock();
    add_states(&newer, GaugeMode::kMostRecent, {"on", "x", "y"}, 4);
    MetricFileBuilder live(directory_.path());
    live.HoldLifeLock();
    testing::BuilderFamily mortal = testing::GaugeFamily("g", GaugeMode::kMax);
    mortal.time_to_live_s = 3600;
    const uint64_t now_ns = NowNs(CLOCK_BOOTTIME);
    const uint32_t young = live.AddSeries(live.AddFamily(mortal));
    live.SetGauge(young, 1);
    live.SetU64(young + 1, now_ns);
    MetricFileBuilder idle(directory_.path());
    const uint32_t old = idle.AddSeries(idle.AddFamily(mortal));
    idle.SetGauge(old, 2);
    idle.SetU64(old + 1, now_ns - uint64_t{7'200'000'000'000});
    testing::BuilderFamily info =
        testing::GaugeFamily("b_info", GaugeMode::kLiveMax, {"v"});
    info.type = format::MetricType::kInfo;
    live.SetGauge(live.AddSeries(live.AddFamily(info), {"1"}), 1);
    idle.SetGauge(idle.AddSeries(idle.AddFamily(info), {"2"}), 1);
    if (archived == 1) {
      Fold();
    }
    const Result result = RunAudit();
    EXPECT_TRUE(result.is_exact) << result.text << result.error;
    EXPECT_THAT(
        result.text,
        HasSubstr("pump{pump=\"y\",site=\"a\"}  state set mostrecent\n"));
    EXPECT_THAT(result.text, HasSubstr("b_info{v=\"1\"}  info livemax\n"));
    const ServedSnapshot served = Serve();
    EXPECT_EQ(served.series.at({"pump", {{"pump", "y"}, {"site", "a"}}}).value,
              1);
    EXPECT_EQ(served.series.at({"pump", {{"pump", "on"}, {"site", "a"}}}).value,
              0);
    EXPECT_EQ(served.series.at({"g", {}}).value, 1);
    EXPECT_EQ(served.series.count({"b_info", {{"v", "2"}}}), 0u);
    if (archived == 0) {
      EXPECT_THAT(result.text, HasSubstr(", not counted: too old\n"));
    }
  }
}

TEST_F(AuditTest, SinceWhenIsPrintedAndAudited) {
  {
    MetricFileBuilder dead(directory_.path());
    dead.set_series_created_wall_ns(1748779201 * uint64_t{1'000'000'000});
    dead.AddCounter("c_total", 1);
  }
  Fold();
  MetricFileBuilder live(directory_.path());
  live.HoldLifeLock();
  live.set_series_created_wall_ns(1748779205 * uint64_t{1'000'000'000});
  live.AddCounter("c_total", 1);
  const Result result = RunAudit();
  EXPECT_TRUE(result.is_exact) << result.text << result.error;
  EXPECT_THAT(
      result.text,
      HasSubstr("  = 2  exact, since 2025-06-01T12:00:01.000000000Z\n"));
  ServedSnapshot wrong = Serve();
  ++wrong.created_wall_ns[{"c_total", {}}];
  const Result seen = RunAudit([&] { return wrong; });
  EXPECT_FALSE(seen.is_exact);
  EXPECT_THAT(seen.text, HasSubstr("DIFFERS: the files have it since 2025"));
}

TEST_F(AuditTest, NothingIsExactToo) {
  const Result result = RunAudit();
  EXPECT_TRUE(result.is_exact);
  EXPECT_EQ(result.text, "audit: 0 series, all exact\n");
}

// ---- The control: a merge with a mistake is seen ----------------------------

TEST_F(AuditTest, EveryServedNumberThatIsWrongIsSeen) {
  const auto live = FillDirectory();
  const ServedSnapshot right = Serve();
  int change_count = 0;
  const auto expect_seen = [&](const AuditKey& key,
                               const std::function<void(AuditValue*)>& change) {
    ++change_count;
    ServedSnapshot wrong = right;
    change(&wrong.series[key]);
    const Result result = RunAudit([&] { return wrong; });
    EXPECT_FALSE(result.is_exact) << key.family;
    EXPECT_THAT(result.text, HasSubstr("DIFFERS")) << key.family;
    EXPECT_THAT(result.text, EndsWith(" differ\n")) << key.family;
  };
  for (const auto& [key, value] : right.series) {
    expect_seen(key, [](AuditValue* v) {
      v->value =
          std::nextafter(v->value, std::numeric_limits<double>::infinity());
    });
    expect_seen(key, [](AuditValue* v) { *v = AuditValue(); });
    if (!value.buckets.empty()) {
      expect_seen(key, [](AuditValue* v) {
        --v->buckets[0];
        ++v->buckets[1];
      });
    }
    if (value.count != 0) {
      expect_seen(key, [](AuditValue* v) { ++v->count; });
    }
  }
  EXPECT_GT(change_count, 30);
}

TEST_F(AuditTest, SeriesThatNoFileHasIsSeen) {
  const auto live = FillDirectory();
  ServedSnapshot wrong = Serve();
  wrong.series[{"invented_total", {}}].is_present = true;
  EXPECT_FALSE(RunAudit([&] { return wrong; }).is_exact);
}

TEST_F(AuditTest, FileThatWasAlteredAfterItWasServedIsSeen) {
  auto live = FillDirectory();
  const ServedSnapshot stale = Serve();
  live[0].AddCounter("f_total", 1);
  const Result result = RunAudit([&] { return stale; });
  EXPECT_FALSE(result.is_exact);
  EXPECT_THAT(result.text, HasSubstr("DIFFERS: the files come to"));
}

TEST_F(AuditTest, FileThatIsLeftOutIsSeen) {
  const auto live = FillDirectory();
  ServedSnapshot wrong = Serve();
  wrong.counted.erase(live[1].name());
  const Result result = RunAudit([&] { return wrong; });
  EXPECT_FALSE(result.is_exact);
  EXPECT_THAT(result.text,
              HasSubstr("DIFFERS: " + live[1].name() + " is not in the sum"));
}

// ---- While everything goes on -----------------------------------------------

TEST_F(AuditTest, CounterThatRisesIsBetweenBeforeAndAfter) {
  auto live = FillDirectory();
  const auto count = [&] { live[0].AddCounter("rising_total", 1); };
  count();
  const Result result = RunAudit([&] {
    count();
    ServedSnapshot served = Serve();
    count();
    return served;
  });
  EXPECT_TRUE(result.is_exact) << result.text;
  EXPECT_THAT(result.text, HasSubstr("  changing\n"));
  EXPECT_THAT(result.text, EndsWith(" exact, 1 changing while looked at\n"));
  // Below what it was before: no excuse.
  const Result fallen = RunAudit([&] {
    ServedSnapshot served = Serve();
    served.series[{"rising_total", {}}].value -= 1;
    count();
    return served;
  });
  EXPECT_FALSE(fallen.is_exact);
}

TEST_F(AuditTest, FoldInBetweenBeginsAnew) {
  const auto live = FillDirectory();
  int attempt_count = 0;
  const Result result = RunAudit([&] {
    if (++attempt_count == 1) {
      Fold();
    }
    return Serve();
  });
  EXPECT_EQ(attempt_count, 2);
  EXPECT_TRUE(result.is_exact) << result.text;
  EXPECT_THAT(result.text, EndsWith(", all exact\n"));
}

TEST_F(AuditTest, ArchiveThatIsReplacedAgainAndAgainIsAnError) {
  const Result result = RunAudit([&] {
    MetricFileBuilder(directory_.path()).AddCounter("c_total", 1);
    Fold();
    return Serve();
  });
  EXPECT_FALSE(result.is_exact);
  EXPECT_THAT(result.error, HasSubstr("the archive was replaced"));
}

// ---- Arithmetic -------------------------------------------------------------

TEST(AuditMergeTest, SumIsRoundedOnce) {
  EXPECT_EQ(ExactlyRoundedSum({}), 0);
  EXPECT_EQ(ExactlyRoundedSum({0.1, 0.2, 0.3, -0.6}),
            2.7755575615628914e-17);  // as Python's math.fsum has it
  EXPECT_EQ(ExactlyRoundedSum({1e100, 1, -1e100}), 1);
  EXPECT_EQ(ExactlyRoundedSum(std::vector<double>(10, 0.1)), 1);
  EXPECT_EQ(ExactlyRoundedSum({9007199254740992, 1, 1e-300}), 9007199254740994);
  EXPECT_TRUE(std::isnan(
      ExactlyRoundedSum({std::numeric_limits<double>::infinity(),
                         -std::numeric_limits<double>::infinity()})));
}

}  // namespace
}  // namespace tine::tools
