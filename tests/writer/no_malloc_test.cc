// Counting and looking up never call malloc: here it ends the process.

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "tests/writer/writer_test_base.h"
#include "writer/tine.h"

namespace tine::testing {
namespace {

// Who may not allocate.
std::atomic<bool> g_is_forbidden{false};

}  // namespace
}  // namespace tine::testing

#if !TINE_HAS_ASAN && !TINE_HAS_TSAN

namespace {

void EndIfForbidden() {
  if (tine::testing::g_is_forbidden.load(std::memory_order_relaxed)) {
    constexpr char kText[] = "malloc was called\n";
    const ssize_t ignored = ::write(STDERR_FILENO, kText, sizeof(kText) - 1);
    static_cast<void>(ignored);
    ::_exit(97);
  }
}

}  // namespace

// glibc's own, beneath the names that a program may replace.
extern "C" {
void* __libc_malloc(size_t size);                // NOLINT
void* __libc_calloc(size_t count, size_t size);  // NOLINT
void* __libc_realloc(void* old, size_t size);    // NOLINT
void __libc_free(void* memory);                  // NOLINT

void* malloc(size_t size) {
  EndIfForbidden();
  return __libc_malloc(size);
}
void* calloc(size_t count, size_t size) {
  EndIfForbidden();
  return __libc_calloc(count, size);
}
void* realloc(void* old, size_t size) {
  EndIfForbidden();
  return __libc_realloc(old, size);
}
void free(void* memory) {
  if (memory != nullptr) {
    EndIfForbidden();
  }
  __libc_free(memory);
}
}

#endif

namespace tine::testing {
namespace {

class NoMallocTest : public WriterTest {
 protected:
  void SetUp() override {
    WriterTest::SetUp();
    if (kHasAsan || kHasTsan) {
      GTEST_SKIP() << "the sanitizer has its own malloc";
    }
    for (int i = 0; i < kSeries; ++i) {
      labels_.push_back(std::to_string(i));
    }
  }
  void TearDown() override { g_is_forbidden = false; }

  static constexpr int kSeries = 3000;
  std::vector<std::string> labels_;
};

TEST_F(NoMallocTest, CallOfItEndsTheProcess) {
  const ChildOutcome outcome = RunInChild([] {
    g_is_forbidden = true;
    std::free(std::malloc(1));
  });
  EXPECT_TRUE(outcome.HasExited(97)) << outcome.Description();
}

TEST_F(NoMallocTest, CountingAndLookingUpDoNotCallIt) {
  Run([this] {
    const Counter counter("c_total", "c");
    const DoubleCounter seconds("s_total", "s");
    const Gauge gauge("g", "g", GaugeMode::kMax);
    const Histogram histogram("h", "h", {1, 2});
    const CounterFamily family("d_total", "d", {"l"});
    const DoubleCounterFamily seconds_by_label("e_total", "e", {"l"});
    seconds_by_label.WithLabels("a").Increment(1);
    std::atomic<bool> is_thread_ready{false};
    std::atomic<int> running{1};
    // Also in a thread that counts for the first time.
    std::thread thread([&] {
      is_thread_ready = true;
      while (!g_is_forbidden) {
        std::this_thread::yield();
      }
      counter.Increment();
      family.WithLabels("thread").Increment();
      --running;
      while (g_is_forbidden) {
        std::this_thread::yield();
      }
    });
    while (!is_thread_ready) {
      std::this_thread::yield();
    }
    g_is_forbidden = true;
    counter.Increment();
    seconds.Increment(0.5);
    gauge.Set(3);
    histogram.Observe(1.5);
    for (const std::string& label : labels_) {
      family.WithLabels(label).Increment();
      family.With({{"l", label}}).Increment();
    }
    family.WithLabels("gone").Increment();
    EXPECT_TRUE(family.Remove("gone"));
    EXPECT_FALSE(family.Remove({{"l", "gone"}}));
    EXPECT_TRUE(seconds_by_label.Clear());
    family.WithLabels("\xff").Increment();
    family.WithLabels("too", "many").Increment();
    family.With({{"wrong", "x"}}).Increment();
    while (running != 0) {
      std::this_thread::yield();
    }
    g_is_forbidden = false;
    thread.join();
  });
  const auto files = Read();
  EXPECT_EQ(SumU64(files, "c_total"), 2u);
  EXPECT_EQ(SumU64(files, "d_total{thread}"), 1u);
  EXPECT_EQ(SumU64(files, "d_total{2999}"), 2u);
}

Counter g_counter;
const CounterFamily* g_family;

TEST_F(NoMallocTest, HandlersAndForkedChildrenDoNotCallIt) {
  Run([] {
    const CounterFamily family("d_total", "d", {"l"});
    g_family = &family;
    g_counter = Counter("c_total", "c");
    struct sigaction action {};
    action.sa_handler = [](int) {
      g_counter.Increment();
      g_family->WithLabels("handler").Increment();
    };
    ::sigaction(SIGUSR1, &action, nullptr);
    for (const auto fork_method : {::fork, ::_Fork}) {
      const pid_t pid = fork_method();
      if (pid == 0) {
        g_is_forbidden = true;
        ::raise(SIGUSR1);
        g_counter.Increment();
        family.WithLabels("child").Increment();
        ::_exit(0);
      }
      const int status = WaitFor(pid);
      EXPECT_TRUE(IsSuccess(status)) << EndingText(status);
    }
    ::raise(SIGUSR1);
  });
  const auto files = Read();
  EXPECT_EQ(files.size(), 3u);
  EXPECT_EQ(SumU64(files, "c_total"), 5u);
  EXPECT_EQ(SumU64(files, "d_total{handler}"), 3u);
}

// The first failure is told on stderr, without stdio.
TEST_F(NoMallocTest, CountingInVainDoesNotCallIt) {
  ::setenv("TINE_DIR", "/nowhere/at/all", 1);
  const ChildOutcome outcome = Run([this] {
    const CounterFamily family("d_total", "d", {"l"});
    g_is_forbidden = true;
    for (const std::string& label : labels_) {
      family.WithLabels(label).Increment();
    }
    ::_exit(0);
  });
  EXPECT_EQ(LineCount(outcome.stderr_text), 1) << outcome.stderr_text;
}

}  // namespace
}  // namespace tine::testing
