#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <iterator>
#include <string>
#include <vector>

#include "common/unique_fd.h"
#include "tests/collector/hostile_directory.h"
#include "tests/collector/hostile_scenarios.h"
#include "tests/testing/test_effort.h"

namespace tine::collector {

using testing::MetricFileBuilder;
using Answer = HostileDirectory::Answer;

namespace {

// Empty files of the attacker's with names that metric files could have.
std::vector<std::string> MakeFlood(HostileDirectory* directory, int count) {
  const AsUser user(kAttackerUid);
  std::vector<std::string> paths;
  for (int i = 0; i < count; ++i) {
    paths.push_back(directory->At(directory->NewName()));
    UniqueFd fd(
        ::open(paths.back().c_str(), O_CREAT | O_WRONLY | O_EXCL, 0644));
  }
  return paths;
}

void Unlink(const std::vector<std::string>& paths) {
  for (const std::string& path : paths) {
    ::unlink(path.c_str());
  }
}

CollectorOptions WithLimits(OwnerLimits limits) {
  CollectorOptions options;
  options.owner_limits = limits;
  return options;
}

uint64_t Quarantined(const Answer& answer) {
  return answer.statistics.files
      .files_by_state[static_cast<size_t>(FileState::kQuarantined)];
}

}  // namespace

void NameFloodLeavesRoomForOthers() {
  OwnerLimits limits;
  limits.max_files = 1'500;
  limits.max_files_per_uid = 1'000;
  HostileDirectory directory(WithLimits(limits));
  directory.ScrapeAndCheckVictims();
  const int count = testing::Rounds(10'000);
  const std::vector<std::string> paths = MakeFlood(&directory, count);
  {
    const AsUser user(kAttackerUid);
    // What is no metric file's name costs a listing and nothing else.
    for (int i = 0; i < 1'000; ++i) {
      const std::string digits = std::to_string(1'000 + i);
      UniqueFd(::open(directory.At(digits + std::string(251, 'x')).c_str(),
                      O_CREAT | O_WRONLY, 0644));
      UniqueFd(::open(
          directory.At(".tine-tmp-" + std::string(28, '0') + digits).c_str(),
          O_CREAT | O_WRONLY, 0644));
    }
  }
  directory.AddVictim();
  Answer answer = directory.ScrapeAndCheckVictims();
  EXPECT_EQ(Quarantined(answer), 1'000u);
  EXPECT_EQ(answer.statistics.files.left_out_files,
            static_cast<uint64_t>(count) - 1'000);
  EXPECT_EQ(answer.statistics.files.temp_files, 1'000u);
  EXPECT_GE(answer.OpenFailures("uid_file_limit"), 1u);
  // A rescan looks once at each name that is left out or refused, and reads
  // nothing.
  const FileSetStatistics before = answer.statistics.files;
  answer = directory.ScrapeAndCheckVictims();
  EXPECT_LE(answer.statistics.files.look_calls - before.look_calls,
            static_cast<uint64_t>(count) + 100);
  EXPECT_EQ(answer.statistics.files.problems, before.problems);
  EXPECT_LE(answer.statistics.files.reads.system_call_count -
                before.reads.system_call_count,
            100u);
  Unlink(paths);
  answer = directory.ScrapeAndCheckVictims();
  EXPECT_EQ(Quarantined(answer), 0u);
  EXPECT_EQ(answer.statistics.files.left_out_files, 0u);
  // There is room again.
  MetricFileBuilder file = directory.NewFile(kAttackerUid);
  file.AddCounter("late_total", 1);
  EXPECT_TRUE(directory.ScrapeAndCheckVictims().Serves("late_total{}"));
}

void NameFloodIsLoggedInAFewLines() {
  HostileDirectory directory;
  std::vector<std::string> paths;
  for (int i = 0; i < 4; ++i) {
    paths = MakeFlood(&directory, 1'000);
    directory.ScrapeAndCheckVictims();
    Unlink(paths);
  }
  // A hundred, and a few that the time has given.
  EXPECT_LE(directory.log().size(), 150u);
  // The neighbour's lines are not lost for it.
  const size_t lines_before = directory.log().size();
  const std::string gone = directory.victims()->back().name();
  ASSERT_EQ(::unlink(directory.At(gone).c_str()), 0);
  const Answer answer = directory.ScrapeAndCheckVictims();
  EXPECT_GE(answer.statistics.files.unlogged_problems, 3'800u);
  ASSERT_EQ(directory.log().size(), lines_before + 1);
  EXPECT_NE(directory.log().back().find(gone), std::string::npos);
}

// A refused file of many records that is closed again and again.
void RefusedFilesAreNotReadAgainAndAgain() {
  CollectorOptions options;
  HostileDirectory directory(options);
  MetricFileBuilder file = directory.NewFile(kAttackerUid, {}, 8 << 20);
  for (uint32_t chunk = 0; chunk < 1'000; ++chunk) {
    file.AddBlock(0, chunk);
  }
  file.AppendRaw(std::vector<uint8_t>(64));
  Answer answer = directory.ScrapeAndCheckVictims();
  ASSERT_EQ(Quarantined(answer), 1u);
  const uint64_t before = answer.statistics.files.reads.record_count;
  constexpr int kCloses = 40;
  for (int i = 0; i < kCloses; ++i) {
    {
      const AsUser user(kAttackerUid);
      UniqueFd(::open(file.path().c_str(), O_RDWR | O_CLOEXEC));
    }
    answer = directory.ScrapeAndCheckVictims();
  }
  // Each scrape lists the directory here, so each may read it once.
  EXPECT_LE(answer.statistics.files.reads.record_count - before,
            uint64_t{kCloses} * 2 * 1'000);
}

void LiveFileFloodLeavesDescriptors() {
  OwnerLimits limits;
  limits.max_open_files = 64;
  HostileDirectory directory(WithLimits(limits));
  std::vector<MetricFileBuilder> files;
  for (int i = 0; i < 200; ++i) {
    files.push_back(directory.NewFile(kAttackerUid));
    files.back().AddCounter("flood_total", 1);
    files.back().HoldLifeLock();
  }
  Answer answer = directory.ScrapeAndCheckVictims();
  EXPECT_EQ(answer.numbers.at("flood_total{}"), 48);
  EXPECT_GE(answer.OpenFailures("descriptor_limit"), 100u);
  for (int i = 0; i < 8; ++i) {
    directory.AddVictim();
    answer = directory.ScrapeAndCheckVictims();
  }
  EXPECT_LE(answer.statistics.files.live_writers, 64u);
  // The dead need none: all are counted in the end.
  for (MetricFileBuilder& file : files) {
    file.ReleaseLifeLock();
  }
  for (int i = 0; i < 10; ++i) {
    answer = directory.ScrapeAndCheckVictims();
  }
  EXPECT_EQ(answer.numbers.at("flood_total{}"), 200);
}

void SeriesFloodLeavesRoomForOthers() {
  CollectorOptions options;
  options.view_limits.max_series = 2'000;
  options.owner_limits.max_series_per_uid = 1'000;
  HostileDirectory directory(options);
  std::vector<MetricFileBuilder> files;
  for (int i = 0; i < 3; ++i) {
    files.push_back(directory.NewFile(kAttackerUid));
    const uint32_t family = files.back().AddFamily(
        testing::CounterFamily("flood_total", {"number"}));
    for (int j = 0; j < 1'000; ++j) {
      files.back().AddU64(
          files.back().AddSeries(family, {std::to_string(i * 1'000 + j)}), 1);
    }
  }
  directory.ScrapeAndCheckVictims();
  for (int i = 0; i < 4; ++i) {
    directory.AddVictim();
  }
  const Answer answer = directory.ScrapeAndCheckVictims();
  EXPECT_EQ(answer.statistics.files.overflowed_series, 2'000u);
  EXPECT_EQ(answer.numbers.at("flood_total{number=__overflow__}"), 2'000);
  const auto first = answer.numbers.lower_bound("flood_total{");
  const auto last = answer.numbers.lower_bound("flood_total|");
  EXPECT_EQ(std::distance(first, last), 1'001);
}

// One series of 64 KiB in each of 500 buckets' lines is 32 MiB of text, from a
// file of 70 KiB.
void TextFloodIsBounded() {
  OwnerLimits limits;
  limits.max_text_bytes_per_uid = 1 << 20;
  HostileDirectory directory(WithLimits(limits));
  std::vector<double> bounds;
  for (int i = 0; i < 500; ++i) {
    bounds.push_back(i);
  }
  std::vector<MetricFileBuilder> files;
  for (const std::vector<double>& own : {bounds, {1.0}}) {
    files.push_back(directory.NewFile(kAttackerUid));
    testing::BuilderFamily family = testing::HistogramFamily(
        own.size() == 1 ? "small" : "large", own, {"label"});
    family.help = std::string(65'536, 'h');
    files.back().AddSeries(files.back().AddFamily(family),
                           {std::string(65'535, 'v')});
  }
  const Answer answer = directory.ScrapeAndCheckVictims();
  EXPECT_LE(answer.text.size(), size_t{1} << 20);
  EXPECT_GE(answer.text.size(), size_t{4} * 65'535);  // the small one
  EXPECT_EQ(answer.statistics.files.overflowed_series, 1u);
}

// A victim's histogram, and the same family with other bounds in every file.
void BoundsFloodIsBounded() {
  HostileDirectory directory;
  MetricFileBuilder victim = directory.NewFile(kVictimUid);
  victim.HoldLifeLock();
  const uint32_t series =
      victim.AddSeries(victim.AddFamily(testing::HistogramFamily("h", {1})));
  victim.AddU64(series, 5);
  directory.ScrapeAndCheckVictims();
  std::vector<MetricFileBuilder> files;
  for (int i = 0; i < 40; ++i) {
    std::vector<double> bounds;
    for (int j = 0; j < 500; ++j) {
      bounds.push_back(i % 2 == 0 ? 2 + i * 500 + j : j + i * 0.001);
    }
    files.push_back(directory.NewFile(kAttackerUid));
    files.back().AddSeries(
        files.back().AddFamily(testing::HistogramFamily("h", bounds)));
  }
  Answer answer = directory.ScrapeAndCheckVictims();
  EXPECT_EQ(answer.numbers.at("h_bucket{}[1]"), 5);
  EXPECT_LE(answer.numbers.size(), 600u);
  EXPECT_GE(answer.statistics.refused_families, 35u);
  // The victim's next version, with bounds of its own.
  MetricFileBuilder next = directory.NewFile(kVictimUid);
  next.HoldLifeLock();
  next.AddU64(next.AddSeries(
                  next.AddFamily(testing::HistogramFamily("h", {-5, -4, -3}))),
              7);
  answer = directory.ScrapeAndCheckVictims();
  EXPECT_EQ(answer.numbers.at("h_bucket{}[-5]"), 7);
}

// Help texts and label names, which are kept as they come.
void OpinionFloodLeavesRoomForOthers() {
  HostileDirectory directory;
  std::vector<MetricFileBuilder> files;
  for (int i = 0; i < 100; ++i) {
    files.push_back(directory.NewFile(kAttackerUid));
    testing::BuilderFamily family =
        testing::CounterFamily("shared_total", {"l" + std::to_string(i)});
    family.help = std::to_string(i);
    files.back().AddSeries(files.back().AddFamily(family), {"x"});
  }
  directory.ScrapeAndCheckVictims();
  MetricFileBuilder victim = directory.NewFile(kVictimUid);
  testing::BuilderFamily family =
      testing::CounterFamily("shared_total", {"mine"});
  family.help = "The truth.";
  victim.AddU64(victim.AddSeries(victim.AddFamily(family), {"x"}), 5);
  const Answer answer = directory.ScrapeAndCheckVictims();
  EXPECT_TRUE(answer.Serves("shared_total{mine=x}"));
}

void FamilyFloodLeavesRoomForOthers() {
  CollectorOptions options;
  options.view_limits.max_families = 200;
  options.owner_limits.max_families_per_uid = 100;
  HostileDirectory directory(options);
  MetricFileBuilder file = directory.NewFile(kAttackerUid);
  for (int i = 0; i < 400; ++i) {
    file.AddCounter("flood_" + std::to_string(i) + "_total", 1);
  }
  directory.ScrapeAndCheckVictims();
  directory.AddVictim();
  const Answer answer = directory.ScrapeAndCheckVictims();
  EXPECT_EQ(answer.statistics.refused_families, 300u);
}

}  // namespace tine::collector
