#include "collector/metric_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "tests/testing/metric_file_builder.h"
#include "tests/testing/served_numbers.h"
#include "tests/testing/test_directory.h"

namespace tine::collector {
namespace {

using format::GaugeMode;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::MetricFileBuilder;
using ::testing::Pair;
using testing::ServedNumbers;

class MetricFileTest : public ::testing::Test {
 protected:
  MetricFileTest()
      : builder_(directory_.path()),
        directory_fd_(
            ::open(directory_.path().c_str(), O_RDONLY | O_DIRECTORY)),
        view_(MergedView::Limits()),
        probe_(HostIdentity::OfThisProcess()) {
    context_.view = &view_;
    context_.probe = &probe_;
    builder_.HoldLifeLock();
  }

  std::unique_ptr<MetricFile> Open() { return Open(builder_); }
  std::unique_ptr<MetricFile> Open(const MetricFileBuilder& builder) {
    auto file = std::make_unique<MetricFile>(
        builder.name(), builder.uuid(),
        OpenUntrustedFile(directory_fd_.get(), builder.name().c_str(),
                          context_.max_file_bytes),
        &context_);
    file->Begin();
    return file;
  }
  ServedNumbers Read(MetricFile* file) {
    view_.BeginSums(CellSums(), /*now_wall_ns=*/0);
    file->Read();
    file->AddTo(&view_.sums());
    return testing::NumbersOf(view_.Finish());
  }

  testing::TestDirectory directory_;
  MetricFileBuilder builder_;
  UniqueFd directory_fd_;
  MergedView view_;
  LivenessProbe probe_;
  MetricFileContext context_ = {};
};

using MetricFileDamageTest = MetricFileTest;
using MetricFileDeathTest = MetricFileTest;

TEST_F(MetricFileTest, FollowsNumbersAndNewSeries) {
  const uint32_t cell = builder_.AddCounter("a_total", 1, {{"x", "1"}});
  const auto file = Open();
  EXPECT_THAT(Read(file.get()), ElementsAre(Pair("a_total{x=1}", 1)));
  builder_.AddU64(cell, 4);
  builder_.AddCounter("a_total", 7, {{"x", "2"}});
  EXPECT_THAT(Read(file.get()),
              ElementsAre(Pair("a_total{x=1}", 5), Pair("a_total{x=2}", 7)));
  EXPECT_EQ(file->state(), FileState::kLive);
}

TEST_F(MetricFileTest, GrowsOverManyChunksAndKindsWithoutMixingCellsUp) {
  const uint32_t counter =
      builder_.AddFamily(testing::CounterFamily("c_total", {"x"}));
  const uint32_t histogram =
      builder_.AddFamily(testing::HistogramFamily("h", {1, 2}, {"x"}));
  const uint32_t gauge =
      builder_.AddFamily(testing::GaugeFamily("g", GaugeMode::kMax, {"x"}));
  const auto file = Open();
  ServedNumbers expected;
  for (int i = 0; i < 700; ++i) {
    const std::string x = std::to_string(i);
    builder_.AddU64(builder_.AddSeries(counter, {x}),
                    1000u + static_cast<unsigned>(i));
    expected["c_total{x=" + x + "}"] = 1000 + i;
    if (i % 5 == 0) {
      const uint32_t cell = builder_.AddSeries(histogram, {x});
      builder_.AddU64(cell + 1, 3);
      builder_.AddF64(cell + 3, i);
      expected["h_bucket{x=" + x + "}[1]"] = 0;
      expected["h_bucket{x=" + x + "}[2]"] = 3;
      expected["h_bucket{x=" + x + "}[+Inf]"] = 0;
      expected["h_sum{x=" + x + "}"] = i;
    }
    if (i % 7 == 0) {
      builder_.SetGauge(builder_.AddSeries(gauge, {x}), -i);
      expected["g{x=" + x + "}"] = -i;
    }
    if (i % 150 == 0) {
      EXPECT_EQ(Read(file.get()), expected);
    }
  }
  EXPECT_EQ(Read(file.get()), expected);
}

TEST_F(MetricFileTest, SeriesInAnotherOrderThanTheViewsGoWhereTheyBelong) {
  const auto names = [](int i) {
    return testing::Labels{{"x", std::to_string(i * 7 % 40)}};
  };
  for (int i = 0; i < 40; ++i) {
    builder_.AddCounter("a_total", 1, {{"x", std::to_string(i)}});
  }
  const auto first = Open();
  MetricFileBuilder other(directory_.path());
  other.HoldLifeLock();
  for (int i = 0; i < 40; ++i) {
    other.AddCounter("a_total", static_cast<uint64_t>(i * 7 % 40), names(i));
  }
  MetricFile second(other.name(), other.uuid(),
                    OpenUntrustedFile(directory_fd_.get(), other.name().c_str(),
                                      context_.max_file_bytes),
                    &context_);
  second.Begin();
  view_.BeginSums(CellSums(), /*now_wall_ns=*/0);
  for (MetricFile* file : {first.get(), &second}) {
    file->Read();
    file->AddTo(&view_.sums());
  }
  ServedNumbers expected;
  for (int i = 0; i < 40; ++i) {
    expected["a_total{x=" + std::to_string(i) + "}"] = 1 + i;
  }
  EXPECT_EQ(testing::NumbersOf(view_.Finish()), expected);
}

TEST_F(MetricFileTest, HeaderOfAnotherUuidIsQuarantined) {
  MetricFile file(
      "1.x.tine", FileUuid(),
      OpenUntrustedFile(directory_fd_.get(), builder_.name().c_str(), 1 << 30),
      &context_);
  EXPECT_TRUE(file.is_quarantined());
  EXPECT_EQ(file.problem(), "name_mismatch");
}

TEST_F(MetricFileTest, CellThatIsWrittenBeforeItsSeriesIsPublishedIsNoDamage) {
  const uint32_t family =
      builder_.AddFamily(testing::GaugeFamily("g", GaugeMode::kMax, {"x"}));
  const uint32_t cell = builder_.AddSeries(family, {"1"});
  builder_.AddSeries(family, {"2"});
  builder_.SetGauge(cell + 2, -1);
  const auto file = Open();
  Read(file.get());
  builder_.SetGauge(cell + 2, 5);  // smaller bits than before
  builder_.AddSeries(family, {"3"});
  EXPECT_THAT(Read(file.get()), ElementsAre(Pair("g{x=3}", 5)));
  EXPECT_EQ(file->state(), FileState::kLive);
}

TEST_F(MetricFileDamageTest, CounterThatFallsKeepsAllLastGoodNumbers) {
  const uint32_t a = builder_.AddCounter("a_total", 10);
  const uint32_t b = builder_.AddCounter("b_total", 20);
  const auto file = Open();
  Read(file.get());
  builder_.SetU64(a, 9);
  builder_.SetU64(b, 25);
  EXPECT_THAT(Read(file.get()),
              ElementsAre(Pair("a_total{}", 10), Pair("b_total{}", 20)));
  EXPECT_EQ(file->state(), FileState::kDamaged);
  EXPECT_EQ(file->problem(), "counter_fell");
  builder_.SetU64(a, 30);
  EXPECT_THAT(Read(file.get()),
              ElementsAre(Pair("a_total{}", 10), Pair("b_total{}", 20)));
}

TEST_F(MetricFileDamageTest,
       F64CounterThatFallsOrBecomesNanIsDamageAndASumIsNot) {
  const uint32_t family =
      builder_.AddFamily(testing::F64CounterFamily("a_total"));
  const uint32_t cell = builder_.AddSeries(family);
  const uint32_t histogram =
      builder_.AddSeries(builder_.AddFamily(testing::HistogramFamily("h", {})));
  builder_.AddF64(cell, 10);
  builder_.AddF64(histogram + 1, 5);
  const auto file = Open();
  Read(file.get());
  builder_.AddF64(histogram + 1, -50);  // an observation may be negative
  EXPECT_EQ(Read(file.get()).at("h_sum{}"), -45);
  EXPECT_EQ(file->state(), FileState::kLive);
  builder_.AddF64(cell, std::numeric_limits<double>::quiet_NaN());
  EXPECT_EQ(Read(file.get()).at("a_total{}"), 10);
  EXPECT_EQ(file->problem(), "counter_fell");
}

TEST_F(MetricFileDamageTest, TruncatedFileKeepsItsLastGoodNumbersThroughDeath) {
  builder_.AddCounter("a_total", 10);
  const auto file = Open();
  Read(file.get());
  ASSERT_EQ(::truncate(builder_.path().c_str(), 0), 0);
  EXPECT_THAT(Read(file.get()), ElementsAre(Pair("a_total{}", 10)));
  EXPECT_EQ(file->problem(), "truncated");
  builder_.ReleaseLifeLock();
  EXPECT_TRUE(file->Probe());
  EXPECT_THAT(Read(file.get()), ElementsAre(Pair("a_total{}", 10)));
  EXPECT_TRUE(file->is_final());
  EXPECT_EQ(file->state(), FileState::kDamaged);
}

TEST_F(MetricFileDamageTest, DamagedRecordQuarantinesOnlyWhatComesAfterIt) {
  const uint32_t cell = builder_.AddCounter("a_total", 10);
  builder_.AppendRaw(std::vector<uint8_t>(64, 0xFF));
  builder_.AddCounter("b_total", 1);
  const auto file = Open();
  EXPECT_EQ(file->state(), FileState::kDamaged);
  builder_.AddU64(cell, 1);
  EXPECT_THAT(Read(file.get()), ElementsAre(Pair("a_total{}", 11)));
}

TEST_F(MetricFileDamageTest, FileWithNothingSoundInItIsQuarantined) {
  builder_.AppendRaw(std::vector<uint8_t>(64, 0xFF));
  const auto file = Open();
  EXPECT_EQ(file->state(), FileState::kQuarantined);
  EXPECT_EQ(file->problem(), "record_length");
  EXPECT_EQ(file->problem_offset(), format::kHeaderBytes);
}

TEST_F(MetricFileDeathTest, LiveModesEndWithTheLockAndOthersStay) {
  builder_.AddCounter("a_total", 1);
  builder_.SetGauge(builder_.AddSeries(builder_.AddFamily(
                        testing::GaugeFamily("live", GaugeMode::kLiveSum))),
                    5);
  builder_.SetGauge(builder_.AddSeries(builder_.AddFamily(
                        testing::GaugeFamily("any", GaugeMode::kSum))),
                    6);
  const auto file = Open();
  EXPECT_TRUE(file->source().has_live_mode_series());
  EXPECT_THAT(
      Read(file.get()),
      ElementsAre(Pair("a_total{}", 1), Pair("any{}", 6), Pair("live{}", 5)));
  builder_.ReleaseLifeLock();
  EXPECT_TRUE(file->Probe());
  EXPECT_THAT(Read(file.get()),
              ElementsAre(Pair("a_total{}", 1), Pair("any{}", 6)));
}

TEST_F(MetricFileTest, ClosedFileKeepsItsNumbersAndThenGoesOn) {
  const uint32_t cell = builder_.AddCounter("a_total", 1);
  const auto file = Open();
  Read(file.get());
  const uint64_t records = context_.read_counters.record_count;
  file->Close();
  builder_.AddU64(cell, 1);
  EXPECT_THAT(Read(file.get()), ElementsAre(Pair("a_total{}", 1)));
  EXPECT_TRUE(file->is_closed());
  file->Reopen(UniqueFd(::open(builder_.path().c_str(), O_RDONLY)));
  EXPECT_THAT(Read(file.get()), ElementsAre(Pair("a_total{}", 2)));
  EXPECT_EQ(context_.read_counters.record_count, records);
}

TEST_F(MetricFileDeathTest, VanishedWhileClosedEndsWithItsProcess) {
  testing::BuilderHeader header;
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::_exit(0);
  }
  ASSERT_EQ(::waitpid(pid, nullptr, 0), pid);
  header.pid = static_cast<uint32_t>(pid);
  MetricFileBuilder builder(directory_.path(), header);
  builder.HoldLifeLock();
  builder.AddCounter("a_total", 3);
  const auto file = Open(builder);
  Read(file.get());
  file->Close();
  EXPECT_FALSE(file->Probe());
  EXPECT_EQ(file->liveness(), Liveness::kLive);
  file->set_vanished(true);
  EXPECT_TRUE(file->Probe());
  EXPECT_THAT(Read(file.get()), ElementsAre(Pair("a_total{}", 3)));
  EXPECT_TRUE(file->is_final());
}

TEST_F(MetricFileDeathTest, LastReadTakesEverythingAndIsTheLast) {
  const uint32_t cell = builder_.AddCounter("a_total", 1);
  const auto file = Open();
  Read(file.get());
  builder_.AddU64(cell, 1);
  builder_.AddCounter("b_total", 3);
  builder_.ReleaseLifeLock();
  file->Probe();
  EXPECT_THAT(Read(file.get()),
              ElementsAre(Pair("a_total{}", 2), Pair("b_total{}", 3)));
  EXPECT_TRUE(file->is_final());
  const uint64_t calls_before = context_.read_counters.system_call_count;
  EXPECT_THAT(Read(file.get()),
              ElementsAre(Pair("a_total{}", 2), Pair("b_total{}", 3)));
  EXPECT_EQ(context_.read_counters.system_call_count, calls_before);
}

TEST_F(MetricFileDeathTest,
       SeriesInLiveModesOfAWriterFoundDeadAreNotEvenNoted) {
  builder_.SetGauge(builder_.AddSeries(builder_.AddFamily(
                        testing::GaugeFamily("live", GaugeMode::kLiveAll))),
                    5);
  builder_.ReleaseLifeLock();
  const auto file = Open();
  EXPECT_THAT(Read(file.get()), IsEmpty());
  EXPECT_EQ(view_.series_count(), 0u);
}

// A writer that sets value and timestamp to the same number, value first, as
// fast as it can. The value that is read may then be newer than its timestamp,
// never older.
TEST_F(MetricFileTest, MostRecentValueIsNeverOlderThanItsTimestamp) {
  const uint32_t cell = builder_.AddSeries(builder_.AddFamily(
      testing::GaugeFamily("recent", GaugeMode::kMostRecent)));
  const auto file = Open();
  const pid_t pid = ::fork();
  if (pid == 0) {
    for (uint64_t i = 1;; ++i) {
      builder_.SetRecent(cell, static_cast<double>(i), i);
    }
  }
  uint64_t timestamp = 0;
  for (int i = 0; (i < 3000 || timestamp == 0) && !HasFailure(); ++i) {
    const ServedNumbers numbers = Read(file.get());
    if (numbers.empty()) {
      continue;
    }
    timestamp = file->source().FirstTimestampForTesting();
    EXPECT_GE(numbers.at("recent{}"), static_cast<double>(timestamp));
  }
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
}

}  // namespace
}  // namespace tine::collector
