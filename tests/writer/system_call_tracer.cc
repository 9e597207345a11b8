#include "tests/writer/system_call_tracer.h"

#include <dlfcn.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <map>
#include <set>
#include <utility>

#include "tests/testing/child_process.h"
#include "tests/testing/sanitizers.h"

namespace tine::testing {
namespace {

// Calls of the host, or of the C library for it, and those that cannot fail.
bool IsCallOfHost(uint64_t number) {
  static const std::set<uint64_t> calls = {
      SYS_clone,  SYS_clone3, SYS_exit,         SYS_exit_group,
      SYS_futex,  SYS_getpid, SYS_geteuid,      SYS_gettid,
      SYS_kill,   SYS_rseq,   SYS_rt_sigreturn, SYS_set_robust_list,
      SYS_tgkill, SYS_wait4,  SYS_waitid};
  return calls.count(number) != 0;
}

// A sanitizer's runtime makes calls of its own in the middle of ours, and dies
// of their failure. The child is a fork, so its code is where ours is.
bool IsFromSanitizer(uint64_t instruction) {
  Dl_info info;
  return (kHasAsan || kHasTsan) &&
         ::dladdr(reinterpret_cast<void*>(instruction), &info) != 0 &&
         info.dli_fname != nullptr &&
         std::strstr(info.dli_fname, "san.so") != nullptr;
}

// Which argument of the call is a path; -1: none.
int PathArgument(uint64_t number) {
  switch (number) {
    case SYS_open:
    case SYS_stat:
    case SYS_statfs:
    case SYS_mkdir:
    case SYS_readlink:
      return 0;
    case SYS_openat:
    case SYS_newfstatat:
    case SYS_unlinkat:
    case SYS_renameat2:
      return 1;
    default:
      return -1;
  }
}

std::string ReadText(pid_t tid, uint64_t address) {
  std::string text;
  while (address != 0 && text.size() < 4096) {
    errno = 0;
    const long word = ::ptrace(PTRACE_PEEKDATA, tid, address, nullptr);
    if (errno != 0) {
      break;
    }
    char bytes[sizeof(word)];
    std::memcpy(bytes, &word, sizeof(word));
    const size_t length = ::strnlen(bytes, sizeof(bytes));
    text.append(bytes, length);
    if (length < sizeof(bytes)) {
      break;
    }
    address += sizeof(word);
  }
  return text;
}

#if defined(__x86_64__)
// At the entry of a call: it is not made.
void SkipCall(pid_t tid) {
  user_regs_struct registers;
  ::ptrace(PTRACE_GETREGS, tid, nullptr, &registers);
  registers.orig_rax = ~0ull;
  ::ptrace(PTRACE_SETREGS, tid, nullptr, &registers);
}

// At its exit.
void SetResult(pid_t tid, int error_number) {
  user_regs_struct registers;
  ::ptrace(PTRACE_GETREGS, tid, nullptr, &registers);
  registers.rax = static_cast<unsigned long long>(-int64_t{error_number});
  ::ptrace(PTRACE_SETREGS, tid, nullptr, &registers);
}
#else
void SkipCall(pid_t) {}
void SetResult(pid_t, int) {}
#endif

bool IsSeen(Stage stage) {
  return stage == Stage::kAction || stage == Stage::kCounting;
}

class Tracer {
 public:
  Tracer(pid_t root, std::atomic<Stage>* stage, const PlannedFailure& failure)
      : root_(root), stage_(stage), failure_(failure) {}

  TraceResult Run() {
    int status = 0;
    ::waitpid(root_, &status, 0);  // it has stopped itself
    known_.insert(root_);
    ::ptrace(PTRACE_SETOPTIONS, root_, nullptr,
             PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                 PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL);
    Continue(root_, 0);
    for (;;) {
      const pid_t tid = ::waitpid(-1, &status, __WALL);
      if (tid < 0) {
        // Interrupted by the alarm, the deadline.
        result_.has_timed_out = errno == EINTR;
        break;
      }
      if (tid == root_ && !WIFSTOPPED(status)) {
        result_.wait_status = status;
        return std::move(result_);
      }
      if (WIFSTOPPED(status) && !Resume(tid, status)) {
        break;
      }
    }
    ::kill(root_, SIGKILL);
    ::waitpid(root_, &result_.wait_status, __WALL);
    return std::move(result_);
  }

 private:
  // False when the body has made too many calls.
  bool Resume(pid_t tid, int status) {
    const int signal_number = WSTOPSIG(status);
    // A new one's first stop, the news of a new one, or SetStage().
    const bool is_news = known_.insert(tid).second || status >> 16 != 0 ||
                         signal_number == SIGTRAP;
    if (signal_number == (SIGTRAP | 0x80)) {
      OnSystemCall(tid);
      if (stopped_ != tid) {
        Continue(tid, 0);
      }
    } else {
      Continue(tid, is_news ? 0 : signal_number);
    }
    if (stopped_ != 0 && stage_->load() == Stage::kReleased) {
      Continue(std::exchange(stopped_, 0), 0);
    }
    return result_.counting_calls <= kMostCountingCalls;
  }

  void Continue(pid_t tid, int signal_number) {
    const bool is_seen = IsSeen(stage_->load()) || failing_.count(tid) != 0;
    ::ptrace(is_seen ? PTRACE_SYSCALL : PTRACE_CONT, tid, nullptr,
             static_cast<long>(signal_number));
  }

  void OnSystemCall(pid_t tid) {
    __ptrace_syscall_info info = {};
    ::ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof(info), &info);
    if (info.op == PTRACE_SYSCALL_INFO_EXIT) {
      if (failing_.erase(tid) != 0) {
        SetResult(tid, failure_.error_number);
      }
      return;
    }
    const Stage stage = stage_->load();
    if (info.op != PTRACE_SYSCALL_INFO_ENTRY || !IsSeen(stage) ||
        IsCallOfHost(info.entry.nr) ||
        (info.entry.nr == SYS_sched_yield && stage == Stage::kAction) ||
        IsFromSanitizer(info.instruction_pointer)) {
      return;
    }
    SystemCall call;
    call.number = info.entry.nr;
    std::copy(std::begin(info.entry.args), std::end(info.entry.args),
              std::begin(call.args));
    const int path_argument = PathArgument(call.number);
    if (path_argument >= 0) {
      call.path = ReadText(tid, call.args[path_argument]);
    }
    OnCallOfWriter(tid, stage, call);
  }

  void OnCallOfWriter(pid_t tid, Stage stage, const SystemCall& call) {
    bool fails = failure_.lasts && !result_.failed_calls.empty() &&
                 result_.failed_calls[0].number == call.number;
    if (stage == Stage::kAction) {
      result_.action_calls.push_back(call);
      fails = fails ||
              static_cast<int>(result_.action_calls.size()) == failure_.call;
    } else {
      ++result_.counting_calls;
    }
    if (fails && failure_.error_number == kNeverReturns) {
      stopped_ = tid;
      stage_->store(Stage::kUntouched);
    } else if (fails) {
      result_.failed_calls.push_back(call);
      failing_.insert(tid);
      if (call.number != SYS_close) {
        SkipCall(tid);
      }
    }
  }

  const pid_t root_;
  std::atomic<Stage>* const stage_;
  const PlannedFailure failure_;
  std::set<pid_t> known_;
  std::set<pid_t> failing_;  // in a call that is to fail
  pid_t stopped_ = 0;        // in a call that never returns
  TraceResult result_;
};

void OnAlarm(int) {}

}  // namespace

std::string SystemCall::Text() const {
  static const std::map<uint64_t, const char*> names = {
      {SYS_close, "close"},
      {SYS_fchmod, "fchmod"},
      {SYS_fcntl, "fcntl"},
      {SYS_fstat, "fstat"},
      {SYS_fstatfs, "fstatfs"},
      {SYS_ftruncate, "ftruncate"},
      {SYS_getrandom, "getrandom"},
      {SYS_madvise, "madvise"},
      {SYS_mkdir, "mkdir"},
      {SYS_mmap, "mmap"},
      {SYS_mprotect, "mprotect"},
      {SYS_munmap, "munmap"},
      {SYS_newfstatat, "newfstatat"},
      {SYS_openat, "openat"},
      {SYS_prlimit64, "prlimit64"},
      {SYS_read, "read"},
      {SYS_readlink, "readlink"},
      {SYS_renameat2, "renameat2"},
      {SYS_rt_sigprocmask, "rt_sigprocmask"},
      {SYS_statfs, "statfs"},
      {SYS_unlinkat, "unlinkat"},
      {SYS_write, "write"},
  };
  const auto it = names.find(number);
  std::string text =
      it == names.end() ? "call " + std::to_string(number) : it->second;
  text += "(";
  for (int i = 0; i < 4; ++i) {
    char hex[24];
    ::snprintf(hex, sizeof(hex), "%s%#llx", i == 0 ? "" : ", ",
               static_cast<unsigned long long>(args[i]));
    text += hex;
  }
  return text + (path.empty() ? ")" : ") \"" + path + "\"");
}

void SetStage(std::atomic<Stage>* stage, Stage value) {
  stage->store(value);
#if defined(__x86_64__)
  if (value != Stage::kUntouched) {
    asm volatile("int3");
  }
#endif
}

std::string WhyNotTraced() {
#if !defined(__x86_64__)
  return "results of system calls are replaced on x86-64 only";
#else
  if (kHasTsan) {
    return "thread sanitizer makes calls of its own in the middle of ours";
  }
  const pid_t pid = StartChild([] {
    ::_exit(::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0 ? 0 : 1);
  });
  return IsSuccess(WaitFor(pid)) ? "" : "ptrace is not allowed here";
#endif
}

TraceResult RunTraced(const std::function<void()>& body,
                      std::atomic<Stage>* stage,
                      const PlannedFailure& failure) {
  // Tracer and child take turns: on one CPU that costs a third.
  cpu_set_t all;
  ::sched_getaffinity(0, sizeof(all), &all);
  cpu_set_t here;
  CPU_ZERO(&here);
  CPU_SET(static_cast<size_t>(::sched_getcpu()), &here);
  ::sched_setaffinity(0, sizeof(here), &here);
  struct sigaction action = {};
  action.sa_handler = OnAlarm;  // without SA_RESTART
  ::sigaction(SIGALRM, &action, nullptr);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::signal(SIGALRM, SIG_DFL);
    ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    ::raise(SIGSTOP);
    body();
    ::_exit(0);
  }
  ::alarm(kDeadlineSeconds);
  TraceResult result = Tracer(pid, stage, failure).Run();
  ::alarm(0);
  ::sched_setaffinity(0, sizeof(all), &all);
  return result;
}

}  // namespace tine::testing
