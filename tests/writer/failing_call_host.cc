#include "tests/writer/failing_call_host.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "tests/testing/child_process.h"
#include "tests/writer/skipping_clock.h"
#include "writer/tine.h"

namespace tine::testing {

enum class Place { kProcess, kThread, kThreadEnd, kFork, kForkedChild, kExit };

struct Scenario {
  const char* name;
  Place place;
  // Before anything fails.
  void (*prepare)(const std::string& directory);
  // Calls the library; may count by Count().
  void (*action)(const std::string& directory);
  // The handle that counts afterwards.
  Counter (*look_up)();
  bool makes_file_again = false;
  bool is_recovery_possible = true;
};

namespace {

CaseReport* g_report = nullptr;
std::set<std::string> g_inherited_files;  // a forked child's parent's
std::string g_long_value;

void Expect(bool is_true, const char* what) { g_report->Expect(is_true, what); }

void SetStage(Stage stage) { SetStage(&g_report->stage, stage); }

void Count(const Counter& counter) { g_report->Count(counter); }

// ---- The scenarios. ----

Counter PlainCounter() { return Counter("c_total", "c"); }
CounterFamily LabelledFamily() { return CounterFamily("d_total", "d", {"l"}); }
Counter LabelledCounter() { return LabelledFamily().WithLabels("x"); }
Counter LongCounter() { return LabelledFamily().WithLabels(g_long_value); }

void PrepareNothing(const std::string&) {}
void PrepareFamily(const std::string&) { LabelledFamily(); }
void PrepareFile(const std::string&) {
  LabelledFamily();
  Count(PlainCounter());
}
// The next series does not fit into what is real.
void PrepareGrowth(const std::string& directory) {
  PrepareFile(directory);
  g_long_value.assign(20'000, 'v');
}
// Nor into the file.
void PrepareFurtherFile(const std::string& directory) {
  rlimit limit{};
  ::getrlimit(RLIMIT_FSIZE, &limit);
  limit.rlim_cur = 64 << 10;
  ::setrlimit(RLIMIT_FSIZE, &limit);
  PrepareFile(directory);
  g_long_value.assign(30'000, 'a');
  Count(LongCounter());
  g_long_value.assign(30'000, 'v');
}

void CountPlain(const std::string&) { Count(PlainCounter()); }
void CountLabelled(const std::string&) { Count(LabelledCounter()); }
void CountLong(const std::string&) { Count(LongCounter()); }

void CheckStatus(const Status& status) {
  Expect(status.ok() || status.code() == ErrorCode::kFileUnavailable,
         "a set-up call fails with another code");
  Expect(status.ok() || !status.message().empty(), "and does not say why");
}

void CallInit(const std::string& directory) {
  InitOptions options;
  options.directory = directory;
  CheckStatus(Init(options));
  Count(PlainCounter());
}

void CallAfterFork(const std::string&) {
  CheckStatus(AfterFork());
  Count(PlainCounter());
}

void CallSeal(const std::string&) {
  Seal();
  Count(PlainCounter());
}

void CallStatus(const std::string& directory) {
  const WriterStatus status = GetWriterStatus();
  Expect(status.files.size() == 1 && status.directory == directory,
         "the status is wrong");
  Count(PlainCounter());
}

const std::vector<Scenario>& Scenarios() {
  constexpr bool kMakesFileAgain = true;
  static const std::vector<Scenario> scenarios = {
      {"Start", Place::kProcess, PrepareNothing, CountPlain, PlainCounter},
      {"Init", Place::kProcess, PrepareNothing, CallInit, PlainCounter,
       kMakesFileAgain},
      {"FirstSeries", Place::kProcess, PrepareFamily, CountLabelled,
       LabelledCounter, kMakesFileAgain},
      {"NextSeries", Place::kProcess, PrepareFile, CountLabelled,
       LabelledCounter},
      {"Growth", Place::kProcess, PrepareGrowth, CountLong, LongCounter},
      {"FurtherFile", Place::kProcess, PrepareFurtherFile, CountLong,
       LongCounter, kMakesFileAgain},
      {"Status", Place::kProcess, PrepareFile, CallStatus, PlainCounter},
      {"Thread", Place::kThread, PrepareFile, CountPlain, PlainCounter},
      {"ThreadEnd", Place::kThreadEnd, PrepareFile, CountPlain, PlainCounter},
      {"Fork", Place::kFork, PrepareFile, CountPlain, PlainCounter,
       kMakesFileAgain},
      {"AfterFork", Place::kForkedChild, PrepareFile, CallAfterFork,
       PlainCounter, kMakesFileAgain},
      {"Seal", Place::kForkedChild, PrepareFile, CallSeal, PlainCounter,
       kMakesFileAgain, /*is_recovery_possible=*/false},
      {"Exit", Place::kExit, PrepareFile, CountPlain, PlainCounter},
  };
  return scenarios;
}

// ---- The host. ----

size_t DescriptorCount() {
  const std::filesystem::directory_iterator fds("/proc/self/fd");
  return static_cast<size_t>(std::distance(begin(fds), end(fds)));
}

uint64_t BlockedSignals() {
  sigset_t mask;
  ::pthread_sigmask(SIG_BLOCK, nullptr, &mask);
  uint64_t bits = 0;
  std::memcpy(&bits, &mask, sizeof(bits));
  return bits;
}

// Nothing of the directory may be mapped but this process's files, and in a
// forked child its parent's.
void CheckMappings(const std::string& directory, const WriterStatus& status) {
  std::ifstream maps("/proc/self/maps");
  std::string line;
  while (std::getline(maps, line)) {
    const size_t at = line.find(directory + "/");
    if (at == std::string::npos) {
      continue;
    }
    const std::string name = line.substr(at + directory.size() + 1);
    if (std::count(status.files.begin(), status.files.end(), name) == 0 &&
        g_inherited_files.count(name) == 0) {
      g_report->Complain("mapping: " + name);
    }
  }
}

struct Host {
  const Scenario& scenario;
  const std::string& directory;
  const int increments;  // while the failure lasts; 0: it does not
  const size_t descriptor_count = DescriptorCount();

  void CountWhileItLasts(const Counter& counter) const {
    if (increments == 0) {
      return;
    }
    SetStage(Stage::kCounting);
    for (int i = 0; i < increments; ++i) {
      counter.Increment();
    }
    SetStage(Stage::kUntouched);
    g_report->made.fetch_add(static_cast<uint64_t>(increments));
  }

  // The cause is gone and the back-off over.
  void Recover(const Counter& counter) const {
    const uint64_t before = counter.Value();
    for (int i = 0; i < 20'000 && counter.Value() == before; ++i) {
      Count(counter);
    }
    const uint64_t dropped = GetWriterStatus().dropped_observations;
    for (int i = 0; i < 5; ++i) {
      Count(counter);
    }
    Expect(GetWriterStatus().dropped_observations == dropped &&
               counter.Value() >= before + 6,
           "counting does not go on after the failure");
  }

  void Act(uint64_t blocked_signals) const {
    scenario.action(directory);
    SetStage(Stage::kUntouched);
    const WriterStatus status = GetWriterStatus();
    std::snprintf(g_report->last_error, sizeof(g_report->last_error), "%s",
                  status.last_error.c_str());
    g_report->is_enabled.store(status.is_enabled);
    Expect(BlockedSignals() == blocked_signals, "mask: it has changed");
    Expect(DescriptorCount() == descriptor_count, "descriptor: one is left");
    CheckMappings(directory, status);
    Counter counter = scenario.look_up();
    CountWhileItLasts(counter);
    g_skipped_seconds.fetch_add(11);
    if (scenario.is_recovery_possible && status.is_enabled) {
      if (!counter.is_valid()) {
        counter = scenario.look_up();
      }
      Recover(counter);
    }
  }

  void AddDrops() const {
    const WriterStatus status = GetWriterStatus();
    CheckMappings(directory, status);
    g_report->dropped.fetch_add(status.dropped_observations);
  }

  void Fork() const {
    for (const std::string& name : GetWriterStatus().files) {
      g_inherited_files.insert(name);
    }
    const uint64_t blocked_signals = BlockedSignals();
    if (scenario.place == Place::kFork) {
      SetStage(Stage::kAction);  // the child's handlers are part of it
    }
    const pid_t pid = ::fork();
    if (pid == 0) {
      SetStage(Stage::kAction);
      Act(blocked_signals);
      AddDrops();
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(pid, &status, 0);
    Expect(IsSuccess(status), "the forked child ends badly");
    Count(PlainCounter());
  }

  void Thread() const {
    std::thread([this] {
      const uint64_t blocked_signals = BlockedSignals();
      if (scenario.place == Place::kThread) {
        SetStage(Stage::kAction);
        Act(blocked_signals);
      } else {
        Act(blocked_signals);
        SetStage(Stage::kAction);
      }
    }).join();
    SetStage(Stage::kUntouched);
    std::thread([] { Count(PlainCounter()); }).join();
  }

  void Run() const {
    scenario.prepare(directory);
    switch (scenario.place) {
      case Place::kProcess: {
        const uint64_t blocked_signals = BlockedSignals();
        SetStage(Stage::kAction);
        Act(blocked_signals);
        break;
      }
      case Place::kThread:
      case Place::kThreadEnd:
        Thread();
        break;
      case Place::kFork:
      case Place::kForkedChild:
        Fork();
        break;
      case Place::kExit:
        Count(PlainCounter());
        g_report->is_enabled.store(true);
        break;
    }
    AddDrops();
    g_report->is_over.store(true);
    if (scenario.place == Place::kExit) {
      SetStage(Stage::kAction);
      std::exit(0);
    }
  }
};

}  // namespace

const std::vector<const Scenario*>& AllScenarios() {
  static const std::vector<const Scenario*> all = [] {
    std::vector<const Scenario*> list;
    for (const Scenario& scenario : Scenarios()) {
      list.push_back(&scenario);
    }
    return list;
  }();
  return all;
}

const char* NameOf(const Scenario& scenario) { return scenario.name; }

const Scenario& ScenarioNamed(const std::string& name) {
  for (const Scenario& scenario : Scenarios()) {
    if (name == scenario.name) {
      return scenario;
    }
  }
  std::abort();
}

bool UsesPrivateDefault(const Scenario& scenario) {
  return scenario.action == CallInit;
}

bool MakesFileAgain(const Scenario& scenario) {
  return scenario.makes_file_again;
}

void RunScenario(const Scenario& scenario, const std::string& directory,
                 int increments, CaseReport* report) {
  g_report = report;
  const Host host{scenario, directory, increments};
  host.Run();
}

}  // namespace tine::testing
