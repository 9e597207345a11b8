#ifndef TINE_TESTS_TESTING_STOP_AT_SYSTEM_CALL_H_
#define TINE_TESTS_TESTING_STOP_AT_SYSTEM_CALL_H_

#include <gtest/gtest.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>

namespace tine::testing {

// Runs `body` in a process of its own up to its `count`th stop (each system
// call has one before and one after), calls `use`, and kills it there. False
// when it was over before.
inline bool StopAtSystemCall(int count, const std::function<void()>& body,
                             const std::function<void()>& use) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    ::raise(SIGSTOP);
    body();
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  for (int i = 0; i < count && WIFSTOPPED(status); ++i) {
    ::ptrace(PTRACE_SYSCALL, pid, nullptr, nullptr);
    ::waitpid(pid, &status, 0);
  }
  if (!WIFSTOPPED(status)) {
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return false;
  }
  use();
  ::kill(pid, SIGKILL);
  ::waitpid(pid, &status, 0);
  return true;
}

}  // namespace tine::testing

#endif  // TINE_TESTS_TESTING_STOP_AT_SYSTEM_CALL_H_
