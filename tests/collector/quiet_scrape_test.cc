// What a scrape costs when nothing happens: as many system calls whatever died,
// vanished or was refused before it. Counted by a tracer.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/collector/watch_bench.h"
#include "tests/testing/child_process.h"
#include "tests/testing/sanitizers.h"

namespace tine::collector {
namespace {

// A call that a collector never makes.
constexpr long kMark = SYS_getppid;

#if defined(__x86_64__)

// Counts by number, between the two marks that the child makes; memory
// management left out, which depends on sizes.
std::map<long, int> CountCalls(pid_t child) {
  std::map<long, int> counts;
  int mark_count = 0;
  bool is_entry = true;
  int status = 0;
  ::waitpid(child, &status, 0);  // it stops itself
  ::ptrace(PTRACE_SETOPTIONS, child, nullptr,
           PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
  while (::ptrace(PTRACE_SYSCALL, child, nullptr, nullptr) == 0 &&
         ::waitpid(child, &status, 0) == child && !WIFEXITED(status) &&
         !WIFSIGNALED(status)) {
    if (!WIFSTOPPED(status) || WSTOPSIG(status) != (SIGTRAP | 0x80)) {
      continue;
    }
    user_regs_struct registers = {};
    ::ptrace(PTRACE_GETREGS, child, nullptr, &registers);
    const auto number = static_cast<long>(registers.orig_rax);
    if (is_entry) {
      mark_count += number == kMark ? 1 : 0;
      const std::set<long> memory = {SYS_brk, SYS_mmap, SYS_munmap, SYS_madvise,
                                     SYS_mremap};
      if (mark_count == 1 && number != kMark && memory.count(number) == 0) {
        ++counts[number];
      }
    }
    is_entry = !is_entry;
  }
  EXPECT_EQ(mark_count, 2);
  EXPECT_TRUE(testing::IsSuccess(status));
  return counts;
}

using Files = std::vector<std::unique_ptr<testing::MetricFileBuilder>>;

std::map<long, int> CountCallsOfAQuietScrape(
    const std::function<void(WatchBench*, Files*)>& prepare) {
  const pid_t child = testing::StartChild([&] {
    WatchBench bench(/*has_thread=*/false);
    Files files;
    files.push_back(bench.NewFile("live", 1));
    prepare(&bench, &files);
    bench.Text();
    bench.Text();
    ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    ::raise(SIGSTOP);
    ::syscall(kMark);
    bench.Text();
    ::syscall(kMark);
  });
  return CountCalls(child);
}

TEST(QuietScrapeTest, CostsNoMoreCallsForWhatIsOver) {
  if (testing::kHasTsan || testing::kHasAsan) {
    GTEST_SKIP() << "sanitizers make system calls of their own";
  }
  const std::map<long, int> alone =
      CountCallsOfAQuietScrape([](WatchBench*, Files*) {});
  ASSERT_FALSE(alone.empty());
  const auto dead = CountCallsOfAQuietScrape([](WatchBench* bench, Files*) {
    for (int i = 0; i < 1'000; ++i) {
      bench->NewDeadFile("dead", 1);
    }
  });
  EXPECT_EQ(dead, alone);
  const auto vanished = CountCallsOfAQuietScrape([](WatchBench* bench, Files*) {
    for (int i = 0; i < 200; ++i) {
      const auto file = bench->NewDeadFile("gone", 1);
      bench->Text();
      ::unlink(file->path().c_str());
    }
  });
  EXPECT_EQ(vanished, alone);
  const auto refused = CountCallsOfAQuietScrape([](WatchBench* bench, Files*) {
    for (int i = 0; i < 200; ++i) {
      char name[64];
      std::snprintf(name, sizeof(name), "%d.%032d.tine", i, i);
      std::ofstream(bench->path() + "/" + name) << "rubbish";
    }
  });
  EXPECT_EQ(refused, alone);
  const auto events = CountCallsOfAQuietScrape([](WatchBench* bench, Files*) {
    bench->Text();
    bench->OverflowAround([] {});
  });
  EXPECT_EQ(events, alone);
  // The control: what lives costs.
  const auto living =
      CountCallsOfAQuietScrape([](WatchBench* bench, Files* files) {
        for (int i = 0; i < 10; ++i) {
          files->push_back(bench->NewFile("live", 1));
        }
      });
  EXPECT_GT(living.at(SYS_pread64), alone.at(SYS_pread64));
}

#endif  // defined(__x86_64__)

}  // namespace
}  // namespace tine::collector
