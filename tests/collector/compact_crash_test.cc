// tine-compact, the program, killed at each of its system calls from the first
// one that matters on: the sum stays right.

#include <gtest/gtest.h>
#include <sys/types.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <string>
#include <system_error>

#include "tests/collector/fold_bench.h"
#include "tests/testing/sanitizers.h"

namespace tine::collector {
namespace {

constexpr char kProgram[] = "tools/tine-compact";

// Has the process the file open?
bool HasOpen(pid_t pid, const std::string& path) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(
           "/proc/" + std::to_string(pid) + "/fd", ignored)) {
    if (std::filesystem::read_symlink(entry.path(), ignored) == path) {
      return true;
    }
  }
  return false;
}

void Compact(const FoldBench& bench) {
  const std::string directory = "--dir=" + bench.path();
  if (std::freopen("/dev/null", "w", stdout) == nullptr) {
    ::_exit(1);
  }
  ::execl(kProgram, kProgram, directory.c_str(), nullptr);
  ::_exit(127);
}

// Before it has the lock it changes nothing: the number of the stop where it
// first has.
int FirstStopWithTheLock() {
  const FoldBench bench;
  bench.LeaveEverything();
  return FoldBench::KillOnce(
      [&](pid_t pid) { return HasOpen(pid, bench.StatePath("lock")); },
      [&] { Compact(bench); });
}

TEST(CompactCrashTest, SumIsRightWhereverTheProgramIsKilled) {
  if (testing::kHasAsan || testing::kHasTsan) {
    GTEST_SKIP() << "a sanitizer's runtime makes too many system calls";
  }
  const int first = FirstStopWithTheLock();
  int points = 0;
  for (bool is_over = false; !is_over && !HasFailure();
       points += FoldBench::Stride()) {
    SCOPED_TRACE("killed at stop " + std::to_string(first + points));
    const FoldBench bench;
    bench.LeaveEverything();
    is_over = !FoldBench::StopAt(
        first + points, [&] { Compact(bench); },
        [&](pid_t) {
          EXPECT_EQ(bench.ServedOnce(), FoldBench::Everything())
              << "for a reader during the fold";
        });
    EXPECT_EQ(bench.ServedOnce(), FoldBench::Everything());
    bench.NewFolder()->FoldNow();
    EXPECT_EQ(bench.ServedOnce(), FoldBench::Everything());
    EXPECT_EQ(bench.MetricFiles().size(), 1u);  // the damaged one
  }
  std::printf("%d stops from stop %d on\n", points, first);
  EXPECT_GT(points, 50);
}

}  // namespace
}  // namespace tine::collector
