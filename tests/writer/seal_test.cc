// After Seal() the library makes no system call: a filter kills at the first.

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "tests/writer/writer_test_base.h"
#include "writer/tine.h"

namespace tine::testing {
namespace {

// From here on this thread and what it starts may only exit, and make the
// system calls of `allowed`. A second filter takes away from the first.
void ForbidSystemCalls(const std::vector<unsigned>& allowed = {}) {
  std::vector<sock_filter> code = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
  const auto allow = [&code](unsigned number) {
    code.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1));
    code.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  };
  allow(SYS_exit_group);
  for (const unsigned number : allowed) {
    allow(number);
  }
  code.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
  const sock_fprog program{static_cast<uint16_t>(code.size()), code.data()};
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

// `exit_code` by the one system call that is left.
[[noreturn]] void ExitNow(int exit_code) {
  ::syscall(SYS_exit_group, exit_code);
  __builtin_unreachable();
}

class SealTest : public WriterTest {
 protected:
  void SetUp() override {
    WriterTest::SetUp();
    if (kHasAsan || kHasTsan) {
      GTEST_SKIP() << "sanitizers make system calls of their own";
    }
  }
};

TEST_F(SealTest, FilterKillsWhoeverMakesASystemCall) {
  const ChildOutcome outcome = RunInChild([] {
    ForbidSystemCalls();
    ::getppid();
  });
  EXPECT_TRUE(outcome.WasKilledBy(SIGSYS)) << outcome.Description();
}

TEST_F(SealTest, WhatExistsCountsOn) {
  constexpr int kAdds = 10'000;
  Run([this] {
    const Counter counter("c_total", "c");
    const DoubleCounter seconds("s_total", "s");
    const CounterFamily family("d_total", "d", {"l"});
    const Gauge gauge("g", "g", GaugeMode::kMax);
    const Histogram histogram("h", "h", {1});
    family.WithLabels("known");
    const pid_t pid = StartChild([&] {
      EXPECT_TRUE(AfterFork().ok());
      Seal();
      ForbidSystemCalls();
      for (int i = 0; i < kAdds; ++i) {
        counter.Increment();
        seconds.Increment(0.5);
        family.WithLabels("known").Increment();
        histogram.Observe(1);
      }
      gauge.Set(4);
      ExitNow(counter.Value() == kAdds ? 0 : 1);
    });
    EXPECT_TRUE(IsSuccess(WaitFor(pid)));
    const auto files = Read();
    EXPECT_EQ(SumU64(files, "c_total"), 1u * kAdds);
    EXPECT_EQ(SumF64(files, "s_total"), 0.5 * kAdds);
    EXPECT_EQ(SumU64(files, "d_total{known}"), 1u * kAdds);
    EXPECT_EQ(SumU64(files, "h", 0), 1u * kAdds);
  });
}

// New series as long as there is room in memory that is there; then none.
TEST_F(SealTest, NewSeriesMakeNoSystemCall) {
  constexpr int kSeries = 20'000;
  std::vector<std::string> labels;
  for (int i = 0; i < kSeries; ++i) {
    labels.push_back(std::to_string(i));
  }
  Run([&] {
    const CounterFamily family("d_total", "d", {"l"});
    family.WithLabels("known").Increment();
    Seal();
    ForbidSystemCalls();
    for (const std::string& label : labels) {
      family.WithLabels(label).Increment();
    }
    family.WithLabels("known", "wrong").Increment();
    family.WithLabels("\xff").Increment();
    family.WithLabels("known").Increment();
    ExitNow(0);
  });
  const auto files = Read();
  EXPECT_EQ(SumU64(files, "d_total{known}"), 2u);
  uint64_t sum = 0;
  for (const auto& [name, cells] : files.at(0).series) {
    sum += cells.u64[0];
  }
  EXPECT_EQ(sum + files.at(0).dropped_observations, kSeries + 4u);
}

// Registering needs the host's malloc, which has some in store here.
TEST_F(SealTest, NewMetricsMakeNoSystemCall) {
  Run([] {
    const Counter counter("c_total", "c");
    std::vector<std::string> names;
    for (int i = 0; i < 2000; ++i) {
      names.push_back("c" + std::to_string(i) + "_total");
    }
    std::free(std::malloc(100'000));
    Seal();
    ForbidSystemCalls();
    for (const std::string& name : names) {
      const Counter late(name, "c");
      late.Increment();
    }
    counter.Increment();
    ExitNow(0);
  });
  EXPECT_EQ(SumU64(Read(), "c_total"), 1u);
}

// Each thread counts under a filter that leaves it nothing but its end. Half of
// them began, and took their slots, before the seal.
TEST_F(SealTest, ThreadsOldAndNewMakeNoSystemCall) {
  constexpr int kThreads = 8;
  constexpr int kAdds = 1000;
  ::setenv("TINE_MAX_SLOTS", "64", 1);
  Run([] {
    const Counter counter("c_total", "c");
    const CounterFamily family("d_total", "d", {"l"});
    const Histogram histogram("h", "h", {1});
    const Gauge gauge("g", "g", GaugeMode::kMax);
    family.WithLabels("known");
    std::atomic<int> waiting{0};
    std::atomic<bool> is_sealed{false};
    const auto count = [&](bool is_old) {
      if (is_old) {
        counter.Increment();
        ++waiting;
        while (!is_sealed) {
          std::this_thread::yield();
        }
      }
      ForbidSystemCalls({SYS_exit});
      for (int i = 0; i < kAdds; ++i) {
        counter.Increment();
        family.WithLabels("known").Increment();
        family.WithLabels("unknown").Increment();
        histogram.Observe(1);
        gauge.Set(i);
      }
      ::syscall(SYS_exit, 0);  // the C library's way makes many calls
    };
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads / 2; ++i) {
      threads.emplace_back(count, /*is_old=*/true);
    }
    while (waiting != kThreads / 2) {
      std::this_thread::yield();
    }
    Seal();
    is_sealed = true;
    for (int i = 0; i < kThreads / 2; ++i) {
      threads.emplace_back(count, /*is_old=*/false);
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
  });
  const auto files = Read();
  ASSERT_EQ(files.size(), 1u);
  EXPECT_EQ(SumU64(files, "c_total"), 1u * kThreads * kAdds + kThreads / 2);
  EXPECT_EQ(SumU64(files, "d_total{known}"), 1u * kThreads * kAdds);
  EXPECT_EQ(SumU64(files, "h", 0), 1u * kThreads * kAdds);
  EXPECT_EQ(files[0].dropped_observations + SumU64(files, "d_total{unknown}") +
                SumU64(files, "d_total{__overflow__}"),
            1u * kThreads * kAdds);
  // New threads took no slots: theirs is slot 0's. (An old one whose first add
  // met another's has no block of its own either.)
  EXPECT_LE(files[0].blocks.size(), 1u + kThreads / 2);
}

// Strings come from the host's malloc, which has some in store here.
TEST_F(SealTest, StatusAndExitNeedNoMoreThanAWrite) {
  Run(
      [] {
        const Counter counter("c_total", "c");
        counter.Increment();
        std::free(std::malloc(100'000));
        Seal();
        ForbidSystemCalls({SYS_write});
        counter.Increment();
        EXPECT_EQ(GetWriterStatus().files.size(), 1u);
      },
      Ending::kExit);
  const auto files = Read();
  ASSERT_EQ(files.size(), 1u);
  EXPECT_EQ(SumU64(files, "c_total"), 2u);
  EXPECT_EQ(files[0].state, format::FileState::kCleanExit);
}

TEST_F(SealTest, BeforeTheFirstMetricItForbidsTheFile) {
  Run([] {
    Seal();
    ForbidSystemCalls();
    const Counter counter;
    counter.Increment();
    ExitNow(0);
  });
  EXPECT_TRUE(NamesIn(dir_.path()).empty());
}

}  // namespace
}  // namespace tine::testing
