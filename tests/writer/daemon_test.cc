// Hosts that become daemons, change their root, their user or their limits:
// before the first metric, after it, and while threads count.

#include <fcntl.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "tests/writer/counting_threads.h"
#include "tests/writer/writer_test_base.h"
#include "writer/tine.h"

namespace tine::testing {
namespace {

constexpr uid_t kNobody = 65534;
constexpr gid_t kMetricsGroup = 64123;

void CloseEverythingFrom0() { ::closefrom(0); }
void CloseTheWholeRange() {
  if (::close_range(0, ~0U, 0) != 0) {
    ::_exit(2);
  }
}

struct ClosingWay {
  const char* name;
  void (*close_all)();
};

// Runs `body` in a daemon made the textbook way, whose two ancestors are gone
// before it begins.
void RunAsDaemon(void (*close_all)(), const std::function<void()>& body) {
  // The daemon's new parent, so that its end can be waited for.
  ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
  const pid_t first = ::fork();
  if (first == 0) {
    ::setsid();
    if (::fork() != 0) {
      ::_exit(0);
    }
    ::umask(0);
    close_all();
    const bool is_ready = ::chdir("/") == 0 &&
                          ::open("/dev/null", O_RDWR) == 0 && ::dup(0) == 1 &&
                          ::dup(0) == 2;
    if (is_ready) {
      body();
    }
    ::_exit(is_ready && !::testing::Test::HasFailure() ? 0 : 1);
  }
  ASSERT_TRUE(IsSuccess(WaitFor(first)));
  siginfo_t info{};
  ASSERT_TRUE(WaitUntil([&] {
    return ::waitid(P_ALL, 0, &info, WEXITED | WNOWAIT | WNOHANG) == 0 &&
           info.si_pid != 0;
  }));
  const int status = WaitFor(info.si_pid);
  EXPECT_TRUE(IsSuccess(status)) << EndingText(status);
}

class DaemonTest : public WriterTest,
                   public ::testing::WithParamInterface<ClosingWay> {
 protected:
  // What a busy daemon does: old and new series, growth, threads.
  static void CountTwoThousand() {
    const CounterFamily family("d_total", "d", {"l"});
    for (int i = 0; i < 1000; ++i) {
      family.WithLabels(std::to_string(i)).Increment();
    }
    std::thread([&] {
      for (int i = 500; i < 1500; ++i) {
        family.WithLabels(std::to_string(i)).Increment();
      }
    }).join();
  }
  // The sum over the series that CountTwoThousand makes.
  static uint64_t SumOfSeries(const std::vector<MetricFileText>& files) {
    uint64_t sum = 0;
    for (const MetricFileText& file : files) {
      for (const auto& [name, cells] : file.series) {
        sum += name.rfind("d_total{", 0) == 0 ? cells.u64[0] : 0;
      }
    }
    return sum;
  }
  bool IsOwnFileHeld() const {
    for (const MetricFileText& file : Read()) {
      if (file.pid == static_cast<uint32_t>(::getpid())) {
        return IsHeld(file.name);
      }
    }
    return false;
  }
};

INSTANTIATE_TEST_SUITE_P(
    BothWays, DaemonTest,
    ::testing::Values(ClosingWay{"Closefrom", CloseEverythingFrom0},
                      ClosingWay{"CloseRange", CloseTheWholeRange}),
    [](const auto& parameter) { return std::string(parameter.param.name); });

TEST_P(DaemonTest, DaemonisingBeforeTheFirstMetricCountsInOneFile) {
  Run([this] {
    RunAsDaemon(GetParam().close_all, [this] {
      Counter("c_total", "c").Increment();
      CountTwoThousand();
      EXPECT_TRUE(IsOwnFileHeld());
    });
  });
  const auto files = Read();
  ASSERT_EQ(files.size(), 1u);
  EXPECT_EQ(SumU64(files, "c_total"), 1u);
  EXPECT_EQ(SumOfSeries(files), 2000u);
  EXPECT_FALSE(IsHeld(files[0].name));
}

TEST_P(DaemonTest, DaemonisingAfterTheFirstMetricCountsInTheDaemonsOwnFile) {
  Run([this] {
    const Counter counter("c_total", "c");
    counter.Increment(10);
    RunAsDaemon(GetParam().close_all, [&] {
      counter.Increment();
      CountTwoThousand();
      EXPECT_TRUE(IsOwnFileHeld());
    });
    EXPECT_EQ(counter.Value(), 10u);
    EXPECT_TRUE(IsOwnFileHeld());
  });
  const auto files = Read();
  EXPECT_EQ(files.size(), 2u);
  EXPECT_EQ(SumU64(files, "c_total"), 11u);
  EXPECT_EQ(SumOfSeries(files), 2000u);
}

TEST_P(DaemonTest, ClosingAllDescriptorsWhileThreadsCountLosesNothing) {
  Run([this] {
    const Counter counter("c_total", "c");
    const Histogram histogram("h", "h", {1, 2});
    CountingThreads threads(4, [&] {
      counter.Increment();
      histogram.Observe(1.5);
    });
    for (int i = 0; i < 200; ++i) {
      GetParam().close_all();
      std::this_thread::yield();
    }
    // Growth needs no descriptor either.
    CountTwoThousand();
    const uint64_t steps = threads.Stop();
    const bool is_held = IsOwnFileHeld();
    const auto files = Read();
    const bool is_exact =
        SumU64(files, "c_total") == steps && SumU64(files, "h", 1) == steps &&
        SumOfSeries(files) == 2000 && GetWriterStatus().last_error.empty();
    ::_exit(!is_held ? 3 : !is_exact ? 4 : 0);  // stderr is closed
  });
}

class PrivilegeTest : public DaemonTest {
 protected:
  void SetUp() override {
    WriterTest::SetUp();
    if (::geteuid() != 0) {
      GTEST_SKIP() << "needs to be root";
    }
  }

  static void BecomeNobody(gid_t group) {
    ASSERT_EQ(::setgroups(0, nullptr), 0);
    ASSERT_EQ(::setresgid(group, group, group), 0);
    ASSERT_EQ(::setresuid(kNobody, kNobody, kNobody), 0);
  }
  struct stat StatOf(const std::string& name) const {
    struct stat info {};
    EXPECT_EQ(::stat(dir_.At(name).c_str(), &info), 0);
    return info;
  }
};

TEST_F(PrivilegeTest, ChrootIntoNothingCountsAndGrowsUntilAFurtherFile) {
  const TestDirectory root;
  Run([&] {
    // One file has room for a part of what comes.
    const rlimit limit{256 << 10, 256 << 10};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
    const Counter counter("c_total", "c");
    ASSERT_EQ(::chroot(root.path().c_str()), 0);
    ASSERT_EQ(::chdir("/"), 0);
    CountTwoThousand();
    const CounterFamily family("d_total", "d", {"l"});
    for (int i = 10'000; i < 20'000; ++i) {
      family.WithLabels(std::to_string(i)).Increment();
    }
    CountingThreads threads(8, [&] { counter.Increment(); });
    WaitUntil([&] { return counter.Value() > 100'000; });
    const uint64_t steps = threads.Stop();
    EXPECT_EQ(counter.Value(), steps);
    const WriterStatus status = GetWriterStatus();
    EXPECT_EQ(status.files.size(), 1u);
    EXPECT_NE(status.last_error, "");
  });
  const auto files = Read();
  ASSERT_EQ(files.size(), 1u);
  EXPECT_GT(files[0].dropped_observations, 0u);
  EXPECT_EQ(SumOfSeries(files) + files[0].dropped_observations, 12'000u);
}

TEST_F(PrivilegeTest, WorkerThatChrootsAndDropsAfterAfterForkCounts) {
  const TestDirectory root;
  Run([&] {
    const Counter counter("c_total", "c");
    counter.Increment();
    const pid_t worker = StartChild([&] {
      ASSERT_TRUE(AfterFork().ok());
      ASSERT_EQ(::chroot(root.path().c_str()), 0);
      ASSERT_EQ(::chdir("/"), 0);
      BecomeNobody(kNobody);
      counter.Increment();
      CountTwoThousand();
      EXPECT_EQ(GetWriterStatus().dropped_observations, 0u);
    });
    EXPECT_TRUE(IsSuccess(WaitFor(worker)));
  });
  const auto files = Read();
  EXPECT_EQ(files.size(), 2u);
  EXPECT_EQ(SumU64(files, "c_total"), 2u);
  EXPECT_EQ(SumOfSeries(files), 2000u);
}

TEST_F(PrivilegeTest, WorkerThatDropsFirstIsACountedNoOpIn0700) {
  const ChildOutcome outcome = Run([this] {
    const Counter counter("c_total", "c");
    counter.Increment();
    const pid_t worker = StartChild([&] {
      BecomeNobody(kNobody);
      EXPECT_EQ(AfterFork().code(), ErrorCode::kFileUnavailable);
      counter.Increment(5);
      CountTwoThousand();
      EXPECT_EQ(GetWriterStatus().dropped_observations, 2001u);
      EXPECT_TRUE(GetWriterStatus().files.empty());
    });
    EXPECT_TRUE(IsSuccess(WaitFor(worker)));
    EXPECT_TRUE(IsOwnFileHeld());
  });
  EXPECT_EQ(LineCount(outcome.stderr_text), 1) << outcome.stderr_text;
  const auto files = Read();
  ASSERT_EQ(files.size(), 1u);
  EXPECT_EQ(files[0].children_without_file, 1u);
  EXPECT_EQ(SumU64(files, "c_total"), 1u);
}

TEST_F(PrivilegeTest, FileFromBeforeTheDropCountsOnAndItsChildrenAreToldOf) {
  Run([this] {
    const Counter counter("c_total", "c");
    BecomeNobody(kNobody);
    counter.Increment();
    CountTwoThousand();
    const pid_t child = StartChild([&] { counter.Increment(); });
    EXPECT_TRUE(IsSuccess(WaitFor(child)));
    EXPECT_EQ(GetWriterStatus().children_without_file, 1u);
  });
  const auto files = Read();
  ASSERT_EQ(files.size(), 1u);
  EXPECT_EQ(SumU64(files, "c_total"), 1u);
  EXPECT_EQ(SumOfSeries(files), 2000u);
}

// Since the drop /proc/self belongs to root; the file does without it.
TEST_F(PrivilegeTest, GroupDirectoryTakesFilesOfWhoeverDroppedToItsGroup) {
  ASSERT_EQ(::chown(dir_.path().c_str(), 0, kMetricsGroup), 0);
  dir_.SetMode(03770);
  Run([this] {
    const Counter counter("c_total", "c");
    const pid_t worker = StartChild([&] {
      BecomeNobody(kMetricsGroup);
      EXPECT_EQ(::prctl(PR_GET_DUMPABLE), 0);
      counter.Increment();
      CountTwoThousand();
    });
    EXPECT_TRUE(IsSuccess(WaitFor(worker)));
    for (const MetricFileText& file : Read()) {
      const struct stat info = StatOf(file.name);
      const bool is_worker = file.pid == static_cast<uint32_t>(worker);
      EXPECT_EQ(info.st_uid, is_worker ? kNobody : 0);
      EXPECT_EQ(file.uid, is_worker ? kNobody : 0);
      EXPECT_EQ(info.st_gid, kMetricsGroup);
      EXPECT_EQ(info.st_mode & 07777, 0640u);
    }
  });
  const auto files = Read();
  EXPECT_EQ(files.size(), 2u);
  EXPECT_EQ(SumU64(files, "c_total"), 1u);
  EXPECT_EQ(SumOfSeries(files), 2000u);
}

TEST_F(PrivilegeTest, FirstMetricOfAProcessThatMayNotBeDumpedMakesItsFile) {
  Run([] {
    ASSERT_EQ(::prctl(PR_SET_DUMPABLE, 0), 0);
    Counter("c_total", "c").Increment();
  });
  EXPECT_EQ(SumU64(Read(), "c_total"), 1u);
}

class UmaskTest : public WriterTest,
                  public ::testing::WithParamInterface<mode_t> {};

INSTANTIATE_TEST_SUITE_P(Extremes, UmaskTest, ::testing::Values(0, 0277, 0777));

TEST_P(UmaskTest, FileIsReadableByItsGroupWhateverTheUmask) {
  Run([] {
    ::umask(GetParam());
    Counter("c_total", "c").Increment();
    struct stat info {};
    const std::string path =
        GetWriterStatus().directory + "/" + GetWriterStatus().files.at(0);
    EXPECT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 0640u);
  });
  EXPECT_EQ(SumU64(Read(), "c_total"), 1u);
}

// A directory of mode 0 would shut its own user out for good.
TEST_P(UmaskTest, DefaultDirectoryIsUsableByItsUserWhateverTheUmask) {
  if (::geteuid() != 0) {
    GTEST_SKIP() << "needs to be root";
  }
  // A user of this test's own, whose default directory nobody else has.
  const uid_t user = 1'000'000'000 + static_cast<uid_t>(::getpid());
  const std::string path = "/dev/shm/tine-" + std::to_string(user);
  ::setenv("TINE_DIR", path.c_str(), 1);
  Run([&] {
    ASSERT_EQ(::setresuid(user, user, user), 0);
    ::umask(GetParam());
    Counter("c_total", "c").Increment();
    EXPECT_EQ(GetWriterStatus().last_error, "");
  });
  struct stat info {};
  EXPECT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0700u);
  EXPECT_EQ(SumU64(ReadMetricFiles(path), "c_total"), 1u);
  std::error_code ignored;
  std::filesystem::remove_all(path, ignored);
}

class CoreDumpTest : public WriterTest {};

// A dump that includes the sparse mapping makes every page of it real.
TEST_F(CoreDumpTest, DumpedProcessLeavesItsFileAsSmallAsItWas) {
  if (kHasAsan || kHasTsan) {
    GTEST_SKIP() << "sanitizers turn core dumps off";
  }
  const TestDirectory cores;
  struct stat before {};
  struct stat after {};
  const pid_t pid = ::fork();
  if (pid == 0) {
    const rlimit limit{RLIM_INFINITY, RLIM_INFINITY};
    ::setrlimit(RLIMIT_CORE, &limit);
    std::ofstream("/proc/self/coredump_filter") << "0x7f";
    if (::chdir(cores.path().c_str()) != 0) {
      ::_exit(1);
    }
    Counter("c_total", "c").Increment();
    ::raise(SIGSTOP);
    std::abort();
  }
  int status = 0;
  ::waitpid(pid, &status, WUNTRACED);
  ASSERT_TRUE(WIFSTOPPED(status));
  const std::string path = dir_.At(NamesIn(dir_.path()).at(0));
  EXPECT_EQ(::stat(path.c_str(), &before), 0);
  ::kill(pid, SIGCONT);
  status = WaitFor(pid);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
  EXPECT_EQ(::stat(path.c_str(), &after), 0);
  EXPECT_EQ(after.st_blocks, before.st_blocks);
  EXPECT_FALSE(IsHeld(NamesIn(dir_.path()).at(0)));
  EXPECT_EQ(SumU64(Read(), "c_total"), 1u);
  if (!WCOREDUMP(status)) {
    GTEST_SKIP() << "this system made no core dump";
  }
}

}  // namespace
}  // namespace tine::testing
