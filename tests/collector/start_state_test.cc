// A collector starts in whatever state a directory is: empty, missing, full of
// what others have left, or robbed of what was there.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "collector/collect_loop.h"
#include "common/record_codec.h"
#include "tests/testing/child_process.h"
#include "tests/testing/metric_file_builder.h"
#include "tests/testing/one_shot_scrape.h"
#include "tests/testing/test_directory.h"
#include "tests/testing/test_effort.h"

namespace tine::collector {
namespace {

using testing::BuilderHeader;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::MetricFileBuilder;
using ::testing::Pair;
using testing::Scrape;
using testing::ScrapeOnce;
using testing::ScrapeResult;
using testing::ServedNumbers;
using testing::WaitUntil;

class StartStateTest : public ::testing::Test {
 protected:
  CollectorOptions Options() const {
    CollectorOptions options;
    options.directory = path_;
    options.folding.may_fold = true;
    options.min_fold_distance_ms = 1;
    options.min_rescan_distance_ms = 1;
    return options;
  }
  std::unique_ptr<Collector> Start(CollectorOptions options) const {
    auto collector = std::make_unique<Collector>(std::move(options));
    collector->Start();
    EXPECT_TRUE(WaitUntil([&] { return collector->is_ready(); }));
    return collector;
  }
  std::unique_ptr<Collector> Start() const { return Start(Options()); }

  // Folds once, and ends without a word, as by SIGKILL.
  void FoldAndDie() const { Collector(Options()).FoldNow(); }

  std::string LeaveCounter(const std::string& directory, uint64_t value,
                           const BuilderHeader& header = {}) const {
    MetricFileBuilder file(directory, header, 16 << 10);
    file.AddCounter("c_total", value);
    return file.path();
  }
  std::string LeaveCounter(uint64_t value) const {
    return LeaveCounter(path_, value);
  }

  std::unique_ptr<MetricFileBuilder> NewLiveCounter(uint64_t value) const {
    auto file = std::make_unique<MetricFileBuilder>(path_);
    file->AddCounter("c_total", value);
    file->HoldLifeLock();
    return file;
  }

  static size_t CountMetricFiles(const std::string& path) {
    size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(path)) {
      count += entry.path().extension() == ".tine" ? 1 : 0;
    }
    return count;
  }

  static uint64_t Resets(const ScrapeResult& result, const char* reason) {
    const auto& resets = result.statistics.folding.resets;
    const auto it = resets.find(reason);
    return it == resets.end() ? 0 : it->second;
  }

  void RemoveMetricFiles() const {
    for (const auto& entry : std::filesystem::directory_iterator(path_)) {
      if (entry.path().extension() == ".tine") {
        std::filesystem::remove(entry.path());
      }
    }
  }

  testing::TestDirectory directory_;
  const std::string path_ = directory_.path();
};

TEST_F(StartStateTest, EmptyDirectoryIsServedAndLeftAlone) {
  const auto collector = Start();
  EXPECT_THAT(Scrape(collector.get()).numbers, IsEmpty());
  EXPECT_EQ(collector->statistics().folding.generation, 0u);
}

TEST_F(StartStateTest, MissingDirectoryIsServedOnceItIsThere) {
  std::filesystem::remove_all(path_);
  const auto collector = Start();
  EXPECT_THAT(Scrape(collector.get()).numbers, IsEmpty());
  std::filesystem::create_directory(path_);
  LeaveCounter(7);
  EXPECT_THAT(Scrape(collector.get()).numbers,
              ElementsAre(Pair("c_total{}", 7)));
  EXPECT_TRUE(WaitUntil([this] { return CountMetricFiles(path_) == 0; }));
  EXPECT_THAT(Scrape(collector.get()).numbers,
              ElementsAre(Pair("c_total{}", 7)));
}

// There is no archive then, and none can come.
TEST_F(StartStateTest, CollectorThatMayNotWriteServesAndSaysThatItCannotFold) {
  if (::geteuid() != 0) {
    GTEST_SKIP() << "needs root, to become another user";
  }
  directory_.SetMode(0755);
  const testing::ChildOutcome outcome = testing::RunInChild([this] {
    constexpr uid_t kNobody = 65'534;
    ASSERT_EQ(::setresuid(kNobody, kNobody, kNobody), 0);
    Collector collector(Options());
    EXPECT_THAT(Scrape(&collector).statistics.folding.problem,
                ::testing::HasSubstr("cannot be made: Permission denied"));
  });
  EXPECT_TRUE(outcome.HasExited(0)) << outcome.Description();
}

TEST_F(StartStateTest, WhatIsNoMetricFileOrOfAnotherVersionStays) {
  const std::string other_name = directory_.At("README");
  std::ofstream(other_name) << "hello";
  std::string other_version;
  {
    MetricFileBuilder file(path_);
    file.AddCounter("c_total", 1);
    file.header()->incompatible_flags = 1;
    SealFileHeader(file.header());
    other_version = file.path();
  }
  LeaveCounter(10);
  const auto collector = Start();
  EXPECT_THAT(Scrape(collector.get()).numbers,
              ElementsAre(Pair("c_total{}", 10)));
  EXPECT_TRUE(WaitUntil([this] { return CountMetricFiles(path_) == 1; }));
  EXPECT_TRUE(std::filesystem::exists(other_version));
  EXPECT_TRUE(std::filesystem::exists(other_name));
}

// In memory it can only be another kernel's: that one may be at work on it.
TEST_F(StartStateTest, FileOfAnotherBootInMemoryIsServedAndNeverFolded) {
  BuilderHeader header;
  header.boot_id[0] = 1;
  LeaveCounter(path_, 3, header);
  LeaveCounter(4);
  const auto collector = Start();
  EXPECT_TRUE(WaitUntil([this] { return CountMetricFiles(path_) == 1; }));
  const ScrapeResult result = Scrape(collector.get());
  EXPECT_THAT(result.numbers, ElementsAre(Pair("c_total{}", 7)));
  EXPECT_EQ(result.statistics.folding.folded_files, 1u);
}

// ---- Very many
// ---------------------------------------------------------------

TEST_F(StartStateTest, ManyLeftoversAreAllServedThenFolded) {
  const int count = testing::Rounds(3'000);
  for (int i = 0; i < count; ++i) {
    LeaveCounter(1);
  }
  const auto collector = Start();
  EXPECT_THAT(Scrape(collector.get()).numbers,
              ElementsAre(Pair("c_total{}", count)));
  EXPECT_TRUE(WaitUntil([this] { return CountMetricFiles(path_) == 0; }));
  const ScrapeResult result = Scrape(collector.get());
  EXPECT_THAT(result.numbers, ElementsAre(Pair("c_total{}", count)));
  EXPECT_EQ(result.statistics.folding.archive_series, 1u);
  // The list of what is folded is for what may still be there.
  LeaveCounter(1);
  EXPECT_TRUE(WaitUntil([&] {
    return collector->statistics().folding.archive_listed_files == 1;
  }));
}

// More than its owner may have: those that are folded make room.
TEST_F(StartStateTest, LeftoversBeyondTheLimitFollowAsOthersAreFolded) {
  const int count = testing::Rounds(500);
  for (int i = 0; i < count; ++i) {
    LeaveCounter(1);
  }
  CollectorOptions options = Options();
  options.owner_limits.max_files_per_uid = 100;
  const auto collector = Start(std::move(options));
  EXPECT_THAT(Scrape(collector.get()).numbers,
              ElementsAre(Pair("c_total{}", count)));
  EXPECT_TRUE(WaitUntil([this] { return CountMetricFiles(path_) == 0; }));
  EXPECT_EQ(ScrapeOnce(path_).numbers, Scrape(collector.get()).numbers);
}

// ---- Robbed
// ------------------------------------------------------------------

TEST_F(StartStateTest, FilesRemovedWhileNobodyRanAreACountedReset) {
  NewLiveCounter(5);
  const auto live = NewLiveCounter(1);
  Start()->Stop();
  std::filesystem::remove(live->path());
  const auto collector = Start();
  EXPECT_TRUE(WaitUntil(
      [&] { return Resets(Scrape(collector.get()), "files_removed") == 1; }));
  EXPECT_THAT(Scrape(collector.get()).numbers,
              ElementsAre(Pair("c_total{}", 5)));
}

TEST_F(StartStateTest, LossIsRememberedOnceByWhoComesLater) {
  const std::string path = LeaveCounter(5);
  const auto live = NewLiveCounter(1);
  FoldAndDie();  // and writes which files are there
  std::filesystem::remove(live->path());
  FoldAndDie();
  LeaveCounter(1);
  FoldAndDie();
  const auto collector = Start();
  EXPECT_TRUE(WaitUntil(
      [&] { return Resets(Scrape(collector.get()), "files_removed") != 0; }));
  EXPECT_EQ(Resets(Scrape(collector.get()), "files_removed"), 1u);
  EXPECT_THAT(Scrape(collector.get()).numbers,
              ElementsAre(Pair("c_total{}", 6)));
}

TEST_F(StartStateTest, FilesRemovedUnderACollectorAreNoReset) {
  const auto live = NewLiveCounter(5);
  LeaveCounter(1);
  auto collector = Start();
  EXPECT_THAT(Scrape(collector.get()).numbers,
              ElementsAre(Pair("c_total{}", 6)));
  RemoveMetricFiles();
  live->ReleaseLifeLock();
  EXPECT_TRUE(WaitUntil([&] {
    return Scrape(collector.get()).statistics.folding.folded_files == 2;
  }));
  collector->Stop();
  collector = Start();
  const ScrapeResult result = Scrape(collector.get());
  EXPECT_THAT(result.numbers, ElementsAre(Pair("c_total{}", 6)));
  EXPECT_EQ(Resets(result, "files_removed"), 0u);
}

TEST_F(StartStateTest, ReaderCountsAnArchiveThatIsAnother) {
  LeaveCounter(5);
  FoldAndDie();
  CollectorOptions options = Options();
  options.folding.may_fold = false;
  Collector reader(std::move(options));
  EXPECT_THAT(Scrape(&reader).numbers, ElementsAre(Pair("c_total{}", 5)));
  std::filesystem::remove_all(directory_.At(".collector"));
  LeaveCounter(2);
  FoldAndDie();
  const ScrapeResult result = Scrape(&reader);
  EXPECT_THAT(result.numbers, ElementsAre(Pair("c_total{}", 2)));
  EXPECT_EQ(Resets(result, "archive_replaced"), 1u);
}

}  // namespace
}  // namespace tine::collector
