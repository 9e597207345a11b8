// How a prober sees that a writer lives, and what its file says of its end.

#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "tests/writer/writer_test_base.h"
#include "writer/tine.h"

namespace tine::testing {
namespace {

class LifeLockTest : public WriterTest {
 protected:
  // Starts a writer that goes on with `then` once its file is there.
  pid_t StartWriter(const std::function<void()>& then) {
    const size_t before = NamesIn(dir_.path()).size();
    const pid_t pid = StartChild([&] {
      const Counter counter("c_total", "c");
      counter.Increment();
      then();
    });
    EXPECT_TRUE(WaitUntil([&] {
      const auto files = ReadMetricFiles(dir_.path());
      return files.size() > before && SumU64(files, "c_total") > 0;
    }));
    return pid;
  }
  static void Sleep() {
    while (true) {
      ::pause();
    }
  }
  static std::vector<pid_t> ChildrenOf(pid_t pid) {
    const std::string number = std::to_string(pid);
    std::ifstream file("/proc/" + number + "/task/" + number + "/children");
    std::vector<pid_t> children;
    for (pid_t child; file >> child;) {
      children.push_back(child);
    }
    return children;
  }
  std::string OnlyFile() const { return NamesIn(dir_.path()).at(0); }
};

TEST_F(LifeLockTest, IsHeldWhileAliveAndFreeAfterKill) {
  const pid_t pid = StartWriter(Sleep);
  EXPECT_TRUE(IsHeld(OnlyFile()));
  ::kill(pid, SIGKILL);
  // Not reaped yet: a zombie holds nothing.
  siginfo_t info;
  EXPECT_EQ(::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT),
            0);
  EXPECT_FALSE(IsHeld(OnlyFile()));
  EXPECT_EQ(Read().at(0).state, format::FileState::kLive);
  EXPECT_EQ(SumU64(Read(), "c_total"), 1u);
  WaitFor(pid);
}

TEST_F(LifeLockTest, IsFreeAfterExitWhichMarksTheFile) {
  Run([] { Counter("c_total", "c").Increment(); }, Ending::kExit);
  EXPECT_FALSE(IsHeld(OnlyFile()));
  EXPECT_EQ(Read().at(0).state, format::FileState::kCleanExit);
}

TEST_F(LifeLockTest, QuickExitIsNotMarkedClean) {
  Run([] { Counter("c_total", "c").Increment(); }, Ending::kQuick);
  EXPECT_FALSE(IsHeld(OnlyFile()));
  EXPECT_EQ(Read().at(0).state, format::FileState::kLive);
}

TEST_F(LifeLockTest, IsFreeAfterExec) {
  const pid_t pid =
      StartWriter([] { ::execl("/bin/sleep", "sleep", "60", nullptr); });
  EXPECT_TRUE(WaitUntil([&] { return !IsHeld(OnlyFile()); }));
  EXPECT_EQ(::kill(pid, 0), 0);
  ::kill(pid, SIGKILL);
  WaitFor(pid);
}

TEST_F(LifeLockTest, IsNotInheritedByChildrenThatOutliveTheWriter) {
  const pid_t pid = StartWriter([] {
    for (int i = 0; i < 3; ++i) {
      if (i == 0 ? ::fork() == 0 : ::_Fork() == 0) {
        Sleep();
      }
    }
    Sleep();
  });
  std::vector<pid_t> children;
  ASSERT_TRUE(WaitUntil([&] {
    children = ChildrenOf(pid);
    return children.size() == 3;
  }));
  EXPECT_TRUE(IsHeld(OnlyFile()));
  ::kill(pid, SIGKILL);
  WaitFor(pid);
  EXPECT_FALSE(IsHeld(OnlyFile()));
  for (const pid_t child : children) {
    EXPECT_EQ(::kill(child, SIGKILL), 0);
  }
}

// Children forked at the very moments when a lock is being taken.
TEST_F(LifeLockTest, IsNotInheritedByChildrenForkedWhileItIsTaken) {
  constexpr int kWriters = Scaled(60);
  Run([this] {
    static const Counter counter("c_total", "c");
    for (int i = 0; i < kWriters; ++i) {
      const pid_t pid = StartChild([] {
        std::thread counting([] { counter.Increment(); });  // makes the file
        for (int k = 0; k < 8; ++k) {
          if (::fork() == 0) {
            Sleep();
          }
        }
        counting.join();
        Sleep();
      });
      const std::string prefix = std::to_string(pid) + ".";
      std::string name;
      ASSERT_TRUE(WaitUntil([&] {
        for (const std::string& candidate : NamesIn(dir_.path())) {
          name = candidate.find(prefix) == 0 ? candidate : name;
        }
        return !name.empty();
      }));
      ::kill(pid, SIGKILL);
      WaitFor(pid);
      // There the last child may be about to close its copy.
      EXPECT_TRUE(IsStore("pwrite") ? WaitUntil([&] { return !IsHeld(name); })
                                    : !IsHeld(name));
    }
  });
}

TEST_F(LifeLockTest, ForkedChildHasALockOfItsOwn) {
  const pid_t pid = StartWriter([] {
    const pid_t child = ::fork();
    if (child == 0) {
      Counter("c_total", "c").Increment();
      Sleep();
    }
    Sleep();
  });
  ASSERT_TRUE(
      WaitUntil([&] { return ReadMetricFiles(dir_.path()).size() == 2; }));
  ::kill(pid, SIGKILL);
  WaitFor(pid);
  int held_count = 0;
  for (const MetricFileText& file : Read()) {
    held_count += IsHeld(file.name) ? 1 : 0;
    EXPECT_EQ(IsHeld(file.name), file.pid != static_cast<uint32_t>(pid));
  }
  EXPECT_EQ(held_count, 1);
  for (const MetricFileText& file : Read()) {
    if (file.pid != static_cast<uint32_t>(pid)) {
      ::kill(static_cast<pid_t>(file.pid), SIGKILL);
    }
  }
}

TEST_F(LifeLockTest, ExitOfAChildDoesNotMarkItsParentsFile) {
  Run([] {
    const Counter counter("c_total", "c");
    const pid_t silent = ::fork();
    if (silent == 0) {
      std::exit(0);
    }
    EXPECT_TRUE(IsSuccess(WaitFor(silent)));
    const pid_t counting = ::fork();
    if (counting == 0) {
      counter.Increment();
      std::exit(0);
    }
    EXPECT_TRUE(IsSuccess(WaitFor(counting)));
  });
  const auto files = Read();
  ASSERT_EQ(files.size(), 2u);
  for (const MetricFileText& file : files) {
    EXPECT_EQ(file.state, SumU64({file}, "c_total") == 1
                              ? format::FileState::kCleanExit
                              : format::FileState::kLive);
  }
}

TEST_F(LifeLockTest, IsSeenFromAnotherPidNamespace) {
  const pid_t probe =
      StartChild([] { ::_exit(::unshare(CLONE_NEWPID) == 0 ? 0 : 1); });
  if (!IsSuccess(WaitFor(probe))) {
    GTEST_SKIP() << "this process may not make pid namespaces";
  }
  const pid_t outer = StartChild([this] {
    ASSERT_EQ(::unshare(CLONE_NEWPID), 0);
    const pid_t inner = StartChild([] {
      Counter("c_total", "c").Increment();
      Sleep();
    });
    ASSERT_TRUE(WaitUntil(
        [&] { return SumU64(ReadMetricFiles(dir_.path()), "c_total") == 1; }));
    EXPECT_EQ(Read().at(0).pid, 1u);
    EXPECT_TRUE(IsHeld(OnlyFile()));
    ::kill(inner, SIGKILL);
    WaitFor(inner);
    EXPECT_FALSE(IsHeld(OnlyFile()));
  });
  EXPECT_TRUE(IsSuccess(WaitFor(outer)));
}

TEST_F(LifeLockTest, SurvivesOpeningAndClosingTheFileElsewhere) {
  const pid_t pid = StartWriter([this] {
    ::close(::open(dir_.At(OnlyFile()).c_str(), O_RDWR | O_CLOEXEC));
    ::close_range(3, ~0u, 0);
    Counter("c_total", "c").Increment();
    Sleep();
  });
  EXPECT_TRUE(WaitUntil([&] { return SumU64(Read(), "c_total") == 2; }));
  EXPECT_TRUE(IsHeld(OnlyFile()));
  ::kill(pid, SIGKILL);
  WaitFor(pid);
}

}  // namespace
}  // namespace tine::testing
