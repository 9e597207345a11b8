#include "tests/testing/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <thread>

#include "common/unique_fd.h"
#include "gtest/gtest.h"
#include "tests/testing/test_directory.h"

namespace tine::testing {
namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void RunBody(const std::function<void()>& body, Ending ending) {
  try {
    body();
  } catch (const std::exception& error) {
    // Not let through: this process would go on as the test program.
    ADD_FAILURE() << "an exception in a child: " << error.what();
  }
  std::fflush(nullptr);
  const int code = ::testing::Test::HasFailure() ? 1 : 0;
  if (ending == Ending::kExit) {
    std::exit(code);
  }
  ::_exit(code);
}

std::string ReadAll(int fd) {
  std::string text;
  char buffer[4096];
  ssize_t count;
  while ((count = ::pread(fd, buffer, sizeof(buffer),
                          static_cast<off_t>(text.size()))) > 0) {
    text.append(buffer, static_cast<size_t>(count));
  }
  return text;
}

}  // namespace

bool ChildOutcome::HasExited(int code) const {
  return !has_timed_out && WIFEXITED(wait_status) &&
         WEXITSTATUS(wait_status) == code;
}

bool ChildOutcome::WasKilledBy(int signal_number) const {
  return !has_timed_out && WIFSIGNALED(wait_status) &&
         WTERMSIG(wait_status) == signal_number;
}

std::string ChildOutcome::Description() const {
  return "the child ended " + EndingText(has_timed_out ? -1 : wait_status) +
         "\n" + stderr_text;
}

ChildOutcome RunInChild(const std::function<void()>& body, Ending ending) {
  const UniqueFd log(::memfd_create("stderr", MFD_CLOEXEC));
  std::fflush(nullptr);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::setpgid(0, 0);
    ::dup2(log.get(), STDERR_FILENO);
    RunBody(body, ending);
  }
  ::setpgid(pid, pid);
  ChildOutcome outcome;
  outcome.wait_status = WaitFor(pid);
  outcome.has_timed_out = outcome.wait_status == -1;
  ::kill(-pid, SIGKILL);
  TestDirectory::RemoveThoseOf(pid);
  outcome.stderr_text = ReadAll(log.get());
  return outcome;
}

pid_t StartChild(const std::function<void()>& body) {
  std::fflush(nullptr);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    RunBody(body, Ending::kQuick);
  }
  return pid;
}

int WaitFor(pid_t pid, int deadline_seconds) {
  // Readable when the process is over.
  const UniqueFd over(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  const auto deadline = Clock::now() + std::chrono::seconds(deadline_seconds);
  pollfd wanted{over.get(), POLLIN, 0};
  while (Clock::now() < deadline &&
         ::poll(&wanted, 1, 1000 * deadline_seconds) < 0) {
  }
  int status = -1;
  if (::waitpid(pid, &status, WNOHANG) == pid) {
    return status;
  }
  ::kill(pid, SIGKILL);
  ::waitpid(pid, &status, 0);
  return -1;
}

bool WaitUntil(const std::function<bool()>& condition, int deadline_seconds) {
  const auto deadline = Clock::now() + std::chrono::seconds(deadline_seconds);
  auto pause = std::chrono::microseconds(50);
  while (!condition()) {
    if (Clock::now() > deadline) {
      return false;
    }
    std::this_thread::sleep_for(pause);
    pause = std::min(2 * pause, std::chrono::microseconds(5000));
  }
  return true;
}

bool IsSuccess(int wait_status) {
  return wait_status != -1 && WIFEXITED(wait_status) &&
         WEXITSTATUS(wait_status) == 0;
}

std::string EndingText(int wait_status) {
  if (wait_status == -1) {
    return "at the deadline";
  }
  return WIFSIGNALED(wait_status)
             ? "by signal " + std::to_string(WTERMSIG(wait_status))
             : "with code " + std::to_string(WEXITSTATUS(wait_status));
}

}  // namespace tine::testing
