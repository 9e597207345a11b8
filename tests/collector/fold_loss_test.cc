// Files and the archive are removed at every kind of moment: what was served
// stays, or its loss is counted; nothing ever counts twice. And a file system
// that is full is made free by folding.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "tests/collector/fold_bench.h"
#include "tests/testing/child_process.h"
#include "tests/testing/metric_file_builder.h"
#include "tests/testing/one_shot_scrape.h"
#include "tests/writer/own_tmpfs.h"

namespace tine::collector {
namespace {

using ::testing::IsEmpty;
using testing::ServedNumbers;

struct Moment {
  const char* name;
  bool is_folded;  // what the dead have left, when it happens
  bool with_state;
  bool is_collector_up;
  // What whoever starts last serves, and how many lost files it counts. (Where
  // everything went while nobody ran, nothing remembers that there was
  // something: what is served begins anew, and nothing can be counted.)
  double served;
  uint64_t lost_files;
};

constexpr Moment kMoments[] = {
    {"FilesBeforeTheFoldUnderACollector", false, false, true, 11, 0},
    {"EverythingBeforeTheFoldUnderACollector", false, true, true, 11, 0},
    {"FilesAfterTheFoldUnderACollector", true, false, true, 11, 0},
    {"EverythingAfterTheFoldUnderACollector", true, true, true, 11, 0},
    {"FilesBeforeTheFoldWithoutACollector", false, false, false, 0, 2},
    {"EverythingBeforeTheFoldWithoutACollector", false, true, false, 0, 0},
    {"FilesAfterTheFoldWithoutACollector", true, false, false, 11, 0},
    {"EverythingAfterTheFoldWithoutACollector", true, true, false, 0, 0},
};

class FoldLossTest : public ::testing::TestWithParam<Moment> {
 protected:
  static ServedNumbers CTotal(double value) {
    return value == 0 ? ServedNumbers() : ServedNumbers{{"c_total{}", value}};
  }

  std::unique_ptr<testing::MetricFileBuilder> NewWriter(uint64_t value) const {
    auto file = std::make_unique<testing::MetricFileBuilder>(bench_.path());
    file->AddCounter("c_total", value);
    file->HoldLifeLock();
    return file;
  }

  void Remove(bool with_state) const {
    for (const auto& entry :
         std::filesystem::directory_iterator(bench_.path())) {
      if (with_state || entry.path().extension() == ".tine") {
        std::filesystem::remove_all(entry.path());
      }
    }
  }

  const FoldBench bench_;
};

TEST_P(FoldLossTest, IsExactOrCounted) {
  const Moment& moment = GetParam();
  auto one = NewWriter(1);
  auto ten = NewWriter(10);
  auto collector = bench_.NewFolder();
  collector->Start();
  EXPECT_EQ(FoldBench::ServedBy(collector.get()), CTotal(11));
  collector->Stop();  // writes which files are there
  if (moment.is_folded) {
    one->ReleaseLifeLock();
    ten->ReleaseLifeLock();
    collector->FoldNow();
    EXPECT_THAT(bench_.MetricFiles(), IsEmpty());
  }
  if (!moment.is_collector_up) {
    collector.reset();
  }
  Remove(moment.with_state);
  one->ReleaseLifeLock();
  ten->ReleaseLifeLock();
  if (collector != nullptr) {
    EXPECT_EQ(FoldBench::ServedBy(collector.get()), CTotal(11));
    collector->FoldNow();
    collector->FoldNow();
    EXPECT_EQ(FoldBench::ServedBy(collector.get()), CTotal(11));
    collector.reset();
  }
  collector = bench_.NewFolder();
  collector->FoldNow();
  const testing::ScrapeResult result = testing::Scrape(collector.get());
  EXPECT_EQ(result.numbers, CTotal(moment.served));
  const auto& resets = result.statistics.folding.resets;
  EXPECT_EQ(resets.count("files_removed") == 0 ? 0 : resets.at("files_removed"),
            moment.lost_files);
  // A writer goes on from there.
  bench_.LeaveCounter("c_total", 100);
  collector->FoldNow();
  EXPECT_EQ(FoldBench::ServedBy(collector.get()), CTotal(moment.served + 100));
  EXPECT_EQ(bench_.ServedOnce(), CTotal(moment.served + 100));
}

INSTANTIATE_TEST_SUITE_P(Removed, FoldLossTest, ::testing::ValuesIn(kMoments),
                         [](const ::testing::TestParamInfo<Moment>& of) {
                           return of.param.name;
                         });

// ---- Full -------------------------------------------------------------------

// Leaves dead files with many series until nothing is free.
double FillWithTheDead(const FoldBench& bench) {
  double sum = 0;
  for (int i = 0; i < 20; ++i) {
    testing::MetricFileBuilder file(bench.path(), {}, 64 << 10);
    const uint32_t family =
        file.AddFamily(testing::CounterFamily("c_total", {"l"}));
    for (int j = 0; j < 100; ++j) {
      file.AddU64(file.AddSeries(family, {std::to_string(j)}), 1);
      ++sum;
    }
  }
  testing::FillUpTo(bench.path(), 0);
  return sum;
}

double Total(const ServedNumbers& numbers) {
  double total = 0;
  for (const auto& [name, value] : numbers) {
    total += value;
  }
  return total;
}

TEST(FullFileSystemTest, IsFoldedWithTheReserve) {
  TINE_SKIP_UNLESS_CAN_MOUNT();
  const testing::ChildOutcome outcome = testing::RunInChild([] {
    const FoldBench bench;
    testing::MountOwnTmpfs(bench.path(), "size=2m,mode=700");
    auto collector = bench.NewFolder();
    double sum = FillWithTheDead(bench);
    testing::FreeFiller(bench.path());
    collector->FoldNow();
    EXPECT_TRUE(collector->statistics().folding.has_reserve);
    for (int round = 0; round < 3; ++round) {
      sum += FillWithTheDead(bench);
      collector->FoldNow();
      EXPECT_THAT(bench.MetricFiles(), IsEmpty());
      EXPECT_EQ(Total(FoldBench::ServedBy(collector.get())), sum);
      EXPECT_EQ(Total(bench.ServedOnce()), sum);
      EXPECT_EQ(collector->statistics().folding.failed_folds, 0u);
      EXPECT_TRUE(collector->statistics().folding.has_reserve);
    }
  });
  EXPECT_TRUE(outcome.HasExited(0)) << outcome.Description();
}

TEST(FullFileSystemTest, WithoutTheReserveNothingIsLostAndItRecovers) {
  TINE_SKIP_UNLESS_CAN_MOUNT();
  const testing::ChildOutcome outcome = testing::RunInChild([] {
    const FoldBench bench;
    testing::MountOwnTmpfs(bench.path(), "size=2m,mode=700");
    auto collector = bench.NewFolder();
    double sum = FillWithTheDead(bench);
    testing::FreeFiller(bench.path());
    collector->FoldNow();
    std::filesystem::remove(bench.StatePath("archive.next"));
    sum += FillWithTheDead(bench);
    collector->FoldNow();
    EXPECT_EQ(collector->statistics().folding.failed_folds, 1u);
    EXPECT_NE(collector->statistics().folding.problem, "");
    EXPECT_EQ(bench.MetricFiles().size(), 20u);
    EXPECT_EQ(Total(FoldBench::ServedBy(collector.get())), sum);
    EXPECT_EQ(Total(bench.ServedOnce()), sum);
    testing::FreeFiller(bench.path());
    collector->FoldNow();
    EXPECT_EQ(collector->statistics().folding.problem, "");
    EXPECT_TRUE(collector->statistics().folding.has_reserve);
    EXPECT_THAT(bench.MetricFiles(), IsEmpty());
    EXPECT_EQ(Total(FoldBench::ServedBy(collector.get())), sum);
    EXPECT_EQ(Total(bench.ServedOnce()), sum);
  });
  EXPECT_TRUE(outcome.HasExited(0)) << outcome.Description();
}

}  // namespace
}  // namespace tine::collector
