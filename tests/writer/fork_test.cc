#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <string>
#include <thread>

#include "tests/writer/counting_threads.h"
#include "tests/writer/writer_test_base.h"
#include "writer/tine.h"

namespace tine::testing {
namespace {

constexpr int kForks = Scaled(1000);

// Forks `count` children one after the other; all must end well.
void ForkChildren(int count, const std::function<void()>& body) {
  for (int i = 0; i < count; ++i) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      body();
      ::_exit(0);
    }
    ASSERT_GT(pid, 0);
    const int status = WaitFor(pid);
    ASSERT_TRUE(IsSuccess(status)) << EndingText(status);
  }
}

class ForkTest : public WriterTest {};

TEST_F(ForkTest, ThousandChildrenThatNeverCountLeaveNothing) {
  Run([] {
    const Counter counter("c_total", "c");
    counter.Increment(3);
    ForkChildren(kForks, [] {});
  });
  EXPECT_EQ(NamesIn(dir_.path()).size(), 1u);
  EXPECT_EQ(SumU64(Read(), "c_total"), 3u);
}

TEST_F(ForkTest, ThousandChildrenThatCountMakeOneFileEachAndTheExactSum) {
  Run([] {
    const Counter counter("c_total", "c");
    const DoubleCounter seconds("s_total", "s");
    counter.Increment(3);
    ForkChildren(kForks, [&] {
      counter.Increment(2);
      seconds.Increment(0.5);
    });
  });
  const auto files = Read();
  EXPECT_EQ(NamesIn(dir_.path()).size(), kForks + 1u);
  EXPECT_EQ(SumU64(files, "c_total"), 3u + 2u * kForks);
  EXPECT_EQ(SumF64(files, "s_total"), 0.5 * kForks);
}

TEST_F(ForkTest, ForkAndExecLeavesNothing) {
  Run([] {
    const Counter counter("c_total", "c");
    counter.Increment();
    ForkChildren(20, [] { ::execl("/bin/true", "true", nullptr); });
    EXPECT_EQ(::system("exit 0"), 0);
  });
  EXPECT_EQ(NamesIn(dir_.path()).size(), 1u);
}

TEST_F(ForkTest, ParentWithoutFileLeavesTheFileToTheChildThatCounts) {
  Run([] {
    static const CounterFamily family("c_total", "c", {"l"});
    ForkChildren(3, [] { family.WithLabels("x").Increment(); });
  });
  const auto files = Read();
  EXPECT_EQ(files.size(), 3u);
  EXPECT_EQ(SumU64(files, "c_total{x}"), 3u);
}

TEST_F(ForkTest, ChildBringsTheSeriesOfItsChunkAlongAtZero) {
  Run([] {
    const CounterFamily family("c_total", "c", {"l"});
    const Counter x = family.WithLabels("x");
    const Counter y = family.WithLabels("y");
    const Histogram histogram("h", "h", {1, 2});
    const Gauge gauge("g", "g", GaugeMode::kMax);
    x.Increment(5);
    y.Increment(7);
    histogram.Observe(1.5);
    gauge.Set(9);
    ForkChildren(1, [&] { x.Increment(); });
  });
  const auto files = Read();
  ASSERT_EQ(files.size(), 2u);
  const auto& child = files[files[0].series.at("c_total{y}").u64[0] != 0];
  EXPECT_EQ(child.series.at("c_total{x}").u64[0], 1u);
  EXPECT_EQ(child.series.at("c_total{y}").u64[0], 0u);
  EXPECT_EQ(child.series.at("h").u64, (std::vector<uint64_t>{0, 0, 0, 0}));
  double value;
  EXPECT_FALSE(child.series.at("g").GaugeValue(&value)) << value;
}

TEST_F(ForkTest, ChildOfAFamilyWithLongHelpTakesNoMoreThanItNeeds) {
  Run([] {
    const std::string help(60'000, 'h');
    const CounterFamily family("c_total", help, {"l"});
    Counter last;
    for (int i = 0; i < 500; ++i) {
      last = family.WithLabels(std::to_string(i));
    }
    ForkChildren(1, [&] {
      last.Increment();
      EXPECT_EQ(GetWriterStatus().dropped_observations, 0u);
      EXPECT_LT(GetWriterStatus().file_bytes, 256u << 10);
    });
  });
  EXPECT_EQ(SumU64(Read(), "c_total{499}"), 1u);
}

TEST_F(ForkTest, GenerationsOfChildrenEachCountInTheirOwnFile) {
  constexpr int kGenerations = 30;
  Run([] {
    const Counter counter("c_total", "c");
    counter.Increment();
    for (int i = 1; i < kGenerations; ++i) {
      const pid_t pid = ::fork();
      if (pid != 0) {
        ::_exit(IsSuccess(WaitFor(pid)) ? 0 : 1);
      }
      counter.Increment();
    }
  });
  const auto files = Read();
  EXPECT_EQ(files.size(), 1u * kGenerations);
  EXPECT_EQ(SumU64(files, "c_total"), 1u * kGenerations);
}

TEST_F(ForkTest, ValuesReadInAChildAreTheChildsOwn) {
  Run([] {
    const Counter counter("c_total", "c");
    const Gauge gauge("g", "g", GaugeMode::kMax);
    counter.Increment(5);
    gauge.Set(1);
    ForkChildren(1, [&] {
      double value;
      EXPECT_EQ(counter.Value(), 0u);
      EXPECT_FALSE(gauge.Value(&value));
      counter.Increment();
      EXPECT_EQ(counter.Value(), 1u);
    });
    EXPECT_EQ(counter.Value(), 5u);
  });
}

TEST_F(ForkTest, ForkingWhileEightThreadsCountKeepsTheExactSum) {
  constexpr int kChildren = Scaled(100);
  Run([this] {
    const Counter counter("c_total", "c");
    const DoubleCounter seconds("s_total", "s");
    const Histogram histogram("h", "h", {1, 2});
    CountingThreads threads(8, [&] {
      counter.Increment();
      seconds.Increment(0.25);
      histogram.Observe(1.5);
    });
    ForkChildren(kChildren, [&] { counter.Increment(); });
    const uint64_t steps = threads.Stop();
    const auto files = Read();
    EXPECT_EQ(files.size(), kChildren + 1u);
    EXPECT_EQ(SumU64(files, "c_total"), steps + kChildren);
    EXPECT_EQ(SumF64(files, "s_total"), 0.25 * static_cast<double>(steps));
    EXPECT_EQ(SumU64(files, "h", 1), steps);
  });
}

pthread_mutex_t g_host_mutex = PTHREAD_MUTEX_INITIALIZER;

// A host that guards its own state as pthread_atfork(3) recommends, and whose
// threads register metrics while they hold that lock.
TEST_F(ForkTest, HostLocksInForkHandlersDoNotMeetOurs) {
  constexpr int kChildren = Scaled(150);
  Run([this] {
    ::pthread_atfork([] { ::pthread_mutex_lock(&g_host_mutex); },
                     [] { ::pthread_mutex_unlock(&g_host_mutex); },
                     [] { ::pthread_mutex_unlock(&g_host_mutex); });
    static const CounterFamily family("c_total", "c", {"l"});
    std::atomic<int> number{0};
    CountingThreads threads(4, [&] {
      ::pthread_mutex_lock(&g_host_mutex);
      const int n = number.fetch_add(1) % 2000;
      family.WithLabels(std::to_string(n)).Increment();
      const Counter made("m" + std::to_string(n % 50) + "_total", "m");
      made.Increment();
      ::pthread_mutex_unlock(&g_host_mutex);
    });
    ForkChildren(kChildren, [&] { family.WithLabels("0").Increment(); });
    const uint64_t steps = threads.Stop();
    uint64_t sum = 0;
    for (const MetricFileText& file : Read()) {
      for (const auto& [name, cells] : file.series) {
        sum += cells.u64[0];
      }
    }
    EXPECT_EQ(sum, 2 * steps + kChildren);
  });
}

// The library's fork handlers may come before or after the host's; one that
// counts must find the child ready in either case.
TEST_F(ForkTest, HostForkHandlersThatCountCountInTheRightFile) {
  static Counter counter;
  Run([] {
    ::pthread_atfork([] { counter.Increment(); }, [] { counter.Increment(); },
                     [] { counter.Increment(100); });
    counter = Counter("c_total", "c");  // installs the library's handlers
    ::pthread_atfork([] { counter.Increment(); }, [] { counter.Increment(); },
                     [] { counter.Increment(100); });
    ForkChildren(10, [] {});
  });
  const auto files = Read();
  EXPECT_EQ(files.size(), 11u);
  EXPECT_EQ(SumU64(files, "c_total"), 10u * (4 + 200));
}

// A child forked while another thread is in the middle of the very first
// registration can register and count all the same.
TEST_F(ForkTest, ChildForkedDuringTheFirstRegistrationCounts) {
  TINE_SKIP_UNDER_TSAN("it misses the parent's thread in the child");
  constexpr int kRounds = Scaled(100);
  constexpr int kChildren = 3;
  for (int round = 0; round < kRounds; ++round) {
    Run([] {
      std::thread first([] { Counter("c_total", "c").Increment(); });
      ForkChildren(kChildren, [] {
        const Counter counter("c_total", "c");
        EXPECT_TRUE(counter.is_valid()) << counter.status().message();
        counter.Increment();
      });
      first.join();
    });
  }
  EXPECT_EQ(SumU64(Read(), "c_total"), 1u * kRounds * (kChildren + 1));
}

TEST_F(ForkTest, HandlerThatForksWhileItsThreadCountsKeepsTheExactSum) {
  static Counter counter;
  static std::atomic<int> fork_count{0};
  constexpr int kHandlerForks = Scaled(300);
  Run([this] {
    counter = Counter("c_total", "c");
    struct sigaction action {};
    action.sa_handler = [](int) {
      const pid_t pid = ::fork();
      if (pid == 0) {
        counter.Increment(1);
        ::_exit(0);
      }
      fork_count += pid > 0 ? 1 : 0;
      ::waitpid(pid, nullptr, 0);
    };
    ::sigaction(SIGUSR1, &action, nullptr);
    const pthread_t self = ::pthread_self();
    std::thread sender([self] {
      while (fork_count < kHandlerForks) {
        ::pthread_kill(self, SIGUSR1);
        std::this_thread::yield();
      }
    });
    uint64_t adds = 0;
    while (fork_count < kHandlerForks) {
      counter.Increment();
      ++adds;
    }
    sender.join();
    const auto files = Read();
    EXPECT_EQ(files.size(), fork_count + 1u);
    EXPECT_EQ(SumU64(files, "c_total"), adds + fork_count);
  });
}

}  // namespace
}  // namespace tine::testing
