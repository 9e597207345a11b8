#include <pthread.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <string>
#include <thread>
#include <vector>

#include "tests/writer/signal_storm.h"
#include "tests/writer/writer_test_base.h"
#include "writer/tine.h"

namespace tine::testing {
namespace {

class SignalTest : public WriterTest {
 protected:
  void ExpectExactUnder(SignalSource source) {
    Run([this, source] {
      SignalStorm storm;
      const StormResult result = storm.Run(source, Scaled(20'000));
      EXPECT_GT(result.handler_calls, 500u);
      EXPECT_EQ(result.u64_value, result.expected_u64());
      EXPECT_EQ(result.f64_value, result.expected_f64());
      EXPECT_EQ(result.summary_count, result.expected_u64());
      EXPECT_EQ(result.step_backs, 0u);
      EXPECT_EQ(SumU64(Read(), "storm_total"), result.expected_u64());
    });
  }
};

TEST_F(SignalTest, NothingIsLostWhenAnotherThreadSendsSignals) {
  TINE_SKIP_UNDER_TSAN("it delivers signals at calls into its runtime only");
  ExpectExactUnder(SignalSource::kPthreadKill);
}

TEST_F(SignalTest, NothingIsLostUnderAnIntervalTimer) {
  TINE_SKIP_UNDER_TSAN("it delivers signals at calls into its runtime only");
  ExpectExactUnder(SignalSource::kIntervalTimer);
}

TEST_F(SignalTest, NothingIsLostUnderATimerOfTheThread) {
  TINE_SKIP_UNDER_TSAN("it delivers signals at calls into its runtime only");
  ExpectExactUnder(SignalSource::kThreadTimer);
}

Counter g_counter;
Gauge g_gauge;
Histogram g_histogram;

void Install(void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  ::sigaction(SIGUSR1, &action, nullptr);
}

TEST_F(SignalTest, HandlerMayBeTheFirstToTouchASeriesInItsThread) {
  Run([this] {
    g_counter = Counter("c_total", "c");
    g_gauge = Gauge("g", "g", GaugeMode::kMax);
    g_histogram = Histogram("h", "h", {1});
    Install([](int) {
      g_counter.Increment();
      g_gauge.Set(4);
      g_histogram.Observe(1);
    });
    ::raise(SIGUSR1);
    std::thread([] { ::raise(SIGUSR1); }).join();
    const auto files = Read();
    EXPECT_EQ(SumU64(files, "c_total"), 2u);
    EXPECT_EQ(SumU64(files, "h", 0), 2u);
    double value = 0;
    EXPECT_TRUE(files.at(0).series.at("g").GaugeValue(&value));
    EXPECT_EQ(value, 4);
  });
}

// The handler makes the file, in a process that only inherited its handles.
TEST_F(SignalTest, HandlerMayBeTheFirstToCountInAForkedChild) {
  Run([this] {
    g_counter = Counter("c_total", "c");
    g_counter.Increment();
    Install([](int) { g_counter.Increment(); });
    const pid_t pid = StartChild([] { ::raise(SIGUSR1); });
    EXPECT_TRUE(IsSuccess(WaitFor(pid)));
    EXPECT_EQ(SumU64(Read(), "c_total"), 2u);
    EXPECT_EQ(NamesIn(dir_.path()).size(), 2u);
  });
}

TEST_F(SignalTest, HandlersCountExactlyWhileTheirThreadMakesSeries) {
  constexpr int kSeries = Scaled(4000);
  static std::atomic<uint64_t> calls{0};
  Run([this] {
    g_counter = Counter("c_total", "c");
    const CounterFamily family("d_total", "d", {"l"});
    Install([](int) {
      g_counter.Increment();
      ++calls;
    });
    std::atomic<bool> is_over{false};
    const pthread_t self = ::pthread_self();
    std::thread sender([&] {
      while (!is_over) {
        ::pthread_kill(self, SIGUSR1);
      }
    });
    for (int i = 0; i < kSeries; ++i) {
      family.WithLabels(std::to_string(i)).Increment();
      g_counter.Increment();
    }
    is_over = true;
    sender.join();
    const auto files = Read();
    EXPECT_EQ(SumU64(files, "c_total"), calls + kSeries);
    EXPECT_EQ(files.at(0).series.size(), kSeries + 1u);
  });
}

TEST_F(SignalTest, CountingLeavesErrnoAndTheSignalMaskAlone) {
  ::setenv("TINE_LOG", "off", 1);
  Run([] {
    const Counter counter("c_total", "c");
    const CounterFamily family("d_total", "d", {"l"});
    sigset_t before;
    sigset_t after;
    ::sigemptyset(&before);
    ::sigaddset(&before, SIGUSR2);
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    std::thread([&] {
      errno = 12345;
      counter.Increment();
      EXPECT_EQ(errno, 12345);
      family.WithLabels("x").Increment();
      family.WithLabels("too", "many").Increment();
      EXPECT_EQ(errno, 12345);
      ::pthread_sigmask(SIG_SETMASK, nullptr, &after);
      for (int number = 1; number < SIGRTMIN; ++number) {
        EXPECT_EQ(::sigismember(&after, number), number == SIGUSR2) << number;
      }
    }).join();
  });
}

TEST_F(SignalTest, FailureToMakeAFileLeavesErrnoAlone) {
  ::setenv("TINE_DIR", "/nowhere/at/all", 1);
  Run([] {
    const CounterFamily family("d_total", "d", {"l"});
    errno = 12345;
    ::close(STDERR_FILENO);
    family.WithLabels("x").Increment();
    family.WithLabels("too", "many").Increment();
    EXPECT_EQ(errno, 12345);
  });
}

}  // namespace
}  // namespace tine::testing
