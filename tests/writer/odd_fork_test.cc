// Ways of making processes that fork_test.cc and raw_fork_test.cc leave out,
// and many of each.

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/testing/test_effort.h"
#include "tests/writer/counting_threads.h"
#include "tests/writer/writer_test_base.h"
#include "writer/tine.h"

namespace tine::testing {
namespace {

class OddForkTest : public WriterTest {
 protected:
  static std::string HostProgram() { return "tests/writer/exec_host"; }
  // Its argument list for counting `amount`.
  static std::vector<char*> HostArguments(std::string* program,
                                          std::string* amount) {
    return {program->data(), amount->data(), nullptr};
  }
};

pid_t CloneThree() {
  clone_args arguments{};
  arguments.exit_signal = SIGCHLD;
  return static_cast<pid_t>(
      ::syscall(SYS_clone3, &arguments, sizeof(arguments)));
}

TEST_F(OddForkTest, Clone3ChildrenCountInTheirOwnFiles) {
  TINE_SKIP_UNDER_TSAN("its runtime does not survive a raw fork");
  Run([] {
    const Counter counter("c_total", "c");
    counter.Increment(3);
    for (int i = 0; i < 20; ++i) {
      const pid_t pid = CloneThree();
      if (pid == 0) {
        counter.Increment(2);
        ::_exit(0);
      }
      ASSERT_GT(pid, 0);
      EXPECT_TRUE(IsSuccess(WaitFor(pid)));
    }
    EXPECT_EQ(counter.Value(), 3u);
  });
  const auto files = Read();
  EXPECT_EQ(files.size(), 21u);
  EXPECT_EQ(SumU64(files, "c_total"), 43u);
}

// With the parent's memory the child is its parent: what it counts is there
// once, and what it makes stays.
TEST_F(OddForkTest, ChildrenInTheSameMemoryCountInTheirParentsFileOnce) {
  TINE_SKIP_UNDER_TSAN("it makes a fork of a vfork");
  static const Counter* counter;
  static const CounterFamily* family;
  Run([] {
    const CounterFamily labelled("d_total", "d", {"l"});
    const Counter plain("c_total", "c");
    counter = &plain;
    family = &labelled;
    alignas(16) static char stack[256 << 10];
    for (int i = 0; i < 100; ++i) {
      const pid_t pid = ::clone(
          [](void*) {
            counter->Increment();
            family->WithLabels("x").Increment();
            return 0;
          },
          stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, nullptr);
      ASSERT_GT(pid, 0);
      EXPECT_TRUE(IsSuccess(WaitFor(pid)));
      plain.Increment();
    }
    EXPECT_EQ(plain.Value(), 200u);
  });
  const auto files = Read();
  EXPECT_EQ(files.size(), 1u);
  EXPECT_EQ(SumU64(files, "c_total"), 200u);
  EXPECT_EQ(SumU64(files, "d_total{x}"), 100u);
}

// A file first made by a vfork child must not die with it: the parent's memory
// holds its lock.
TEST_F(OddForkTest, FileMadeByAVforkChildIsItsParents) {
  TINE_SKIP_UNDER_TSAN("it makes a fork of a vfork");
  Run([this] {
    static const CounterFamily family("d_total", "d", {"l"});
    const pid_t pid = ::vfork();
    if (pid == 0) {
      family.WithLabels("x").Increment();
      ::execl("/bin/true", "true", nullptr);
      ::_exit(1);
    }
    EXPECT_TRUE(IsSuccess(WaitFor(pid)));
    family.WithLabels("x").Increment();
    const auto files = Read();
    ASSERT_EQ(files.size(), 1u);
    EXPECT_TRUE(IsHeld(files[0].name));
    EXPECT_EQ(SumU64(files, "d_total{x}"), 2u);
  });
}

// All the while a thread forks by hand, so that some children are made in the
// middle of making a file; each execs a program that looks for descriptors that
// are not its own, and counts.
TEST_F(OddForkTest, NoDescriptorReachesANewImageWhichCountsOnItsOwn) {
  TINE_SKIP_UNDER_TSAN("its runtime does not survive a raw fork");
  constexpr int kRounds = Scaled(40);
  std::string program = HostProgram();
  std::string amount = "7";
  Run([&] {
    const Counter counter("c_total", "c");
    counter.Increment();
    std::vector<char*> arguments = HostArguments(&program, &amount);
    for (int i = 0; i < kRounds; ++i) {
      // The child's file is being made while it forks.
      const pid_t pid = StartChild([&] {
        std::thread counting([&] { counter.Increment(); });
        for (int k = 0; k < 4; ++k) {
          const pid_t grandchild = ::_Fork();
          if (grandchild == 0) {
            ::execv(program.c_str(), arguments.data());
            ::_exit(99);
          }
          const int status = WaitFor(grandchild);
          EXPECT_TRUE(IsSuccess(status)) << EndingText(status);
        }
        counting.join();
      });
      EXPECT_TRUE(IsSuccess(WaitFor(pid)));
    }
  });
  const auto files = Read();
  EXPECT_EQ(files.size(), 1u + kRounds + 4 * kRounds);
  EXPECT_EQ(SumU64(files, "c_total"), 1u + kRounds + 4 * 7 * kRounds);
}

TEST_F(OddForkTest, PosixSpawnWithFileActionsCountsInANewFile) {
  std::string program = HostProgram();
  std::string amount = "7";
  Run([&] {
    const Counter counter("c_total", "c");
    CountingThreads threads(4, [&] { counter.Increment(); });
    posix_spawn_file_actions_t actions;
    ASSERT_EQ(::posix_spawn_file_actions_init(&actions), 0);
    ASSERT_EQ(::posix_spawn_file_actions_addclosefrom_np(&actions, 3), 0);
    ASSERT_EQ(::posix_spawn_file_actions_addopen(&actions, 5, "/dev/null",
                                                 O_RDONLY, 0),
              0);
    std::vector<char*> arguments = HostArguments(&program, &amount);
    for (int i = 0; i < 20; ++i) {
      pid_t pid = 0;
      ASSERT_EQ(::posix_spawn(&pid, program.c_str(), &actions, nullptr,
                              arguments.data(), environ),
                0);
      const int status = WaitFor(pid);
      EXPECT_TRUE(IsSuccess(status)) << EndingText(status);
    }
    ::posix_spawn_file_actions_destroy(&actions);
    counter.Increment(threads.Stop());
    EXPECT_EQ(SumU64(Read(), "c_total"), counter.Value() + 20 * 7);
  });
  // The program links an archive, of which the linker takes what is called.
  int clean_count = 0;
  for (const MetricFileText& file : Read()) {
    clean_count += file.state == format::FileState::kCleanExit ? 1 : 0;
  }
  EXPECT_EQ(clean_count, 20);
  EXPECT_EQ(Read().size(), 21u);
}

// The image before exec is dead at once, its numbers stay, and the one after
// is another writer, though pid and start time are the same.
TEST_F(OddForkTest, ExecOfItselfLeavesADeadFileAndMakesALivingOne) {
  std::string program = HostProgram();
  std::string amount = "7";
  std::string then = "wait";
  const pid_t pid = StartChild([&] {
    Counter("c_total", "c").Increment(3);
    char* arguments[] = {program.data(), amount.data(), then.data(), nullptr};
    ::execv(program.c_str(), arguments);
    ::_exit(99);
  });
  ASSERT_TRUE(WaitUntil(
      [&] { return SumU64(ReadMetricFiles(dir_.path()), "c_total") == 10; }));
  const auto files = Read();
  ASSERT_EQ(files.size(), 2u);
  for (const MetricFileText& file : files) {
    EXPECT_EQ(file.pid, static_cast<uint32_t>(pid));
    EXPECT_EQ(IsHeld(file.name), SumU64({file}, "c_total") == 7);
  }
  ::kill(pid, SIGKILL);
  WaitFor(pid);
}

TEST_F(OddForkTest, ThousandChildrenAtOnceEachCountOnce) {
  constexpr int kChildren = Scaled(1000);
  Run([] {
    const Counter counter("c_total", "c");
    const CounterFamily family("d_total", "d", {"l"});
    std::vector<pid_t> children;
    for (int i = 0; i < kChildren; ++i) {
      const pid_t pid = ::fork();
      if (pid == 0) {
        counter.Increment();
        family.WithLabels(std::to_string(i % 10)).Increment();
        ::_exit(0);
      }
      ASSERT_GT(pid, 0);
      children.push_back(pid);
    }
    for (const pid_t pid : children) {
      EXPECT_TRUE(IsSuccess(WaitFor(pid)));
    }
  });
  const auto files = Read();
  EXPECT_EQ(files.size(), kChildren + 1u);
  EXPECT_EQ(SumU64(files, "c_total"), 1u * kChildren);
  uint64_t labelled = 0;
  for (int label = 0; label < 10; ++label) {
    labelled += SumU64(files, "d_total{" + std::to_string(label) + "}");
  }
  EXPECT_EQ(labelled, 1u * kChildren);
}

TEST_F(OddForkTest, ChildrenOfAKilledParentCountOn) {
  constexpr int kChildren = 5;
  Run([this] {
    int go[2];
    ASSERT_EQ(::pipe2(go, O_CLOEXEC), 0);
    // They become this process's when their parent is gone.
    ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    const pid_t parent = ::fork();
    if (parent == 0) {
      const Counter counter("c_total", "c");
      counter.Increment(100);
      for (int i = 0; i < kChildren; ++i) {
        if (::fork() == 0) {
          ::close(go[1]);
          if (i % 2 == 0) {
            counter.Increment();  // has its file before
          }
          char byte;
          const ssize_t end = ::read(go[0], &byte, 1);
          counter.Increment(end == 0 ? 2 : 1000);
          ::_exit(0);
        }
      }
      ::close(go[1]);
      ::pause();
    }
    ::close(go[0]);
    ASSERT_TRUE(WaitUntil([&] {
      return SumU64(ReadMetricFiles(dir_.path()), "c_total") ==
             100 + (kChildren + 1) / 2;
    }));
    ::kill(parent, SIGKILL);
    EXPECT_EQ(WaitFor(parent), SIGKILL);
    ::close(go[1]);
    int status = 0;
    while (::wait(&status) > 0) {
      EXPECT_TRUE(IsSuccess(status)) << EndingText(status);
    }
  });
  const auto files = Read();
  EXPECT_EQ(files.size(), kChildren + 1u);
  EXPECT_EQ(SumU64(files, "c_total"),
            100u + (kChildren + 1) / 2 + 2 * kChildren);
}

TEST_F(OddForkTest, ForkingWhileThreadsMakeSeriesAndThreadsKeepsTheExactSum) {
  constexpr int kChildren = Scaled(100);
  Run([this] {
    const CounterFamily family("d_total", "d", {"l"});
    std::atomic<int> number{0};
    // Each step is a new series and a new thread.
    CountingThreads threads(4, [&] {
      const std::string label = std::to_string(number.fetch_add(1) % 3000);
      std::thread([&] { family.WithLabels(label).Increment(); }).join();
    });
    for (int i = 0; i < kChildren; ++i) {
      const pid_t pid = ::fork();
      if (pid == 0) {
        family.WithLabels("0").Increment();
        family.WithLabels("child").Increment();
        ::_exit(0);
      }
      const int status = WaitFor(pid);
      EXPECT_TRUE(IsSuccess(status)) << EndingText(status);
    }
    const uint64_t steps = threads.Stop();
    uint64_t sum = 0;
    for (const MetricFileText& file : Read()) {
      EXPECT_EQ(file.dropped_observations, 0u);
      for (const auto& [name, cells] : file.series) {
        sum += cells.u64[0];
      }
    }
    EXPECT_EQ(sum, steps + 2 * kChildren);
  });
}

// An add may be between its load of a block and its add when the signal comes;
// in the child it lands somewhere harmless.
TEST_F(OddForkTest, ChildThatReturnsIntoAnInterruptedAddLives) {
  TINE_SKIP_UNDER_TSAN("it delivers signals at calls into its runtime only");
  constexpr int kForksInHandler = Scaled(400);
  static std::atomic<int> forks;
  static std::atomic<bool> is_child;
  static int bad_endings;
  Run([] {
    forks = 0;
    is_child = false;
    bad_endings = 0;
    const DoubleCounter seconds("s_total", "s");
    seconds.Increment(1);
    struct sigaction action {};
    action.sa_handler = [](int) {
      if (forks >= kForksInHandler) {
        return;  // the loop is over, and a child would wait for the sender
      }
      const pid_t pid = ::fork();
      if (pid == 0) {
        is_child = true;
        return;
      }
      int status = -1;
      ::waitpid(pid, &status, 0);
      bad_endings += status == 0 ? 0 : 1;
      forks += 1;
    };
    ::sigaction(SIGUSR1, &action, nullptr);
    const pthread_t self = ::pthread_self();
    std::atomic<bool> is_looping{false};
    std::thread sender([&] {
      while (forks < kForksInHandler) {
        if (is_looping) {
          ::pthread_kill(self, SIGUSR1);
        }
        std::this_thread::yield();
      }
    });
    is_looping = true;
    while (forks < kForksInHandler) {
      seconds.Increment(1);
      if (is_child) {
        ::_exit(0);
      }
    }
    sender.join();
    EXPECT_EQ(bad_endings, 0);
  });
}

// The forking thread may still point at the slot that it had in its parent; a
// thread that took it would add to the same cells at the same time, unlocked.
TEST_F(OddForkTest, ThreadOfARawChildDoesNotShareTheForkingThreadsSlot) {
  TINE_SKIP_UNDER_TSAN("its runtime does not survive a raw fork");
  constexpr int kAdds = Scaled(200'000);
  ::setenv("TINE_MAX_SLOTS", "8", 1);
  Run([this] {
    const Counter counter("c_total", "c");
    counter.Increment();  // takes a slot
    const pid_t pid = ::_Fork();
    if (pid == 0) {
      std::atomic<bool> has_begun{false};
      std::atomic<bool> may_end{false};  // a slot given back could be shared
      std::thread thread([&] {
        counter.Increment();
        has_begun = true;
        for (int i = 1; i < kAdds; ++i) {
          counter.Increment();
        }
        while (!may_end) {
          ::sched_yield();
        }
      });
      while (!has_begun) {
        ::sched_yield();
      }
      for (int i = 0; i < kAdds; ++i) {
        counter.Increment();
      }
      may_end = true;
      thread.join();
      ::_exit(counter.Value() == 2u * kAdds ? 0 : 1);
    }
    const int status = WaitFor(pid);
    EXPECT_TRUE(IsSuccess(status)) << EndingText(status);
    for (const MetricFileText& file : Read()) {
      const bool is_child = file.pid == static_cast<uint32_t>(pid);
      EXPECT_EQ(file.blocks.size(), is_child ? 3u : 2u);  // with slot 0's
    }
  });
}

// What a fork server does all day, while all its threads count: 1000 forks, or
// 10^5 in a long run, each scenario with a deadline against deadlocks.
TEST_F(OddForkTest, ForksUnderSixteenThreadsLoseNoIncrement) {
  constexpr int kForks = Scaled(250);
  const int rounds = Rounds(4);
  for (int round = 0; round < rounds && !HasFailure(); ++round) {
    Run([this] {
      const Counter counter("c_total", "c");
      const DoubleCounter seconds("s_total", "s");
      CountingThreads threads(16, [&] {
        counter.Increment();
        seconds.Increment(0.5);
        std::this_thread::yield();  // leaves the children a share
      });
      std::vector<pid_t> children;
      for (int i = 0; i < kForks; ++i) {
        const pid_t pid = ::fork();
        if (pid == 0) {
          counter.Increment(3);
          ::_exit(0);
        }
        children.push_back(pid);
      }
      for (const pid_t pid : children) {
        const int status = WaitFor(pid);
        EXPECT_TRUE(IsSuccess(status)) << EndingText(status);
      }
      const uint64_t steps = threads.Stop();
      const auto files = Read();
      EXPECT_EQ(files.size(), kForks + 1u);
      EXPECT_EQ(SumU64(files, "c_total"), steps + 3 * kForks);
      EXPECT_EQ(SumF64(files, "s_total"), 0.5 * static_cast<double>(steps));
      for (const MetricFileText& file : files) {
        if (file.pid != static_cast<uint32_t>(::getpid())) {
          EXPECT_EQ(SumU64({file}, "c_total"), 3u);  // a child's, and no more
        }
      }
    });
    for (const std::string& name : NamesIn(dir_.path())) {
      ::unlink(dir_.At(name).c_str());
    }
  }
}

}  // namespace
}  // namespace tine::testing
