// Writers in namespaces of their own, in threads with descriptors of their own,
// and stopped.

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <functional>
#include <string>
#include <thread>

#include "tests/writer/writer_test_base.h"
#include "writer/tine.h"

namespace tine::testing {
namespace {

constexpr uid_t kNobody = 65534;

class NamespaceTest : public WriterTest {
 protected:
  // Can this process make such a namespace?
  static bool MayUnshare(int flags) {
    const pid_t probe =
        StartChild([flags] { ::_exit(::unshare(flags) == 0 ? 0 : 1); });
    return IsSuccess(WaitFor(probe));
  }
  // Forks into the new namespaces of `flags` a child that counts 1, and one of
  // its own that counts 10.
  static void CountInNewNamespaces(int flags, const Counter& counter,
                                   const std::function<void()>& set_up) {
    const pid_t outer = StartChild([&] {
      ASSERT_EQ(::unshare(flags), 0);
      set_up();
      const pid_t inner = StartChild([&] {
        counter.Increment(1);
        const pid_t innermost = StartChild([&] { counter.Increment(10); });
        EXPECT_TRUE(IsSuccess(WaitFor(innermost)));
      });
      EXPECT_TRUE(IsSuccess(WaitFor(inner)));
    });
    EXPECT_TRUE(IsSuccess(WaitFor(outer)));
  }
};

TEST_F(NamespaceTest, ChildrenInANewPidNamespaceCountInFilesOfTheirOwn) {
  if (!MayUnshare(CLONE_NEWPID)) {
    GTEST_SKIP() << "this process may not make pid namespaces";
  }
  Run([] {
    const Counter counter("c_total", "c");
    counter.Increment(100);
    for (int i = 0; i < 3; ++i) {  // each has a pid 1, and a pid 2
      CountInNewNamespaces(CLONE_NEWPID, counter, [] {});
    }
  });
  const auto files = Read();
  EXPECT_EQ(files.size(), 7u);
  EXPECT_EQ(SumU64(files, "c_total"), 133u);
}

TEST_F(NamespaceTest, ChildrenInANewTimeNamespaceCountAndTryAgain) {
  constexpr int kNewTime = 0x80;  // CLONE_NEWTIME
  if (!MayUnshare(kNewTime)) {
    GTEST_SKIP() << "this process may not make time namespaces";
  }
  Run([] {
    const Counter counter("c_total", "c");
    counter.Increment(100);
    CountInNewNamespaces(kNewTime, counter, [] {
      // Clocks a day back and a day ahead: time goes on from there.
      std::ofstream("/proc/self/timens_offsets")
          << "monotonic 86400 0\nboottime 86400 0\n";
    });
  });
  const auto files = Read();
  EXPECT_EQ(files.size(), 3u);
  EXPECT_EQ(SumU64(files, "c_total"), 111u);
}

// Root in there is this user out here, who owns the directory.
TEST_F(NamespaceTest, RootOfAUserNamespaceCountsInItsUsersDirectory) {
  if (::geteuid() != 0) {
    GTEST_SKIP() << "needs to be root";
  }
  ASSERT_EQ(::chown(dir_.path().c_str(), kNobody, kNobody), 0);
  const pid_t probe = StartChild([] {
    ::_exit(::setresuid(kNobody, kNobody, kNobody) == 0 &&
                    ::unshare(CLONE_NEWUSER) == 0
                ? 0
                : 1);
  });
  if (!IsSuccess(WaitFor(probe))) {
    GTEST_SKIP() << "users may not make user namespaces";
  }
  Run([] {
    ASSERT_EQ(::setresgid(kNobody, kNobody, kNobody), 0);
    ASSERT_EQ(::setresuid(kNobody, kNobody, kNobody), 0);
    const Counter counter("c_total", "c");
    counter.Increment(100);
    const pid_t child = StartChild([&] {
      // Or its own /proc/self is root's.
      ASSERT_EQ(::prctl(PR_SET_DUMPABLE, 1), 0);
      ASSERT_EQ(::unshare(CLONE_NEWUSER), 0);
      std::ofstream("/proc/self/uid_map") << "0 " << kNobody << " 1";
      EXPECT_EQ(::geteuid(), 0u);
      counter.Increment(1);
      EXPECT_EQ(GetWriterStatus().last_error, "");
    });
    const int status = WaitFor(child);
    EXPECT_TRUE(IsSuccess(status)) << EndingText(status);
  });
  const auto files = Read();
  ASSERT_EQ(files.size(), 2u);
  EXPECT_EQ(SumU64(files, "c_total"), 101u);
  for (const MetricFileText& file : files) {
    struct stat info {};
    EXPECT_EQ(::stat(dir_.At(file.name).c_str(), &info), 0);
    EXPECT_EQ(info.st_uid, kNobody);
  }
}

// The file is made with descriptors that no other thread has.
TEST_F(NamespaceTest, ThreadWithDescriptorsOfItsOwnMakesTheFile) {
  Run([this] {
    const CounterFamily family("d_total", "d", {"l"});
    std::thread([&] {
      ASSERT_EQ(::unshare(CLONE_FILES), 0);
      ::close_range(3, ~0U, 0);
      family.WithLabels("x").Increment();
    }).join();
    family.WithLabels("x").Increment();
    family.WithLabels("y").Increment();
    const auto files = Read();
    ASSERT_EQ(files.size(), 1u);
    EXPECT_TRUE(IsHeld(files[0].name));
    EXPECT_EQ(SumU64(files, "d_total{x}"), 2u);
    EXPECT_EQ(SumU64(files, "d_total{y}"), 1u);
  });
}

class StoppedTest : public WriterTest {};

// Stopped is not dead.
TEST_F(StoppedTest, StoppedProcessKeepsItsLifeLock) {
  const pid_t pid = StartChild([] {
    Counter("c_total", "c").Increment();
    ::raise(SIGSTOP);
    ::_exit(0);
  });
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, WUNTRACED), pid);
  ASSERT_TRUE(WIFSTOPPED(status));
  const std::string name = NamesIn(dir_.path()).at(0);
  EXPECT_TRUE(IsHeld(name));
  ::kill(pid, SIGCONT);
  EXPECT_TRUE(IsSuccess(WaitFor(pid)));
  EXPECT_FALSE(IsHeld(name));
}

}  // namespace
}  // namespace tine::testing
