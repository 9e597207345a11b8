// Signals at every instruction. A child is single-stepped into its slow path by
// ptrace; after k steps it gets a signal, whose handler counts or forks. Run
// for every k (every few, where the way is long), this meets each window that
// a storm of signals meets by luck alone. Stretches in which the child has the
// signal blocked are crossed in one go and count for nothing. Where the way is
// long, each run of the test takes its own part of the points.

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <string>
#include <thread>

#include "tests/testing/stepped_process.h"
#include "tests/writer/writer_test_base.h"
#include "writer/tine.h"

namespace tine::testing {
namespace {

Counter g_counter;
CounterFamily* g_family = nullptr;

void CountInHandler(int) { g_counter.Increment(100); }

void ForkInHandler(int) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    g_counter.Increment(10'000);
    ::_exit(0);
  }
  ::waitpid(pid, nullptr, 0);
}

// As above, but the child returns into whatever was interrupted.
bool g_is_child = false;
void ReturnTwiceFromHandler(int) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    g_is_child = true;
    g_counter.Increment(10'000);
    return;
  }
  ::waitpid(pid, nullptr, 0);
}

class StepTest : public WriterTest {
 protected:
  using Handler = void (*)(int);

  // What the child does; it is interrupted in the stage.
  struct Action {
    std::function<void()> before;
    std::function<void()> stage;
    std::function<void()> after;
  };

  void SetUp() override {
    WriterTest::SetUp();
    if (kHasTsan || kHasAsan) {
      GTEST_SKIP() << "sanitizers multiply the instructions to step through";
    }
  }

  void RemoveFiles() const {
    for (const std::string& name : NamesIn(dir_.path())) {
      ::unlink(dir_.At(name).c_str());
    }
  }

  // Runs `action` in a child, interrupted after `steps` instructions. False
  // when the stage was over before.
  static bool RunInterrupted(int steps, Handler handler, const Action& action) {
    SteppedProcess process([&](const SteppedProcess::Stage& stage) {
      if (action.before) {
        action.before();
      }
      ::signal(SIGUSR1, handler);
      stage.Begin();
      action.stage();
      stage.End();
      if (action.after) {
        action.after();
      }
    });
    for (int i = 0; i < steps && process.is_in_stage();) {
      if (process.IsBlocked(SIGUSR1)) {
        process.StepToSystemCall();
      } else {
        process.Step();
        ++i;
      }
    }
    const bool is_in_time = process.is_in_stage();
    const int status = process.Release(is_in_time ? SIGUSR1 : 0);
    EXPECT_TRUE(IsSuccess(status))
        << EndingText(status) << " when interrupted after " << steps
        << " instructions";
    return is_in_time;
  }

  // At every `stride`th instruction of the stage. `check` looks at the files,
  // which are then removed.
  void InterruptEverywhere(
      int stride, Handler handler, const Action& action,
      const std::function<void(const std::vector<MetricFileText>&)>& check) {
    RemoveFiles();  // the parent's own
    int points = 0;
    bool is_in_time = true;
    for (int steps = ::getpid() % stride; is_in_time && !HasFailure();
         steps += stride) {
      SCOPED_TRACE("interrupted after " + std::to_string(steps));
      is_in_time = RunInterrupted(steps, handler, action);
      if (is_in_time) {
        check(Read());
        ++points;
      }
      RemoveFiles();
    }
    EXPECT_GT(points, 30);
  }
};

// The parent has its file, the child none: its first add makes everything.
void StartParent() {
  static CounterFamily family("d_total", "d", {"l"});
  g_family = &family;
  g_counter = Counter("c_total", "c");
  g_counter.Increment();
}

TEST_F(StepTest, HandlerCountsExactlyWhereverTheFirstAddIsInterrupted) {
  Run([this] {
    StartParent();
    InterruptEverywhere(
        15, CountInHandler, {{}, [] { g_counter.Increment(); }, {}},
        [](const auto& files) { EXPECT_EQ(SumU64(files, "c_total"), 101u); });
  });
}

// Were the slot of a handler's add lost on the way, no later thread had one.
TEST_F(StepTest, NoSlotIsLostWhereverAThreadsFirstAddIsInterrupted) {
  ::setenv("TINE_MAX_SLOTS", "2", 1);
  Run([this] {
    StartParent();
    const Action action = {
        [] {
          AfterFork();
          Gauge("g", "g", GaugeMode::kMax).Set(1);  // makes the chunk real
        },
        [] { g_counter.Increment(); },
        [] {
          for (int i = 0; i < 3; ++i) {
            std::thread([] { g_counter.Increment(); }).join();
          }
        }};
    InterruptEverywhere(7, CountInHandler, action, [](const auto& files) {
      EXPECT_EQ(SumU64(files, "c_total"), 104u);
      EXPECT_EQ(files.at(0).series.at("c_total").slot0[0], 0u)
          << "a thread found no slot";
    });
  });
}

TEST_F(StepTest, ChildOfAHandlerCountsExactlyWhereverTheAddIsInterrupted) {
  Run([this] {
    StartParent();
    InterruptEverywhere(20, ForkInHandler,
                        {{}, [] { g_counter.Increment(); }, {}},
                        [](const auto& files) {
                          EXPECT_EQ(files.size(), 2u);
                          EXPECT_EQ(SumU64(files, "c_total"), 10'001u);
                        });
  });
}

// The add that was interrupted is the parent's. In the child it may be lost or
// counted, but never in the parent's file, and no file may be damaged: not even
// if the child has made its file in the handler, with another chunk.
TEST_F(StepTest, ChildThatReturnsFromTheHandlerDamagesNoFile) {
  static Counter far;
  Run([this] {
    StartParent();
    Histogram("fills_a_chunk", "h", LinearBuckets(0, 1, 510));
    far = Counter("far_total", "in the next chunk");
    const Action action = {
        {},
        [] { far.Increment(); },
        [] {
          for (int i = 0; g_is_child && i < 2; ++i) {
            std::thread([] { far.Increment(1'000'000); }).join();
          }
        }};
    InterruptEverywhere(
        11, ReturnTwiceFromHandler, action, [](const auto& files) {
          EXPECT_EQ(files.size(), 2u);
          for (const MetricFileText& file : files) {
            const bool is_child = SumU64({file}, "c_total") == 10'000;
            const uint64_t value = SumU64({file}, "far_total");
            EXPECT_EQ(value - (is_child ? value % 2 : 0),
                      is_child ? 2'000'000u : 1u);
          }
        });
  });
}

TEST_F(StepTest, MakingASeriesMayBeInterruptedAnywhere) {
  Run([this] {
    StartParent();
    InterruptEverywhere(
        40, ForkInHandler,
        {{}, [] { g_family->WithLabels("b").Increment(7); }, {}},
        [](const auto& files) { EXPECT_EQ(SumU64(files, "d_total{b}"), 7u); });
  });
}

}  // namespace
}  // namespace tine::testing
