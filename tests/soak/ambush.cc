// Kills a collector in the middle of a fold.
//
//   ambush PID written|renamed SECONDS
//
// Follows the system calls of the process as a debugger does, and sends it
// SIGKILL right after one that writes the next archive, or gives it its name.
// Exits with 0 when that has happened, 1 when it has not in time, and 3 when
// this process may not trace the other.

#include <dirent.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

namespace {

constexpr int kKilled = 0;
constexpr int kTooLate = 1;
constexpr int kUsage = 2;
constexpr int kNotAllowed = 3;

constexpr int kSystemCallStop = SIGTRAP | 0x80;
// Tells a stop by this program from a signal.
constexpr int kEventShift = 16;

// All threads that are there now: the one that folds is among them. True if at
// least one can be followed.
bool Follow(pid_t pid) {
  bool has_one = false;
  DIR* tasks = ::opendir(("/proc/" + std::to_string(pid) + "/task").c_str());
  while (const dirent* task = tasks == nullptr ? nullptr : ::readdir(tasks)) {
    const pid_t tid = std::atoi(task->d_name);
    if (tid > 0 &&
        ::ptrace(PTRACE_SEIZE, tid, nullptr, PTRACE_O_TRACESYSGOOD) == 0) {
      has_one |= ::ptrace(PTRACE_INTERRUPT, tid, nullptr, nullptr) == 0;
    }
  }
  if (tasks != nullptr) {
    ::closedir(tasks);
  }
  return has_one;
}

bool IsRename(uint64_t number) {
#ifdef SYS_renameat
  if (number == SYS_renameat) {
    return true;
  }
#endif
  return number == SYS_renameat2;
}

// Has the thread, which has stopped, just made the call?
bool HasMade(pid_t tid, bool is_rename_awaited, uint64_t* number) {
  __ptrace_syscall_info info;
  if (::ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof(info), &info) <= 0) {
    return false;
  }
  if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
    *number = info.entry.nr;
  }
  return info.op == PTRACE_SYSCALL_INFO_EXIT && info.exit.is_error == 0 &&
         (is_rename_awaited ? IsRename(*number) : *number == SYS_pwrite64);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    return kUsage;
  }
  const pid_t pid = std::atoi(argv[1]);
  const bool is_rename_awaited = std::strcmp(argv[2], "renamed") == 0;
  if (!Follow(pid)) {
    return kNotAllowed;
  }
  // Wakes waitpid().
  struct sigaction nothing = {};
  nothing.sa_handler = [](int) {};
  ::sigaction(SIGALRM, &nothing, nullptr);
  ::alarm(static_cast<unsigned>(std::atoi(argv[3])));
  std::map<pid_t, uint64_t> calls;  // by thread: the one that it is in
  for (;;) {
    int status = 0;
    const pid_t tid = ::waitpid(-1, &status, __WALL);
    if (tid < 0) {
      return kTooLate;  // what was followed goes on by itself
    }
    if (!WIFSTOPPED(status)) {
      continue;
    }
    const bool is_call = WSTOPSIG(status) == kSystemCallStop;
    if (is_call && HasMade(tid, is_rename_awaited, &calls[tid])) {
      return ::kill(pid, SIGKILL) == 0 ? kKilled : kTooLate;
    }
    const bool is_signal = !is_call && status >> kEventShift == 0;
    ::ptrace(PTRACE_SYSCALL, tid, nullptr, is_signal ? WSTOPSIG(status) : 0);
  }
}
