#include "tests/testing/stepped_process.h"

#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>

#include "tests/testing/child_process.h"

namespace tine::testing {
namespace {

constexpr int kEventFork = SIGTRAP | (PTRACE_EVENT_FORK << 8);

}  // namespace

void SteppedProcess::Stage::Begin() const {
  ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
  const auto thread = static_cast<pid_t>(::syscall(SYS_gettid));
  if (::write(begin_pipe_, &thread, sizeof(thread)) != sizeof(thread)) {
    std::abort();
  }
  ::close(begin_pipe_);
  // Stops this thread alone; the tracer does not pass it on.
  ::raise(SIGTRAP);
}

void SteppedProcess::Stage::End() const { is_over_->store(true); }

SteppedProcess::SteppedProcess(const std::function<void(const Stage&)>& body) {
  void* shared = ::mmap(nullptr, sizeof(*is_over_), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  int ends[2];
  if (shared == MAP_FAILED || ::pipe(ends) != 0) {
    std::abort();
  }
  is_over_ = new (shared) std::atomic<bool>(false);
  stage_.is_over_ = is_over_;
  stage_.begin_pipe_ = ends[1];
  std::fflush(nullptr);
  pid_ = ::fork();
  if (pid_ == 0) {
    ::close(ends[0]);
    body(stage_);
    ::_exit(0);
  }
  ::close(ends[1]);
  thread_ = pid_;
  pid_t thread;
  // Nothing comes if the child ends before its stage.
  if (::read(ends[0], &thread, sizeof(thread)) == sizeof(thread)) {
    thread_ = thread;
  }
  ::close(ends[0]);
  WaitForStop();
  if (is_stopped_) {
    ::ptrace(PTRACE_SETOPTIONS, thread_, nullptr, PTRACE_O_EXITKILL);
  }
}

SteppedProcess::~SteppedProcess() {
  Kill();
  ::munmap(is_over_, sizeof(*is_over_));
}

void SteppedProcess::FollowFork() {
  ::ptrace(PTRACE_SETOPTIONS, thread_, nullptr,
           PTRACE_O_EXITKILL | PTRACE_O_TRACEFORK);
}

void SteppedProcess::WaitForStop() {
  is_stopped_ = ::waitpid(thread_, &wait_status_, __WALL) == thread_ &&
                WIFSTOPPED(wait_status_);
  if (!is_stopped_) {
    is_reaped_ = is_reaped_ || thread_ == pid_;
    return;
  }
  if (wait_status_ >> 8 == kEventFork) {
    TakeForkedChild();
  } else if (WSTOPSIG(wait_status_) != SIGTRAP) {
    pending_signal_ = WSTOPSIG(wait_status_);
  }
}

// It begins its life with a SIGSTOP from the tracer, before its first
// instruction.
void SteppedProcess::TakeForkedChild() {
  unsigned long child = 0;
  ::ptrace(PTRACE_GETEVENTMSG, thread_, nullptr, &child);
  ::ptrace(PTRACE_DETACH, thread_, nullptr, nullptr);
  thread_ = static_cast<pid_t>(child);
  is_stopped_ = ::waitpid(thread_, &wait_status_, __WALL) == thread_ &&
                WIFSTOPPED(wait_status_);
}

void SteppedProcess::Resume(int request) {
  const auto signal_number = static_cast<uintptr_t>(pending_signal_);
  pending_signal_ = 0;
  ::ptrace(static_cast<__ptrace_request>(request), thread_, nullptr,
           signal_number);
  WaitForStop();
}

void SteppedProcess::Step() {
  Resume(PTRACE_SINGLESTEP);
  if (is_stopped_) {
    LeaveVdso();
  }
}

// If the last step was the call of a function there: on to its return, by a
// breakpoint in the process's own copy of the code. (No other thread of it must
// come there meanwhile.)
void SteppedProcess::LeaveVdso() {
#if defined(__x86_64__)
  constexpr uint64_t kVdsoBytes = 8192;
  constexpr uint64_t kBreakpoint = 0xCC;
  static const uint64_t vdso = ::getauxval(AT_SYSINFO_EHDR);
  user_regs_struct registers;
  if (::ptrace(PTRACE_GETREGS, thread_, nullptr, &registers) != 0 ||
      registers.rip < vdso || registers.rip >= vdso + kVdsoBytes) {
    return;
  }
  const uint64_t caller = WordAt(reinterpret_cast<const void*>(registers.rsp));
  const uint64_t code = WordAt(reinterpret_cast<const void*>(caller));
  ::ptrace(PTRACE_POKEDATA, thread_, caller, (code & ~0xFFULL) | kBreakpoint);
  Resume(PTRACE_CONT);
  if (is_stopped_) {
    ::ptrace(PTRACE_POKEDATA, thread_, caller, code);
    ::ptrace(PTRACE_GETREGS, thread_, nullptr, &registers);
    registers.rip = caller;
    ::ptrace(PTRACE_SETREGS, thread_, nullptr, &registers);
  }
#endif
}

void SteppedProcess::StepToSystemCall() { Resume(PTRACE_SYSCALL); }

bool SteppedProcess::IsBlocked(int signal_number) const {
  uint64_t mask = 0;
  ::ptrace(PTRACE_GETSIGMASK, thread_, sizeof(mask), &mask);
  return (mask >> (signal_number - 1) & 1) != 0;
}

uint64_t SteppedProcess::WordAt(const void* address) const {
  return static_cast<uint64_t>(
      ::ptrace(PTRACE_PEEKDATA, thread_, address, nullptr));
}

bool SteppedProcess::FailSystemCall(long number, uint64_t third_argument,
                                    int error_number) {
#if defined(__x86_64__)
  user_regs_struct registers;
  // orig_rax is -1 unless the stop is at the end of a system call.
  if (::ptrace(PTRACE_GETREGS, thread_, nullptr, &registers) != 0 ||
      registers.orig_rax != static_cast<uint64_t>(number) ||
      registers.rdx != third_argument) {
    return false;
  }
  registers.rax = static_cast<uint64_t>(-static_cast<int64_t>(error_number));
  return ::ptrace(PTRACE_SETREGS, thread_, nullptr, &registers) == 0;
#else
  static_cast<void>(number);
  static_cast<void>(third_argument);
  static_cast<void>(error_number);
  return false;
#endif
}

int SteppedProcess::Release(int signal_number) {
  if (is_stopped_) {
    if (signal_number != 0) {
      ::kill(thread_, signal_number);
    }
    ::ptrace(PTRACE_DETACH, thread_, nullptr, nullptr);
    is_stopped_ = false;
  }
  if (!is_reaped_) {
    wait_status_ = WaitFor(pid_);
    is_reaped_ = true;
  }
  return wait_status_;
}

void SteppedProcess::Kill() {
  if (is_stopped_ && thread_ != pid_) {
    // A thread of it, or a child that it has forked; its end is ours to take,
    // and the process's end waits for that.
    ::kill(thread_, SIGKILL);
    ::kill(pid_, SIGKILL);
    while (::waitpid(thread_, &wait_status_, __WALL) == thread_ &&
           WIFSTOPPED(wait_status_)) {
    }
  }
  is_stopped_ = false;
  if (!is_reaped_) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, &wait_status_, 0);
    is_reaped_ = true;
  }
}

}  // namespace tine::testing
