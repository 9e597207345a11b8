// Store::kWritten: what is its own. The rest of the writer's tests runs over it
// too (store_tests.bzl).

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "common/unique_fd.h"
#include "tests/testing/stop_at_system_call.h"
#include "tests/writer/counting_threads.h"
#include "tests/writer/own_tmpfs.h"
#include "tests/writer/skipping_clock.h"
#include "tests/writer/writer_test_base.h"
#include "writer/tine.h"

namespace tine::testing {
namespace {

class WrittenStoreTest : public WriterTest {
 protected:
  void SetUp() override {
    WriterTest::SetUp();
    ::setenv("TINE_STORE", "pwrite", 1);
  }

  static void SetFileSizeLimit(rlim_t bytes) {
    rlimit limit{};
    ::getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes;
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  }

  // The descriptor of the process's metric file; -1: none.
  int OwnDescriptor() const {
    for (const std::string& name : NamesIn("/proc/self/fd")) {
      char target[4096];
      const ssize_t length =
          ::readlink(("/proc/self/fd/" + name).c_str(), target, sizeof(target));
      if (length > 0 && std::string(target, static_cast<size_t>(length))
                                .find(dir_.path() + "/") == 0) {
        return std::stoi(name);
      }
    }
    return -1;
  }

  // Lines of /proc/self/maps that map a file of the metrics directory.
  int MappingCount() const {
    std::ifstream maps("/proc/self/maps");
    int count = 0;
    for (std::string line; std::getline(maps, line);) {
      count += line.find(dir_.path()) != std::string::npos ? 1 : 0;
    }
    return count;
  }
};

// Makes `number` fail with `error` in this process, where the argument with
// that index has all of `bits`.
void RefuseSystemCall(unsigned number, int error, unsigned argument = 0,
                      unsigned bits = 0) {
  std::vector<sock_filter> code = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 4),
      BPF_STMT(
          BPF_LD | BPF_W | BPF_ABS,
          static_cast<unsigned>(offsetof(seccomp_data, args)) + 8 * argument),
      BPF_STMT(BPF_ALU | BPF_AND | BPF_K, bits),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, bits, 0, 1),
      BPF_STMT(BPF_RET | BPF_K,
               SECCOMP_RET_ERRNO | static_cast<unsigned>(error)),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const sock_fprog program{static_cast<uint16_t>(code.size()), code.data()};
  ASSERT_EQ(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
  ASSERT_EQ(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

// Kills at any system call but these.
void AllowOnly(const std::vector<unsigned>& numbers) {
  std::vector<sock_filter> code = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
  for (const unsigned number : numbers) {
    code.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1));
    code.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  }
  code.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
  const sock_fprog program{static_cast<uint16_t>(code.size()), code.data()};
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

TEST_F(WrittenStoreTest, EveryInstrumentIsInTheFileAtOnceWithoutAMapping) {
  Run([this] {
    const Counter counter("c_total", "c");
    const DoubleCounter seconds("s_total", "s");
    const UpDownCounter in_flight("f", "f", GaugeMode::kLiveSum);
    const Histogram histogram("h", "h", {1, 2});
    const Summary summary("y", "y");
    const Gauge gauge("g", "g", GaugeMode::kMax);
    const Gauge recent("r", "r", GaugeMode::kMostRecent);
    for (uint64_t i = 1; i <= 300; ++i) {
      counter.Increment();
      EXPECT_EQ(SumU64(Read(), "c_total"), i);
    }
    seconds.Increment(0.5);
    in_flight.Decrement();
    histogram.Observe(1.5);
    summary.Observe(4);
    gauge.Set(3);
    gauge.Add(-0.5);
    recent.Set(7);
    const auto files = Read();
    EXPECT_EQ(SumF64(files, "s_total"), 0.5);
    EXPECT_EQ(SumU64(files, "f"), static_cast<uint64_t>(-1));
    EXPECT_EQ(SumU64(files, "h", 1), 1u);
    EXPECT_EQ(SumF64(files, "h", 3), 1.5);
    EXPECT_EQ(SumU64(files, "y", 0), 1u);
    EXPECT_EQ(SumF64(files, "y", 1), 4);
    double value = 0;
    EXPECT_TRUE(files.at(0).series.at("g").GaugeValue(&value));
    EXPECT_EQ(value, 2.5);
    EXPECT_TRUE(gauge.Value(&value));
    EXPECT_EQ(value, 2.5);
    EXPECT_TRUE(files.at(0).series.at("r").GaugeValue(&value));
    EXPECT_EQ(value, 7);
    EXPECT_NE(files.at(0).series.at("r").slot0.at(1), 0u);
    EXPECT_EQ(counter.Value(), 300u);
    EXPECT_EQ(MappingCount(), 0);
    EXPECT_EQ(GetWriterStatus().store, Store::kWritten);
    EXPECT_EQ(GetWriterStatus().failed_writes, 0u);
    EXPECT_TRUE(IsHeld(files.at(0).name));
  });
}

// What was returned from is in the file; what is in the file was begun.
TEST_F(WrittenStoreTest, KilledAtAnyMomentTheFileHoldsWhatWasReturnedFrom) {
  struct Progress {
    std::atomic<uint64_t> begun;
    std::atomic<uint64_t> done;
  };
  constexpr int kKills = Scaled(150);
  void* memory = ::mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  auto* progress = static_cast<Progress*>(memory);
  for (int kill = 0; kill < kKills; ++kill) {
    progress->begun = 0;
    progress->done = 0;
    const pid_t pid = StartChild([progress] {
      const Counter counter("c_total", "c");
      while (true) {
        ++progress->begun;
        counter.Increment();
        ++progress->done;
      }
    });
    const uint64_t wanted = static_cast<uint64_t>(1 + kill % 40 * 7);
    ASSERT_TRUE(WaitUntil([&] { return progress->done >= wanted; }));
    ::kill(pid, SIGKILL);
    WaitFor(pid);
    const auto files = Read();
    ASSERT_EQ(files.size(), 1u);
    EXPECT_GE(SumU64(files, "c_total"), progress->done.load());
    EXPECT_LE(SumU64(files, "c_total"), progress->begun.load());
    EXPECT_FALSE(IsHeld(files[0].name));
    ::unlink(dir_.At(files[0].name).c_str());
  }
  ::munmap(memory, sizeof(Progress));
}

// Each system call has a moment before it and one after.
TEST_F(WrittenStoreTest, KilledAtEachSystemCallItLeavesASoundFile) {
  if (kHasAsan || kHasTsan) {
    GTEST_SKIP() << "sanitizers make system calls of their own";
  }
  struct Progress {
    uint64_t begun;
    uint64_t done;
  };
  void* memory = ::mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  auto* progress = static_cast<volatile Progress*>(memory);
  const auto body = [progress] {
    const CounterFamily family("c_total", "c", {"l"});
    const Histogram histogram("h", "h", {1, 2});
    for (int i = 0; i < 4; ++i) {
      progress->begun = progress->begun + 1;
      family.WithLabels(i < 2 ? "x" : "y").Increment();
      histogram.Observe(1.5);
      progress->done = progress->done + 1;
    }
  };
  const auto check = [&] {
    const auto files = Read();
    ASSERT_LE(files.size(), 1u);
    const uint64_t sum =
        SumU64(files, "c_total{x}") + SumU64(files, "c_total{y}");
    EXPECT_GE(sum, progress->done);
    EXPECT_LE(sum, progress->begun);
    EXPECT_GE(SumU64(files, "h", 1), progress->done);
    EXPECT_LE(SumU64(files, "h", 1), progress->begun);
    for (const MetricFileText& file : files) {
      // One that is published has its family and its cells.
      EXPECT_EQ(file.series.count("h"), file.families.count("h"));
    }
  };
  int stop = 1;
  bool was_stopped = true;
  for (; was_stopped && !HasFailure(); ++stop) {
    SCOPED_TRACE(stop);
    progress->begun = 0;
    progress->done = 0;
    was_stopped = StopAtSystemCall(stop, body, check);
    for (const std::string& name : NamesIn(dir_.path())) {
      ::unlink(dir_.At(name).c_str());
    }
  }
  EXPECT_TRUE(HasFailure() || stop > 100) << "it made hardly a system call";
  ::munmap(memory, sizeof(Progress));
}

// An older value never comes after a newer one, and none is torn: the file only
// grows while it is read, and holds what memory holds.
TEST_F(WrittenStoreTest, ThreadsAndHandlersOnOneCounterNeverTakeTheFileBack) {
  static Counter counter;
  static std::atomic<uint64_t> handler_adds{0};
  constexpr int kReads = Scaled(4000);
  Run([this] {
    counter = Counter("c_total", "c");
    struct sigaction action {};
    action.sa_handler = [](int) {
      counter.Increment(255);  // many carries
      handler_adds += 255;
    };
    ::sigaction(SIGUSR1, &action, nullptr);
    CountingThreads threads(4, [] {
      counter.Increment();
      ::raise(SIGUSR1);
    });
    const UniqueFd fd(::open(dir_.At(NamesIn(dir_.path()).at(0)).c_str(),
                             O_RDONLY | O_CLOEXEC));
    // Its CELLS record is the first: slot 0 of chunk 0, and its first cell.
    constexpr off_t kCell = format::kHeaderBytes + format::kRecordAlignment;
    uint64_t before = 0;
    for (int i = 0; i < kReads; ++i) {
      uint64_t now = 0;
      ASSERT_EQ(::pread(fd.get(), &now, sizeof(now), kCell), 8);
      ASSERT_GE(now, before);
      ASSERT_LE(now, before + (uint64_t{1} << 32));
      before = now;
      std::this_thread::yield();
    }
    const uint64_t expected = threads.Stop() + handler_adds;
    EXPECT_EQ(counter.Value(), expected);
    EXPECT_EQ(SumU64(Read(), "c_total"), expected);
    EXPECT_EQ(GetWriterStatus().last_error, "");
  });
}

TEST_F(WrittenStoreTest, ChildrenHaveFilesAndLocksOfTheirOwn) {
  Run([this] {
    const Counter counter("c_total", "c");
    counter.Increment(5);
    const int fd = OwnDescriptor();
    ASSERT_GE(fd, 0);
    const pid_t silent = StartChild([&] {
      EXPECT_EQ(OwnDescriptor(), -1);
      EXPECT_EQ(::fcntl(fd, F_GETFD), -1);
    });
    EXPECT_TRUE(IsSuccess(WaitFor(silent)));
    const pid_t counting = StartChild([&] {
      EXPECT_EQ(counter.Value(), 0u);
      counter.Increment(2);
      EXPECT_EQ(NamesIn(dir_.path()).size(), 2u);
      for (const MetricFileText& file : Read()) {
        EXPECT_TRUE(IsHeld(file.name));
      }
    });
    EXPECT_TRUE(IsSuccess(WaitFor(counting)));
    for (const MetricFileText& file : Read()) {
      EXPECT_EQ(IsHeld(file.name), SumU64({file}, "c_total") == 5);
    }
    counter.Increment();
    EXPECT_EQ(SumU64(Read(), "c_total"), 8u);
  });
}

// The exec'ed image of a child made by hand holds nothing of its parent's.
TEST_F(WrittenStoreTest, ExecLeavesTheLockBehind) {
  const pid_t pid = StartChild([] {
    const Counter counter("c_total", "c");
    counter.Increment();
    if (::_Fork() == 0) {
      ::execl("/bin/sleep", "sleep", "60", nullptr);
      ::_exit(1);
    }
    while (true) {
      ::pause();
    }
  });
  ASSERT_TRUE(WaitUntil(
      [&] { return SumU64(ReadMetricFiles(dir_.path()), "c_total") == 1; }));
  const std::string name = NamesIn(dir_.path()).at(0);
  EXPECT_TRUE(IsHeld(name));
  ::kill(pid, SIGKILL);
  WaitFor(pid);
  EXPECT_TRUE(WaitUntil([&] { return !IsHeld(name); }));
}

TEST_F(WrittenStoreTest, ProgramThatClosesTheDescriptorGoesOnInAFurtherFile) {
  constexpr int kTimes = 5;
  Run([this] {
    const Counter counter("c_total", "c");
    const Histogram histogram("h", "h", {1});
    for (int i = 0; i < kTimes; ++i) {
      counter.Increment(10);
      histogram.Observe(0.5);
      ASSERT_EQ(::close(OwnDescriptor()), 0);
    }
    counter.Increment();
    const CounterFamily family("d_total", "d", {"l"});
    ASSERT_EQ(::close(OwnDescriptor()), 0);
    family.WithLabels("new").Increment();
    counter.Increment();
    const auto files = Read();
    EXPECT_EQ(files.size(), kTimes + 2u);
    EXPECT_EQ(SumU64(files, "c_total"), 10u * kTimes + 2);
    EXPECT_EQ(SumU64(files, "h", 0), 1u * kTimes);
    EXPECT_EQ(SumU64(files, "d_total{new}"), 1u);
    int held_count = 0;
    for (const MetricFileText& file : files) {
      held_count += IsHeld(file.name) ? 1 : 0;
    }
    EXPECT_EQ(held_count, 1);
    EXPECT_EQ(GetWriterStatus().dropped_observations, 0u);
    EXPECT_NE(GetWriterStatus().last_error.find("closed"), std::string::npos);
  });
}

TEST_F(WrittenStoreTest, NumberThatIsAnotherFilesNowIsLeftAlone) {
  Run([this] {
    const Counter counter("c_total", "c");
    const CounterFamily family("d_total", "d", {"l"});
    counter.Increment();
    const int fd = OwnDescriptor();
    const std::string stranger = dir_.path() + "/../stranger";
    const int other =
        ::open(stranger.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    ASSERT_EQ(::dup3(other, fd, O_CLOEXEC), fd);
    counter.Increment();
    family.WithLabels("x").Increment();
    struct stat info {};
    ASSERT_EQ(::fstat(fd, &info), 0);
    EXPECT_EQ(info.st_size, 0);
    const pid_t pid = StartChild([&] {
      counter.Increment();
      EXPECT_EQ(::fcntl(fd, F_GETFD), FD_CLOEXEC) << "closed in the child";
    });
    EXPECT_TRUE(IsSuccess(WaitFor(pid)));
    EXPECT_EQ(SumU64(Read(), "c_total"), 3u);
    ::unlink(stranger.c_str());
  });
}

// A program that has closed all it does not know, and the standard three, gets
// none of the numbers that it expects from us.
TEST_F(WrittenStoreTest, LowNumbersAreLeftToTheProgram) {
  for (const rlim_t limit : {rlim_t{20}, rlim_t{1024}}) {
    Run([this, limit] {
      rlimit descriptors{};
      ::getrlimit(RLIMIT_NOFILE, &descriptors);
      descriptors.rlim_cur = limit;
      ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &descriptors), 0);
      const int out = ::dup(STDERR_FILENO);
      ::close(STDERR_FILENO);
      ::close(STDIN_FILENO);
      const Counter counter("c_total", "c");
      counter.Increment();
      EXPECT_GE(OwnDescriptor(), limit < 100 ? 3 : 900);
      EXPECT_EQ(::open("/dev/null", O_RDONLY), STDIN_FILENO);
      EXPECT_EQ(::dup(out), STDERR_FILENO);
      EXPECT_TRUE(IsHeld(NamesIn(dir_.path()).at(0)));
      ::unlink(dir_.At(NamesIn(dir_.path()).at(0)).c_str());
    });
  }
}

TEST_F(WrittenStoreTest, ProgramThatClosesForEverStopsCountingAndSaysSo) {
  Run([this] {
    const Counter counter("c_total", "c");
    uint64_t count = 0;
    for (int i = 0; i < 40; ++i) {
      counter.Increment();
      ++count;
      ::close(OwnDescriptor());
    }
    EXPECT_LE(NamesIn(dir_.path()).size(), 16u);
    EXPECT_EQ(
        SumU64(Read(), "c_total") + GetWriterStatus().dropped_observations,
        count);
  });
}

TEST_F(WrittenStoreTest, FileSizeLimitRaisesNoSignalAndLosesNothing) {
  Run([this] {
    const Counter counter("c_total", "c");
    const Counter other("o_total", "o");
    counter.Increment();
    SetFileSizeLimit(0);
    for (int i = 0; i < 100; ++i) {
      counter.Increment();
    }
    other.Increment();
    EXPECT_EQ(GetWriterStatus().failed_writes, 101u);
    EXPECT_NE(GetWriterStatus().last_error.find("File too large"),
              std::string::npos);
    EXPECT_EQ(counter.Value(), 101u);
    EXPECT_EQ(SumU64(Read(), "c_total"), 1u);
    SetFileSizeLimit(RLIM_INFINITY);
    // What it writes brings itself up to date, and after a while the rest.
    counter.Increment();
    EXPECT_EQ(SumU64(Read(), "c_total"), 102u);
    EXPECT_EQ(SumU64(Read(), "o_total"), 0u);
    g_skipped_seconds += 11;
    for (int i = 0; i < 10'000; ++i) {
      counter.Increment();  // few of them look at a clock
    }
    EXPECT_EQ(SumU64(Read(), "c_total"), 10'102u);
    EXPECT_EQ(SumU64(Read(), "o_total"), 1u);
    EXPECT_EQ(GetWriterStatus().dropped_observations, 0u);
  });
}

// One that the host has blocked and not yet taken stays.
TEST_F(WrittenStoreTest, PendingSignalOfTheHostsStaysPending) {
  Run([] {
    sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, SIGXFSZ);
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    const Counter counter("c_total", "c");
    SetFileSizeLimit(0);
    counter.Increment();
    ::sigpending(&set);
    EXPECT_EQ(::sigismember(&set, SIGXFSZ), 0) << "ours was left";
    ::raise(SIGXFSZ);
    counter.Increment();
    ::sigpending(&set);
    EXPECT_EQ(::sigismember(&set, SIGXFSZ), 1) << "the host's was taken";
  });
}

TEST_F(WrittenStoreTest, FullDiskIsCountedAndCaughtUpWith) {
  TINE_SKIP_UNLESS_CAN_MOUNT();
  Run([this] {
    MountOwnTmpfs(dir_.path(), "size=256k");
    const CounterFamily family("c_total", "c", {"l"});
    const Counter first = family.WithLabels("0");
    first.Increment();
    FillUpTo(dir_.path(), 0);
    for (int i = 0; i < 2000; ++i) {
      family.WithLabels(std::to_string(i)).Increment();
    }
    uint64_t sum = 0;
    for (const MetricFileText& file : Read()) {
      for (const auto& [name, cells] : file.series) {
        sum += cells.u64[0];
      }
    }
    EXPECT_EQ(sum + GetWriterStatus().dropped_observations, 2001u);
    EXPECT_GT(GetWriterStatus().dropped_observations, 0u);
    // What has its place there counts on.
    EXPECT_EQ(SumU64(Read(), "c_total{0}"), 2u);
    FreeFiller(dir_.path());
    g_skipped_seconds += 11;
    for (int i = 0; i < 10'000; ++i) {
      family.WithLabels("new").Increment();
    }
    EXPECT_GT(SumU64(Read(), "c_total{new}"), 0u);
  });
}

// Errors of the disk itself: the kernel's answer is an errno, as any.
TEST_F(WrittenStoreTest, FailingWritesAreCountedAndNothingElseHappens) {
  for (const int error : {EIO, ENOSPC, EDQUOT, EPERM}) {
    Run([this, error] {
      const Counter counter("c_total", "c");
      const CounterFamily family("d_total", "d", {"l"});
      counter.Increment();
      RefuseSystemCall(SYS_pwrite64, error);
      for (int i = 0; i < 50; ++i) {
        counter.Increment();
      }
      family.WithLabels("x").Increment();
      EXPECT_EQ(counter.Value(), 51u);
      EXPECT_EQ(GetWriterStatus().failed_writes, 50u);
      EXPECT_EQ(GetWriterStatus().dropped_observations, 1u);
      const auto files = Read();
      EXPECT_EQ(SumU64(files, "c_total"), 1u);
      EXPECT_EQ(files.size(), 1u);
      ::unlink(dir_.At(files.at(0).name).c_str());
    });
  }
}

// A publication that fails leaves the file as it was, and the next one is
// whole.
TEST_F(WrittenStoreTest, PublicationThatFailsIsMadeAgain) {
  Run([this] {
    const Counter counter("c_total", "c");
    const std::string long_help(2000, 'h');
    const CounterFamily family("d_total", long_help, {"l"});
    SetFileSizeLimit(0);
    const Counter late = family.WithLabels("x");
    late.Increment();
    EXPECT_EQ(FilesWith(Read(), "d_total{x}"), 0u);
    SetFileSizeLimit(RLIM_INFINITY);
    g_skipped_seconds += 11;
    for (int i = 0; i < 10'000; ++i) {
      late.Increment();
    }
    family.WithLabels("y").Increment();
    const auto files = Read();
    EXPECT_EQ(
        SumU64(files, "d_total{x}") + GetWriterStatus().dropped_observations,
        10'001u);
    EXPECT_GT(SumU64(files, "d_total{x}"), 0u);
    EXPECT_EQ(SumU64(files, "d_total{y}"), 1u);
    EXPECT_EQ(files.at(0).families.at("d_total").help, long_help);
  });
}

// From here on each pwrite of this thread waits for the listener's answer. The
// listener; -1 where the kernel cannot do it.
int HoldUpWrites() {
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pwrite64, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const sock_fprog program{static_cast<uint16_t>(std::size(code)), code};
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  return static_cast<int>(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                                    SECCOMP_FILTER_FLAG_NEW_LISTENER,
                                    &program));
}

uint64_t WaitForHeldUpWrite(int listener) {
  seccomp_notif call{};
  EXPECT_EQ(::ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call), 0);
  return call.id;
}

void LetGoOn(int listener, uint64_t id) {
  seccomp_notif_resp answer{};
  answer.id = id;
  answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
  EXPECT_EQ(::ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer), 0);
}

// A disk that hangs, or a thread that is stopped in the middle.
TEST_F(WrittenStoreTest, OthersWaitForAHungWriteOnceAndLoseNothing) {
  constexpr int kNotPossible = 77;
  const ChildOutcome outcome = RunInChild([this] {
    const Counter counter("c_total", "c");
    std::atomic<int> listener{-2};
    std::atomic<bool> is_over{false};
    std::thread hung([&] {
      listener = HoldUpWrites();
      counter.Increment(10);
      is_over = true;
    });
    ASSERT_TRUE(WaitUntil([&] { return listener != -2; }));
    if (listener < 0) {
      ::_exit(kNotPossible);
    }
    uint64_t id = WaitForHeldUpWrite(listener);
    std::thread skip([] {
      ::usleep(20'000);
      g_skipped_seconds += 2;  // the wait goes by the library's clock
    });
    for (int i = 0; i < 1000; ++i) {
      counter.Increment();
    }
    skip.join();
    EXPECT_EQ(counter.Value(), 1010u);
    EXPECT_EQ(SumU64(Read(), "c_total"), 0u);
    // What it writes is older by now; then it brings the rest along.
    LetGoOn(listener, id);
    pollfd wanted = {listener, POLLIN, 0};
    while (!is_over) {
      // POLLHUP alone: the thread has ended.
      if (::poll(&wanted, 1, 10) == 1 && (wanted.revents & POLLIN) != 0) {
        id = WaitForHeldUpWrite(listener);
        LetGoOn(listener, id);
      }
    }
    hung.join();
    EXPECT_EQ(SumU64(Read(), "c_total"), 1010u);
    counter.Increment();
    EXPECT_EQ(SumU64(Read(), "c_total"), 1011u);
    EXPECT_EQ(GetWriterStatus().failed_writes, 0u);
  });
  if (outcome.HasExited(kNotPossible)) {
    GTEST_SKIP() << "this kernel has no seccomp notifications";
  }
  EXPECT_TRUE(outcome.HasExited(0)) << outcome.Description();
}

TEST_F(WrittenStoreTest, CountsWhereSharedMappingsAreRefused) {
  const auto count = [this] {
    RefuseSystemCall(SYS_mmap, EPERM, /*argument=*/3, MAP_SHARED);
    const CounterFamily family("c_total", "c", {"l"});
    for (int i = 0; i < 2000; ++i) {
      family.WithLabels(std::to_string(i)).Increment();
    }
    return GetWriterStatus().dropped_observations;
  };
  Run([&] { EXPECT_EQ(count(), 0u); });
  const auto files = Read();
  ASSERT_EQ(files.size(), 1u);
  EXPECT_EQ(files[0].series.size(), 2000u);
  EXPECT_EQ(SumU64(files, "c_total{1999}"), 1u);
  // The control: a mapped file cannot be had here.
  ::setenv("TINE_STORE", "mmap", 1);
  ::setenv("TINE_LOG", "off", 1);
  Run([&] { EXPECT_EQ(count(), 2000u); });
}

TEST_F(WrittenStoreTest, CountsOnADisk) {
  std::string path = "/var/tmp/tine-test-XXXXXX";
  ASSERT_NE(::mkdtemp(path.data()), nullptr);
  ::setenv("TINE_DIR", path.c_str(), 1);
  const ChildOutcome outcome = Run([] {
    Counter("c_total", "c").Increment();
    EXPECT_EQ(GetWriterStatus().last_error, "");
  });
  EXPECT_EQ(outcome.stderr_text, "");
  EXPECT_EQ(SumU64(ReadMetricFiles(path), "c_total"), 1u);
  std::error_code ignored;
  std::filesystem::remove_all(path, ignored);
}

TEST_F(WrittenStoreTest, SealLeavesTheWriteAlone) {
  if (kHasAsan || kHasTsan) {
    GTEST_SKIP() << "sanitizers make system calls of their own";
  }
  Run([] {
    const Counter counter("c_total", "c");
    const CounterFamily family("d_total", "d", {"l"});
    const Gauge gauge("g", "g", GaugeMode::kMax);
    family.WithLabels("known");
    Seal();
    AllowOnly({SYS_exit_group, SYS_pwrite64});
    for (int i = 0; i < 1000; ++i) {
      counter.Increment();
      family.WithLabels("known").Increment();
      gauge.Set(i);
    }
    ::syscall(SYS_exit_group, counter.Value() == 1000 ? 0 : 1);
  });
  const auto files = Read();
  EXPECT_EQ(SumU64(files, "c_total"), 1000u);
  EXPECT_EQ(SumU64(files, "d_total{known}"), 1000u);
}

}  // namespace
}  // namespace tine::testing
