#include "tests/writer/failure_situations.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <thread>
#include <vector>

#include "tests/testing/child_process.h"
#include "tests/testing/metric_file_sum.h"
#include "tests/testing/test_directory.h"
#include "tests/writer/host_report.h"
#include "tests/writer/skipping_clock.h"
#include "writer/tine.h"

namespace tine::testing {
namespace {

constexpr int kMostCalls = 8;

// What is wrong after a run of a traced host in `dir`, whose files are removed.
std::string Problems(const TestDirectory& dir, const HostReport& report,
                     const TraceResult& trace, uint64_t most_too_many = 0) {
  std::string text = report.complaints;
  if (trace.has_timed_out || !IsSuccess(trace.wait_status)) {
    text += "the host ended " +
            EndingText(trace.has_timed_out ? -1 : trace.wait_status) + "\n";
  }
  if (trace.counting_calls > kMostCalls) {
    text += std::to_string(trace.counting_calls) + " system calls or more\n";
  }
  const std::vector<MetricFileText> files = ReadMetricFiles(dir.path());
  text += DamageIn(files);
  uint64_t sum = report.dropped.load();
  for (const MetricFileText& file : files) {
    for (const auto& [name, cells] : file.series) {
      sum += cells.u64.at(0);
    }
    ::unlink(dir.At(file.name).c_str());
  }
  if (sum < report.made.load() || sum > report.made.load() + most_too_many) {
    text += std::to_string(report.made.load()) + " increments made, " +
            std::to_string(sum) + " counted or dropped\n";
  }
  return text;
}

// Runs the host with each of its calls failing, one after the other, until
// something is wrong.
std::string WithEachCall(
    int error_number, bool (*is_wanted)(const SystemCall&),
    const std::function<void(HostReport*, bool is_failing)>& host,
    uint64_t most_too_many = 0) {
  const TestDirectory dir;
  ::setenv("TINE_DIR", dir.path().c_str(), 1);
  SharedReport<HostReport> report;
  const auto run = [&](const PlannedFailure& failure) {
    report.Clear();
    return RunTraced([&] { host(report.get(), failure.call != 0); },
                     &report->stage, failure);
  };
  const TraceResult clean = run({});
  std::string text = Problems(dir, *report.get(), clean);
  int number = 0;
  int wanted_count = 0;
  for (const SystemCall& call : clean.action_calls) {
    ++number;
    if (text.empty() && is_wanted(call)) {
      ++wanted_count;
      const TraceResult trace = run({number, error_number, /*lasts=*/true});
      text = Problems(dir, *report.get(), trace, most_too_many);
      text = text.empty() ? "" : call.Text() + "\n" + text;
    }
  }
  return text.empty() && wanted_count == 0 ? "no call to fail" : text;
}

bool IsAnyCall(const SystemCall&) { return true; }
bool IsMmap(const SystemCall& call) { return call.number == SYS_mmap; }

// ---- StoppedLockHolder ----

// A forked child, whose thread is stopped when it makes the child's file.
void CountBesideStoppedThread(HostReport* report, const Counter& counter,
                              const CounterFamily& family) {
  std::atomic<bool> has_begun{false};
  std::thread stopped([&] {
    SetStage(&report->stage, Stage::kAction);
    has_begun = true;
    report->Count(counter);
    SetStage(&report->stage, Stage::kUntouched);
  });
  WaitUntil([&] { return has_begun && report->stage == Stage::kUntouched; });
  // The wait for the lock goes by the library's clock.
  std::thread skip([] {
    ::usleep(20'000);
    g_skipped_seconds.fetch_add(2);
  });
  report->Count(counter);
  skip.join();
  const auto count = [&] {
    SetStage(&report->stage, Stage::kCounting);
    for (int i = 0; i < 2000; ++i) {
      counter.Increment();
    }
    for (int i = 0; i < 200; ++i) {
      family.WithLabels("x").Increment();
    }
    SetStage(&report->stage, Stage::kUntouched);
    report->made.fetch_add(2200);
  };
  const uint64_t dropped_at_first = GetWriterStatus().dropped_observations;
  if (dropped_at_first != 0) {
    report->Expect(!GetWriterStatus().last_error.empty(),
                   "the status does not tell it");
    count();
    std::thread(count).join();
  }
  SetStage(&report->stage, Stage::kReleased);
  stopped.join();
  SetStage(&report->stage, Stage::kUntouched);
  const uint64_t dropped = GetWriterStatus().dropped_observations;
  for (int i = 0; i < 5; ++i) {
    report->Count(counter);
  }
  report->Expect(GetWriterStatus().dropped_observations == dropped,
                 "counting does not go on at once");
  report->dropped.fetch_add(dropped);
}

void HostWithStoppedThread(HostReport* report, bool) {
  ::close(STDERR_FILENO);
  const Counter counter("c_total", "c");
  const CounterFamily family("d_total", "d", {"l"});
  report->Count(counter);
  const pid_t pid = ::fork();
  if (pid == 0) {
    CountBesideStoppedThread(report, counter, family);
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  report->Expect(IsSuccess(status), "the child ends badly");
}

// ---- ChildWithoutMemoryToLeaveItsParent ----

// Where the only word with this value is, in the mappings of `directory`.
uint64_t* FindCell(const std::string& directory, uint64_t value) {
  std::ifstream maps("/proc/self/maps");
  std::string line;
  while (std::getline(maps, line)) {
    unsigned long begin = 0;
    unsigned long end = 0;
    if (line.find(directory) != std::string::npos &&
        line.find("rw-s") != std::string::npos &&
        std::sscanf(line.c_str(), "%lx-%lx", &begin, &end) == 2) {
      auto* first = reinterpret_cast<uint64_t*>(begin);
      auto* last = reinterpret_cast<uint64_t*>(end);
      auto* found = std::find(first, last, value);
      if (found != last) {
        return found;
      }
    }
  }
  return nullptr;
}

void HostThatForksInAnAdd(HostReport* report, bool) {
  constexpr uint64_t kValue = 0x5ca1ab1e;
  const Counter counter("c_total", "c");
  counter.Increment(kValue);
  report->made.fetch_add(kValue);
  volatile uint64_t* cell = FindCell(::getenv("TINE_DIR"), kValue);
  if (cell == nullptr) {
    report->Complain("no cell");
    return;
  }
  SetStage(&report->stage, Stage::kAction);
  const pid_t pid = ::fork();
  if (pid == 0) {
    SetStage(&report->stage, Stage::kUntouched);
    *cell = *cell + 1;  // what the parent had begun
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  SetStage(&report->stage, Stage::kUntouched);
  report->Expect(IsSuccess(status), "the child ends badly");
}

// ---- LookUpsWithoutMemory ----

void HostThatLooksUp(HostReport* report, bool is_failing) {
  ::close(STDERR_FILENO);
  const CounterFamily family("d_total", "d", {"l"});
  report->Count(family.WithLabels(std::string(30'000, 'a')));
  const std::string value(60'000, 'v');
  SetStage(&report->stage, Stage::kAction);
  const Counter first = family.WithLabels(value);
  SetStage(&report->stage, Stage::kUntouched);
  report->Count(first);
  if (is_failing) {
    SetStage(&report->stage, Stage::kCounting);
    for (int i = 0; i < 2000; ++i) {
      family.WithLabels(std::to_string(i)).Increment();
    }
    SetStage(&report->stage, Stage::kUntouched);
    report->made.fetch_add(2000);
    report->Expect(!GetWriterStatus().last_error.empty(),
                   "the status does not tell it");
  }
  g_skipped_seconds.fetch_add(11);
  const Counter later = family.WithLabels(value);
  report->Expect(later.is_valid() && later.status().ok(),
                 "no series when there is memory again");
  report->Count(later);
  report->dropped.fetch_add(GetWriterStatus().dropped_observations);
}

// ---- Hosts with a stderr that is none ----

// Exits with 0 if the status says what stderr could not.
[[noreturn]] void FailToCount() {
  ::setenv("TINE_DIR", "/dev/shm/tine-test-missing/missing", 1);
  Counter("c_total", "c").Increment();
  ::_exit(GetWriterStatus().last_error.empty() ? 1 : 0);
}

std::string EndingOf(pid_t pid, int deadline_seconds) {
  const int status = WaitFor(pid, deadline_seconds);
  return IsSuccess(status) ? "" : "the host ended " + EndingText(status);
}

}  // namespace

std::string StoppedLockHolder() {
  return WithEachCall(kNeverReturns, IsAnyCall, HostWithStoppedThread);
}

std::string ChildWithoutMemoryToLeaveItsParent() {
  // The one add may count in the parent's file.
  return WithEachCall(ENOMEM, IsAnyCall, HostThatForksInAnAdd,
                      /*most_too_many=*/1);
}

std::string LookUpsWithoutMemory() {
  return WithEachCall(ENOMEM, IsMmap, HostThatLooksUp);
}

std::string StderrThatRaisesSignals() {
  const std::string text = EndingOf(StartChild([] {
                                      int ends[2];
                                      if (::pipe(ends) != 0) {
                                        ::_exit(2);
                                      }
                                      ::close(ends[0]);
                                      ::dup2(ends[1], STDERR_FILENO);
                                      ::signal(SIGPIPE, SIG_DFL);
                                      FailToCount();
                                    }),
                                    kDeadlineSeconds);
  if (!text.empty()) {
    return text;
  }
  return EndingOf(StartChild([] {
                    ::dup2(::memfd_create("log", 0), STDERR_FILENO);
                    const rlimit none{0, 0};
                    ::setrlimit(RLIMIT_FSIZE, &none);
                    FailToCount();
                  }),
                  kDeadlineSeconds);
}

std::string StderrThatIsFull(int deadline_seconds) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    return "no pipe";
  }
  ::fcntl(ends[1], F_SETFL, O_NONBLOCK);
  const std::string filler(4096, '.');
  while (::write(ends[1], filler.data(), filler.size()) > 0) {
  }
  ::fcntl(ends[1], F_SETFL, 0);
  const std::string text = EndingOf(StartChild([&] {
                                      ::dup2(ends[1], STDERR_FILENO);
                                      FailToCount();
                                    }),
                                    deadline_seconds);
  ::close(ends[0]);
  ::close(ends[1]);
  return text;
}

}  // namespace tine::testing
