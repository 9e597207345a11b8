#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>

#include "tests/collector/fold_bench.h"
#include "tests/collector/fold_scenarios.h"
#include "tests/testing/metric_file_builder.h"

namespace tine::collector {
namespace {

using ::testing::IsEmpty;
using testing::ServedNumbers;

ServedNumbers CTotal(double value) { return {{"c_total{}", value}}; }

// Stopped at each of its system calls, while everything is folded.
void ReaderAcrossAFold() {
  for (int points = 0; !::testing::Test::HasFailure();
       points += FoldBench::Stride()) {
    const FoldBench bench;
    SCOPED_TRACE("a fold at stop " + std::to_string(points));
    bench.LeaveCounter("c_total", 1);
    bench.NewFolder()->FoldNow();
    bench.LeaveCounter("c_total", 10);
    if (!FoldBench::HoldAt(
            points, [&] { EXPECT_EQ(bench.ServedOnce(), CTotal(11)); },
            [&] { bench.NewFolder()->FoldNow(); })) {
      return;
    }
  }
}

// A folder stopped at each of its system calls, while another one starts, finds
// one dead file more, and tries to fold.
void SecondFolderAtEachMoment() {
  for (int points = 0; !::testing::Test::HasFailure();
       points += FoldBench::Stride()) {
    const FoldBench bench;
    SCOPED_TRACE("the other one at stop " + std::to_string(points));
    bench.LeaveCounter("c_total", 1);
    const bool is_over = !FoldBench::HoldAt(
        points, [&] { bench.NewFolder()->FoldNow(); },
        [&] {
          bench.LeaveCounter("c_total", 10);
          auto other = bench.NewFolder();
          other->FoldNow();
          EXPECT_EQ(FoldBench::ServedBy(other.get()), CTotal(11));
        });
    if (is_over) {
      return;
    }
    EXPECT_EQ(bench.ServedOnce(), CTotal(11));
    bench.NewFolder()->FoldNow();
    EXPECT_EQ(bench.ServedOnce(), CTotal(11));
    EXPECT_THAT(bench.MetricFiles(), IsEmpty());
  }
}

void TakeOverWithAnOldArchiveInMemory() {
  const FoldBench bench;
  bench.LeaveCounter("c_total", 1);
  auto first = bench.NewFolder();
  first->FoldNow();
  auto second = bench.NewFolder();
  EXPECT_EQ(FoldBench::ServedBy(second.get()), CTotal(1));
  bench.LeaveCounter("c_total", 10);
  first->FoldNow();
  first.reset();
  EXPECT_EQ(FoldBench::ServedBy(second.get()), CTotal(11));
  bench.LeaveCounter("c_total", 100);
  second->FoldNow();
  EXPECT_TRUE(second->statistics().folding.holds_lock);
  EXPECT_EQ(FoldBench::ServedBy(second.get()), CTotal(111));
  EXPECT_EQ(bench.ServedOnce(), CTotal(111));
}

// Somebody removes the lock file under a folder's hand: there can be two.
void LockFileRemoved() {
  const FoldBench bench;
  bench.LeaveCounter("c_total", 1);
  auto first = bench.NewFolder();
  first->FoldNow();
  std::filesystem::remove(bench.StatePath("lock"));
  auto second = bench.NewFolder();
  bench.LeaveCounter("c_total", 10);
  second->FoldNow();
  bench.LeaveCounter("c_total", 100);
  first->FoldNow();
  first->FoldNow();
  EXPECT_FALSE(first->statistics().folding.holds_lock);
  second->FoldNow();
  EXPECT_EQ(FoldBench::ServedBy(first.get()), CTotal(111));
  EXPECT_EQ(FoldBench::ServedBy(second.get()), CTotal(111));
  EXPECT_EQ(bench.ServedOnce(), CTotal(111));
}

// It is back when the folder looks, and the archive is another's.
void ArchiveWrittenByAnother() {
  const FoldBench bench;
  bench.LeaveCounter("c_total", 1);
  auto first = bench.NewFolder();
  first->FoldNow();
  const std::string lock = bench.StatePath("lock");
  std::filesystem::rename(lock, lock + ".away");
  bench.LeaveCounter("c_total", 10);
  bench.NewFolder()->FoldNow();
  std::filesystem::rename(lock + ".away", lock);
  bench.LeaveCounter("c_total", 100);
  first->FoldNow();
  first->FoldNow();
  EXPECT_EQ(FoldBench::ServedBy(first.get()), CTotal(111));
  first.reset();
  EXPECT_EQ(bench.ServedOnce(), CTotal(111));
}

// All of the state is removed, one way or the other, and nothing is new: who
// remembers writes it again.
void StateRemovedUnderAFolder(bool with_directory) {
  const FoldBench bench;
  bench.LeaveCounter("c_total", 1);
  auto collector = bench.NewFolder();
  collector->FoldNow();
  if (with_directory) {
    std::filesystem::remove_all(bench.StatePath(""));
  } else {
    for (const auto& entry :
         std::filesystem::directory_iterator(bench.StatePath(""))) {
      std::filesystem::remove(entry.path());
    }
  }
  collector->FoldNow();
  EXPECT_EQ(FoldBench::ServedBy(collector.get()), CTotal(1));
  collector.reset();
  EXPECT_EQ(bench.ServedOnce(), CTotal(1));
}

void StateFilesRemoved() { StateRemovedUnderAFolder(false); }
void StateDirectoryRemoved() { StateRemovedUnderAFolder(true); }

// One that was kept because it is damaged, and that somebody has taken away to
// look at, comes back.
void KeptFileComesBack() {
  const FoldBench bench;
  std::string path;
  {
    testing::MetricFileBuilder damaged(bench.path(), {}, 16 << 10);
    damaged.AddCounter("c_total", 5);
    damaged.AppendRaw(std::vector<uint8_t>(64, 0x5a));
    path = damaged.path();
  }
  auto collector = bench.NewFolder();
  collector->FoldNow();
  EXPECT_EQ(FoldBench::ServedBy(collector.get()), CTotal(5));
  const std::string away = bench.path() + "/../away";
  std::filesystem::rename(path, away);
  bench.LeaveCounter("c_total", 10);
  collector->FoldNow();
  std::filesystem::rename(away, path);
  EXPECT_EQ(FoldBench::ServedBy(collector.get()), CTotal(15));
  EXPECT_EQ(bench.ServedOnce(), CTotal(15));
}

}  // namespace

std::vector<FoldScenario> FoldPeerScenarios() {
  return {
      {"ReaderAcrossAFold", ReaderAcrossAFold, nullptr},
      {"SecondFolderAtEachMoment", SecondFolderAtEachMoment, nullptr},
      {"TakeOverWithAnOldArchiveInMemory", TakeOverWithAnOldArchiveInMemory,
       nullptr},
      {"LockFileRemoved", LockFileRemoved, nullptr},
      {"ArchiveWrittenByAnother", ArchiveWrittenByAnother, nullptr},
      {"StateFilesRemoved", StateFilesRemoved, nullptr},
      {"StateDirectoryRemoved", StateDirectoryRemoved, nullptr},
      {"KeptFileComesBack", KeptFileComesBack, nullptr},
  };
}

}  // namespace tine::collector
