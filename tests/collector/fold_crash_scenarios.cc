#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <string>

#include "tests/collector/fold_bench.h"
#include "tests/collector/fold_scenarios.h"
#include "tests/testing/metric_file_builder.h"

namespace tine::collector {
namespace {

using testing::MetricFileBuilder;
using ::testing::SizeIs;
using StateOn = FoldBench::StateOn;

// After whatever has been: right for a reader, for the next folder, and after
// its fold; what is left is the damaged file.
void ExpectEverything(const FoldBench& bench) {
  EXPECT_EQ(bench.ServedOnce(), FoldBench::Everything());
  auto next = bench.NewFolder();
  EXPECT_EQ(FoldBench::ServedBy(next.get()), FoldBench::Everything());
  next->FoldNow();
  EXPECT_EQ(FoldBench::ServedBy(next.get()), FoldBench::Everything());
  EXPECT_THAT(bench.MetricFiles(), SizeIs(1));
  EXPECT_EQ(bench.ServedOnce(), FoldBench::Everything());
}

void KillAtEachStop(StateOn state_on) {
  int points = 0;
  for (bool is_over = false; !is_over && !::testing::Test::HasFailure();
       points += FoldBench::Stride()) {
    const FoldBench bench(state_on);
    SCOPED_TRACE("killed at stop " + std::to_string(points));
    bench.LeaveEverything();
    is_over = !FoldBench::StopAt(
        points, [&] { bench.NewFolder()->FoldNow(); },
        [&](pid_t) {
          EXPECT_EQ(bench.ServedOnce(), FoldBench::Everything())
              << "for a reader during the fold";
        });
    ExpectEverything(bench);
  }
  std::printf("%d stops\n", points);
  EXPECT_GT(points, 100);
}

void KilledAnywhere() { KillAtEachStop(StateOn::kMemory); }

void KilledAnywhereOnADisk() { KillAtEachStop(StateOn::kDisk); }

// The one that comes next is killed too, with another dead file to fold.
void KilledTwice() {
  for (int points = 0; !::testing::Test::HasFailure();
       points += 3 * FoldBench::Stride()) {
    const FoldBench bench;
    SCOPED_TRACE("killed a second time at stop " + std::to_string(points));
    bench.LeaveEverything();
    const std::string archive = bench.StatePath("archive");
    struct stat before;
    ASSERT_EQ(::stat(archive.c_str(), &before), 0);
    FoldBench::KillOnce(
        [&](pid_t) {
          struct stat now;
          return ::stat(archive.c_str(), &now) == 0 &&
                 now.st_ino != before.st_ino;
        },
        [&] { bench.NewFolder()->FoldNow(); });
    bench.LeaveCounter("c_total", 1000);
    auto truth = FoldBench::Everything();
    truth["c_total{}"] += 1000;
    const bool is_over = !FoldBench::StopAt(
        points, [&] { bench.NewFolder()->FoldNow(); }, [](pid_t) {});
    auto next = bench.NewFolder();
    EXPECT_EQ(FoldBench::ServedBy(next.get()), truth);
    next->FoldNow();
    EXPECT_EQ(bench.ServedOnce(), truth);
    if (is_over) {
      return;
    }
  }
}

// Files of two users may have one uuid: the list has one entry for it.
void TwoUsersOneUuid() {
  for (int points = 0; !::testing::Test::HasFailure();
       points += FoldBench::Stride()) {
    const FoldBench bench;
    SCOPED_TRACE("killed at stop " + std::to_string(points));
    testing::BuilderHeader header;
    for (uint32_t user = 1; user <= 2; ++user) {
      header.pid = user;
      MetricFileBuilder file(bench.path(), header, 16 << 10);
      header.uuid = file.uuid();
      file.AddCounter("c_total", user);
      ASSERT_EQ(::chown(file.path().c_str(), 1000 + user, 0), 0);
    }
    const testing::ServedNumbers truth = {{"c_total{}", 3}};
    EXPECT_EQ(bench.ServedOnce(), truth);
    const bool is_over = !FoldBench::StopAt(
        points, [&] { bench.NewFolder()->FoldNow(); },
        [&](pid_t) { EXPECT_EQ(bench.ServedOnce(), truth); });
    EXPECT_EQ(bench.ServedOnce(), truth);
    bench.NewFolder()->FoldNow();
    bench.NewFolder()->FoldNow();
    EXPECT_EQ(bench.ServedOnce(), truth);
    if (is_over) {
      return;
    }
  }
}

std::string WhyNoRoot() {
  return ::geteuid() == 0 ? "" : "only root may give files away";
}

}  // namespace

std::vector<FoldScenario> FoldCrashScenarios() {
  return {
      {"KilledAnywhere", KilledAnywhere, nullptr},
      {"KilledAnywhereOnADisk", KilledAnywhereOnADisk, FoldBench::WhyNoDisk},
      {"KilledTwice", KilledTwice, nullptr},
      {"TwoUsersOneUuid", TwoUsersOneUuid, WhyNoRoot},
  };
}

}  // namespace tine::collector
