#include "tests/writer/failing_call_cases.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "common/metric_file_name.h"
#include "tests/testing/child_process.h"
#include "tests/testing/metric_file_sum.h"
#include "tests/testing/test_effort.h"

namespace tine::testing {
namespace {

constexpr int kMostCallsWhileFailing = 8;

bool Begins(const std::string& text, const char* with) {
  return text.rfind(with, 0) == 0;
}

// Without it the writer cannot do what it was about to. All other calls may
// fail without anybody being the wiser.
bool IsNeeded(const SystemCall& call) {
  switch (call.number) {
    case SYS_openat: {
      const bool is_test_of_life_lock =
          static_cast<int>(call.args[0]) != AT_FDCWD &&
          (call.args[2] & O_ACCMODE) == O_RDONLY;
      return !Begins(call.path, "/proc/") && !Begins(call.path, "/sys/") &&
             !is_test_of_life_lock;
    }
    case SYS_newfstatat:
      return call.path.empty();  // of the directory's descriptor
    case SYS_mkdir:
    case SYS_fstat:
    case SYS_fstatfs:
    case SYS_getrandom:
    case SYS_fchmod:
    case SYS_ftruncate:
    case SYS_renameat2:
      return true;
    case SYS_fcntl:
      return call.args[1] == F_OFD_SETLK;
    case SYS_mmap:
      // A child's cover of its parent's data is fixed.
      return (call.args[3] & MAP_FIXED) == 0;
    case SYS_mprotect:
      return call.args[2] != PROT_NONE;
    case SYS_madvise:
      return call.args[2] == MADV_DONTFORK || IsPopulating(call);
    default:
      return false;
  }
}

// A signal may interrupt it, so it must be made again.
bool IsRestartable(const SystemCall& call) {
  return call.number != SYS_mmap &&
         !(call.number == SYS_madvise && call.args[2] == MADV_DONTFORK);
}

// A limit that cannot be asked for is met later, or not.
bool IsUncertain(const SystemCall& call) {
  return call.number == SYS_prlimit64;
}

bool IsProblem(const SystemCall& call, const PlannedFailure& failure) {
  if (failure.error_number == EINTR && !failure.lasts && IsRestartable(call)) {
    return false;
  }
  const bool has_fallback =
      failure.error_number == EINVAL &&
      (call.number == SYS_renameat2 || IsPopulating(call));
  return IsNeeded(call) && !has_fallback;
}

bool HasFailed(const TraceResult& trace, uint64_t number) {
  return std::any_of(
      trace.failed_calls.begin(), trace.failed_calls.end(),
      [number](const SystemCall& call) { return call.number == number; });
}

bool IsRestoringMask(const SystemCall& call) {
  return call.number == SYS_rt_sigprocmask && call.args[2] == 0;
}

// What a failed call excuses.
bool IsExcused(const std::string& complaint, const TraceResult& trace) {
  return (Begins(complaint, "mapping:") && HasFailed(trace, SYS_munmap)) ||
         (Begins(complaint, "mask:") &&
          std::any_of(trace.failed_calls.begin(), trace.failed_calls.end(),
                      IsRestoringMask));
}

int LineCount(const std::string& text) {
  return static_cast<int>(std::count(text.begin(), text.end(), '\n'));
}

std::string CaseName(const Scenario& scenario, const PlannedFailure& failure,
                     const TraceResult& trace) {
  std::string text = NameOf(scenario);
  if (failure.call != 0) {
    text += ", call " + std::to_string(failure.call) + " ";
    text += trace.failed_calls.empty() ? "(not reached)"
                                       : trace.failed_calls[0].Text();
    text += std::string(" fails") + (failure.lasts ? " for long: " : ": ") +
            std::strerror(failure.error_number);
  }
  return text;
}

}  // namespace

bool IsPopulating(const SystemCall& call) {
  constexpr uint64_t kMadvPopulateWrite = 23;  // C libraries may not know it
  return call.number == SYS_madvise && call.args[2] == kMadvPopulateWrite;
}

const std::vector<int>& AllErrors() {
  static const std::vector<int> errors = {ENOMEM, ENOSPC, EMFILE, EINTR, EACCES,
                                          EIO,    ENOLCK, EEXIST, EFBIG};
  return errors;
}

FailingCallCases::FailingCallCases()
    // Only digits behind "tine-": a default directory.
    : private_default_("/dev/shm/tine-7" + std::to_string(::getpid())),
      stderr_(::memfd_create("stderr", MFD_CLOEXEC)) {}

FailingCallCases::~FailingCallCases() { Clear(private_default_); }

std::string FailingCallCases::DirectoryOf(const Scenario& scenario) const {
  return UsesPrivateDefault(scenario) ? private_default_ : dir_.path();
}

void FailingCallCases::Clear(const std::string& directory) const {
  std::error_code ignored;
  if (directory == private_default_) {
    std::filesystem::remove_all(directory, ignored);
    return;
  }
  for (const std::string& name : NamesIn(directory)) {
    ::unlink((directory + "/" + name).c_str());
  }
}

std::string FailingCallCases::StderrText() const {
  std::string text(16 << 10, '\0');
  const ssize_t length = ::pread(stderr_.get(), text.data(), text.size(), 0);
  text.resize(length < 0 ? 0 : static_cast<size_t>(length));
  return text;
}

CaseOutcome FailingCallCases::Run(const Scenario& scenario,
                                  const PlannedFailure& failure,
                                  int increments) {
  const std::string directory = DirectoryOf(scenario);
  Clear(directory);
  report_.Clear();
  ::lseek(stderr_.get(), 0, SEEK_SET);
  ::ftruncate(stderr_.get(), 0);
  std::fflush(nullptr);
  CaseOutcome outcome;
  outcome.trace = RunTraced(
      [&] {
        ::dup2(stderr_.get(), STDERR_FILENO);
        ::setenv("TINE_DIR", directory.c_str(), 1);
        RunScenario(scenario, directory, failure.lasts ? increments : 0,
                    report_.get());
      },
      &report_->stage, failure);
  Check(directory, failure, &outcome);
  Clear(directory);
  return outcome;
}

void FailingCallCases::Check(const std::string& directory,
                             const PlannedFailure& failure,
                             CaseOutcome* outcome) const {
  const TraceResult& trace = outcome->trace;
  const auto expect = [outcome](bool is_true, const std::string& what) {
    if (!is_true) {
      outcome->complaints.push_back(what);
    }
  };
  const std::string stderr_text = StderrText();
  expect(!trace.has_timed_out && IsSuccess(trace.wait_status) &&
             report_->is_over.load(),
         "the host ended " +
             EndingText(trace.has_timed_out ? -1 : trace.wait_status));
  expect(trace.counting_calls <= kMostCallsWhileFailing,
         std::to_string(trace.counting_calls) +
             " system calls while the failure lasted");
  std::string complaint;
  for (const char* at = report_->complaints; *at != '\0'; ++at) {
    if (*at != '\n') {
      complaint += *at;
    } else {
      expect(IsExcused(complaint, trace), complaint);
      complaint.clear();
    }
  }
  const std::vector<MetricFileText> files = ReadMetricFiles(directory);
  expect(DamageIn(files).empty(), DamageIn(files));
  for (const std::string& name : NamesIn(directory)) {
    expect(ParseMetricFileName(name) || HasFailed(trace, SYS_unlinkat),
           "left behind: " + name);
  }
  uint64_t sum = 0;
  for (const MetricFileText& file : files) {
    for (const auto& [name, cells] : file.series) {
      sum += cells.u64.at(0);
    }
  }
  const uint64_t dropped = report_->dropped.load();
  expect(sum + dropped == report_->made.load(),
         std::to_string(report_->made.load()) + " increments made, " +
             std::to_string(sum) + " in files, " + std::to_string(dropped) +
             " dropped");
  // What was said.
  const std::string last_error = report_->last_error;
  const bool is_problem = std::any_of(
      trace.failed_calls.begin(), trace.failed_calls.end(),
      [&](const SystemCall& call) { return IsProblem(call, failure); });
  const bool is_uncertain = std::any_of(trace.failed_calls.begin(),
                                        trace.failed_calls.end(), IsUncertain);
  expect(is_problem || is_uncertain || (last_error.empty() && dropped == 0),
         "a failure that is no problem: " + last_error + ", " +
             std::to_string(dropped) + " dropped");
  expect(!is_problem || !last_error.empty(), "the status does not tell it");
  expect(LineCount(stderr_text) == (last_error.empty() ? 0 : 1),
         "stderr: " + stderr_text);
  if (!last_error.empty() && report_->is_enabled.load()) {
    const bool is_known_otherwise =
        is_uncertain ||
        (failure.error_number == EEXIST && HasFailed(trace, SYS_mkdir));
    const char* reason = std::strerror(failure.error_number);
    expect(is_known_otherwise || last_error.find(reason) != std::string::npos,
           "the status says " + last_error);
    expect(Begins(stderr_text, "tine: ") &&
               stderr_text.find(directory) != std::string::npos &&
               (is_known_otherwise ||
                stderr_text.find(reason) != std::string::npos),
           "stderr says " + stderr_text);
  }
}

std::string FailingCallCases::RunAll(const Scenario& scenario, int* case_count,
                                     uint64_t only_call) {
  CaseOutcome outcome = Run(scenario, {});
  const std::vector<SystemCall> calls = outcome.trace.action_calls;
  PlannedFailure failure;
  const auto complaints = [&] {
    ++*case_count;
    std::string text;
    for (const std::string& complaint : outcome.complaints) {
      text += "\n  " + complaint;
    }
    return text.empty() ? text
                        : CaseName(scenario, failure, outcome.trace) + text;
  };
  const bool is_partial = MakesFileAgain(scenario) && Rounds(1) == 1;
  std::string text = complaints();
  for (size_t i = 1; i <= calls.size() && text.empty(); ++i) {
    if (only_call != kAnyCall && only_call != calls[i - 1].number) {
      continue;
    }
    for (size_t error_index = 0; error_index < AllErrors().size();
         ++error_index) {
      const int error_number = AllErrors()[error_index];
      for (const bool lasts : {true, false}) {
        const bool is_wanted =
            lasts ? !is_partial || error_index % 3 == i % 3
                  : error_number == EINTR || error_number == ENOMEM;
        if (!text.empty() || !is_wanted) {
          continue;
        }
        failure = {static_cast<int>(i), error_number, lasts};
        outcome =
            Run(scenario, failure, i == calls.size() / 2 ? 1'000'000 : 5'000);
        text = complaints();
      }
    }
  }
  return text;
}

}  // namespace tine::testing
