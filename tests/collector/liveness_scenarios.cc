#include <fcntl.h>
#include <gmock/gmock.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "common/unique_fd.h"
#include "tests/collector/fault_scenarios.h"
#include "tests/collector/watch_bench.h"
#include "tests/collector/writer_process.h"
#include "tests/testing/child_process.h"
#include "tests/testing/sanitizers.h"

namespace tine::collector {
namespace {

using testing::BuilderHeader;
using testing::MetricFileBuilder;
using testing::ServedNumbers;
using testing::WaitUntil;

constexpr char kCount[] = "c_total{}";

// Who lives, as of a scrape that begins now; the files in the order in which
// they were found.
std::vector<std::string> StatesAfterAScrape(WatchBench* bench) {
  bench->Text();
  std::vector<std::string> states;
  for (const FileReport& report : bench->collector().ReportFiles()) {
    states.emplace_back(report.liveness);
  }
  return states;
}

std::string StateAfterAScrape(WatchBench* bench) {
  const std::vector<std::string> states = StatesAfterAScrape(bench);
  return states.size() == 1 ? states[0] : std::to_string(states.size());
}

size_t GaugeCount(const ServedNumbers& numbers) {
  size_t count = 0;
  for (const auto& [series, value] : numbers) {
    count += series.rfind("g{", 0) == 0 ? 1 : 0;
  }
  return count;
}

// What a death must look like at the first scrape after it.
void ExpectDeath(WatchBench* bench, double count) {
  const ServedNumbers numbers = bench->Numbers();
  EXPECT_EQ(numbers.count(kCount) == 0 ? -1 : numbers.at(kCount), count);
  EXPECT_EQ(GaugeCount(numbers), 0u);
  EXPECT_EQ(StateAfterAScrape(bench), "dead");
  bench->ExpectFresh();
}

// ---- Processes --------------------------------------------------------------

void Zombie(bool has_thread) {
  WatchBench bench(has_thread);
  WriterProcess writer(bench.path());
  EXPECT_EQ(StateAfterAScrape(&bench), "live");
  EXPECT_EQ(GaugeCount(bench.Numbers()), 1u);
  writer.Kill();
  ExpectDeath(&bench, 1);
  EXPECT_EQ(::kill(writer.pid(), 0), 0) << "the zombie is still there";
}

void Stopped(bool has_thread) {
  WatchBench bench(has_thread);
  WriterProcess writer(bench.path(),
                       [](const Counter& counter, std::atomic<uint64_t>*) {
                         for (;;) {
                           counter.Increment();
                         }
                       });
  for (int i = 0; i < 5; ++i) {
    ASSERT_EQ(::kill(writer.pid(), SIGSTOP), 0);
    int status = 0;
    ASSERT_EQ(::waitpid(writer.pid(), &status, WUNTRACED), writer.pid());
    ASSERT_TRUE(WIFSTOPPED(status));
    const double stopped_at = bench.Numbers().at(kCount);
    EXPECT_EQ(StateAfterAScrape(&bench), "live");
    EXPECT_EQ(GaugeCount(bench.Numbers()), 1u);
    ASSERT_EQ(::kill(writer.pid(), SIGCONT), 0);
    EXPECT_TRUE(
        WaitUntil([&] { return bench.Numbers().at(kCount) > stopped_at; }));
  }
  ASSERT_EQ(::kill(writer.pid(), SIGSTOP), 0);
  writer.Kill();
  ExpectDeath(&bench, bench.Numbers().at(kCount));
}

void Exec(bool has_thread) {
  WatchBench bench(has_thread);
  int fds[2];
  ASSERT_EQ(::pipe(fds), 0);
  WriterProcess writer(
      bench.path(), [&](const Counter&, std::atomic<uint64_t>*) {
        // The new program says that it runs.
        ::dup2(fds[1], 1);
        ::execl("/bin/sh", "sh", "-c", "echo; exec sleep 60", nullptr);
      });
  char byte = 0;
  ASSERT_EQ(::read(fds[0], &byte, 1), 1);
  ::close(fds[0]);
  ::close(fds[1]);
  ExpectDeath(&bench, 1);
  siginfo_t info = {};
  EXPECT_EQ(::waitid(P_PID, static_cast<id_t>(writer.pid()), &info,
                     WEXITED | WNOWAIT | WNOHANG),
            0);
  EXPECT_EQ(info.si_pid, 0) << "the process lives on";
}

// Then /proc calls the process a zombie.
void FirstThreadEnded(bool has_thread) {
  if (has_thread && testing::kHasTsan) {
    GTEST_SKIP() << "thread sanitizer ends the child of a threaded process "
                    "that makes a thread again";
  }
  WatchBench bench(has_thread);
  WriterProcess writer(bench.path(),
                       [](const Counter& counter, std::atomic<uint64_t>* mark) {
                         std::thread([counter, mark] {
                           for (;;) {
                             counter.Increment();
                             *mark = 1;
                           }
                         }).detach();
                         while (*mark == 0) {  // it has begun
                           ::sched_yield();
                         }
                         // As pthread_exit does, without unwinding this stack.
                         ::syscall(SYS_exit, 0);
                       });
  EXPECT_TRUE(WaitUntil([&] {
    std::ifstream file("/proc/" + std::to_string(writer.pid()) + "/stat");
    std::stringstream text;
    text << file.rdbuf();
    return text.str().find(") Z ") != std::string::npos;
  }));
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(StateAfterAScrape(&bench), "live");
  }
  const double before = bench.Numbers().at(kCount);
  EXPECT_TRUE(WaitUntil([&] { return bench.Numbers().at(kCount) > before; }));
  writer.Kill();
  ExpectDeath(&bench, bench.Numbers().at(kCount));
}

void ChildThatOutlivesItsParent(bool has_thread) {
  WatchBench bench(has_thread);
  int fds[2];
  ASSERT_EQ(::pipe(fds), 0);
  WriterProcess writer(
      bench.path(), [&](const Counter& counter, std::atomic<uint64_t>* mark) {
        if (::fork() == 0) {
          // Ends with the test, which has the other end.
          ::close(fds[1]);
          char byte;
          while (::read(fds[0], &byte, 1) == 1) {
            counter.Increment();
          }
          ::_exit(0);
        }
        *mark = 1;
        WriterProcess::Sleep(counter, mark);
      });
  EXPECT_TRUE(WaitUntil([&] { return writer.mark() == 1; }));
  EXPECT_EQ(StateAfterAScrape(&bench), "live");
  writer.Kill();
  ExpectDeath(&bench, 1);
  // A file of its own, whose writer lives.
  ASSERT_EQ(::write(fds[1], "x", 1), 1);
  EXPECT_TRUE(WaitUntil([&] { return bench.Numbers().at(kCount) == 2; }));
  EXPECT_THAT(StatesAfterAScrape(&bench),
              ::testing::UnorderedElementsAre("dead", "live"));
  ::close(fds[0]);
  ::close(fds[1]);
}

// ---- Locks and headers ------------------------------------------------------

void SquattersReadLock(bool has_thread) {
  WatchBench bench(has_thread);
  WriterProcess writer(bench.path());
  EXPECT_EQ(StateAfterAScrape(&bench), "live");
  const std::string name = bench.collector().ReportFiles().at(0).name;
  const UniqueFd squatter(
      ::open((bench.path() + "/" + name).c_str(), O_RDONLY | O_CLOEXEC));
  struct flock lock = {};
  lock.l_type = F_RDLCK;
  lock.l_whence = SEEK_SET;
  EXPECT_EQ(::fcntl(squatter.get(), F_OFD_SETLK, &lock), -1);
  writer.Kill();
  ASSERT_EQ(::fcntl(squatter.get(), F_OFD_SETLK, &lock), 0);
  ExpectDeath(&bench, 1);
}

void OtherBootOnMemory(bool has_thread) {
  WatchBench bench(has_thread, /*rescan_interval_ms=*/1);
  BuilderHeader header;
  header.boot_id[0] = 1;
  MetricFileBuilder file(bench.workshop(), header, 16 << 10);
  file.AddCounter("c_total", 1);
  file.SetGauge(file.AddSeries(file.AddFamily(
                    testing::GaugeFamily("g", format::GaugeMode::kLiveSum))),
                7);
  file.MoveTo(bench.path());
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(StateAfterAScrape(&bench), "foreign");
    EXPECT_EQ(GaugeCount(bench.Numbers()), 1u);
    file.AddU64(0, 1);  // it may be counting
    EXPECT_EQ(bench.Numbers().at(kCount), i + 2);
  }
}

void HeldLockOfAProcessThatIsGone(bool has_thread) {
  WatchBench bench(has_thread);
  const pid_t pid = testing::StartChild([] {});
  testing::WaitFor(pid);
  BuilderHeader header;
  header.pid = static_cast<uint32_t>(pid);
  header.process_start_ticks = 1;
  MetricFileBuilder file(bench.workshop(), header, 16 << 10);
  file.AddCounter("c_total", 1);
  file.HoldLifeLock();
  file.MoveTo(bench.path());
  EXPECT_EQ(StateAfterAScrape(&bench), "live");
  file.ReleaseLifeLock();
  ExpectDeath(&bench, 1);
}

uint64_t StartTicksOf(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::stringstream text;
  text << file.rdbuf();
  const std::string stat = text.str();
  std::istringstream fields(stat.substr(stat.rfind(')') + 2));
  std::string field;
  for (int i = 3; i <= 22; ++i) {
    fields >> field;
  }
  return std::stoull(field);
}

// A header that says: the lock proves nothing.
BuilderHeader HeaderWithoutLock(pid_t pid, uint64_t start_ticks) {
  BuilderHeader header;
  header.life_lock = format::LifeLock::kDoesNotHold;
  header.pid = static_cast<uint32_t>(pid);
  header.process_start_ticks = start_ticks;
  return header;
}

// On a disk a writer of another boot is dead, but not one of whom it is not
// known of which boot it is.
void UnknownBootOnDisk(bool /*has_thread*/) {
  WatchBench bench(false);
  MetricFileBuilder file(bench.workshop());
  const UniqueFd fd(::open(file.path().c_str(), O_RDONLY | O_CLOEXEC));
  const HostIdentity host = HostIdentity::OfThisProcess();
  WriterIdentity writer;
  writer.pid = static_cast<uint32_t>(::getpid());
  writer.process_start_ticks = StartTicksOf(::getpid());
  writer.pid_namespace = host.pid_namespace;
  writer.time_namespace = host.time_namespace;
  writer.life_lock = format::LifeLock::kDoesNotHold;
  const auto probe = [&](FileSystemKind kind) {
    return LivenessProbe(host).Probe(fd.get(), writer, kind);
  };
  EXPECT_EQ(probe(FileSystemKind::kDisk), Liveness::kUnproven);
  EXPECT_EQ(probe(FileSystemKind::kMemory), Liveness::kForeign);
  writer.process_start_ticks = 0;  // not known either
  EXPECT_EQ(probe(FileSystemKind::kDisk), Liveness::kUnproven);
  writer.life_lock = format::LifeLock::kHolds;
  EXPECT_EQ(probe(FileSystemKind::kDisk), Liveness::kDead);
  writer.boot_id[0] = 1;
  EXPECT_EQ(probe(FileSystemKind::kDisk), Liveness::kDead);
}

// ---- Namespaces -------------------------------------------------------------

void TwoProcessesThatAreBothPid1(bool has_thread) {
  WatchBench bench(has_thread);
  const auto first = std::make_unique<WriterProcess>(
      bench.path(), WriterProcess::Sleep, CLONE_NEWPID);
  const auto second = std::make_unique<WriterProcess>(
      bench.path(), WriterProcess::Sleep, CLONE_NEWPID);
  EXPECT_THAT(StatesAfterAScrape(&bench),
              ::testing::ElementsAre("live", "live"));
  for (const FileReport& report : bench.collector().ReportFiles()) {
    EXPECT_EQ(report.pid, 1u);
  }
  EXPECT_EQ(GaugeCount(bench.Numbers()), 2u);
  first->Kill();
  EXPECT_EQ(GaugeCount(bench.Numbers()), 1u);
  EXPECT_THAT(StatesAfterAScrape(&bench),
              ::testing::UnorderedElementsAre("dead", "live"));
  EXPECT_EQ(bench.Numbers().at(kCount), 2);
  second->Kill();
  EXPECT_EQ(GaugeCount(bench.Numbers()), 0u);
  EXPECT_THAT(StatesAfterAScrape(&bench),
              ::testing::ElementsAre("dead", "dead"));
  bench.ExpectFresh();
}

void WriterInOtherNamespaces(bool has_thread) {
  for (const int namespaces : {CLONE_NEWUSER, CLONE_NEWTIME,
                               CLONE_NEWPID | CLONE_NEWUSER | CLONE_NEWTIME}) {
    WatchBench bench(has_thread);
    WriterProcess writer(bench.path(), WriterProcess::Sleep, namespaces);
    EXPECT_EQ(StateAfterAScrape(&bench), "live");
    EXPECT_EQ(GaugeCount(bench.Numbers()), 1u);
    writer.Kill();
    ExpectDeath(&bench, 1);
  }
}

// A collector in a container that was given its host's /proc: the process with
// the writer's pid there is another one.
void ProcOfAnotherPidNamespace(bool has_thread) {
  const auto outcome = testing::RunInChild([has_thread] {
    ASSERT_EQ(::unshare(CLONE_NEWPID), 0);
    const pid_t first = testing::StartChild([has_thread] {
      ASSERT_EQ(::getpid(), 1);
      // Here pid 2, in /proc something else.
      const pid_t writer = testing::StartChild([] { ::pause(); });
      ASSERT_EQ(writer, 2);
      WatchBench bench(has_thread, /*rescan_interval_ms=*/1);
      MetricFileBuilder file(bench.workshop(), HeaderWithoutLock(writer, 12345),
                             16 << 10);
      file.AddCounter("c_total", 1);
      file.MoveTo(bench.path());
      EXPECT_EQ(StateAfterAScrape(&bench), "unproven");
      ::kill(writer, SIGKILL);
      testing::WaitFor(writer);
      EXPECT_TRUE(
          WaitUntil([&] { return StateAfterAScrape(&bench) == "dead"; }));
    });
    EXPECT_TRUE(testing::IsSuccess(testing::WaitFor(first)));
  });
  EXPECT_TRUE(outcome.HasExited(0)) << outcome.Description();
}

// /proc hides the processes of others; kill() does not.
void HiddenProcess(bool /*has_thread*/) {
  const auto outcome = testing::RunInChild([] {
    ASSERT_EQ(::unshare(CLONE_NEWNS), 0);
    ASSERT_EQ(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    WatchBench bench(false);
    const pid_t writer = testing::StartChild([] { ::pause(); });
    MetricFileBuilder file(bench.workshop());
    const UniqueFd fd(::open(file.path().c_str(), O_RDONLY | O_CLOEXEC));
    WriterIdentity identity;
    identity.boot_id = OwnBootId();
    identity.pid = static_cast<uint32_t>(writer);
    identity.process_start_ticks = StartTicksOf(writer);
    identity.life_lock = format::LifeLock::kDoesNotHold;
    const HostIdentity host = HostIdentity::OfThisProcess();
    identity.pid_namespace = host.pid_namespace;
    identity.time_namespace = host.time_namespace;
    ASSERT_EQ(::mount("proc", "/proc", "proc", 0, "hidepid=2"), 0);
    const auto probe_as_nobody = [&](Liveness expected, int kill_error) {
      const pid_t nobody = testing::StartChild([&] {
        // In group 0 nothing would be hidden.
        ASSERT_EQ(::setgroups(0, nullptr), 0);
        ASSERT_EQ(::setresgid(65534, 65534, 65534), 0);
        ASSERT_EQ(::setresuid(65534, 65534, 65534), 0);
        const std::string entry = "/proc/" + std::to_string(writer);
        EXPECT_NE(::access(entry.c_str(), F_OK), 0) << "it is not hidden";
        EXPECT_EQ(::kill(writer, 0) == 0 ? 0 : errno, kill_error);
        EXPECT_EQ(LivenessProbe(host).Probe(fd.get(), identity,
                                            FileSystemKind::kMemory),
                  expected);
      });
      EXPECT_TRUE(testing::IsSuccess(testing::WaitFor(nobody)));
    };
    probe_as_nobody(Liveness::kUnproven, EPERM);
    ::kill(writer, SIGKILL);
    testing::WaitFor(writer);
    probe_as_nobody(Liveness::kDead, ESRCH);
  });
  EXPECT_TRUE(outcome.HasExited(0)) << outcome.Description();
}

// The next process of this pid namespace gets the number `pid`.
void ForceNextPid(pid_t pid) {
  std::ofstream file("/proc/sys/kernel/ns_last_pid");
  file << pid - 1 << std::flush;
  ASSERT_TRUE(file.good());
}

void ReusePids(bool has_thread) {
  WatchBench bench(has_thread);
  constexpr pid_t kPid = 200;
  std::unique_ptr<MetricFileBuilder> unlocked;
  for (int i = 1; i <= 10; ++i) {
    ForceNextPid(kPid);
    WriterProcess writer(bench.path());
    ASSERT_EQ(writer.pid(), kPid);
    // All before it had the same pid, and most of them the same start time.
    std::vector<std::string> states = StatesAfterAScrape(&bench);
    size_t live_count = 0;
    for (const std::string& state : states) {
      live_count += state == "live" ? 1 : 0;
    }
    EXPECT_EQ(live_count, 1u);
    EXPECT_EQ(GaugeCount(bench.Numbers()), 1u);
    if (unlocked == nullptr) {
      unlocked = std::make_unique<MetricFileBuilder>(
          bench.workshop(), HeaderWithoutLock(kPid, StartTicksOf(kPid)),
          16 << 10);
      unlocked->AddCounter("b_total", 1);
      unlocked->MoveTo(bench.path());
      bench.Text();
      EXPECT_EQ(bench.statistics().files.dead_writers, 0u);
    } else {
      // Once known to be dead, dead for good.
      EXPECT_EQ(bench.statistics().files.dead_writers,
                static_cast<uint64_t>(i));
    }
    writer.Kill();
    ::waitpid(kPid, nullptr, 0);
    // An event, as of a death: the next scrape asks.
    UniqueFd(::open(unlocked->path().c_str(), O_RDWR | O_CLOEXEC));
    EXPECT_EQ(GaugeCount(bench.Numbers()), 0u);
    EXPECT_EQ(bench.statistics().files.dead_writers,
              static_cast<uint64_t>(i) + 1);
    EXPECT_EQ(bench.Numbers().at(kCount), i);
  }
}

void ReusedPid(bool has_thread) {
  const auto outcome = testing::RunInChild([has_thread] {
    ASSERT_EQ(::unshare(CLONE_NEWPID | CLONE_NEWNS), 0);
    ASSERT_EQ(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    const pid_t first = testing::StartChild([has_thread] {
      ASSERT_EQ(::mount("proc", "/proc", "proc", 0, nullptr), 0);
      ReusePids(has_thread);
    });
    EXPECT_TRUE(testing::IsSuccess(testing::WaitFor(first)));
  });
  EXPECT_TRUE(outcome.HasExited(0)) << outcome.Description();
}

}  // namespace

#define SCENARIO(name) \
  { #name, name, false }
#define NAMESPACE_SCENARIO(name) \
  { #name, name, true }
std::vector<FaultScenario> LivenessScenarios() {
  return {
      SCENARIO(Zombie),
      SCENARIO(Stopped),
      SCENARIO(Exec),
      SCENARIO(FirstThreadEnded),
      SCENARIO(ChildThatOutlivesItsParent),
      SCENARIO(SquattersReadLock),
      SCENARIO(OtherBootOnMemory),
      SCENARIO(HeldLockOfAProcessThatIsGone),
      SCENARIO(UnknownBootOnDisk),
      NAMESPACE_SCENARIO(TwoProcessesThatAreBothPid1),
      NAMESPACE_SCENARIO(WriterInOtherNamespaces),
      NAMESPACE_SCENARIO(ProcOfAnotherPidNamespace),
      NAMESPACE_SCENARIO(HiddenProcess),
      NAMESPACE_SCENARIO(ReusedPid),
  };
}

}  // namespace tine::collector
