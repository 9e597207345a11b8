// Threads whose cancellation is asked for wherever they are in the library,
// where system calls would be cancellation points.

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <atomic>
#include <string_view>

#include "tests/writer/writer_test_base.h"
#include "writer/tine.h"

namespace tine::testing {
namespace {

// What a cancelled thread does; it ends where it wants to and nowhere else.
const Counter* g_counter;
const CounterFamily* g_family;
std::atomic<uint64_t> g_begun;
std::atomic<uint64_t> g_done;

void* CountForEver(void* /*unused*/) {
  while (true) {
    g_begun.fetch_add(1, std::memory_order_relaxed);
    g_counter->Increment();
    g_done.fetch_add(1, std::memory_order_relaxed);
    ::pthread_testcancel();
  }
}

std::atomic<int> g_label;

void* MakeSeriesForEver(void* /*unused*/) {
  while (true) {
    char text[8];
    int number = g_label.fetch_add(1, std::memory_order_relaxed) % 100'000;
    for (int i = 4; i >= 0; --i) {
      text[i] = static_cast<char>('0' + number % 10);
      number /= 10;
    }
    g_begun.fetch_add(1, std::memory_order_relaxed);
    g_family->WithLabels(std::string_view(text, 5)).Increment();
    g_done.fetch_add(1, std::memory_order_relaxed);
    ::pthread_testcancel();
  }
}

class CancelTest : public WriterTest {
 protected:
  void SetUp() override {
    WriterTest::SetUp();
    TINE_SKIP_UNDER_TSAN("it does not support cancellation at every point");
    g_begun = 0;
    g_done = 0;
    g_label = 0;
  }

  static void StartAndCancel(void* (*body)(void*), int spins) {
    const uint64_t before = g_begun;
    pthread_t thread;
    ASSERT_EQ(::pthread_create(&thread, nullptr, body, nullptr), 0);
    while (g_begun == before) {
      ::sched_yield();
    }
    for (volatile int i = 0; i < spins; i = i + 1) {
    }
    ::pthread_cancel(thread);
    void* result = nullptr;
    ASSERT_EQ(::pthread_join(thread, &result), 0);
    EXPECT_EQ(result, PTHREAD_CANCELED);
  }
};

TEST_F(CancelTest, OneDuringAddsLosesNoneAndNoSlot) {
  constexpr int kRounds = Scaled(300);
  Run([this] {
    const Counter counter("c_total", "c");
    g_counter = &counter;
    for (int i = 0; i < kRounds; ++i) {
      StartAndCancel(CountForEver, i % 500);
    }
    const auto files = Read();
    EXPECT_EQ(g_begun, g_done);
    EXPECT_EQ(SumU64(files, "c_total"), g_done);
    // One after the other they all had one slot.
    EXPECT_EQ(files.at(0).blocks.size(), 2u);
  });
}

TEST_F(CancelTest, OneWhileAThreadMakesItsProcesssFileLeavesNoLock) {
  constexpr int kRounds = Scaled(300);
  Run([this] {
    const Counter counter("c_total", "c");
    const CounterFamily family("d_total", "d", {"l"});
    g_counter = &counter;
    for (int i = 0; i < kRounds; ++i) {
      const pid_t pid = StartChild([&] {
        StartAndCancel(CountForEver, i * 37 % 20'000);
        EXPECT_EQ(counter.Value(), g_done);
        family.WithLabels("x").Increment();
        EXPECT_EQ(GetWriterStatus().dropped_series, 0u);
        EXPECT_EQ(GetWriterStatus().dropped_observations, 0u);
      });
      const int status = WaitFor(pid);
      ASSERT_TRUE(IsSuccess(status)) << EndingText(status);
    }
    EXPECT_EQ(SumU64(Read(), "d_total{x}"), 1u * kRounds);
  });
}

TEST_F(CancelTest, OneWhileSeriesAreMadeLeavesNoLock) {
  constexpr int kRounds = Scaled(300);
  Run([this] {
    const CounterFamily family("d_total", "d", {"l"});
    g_family = &family;
    for (int i = 0; i < kRounds; ++i) {
      StartAndCancel(MakeSeriesForEver, i * 37 % 20'000);
    }
    family.WithLabels("last").Increment();
    EXPECT_EQ(GetWriterStatus().dropped_observations, 0u);
    EXPECT_EQ(g_begun, g_done);
    uint64_t sum = 0;
    for (const MetricFileText& file : Read()) {
      for (const auto& [name, cells] : file.series) {
        sum += cells.u64[0];
      }
    }
    EXPECT_EQ(sum, g_done + 1);
  });
}

}  // namespace
}  // namespace tine::testing
