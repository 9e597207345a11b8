// Writers that do everything at once are never called dead; and one that dumps
// core is not before its last count.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/unique_fd.h"
#include "tests/collector/watch_bench.h"
#include "tests/collector/writer_process.h"
#include "tests/testing/child_process.h"
#include "tests/testing/sanitizers.h"
#include "tests/testing/test_effort.h"

namespace tine::collector {
namespace {

constexpr uint64_t kDeeds = 40;  // of each writer, at least

void Reap(pid_t child) {
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
}

// What a host program may do to itself, one after the other.
void DoDeed(uint64_t number, const Counter& counter) {
  switch (number % 4) {
    case 0:
      if (const pid_t child = ::fork(); child == 0) {
        ::_exit(0);
      } else {
        Reap(child);
      }
      break;
    case 1:
      if (const pid_t child = ::fork(); child == 0) {
        if (number < 10 * kDeeds) {  // then there are files enough
          counter.Increment();
        }
        ::_exit(0);
      } else {
        Reap(child);
      }
      break;
    case 2:
      if (const pid_t child = ::vfork(); child == 0) {
        ::execl("/bin/true", "true", nullptr);
        ::_exit(1);
      } else {
        Reap(child);
      }
      break;
    default:
      ::close_range(3, ~0u, 0);
      break;
  }
  counter.Increment();
}

class LivenessChurnTest : public ::testing::Test {
 protected:
  void Start(int count) {
    for (int i = 0; i < count; ++i) {
      writers_.push_back(std::make_unique<WriterProcess>(
          bench_.path(),
          [](const Counter& counter, std::atomic<uint64_t>* deed_count) {
            for (;;) {
              DoDeed(deed_count->load(), counter);
              deed_count->fetch_add(1);
            }
          }));
    }
  }

  std::string StateOf(pid_t pid) {
    for (const FileReport& report : bench_.collector().ReportFiles()) {
      if (report.pid == static_cast<uint32_t>(pid)) {
        return std::string(report.liveness);
      }
    }
    return "missing";
  }

  uint64_t FewestDeeds() const {
    uint64_t fewest = UINT64_MAX;
    for (const auto& writer : writers_) {
      fewest = std::min(fewest, writer->mark().load());
    }
    return fewest;
  }

  WatchBench bench_{/*has_thread=*/true};
  std::vector<std::unique_ptr<WriterProcess>> writers_;
};

TEST_F(LivenessChurnTest, NoneIsCalledDeadBeforeItsDeathAndAllAreAfterIt) {
  Start(5);
  bench_.Text();
  std::vector<UniqueFd> fds;
  for (const auto& writer : writers_) {
    for (const FileReport& report : bench_.collector().ReportFiles()) {
      if (report.pid == static_cast<uint32_t>(writer->pid())) {
        fds.emplace_back(::open((bench_.path() + "/" + report.name).c_str(),
                                O_RDONLY | O_CLOEXEC));
      }
    }
  }
  ASSERT_EQ(fds.size(), writers_.size());
  const HostIdentity host = HostIdentity::OfThisProcess();
  const LivenessProbe probe(host);
  WriterIdentity identity;
  identity.boot_id = host.boot_id;
  identity.life_lock = format::LifeLock::kHolds;

  const uint64_t wanted =
      static_cast<uint64_t>(testing::Rounds(testing::Scaled(100'000)));
  uint64_t probe_count = 0;
  uint64_t false_death_count = 0;
  const bool is_done = testing::WaitUntil(
      [&] {
        const auto& stopped = writers_[probe_count % writers_.size()];
        ::kill(stopped->pid(), SIGSTOP);
        for (int i = 0; i < 400; ++i) {
          for (const UniqueFd& fd : fds) {
            false_death_count +=
                probe.Probe(fd.get(), identity, FileSystemKind::kMemory) !=
                        Liveness::kLive
                    ? 1
                    : 0;
            ++probe_count;
          }
        }
        bench_.Text();
        for (const auto& writer : writers_) {
          false_death_count += StateOf(writer->pid()) != "live" ? 1 : 0;
        }
        ::kill(stopped->pid(), SIGCONT);
        return (probe_count >= wanted && FewestDeeds() >= kDeeds) ||
               false_death_count > 0;
      },
      /*deadline_seconds=*/600);
  EXPECT_TRUE(is_done);
  EXPECT_EQ(false_death_count, 0u) << "of " << probe_count;
  std::printf("%llu probes, at least %llu deeds of each writer\n",
              static_cast<unsigned long long>(probe_count),
              static_cast<unsigned long long>(FewestDeeds()));

  for (size_t i = 0; i < writers_.size(); ++i) {
    writers_[i]->Kill();
    // A child between vfork and exec has the same memory, and the lock with it.
    EXPECT_TRUE(testing::WaitUntil([&] {
      return probe.Probe(fds[i].get(), identity, FileSystemKind::kMemory) ==
             Liveness::kDead;
    }));
    bench_.Text();  // one scrape
    EXPECT_EQ(StateOf(writers_[i]->pid()), "dead");
  }
  fds.clear();
  // Their last children may still be counting.
  EXPECT_TRUE(
      testing::WaitUntil([&] { return bench_.Text() == bench_.FreshText(); }));
}

bool IsDumpingCore(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("CoreDumping:", 0) == 0) {
      return line.back() == '1';
    }
  }
  return false;
}

// Counts in a second thread until it is killed by a signal that dumps much.
void CountAndDump(const Counter& counter, std::atomic<uint64_t>* mark,
                  const std::string& directory) {
  EXPECT_EQ(::chdir(directory.c_str()), 0);
  const rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
  ::setrlimit(RLIMIT_CORE, &unlimited);
  ::signal(SIGQUIT, SIG_DFL);
  constexpr size_t kDumpedBytes = 256 << 20;
  std::vector<char> dumped(kDumpedBytes, 'x');
  std::thread([&] {
    for (;;) {
      counter.Increment();
      mark->fetch_add(1);
    }
  }).detach();
  for (;;) {
    ::pause();
  }
}

TEST(LivenessCoreDumpTest, WriterThatDumpsCoreIsNotDeadBeforeItsLastCount) {
  if (testing::kHasAsan || testing::kHasTsan) {
    GTEST_SKIP() << "a sanitizer's core is too large to be dumped";
  }
  std::string pattern;
  std::ifstream("/proc/sys/kernel/core_pattern") >> pattern;
  if (pattern.empty() || pattern.find_first_of("|/%") != std::string::npos) {
    GTEST_SKIP() << "core_pattern is not a plain file here: " << pattern;
  }
  WatchBench bench(/*has_thread=*/true);
  int dumping_scrape_count = 0;
  WriterProcess writer(
      bench.path(), [&](const Counter& counter, std::atomic<uint64_t>* mark) {
        CountAndDump(counter, mark, bench.workshop());
      });
  ASSERT_TRUE(testing::WaitUntil([&] { return writer.mark() > 0; }));
  const auto state = [&] {
    bench.Text();
    return std::string(bench.collector().ReportFiles().at(0).liveness);
  };
  ASSERT_EQ(state(), "live");
  ::kill(writer.pid(), SIGQUIT);
  EXPECT_TRUE(testing::WaitUntil([&] { return IsDumpingCore(writer.pid()); }));
  for (;;) {
    const std::string seen = state();
    if (!IsDumpingCore(writer.pid())) {
      break;
    }
    EXPECT_EQ(seen, "live");
    ++dumping_scrape_count;
  }
  std::printf("%d scrapes during the dump\n", dumping_scrape_count);
  writer.Kill();
  EXPECT_EQ(state(), "dead");
  // The mark is moved on after the count: the last may be one behind.
  const double count = bench.Numbers().at("c_total{}");
  const auto marked = static_cast<double>(writer.mark().load());
  EXPECT_GE(count, marked + 1);
  EXPECT_LE(count, marked + 2);
}

}  // namespace
}  // namespace tine::collector
