// Ends of processes while they count: what was done is in the file, however the
// end comes, and whatever still counts during it.

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <string>
#include <thread>

#include "tests/writer/writer_test_base.h"
#include "writer/tine.h"

namespace tine::testing {
namespace {

// How far the threads of a process that is gone had come.
struct Progress {
  std::atomic<uint64_t> begun;
  std::atomic<uint64_t> done;
};

struct End {
  const char* name;
  void (*end)();
  int signal_number;  // 0: it exits
  format::FileState state;
};

const End kEnds[] = {
    {"Exit", [] { std::exit(0); }, 0, format::FileState::kCleanExit},
    {"QuickExit", [] { std::quick_exit(0); }, 0, format::FileState::kLive},
    {"ExitNow", [] { ::_exit(0); }, 0, format::FileState::kLive},
    {"Abort", [] { std::abort(); }, SIGABRT, format::FileState::kLive},
    {"Kill", [] { ::raise(SIGKILL); }, SIGKILL, format::FileState::kLive},
};

class ExitTest : public WriterTest, public ::testing::WithParamInterface<End> {
 protected:
  static constexpr int kThreads = 8;

  void SetUp() override {
    WriterTest::SetUp();
    void* shared =
        ::mmap(nullptr, kThreads * sizeof(Progress), PROT_READ | PROT_WRITE,
               MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(shared, MAP_FAILED);
    progress_ = static_cast<Progress*>(shared);
  }
  void TearDown() override { ::munmap(progress_, kThreads * sizeof(Progress)); }

  Progress* progress_ = nullptr;
};

INSTANTIATE_TEST_SUITE_P(AllEnds, ExitTest, ::testing::ValuesIn(kEnds),
                         [](const auto& parameter) {
                           return std::string(parameter.param.name);
                         });

TEST_P(ExitTest, EndWhileEightThreadsCountLosesNothingThatWasDone) {
  const ChildOutcome outcome = RunInChild([this] {
    static const Counter counter("c_total", "c");
    for (int i = 0; i < kThreads; ++i) {
      std::thread([progress = &progress_[i]] {
        while (true) {
          progress->begun.fetch_add(1, std::memory_order_seq_cst);
          counter.Increment();
          progress->done.fetch_add(1, std::memory_order_seq_cst);
        }
      }).detach();
    }
    ASSERT_TRUE(WaitUntil([this] {
      for (int i = 0; i < kThreads; ++i) {
        if (progress_[i].done < 1000) {
          return false;
        }
      }
      return true;
    }));
    GetParam().end();
  });
  EXPECT_TRUE(GetParam().signal_number == 0
                  ? outcome.HasExited(0)
                  : outcome.WasKilledBy(GetParam().signal_number))
      << outcome.Description();
  uint64_t begun = 0;
  uint64_t done = 0;
  for (int i = 0; i < kThreads; ++i) {
    begun += progress_[i].begun;
    done += progress_[i].done;
  }
  const auto files = Read();
  ASSERT_EQ(files.size(), 1u);
  EXPECT_GE(SumU64(files, "c_total"), done);
  EXPECT_LE(SumU64(files, "c_total"), begun);
  EXPECT_EQ(files[0].state, GetParam().state);
  EXPECT_FALSE(IsHeld(files[0].name));
}

const CounterFamily* g_counted_at_end = nullptr;

void CountAtEnd(const char* label) {
  if (g_counted_at_end != nullptr) {
    g_counted_at_end->WithLabels(label).Increment();
  }
}

// The last of all: the library's own mark of a clean exit comes before.
__attribute__((destructor(101))) void CountInTheLastDestructor() {
  CountAtEnd("last destructor");
}

struct CountsWhenDestroyed {
  ~CountsWhenDestroyed() { CountAtEnd("static object"); }
};
CountsWhenDestroyed g_made_before_main;

class ExitHandlersTest : public WriterTest {};

TEST_F(ExitHandlersTest, CountingInThemAndInDestructorsIsCounted) {
  Run(
      [] {
        std::atexit([] { CountAtEnd("handler from before"); });
        static const CounterFamily family("c_total", "c", {"l"});
        static const CountsWhenDestroyed made_late;
        std::atexit([] { CountAtEnd("handler"); });
        g_counted_at_end = &family;
      },
      Ending::kExit);
  const auto files = Read();
  ASSERT_EQ(files.size(), 1u);
  EXPECT_EQ(SumU64(files, "c_total{handler from before}"), 1u);
  EXPECT_EQ(SumU64(files, "c_total{handler}"), 1u);
  EXPECT_EQ(SumU64(files, "c_total{static object}"), 2u);
  EXPECT_EQ(SumU64(files, "c_total{last destructor}"), 1u);
}

TEST_F(ExitHandlersTest, ChildThatExitsMayCountFirstInAHandler) {
  Run([] {
    static const CounterFamily family("c_total", "c", {"l"});
    family.WithLabels("handler").Increment();
    std::atexit([] { CountAtEnd("handler"); });
    g_counted_at_end = &family;
    const pid_t child = ::fork();
    if (child == 0) {
      std::exit(0);
    }
    EXPECT_TRUE(IsSuccess(WaitFor(child)));
  });
  const auto files = Read();
  EXPECT_EQ(files.size(), 2u);
  EXPECT_EQ(SumU64(files, "c_total{handler}"), 2u);
}

}  // namespace
}  // namespace tine::testing
