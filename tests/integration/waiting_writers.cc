// A parent that never counts, and children that wait. It does what its standard
// input says, line by line, and answers "done" when that is in the files:
//
//   start N   N more children, each of which has counted once
//   count     each child counts once more
//   kill N    SIGKILL for the N oldest children
//
// At the end of its input it kills all.
//
//   waiting_writers DIRECTORY

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>

#include "writer/tine.h"

namespace {

int g_answers[2];  // a pipe: one byte for each count

[[noreturn]] void CountAndWait(const tine::Counter& counter) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGUSR1);
  for (;;) {
    counter.Increment();
    if (::write(g_answers[1], "", 1) != 1) {
      ::_exit(1);
    }
    int signal_number = 0;
    ::sigwait(&signals, &signal_number);
  }
}

bool AwaitAnswers(size_t count) {
  char bytes[4096];
  while (count > 0) {
    const ssize_t got = ::read(g_answers[0], bytes, sizeof(bytes));
    if (got <= 0) {
      return false;
    }
    count -= static_cast<size_t>(got);
  }
  return true;
}

class Children {
 public:
  explicit Children(const tine::CounterFamily* family) : family_(family) {}

  bool Start(size_t count) {
    for (size_t i = 0; i < count; ++i) {
      const pid_t pid = ::fork();
      if (pid == 0) {
        CountAndWait(family_->WithLabels("a"));
      }
      if (pid < 0) {
        return false;
      }
      pids_.push_back(pid);
    }
    return AwaitAnswers(count);
  }

  bool Count() const {
    for (const pid_t pid : pids_) {
      ::kill(pid, SIGUSR1);
    }
    return AwaitAnswers(pids_.size());
  }

  bool Kill(size_t count) {
    for (; count > 0 && !pids_.empty(); --count) {
      ::kill(pids_.front(), SIGKILL);
      ::waitpid(pids_.front(), nullptr, 0);
      pids_.pop_front();
    }
    return count == 0;
  }

  void KillAll() { Kill(pids_.size()); }

 private:
  const tine::CounterFamily* const family_;
  std::deque<pid_t> pids_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 || ::pipe(g_answers) != 0) {
    return 2;
  }
  ::setenv("TINE_DIR", argv[1], 1);
  sigset_t signals;  // for the children's sigwait
  sigemptyset(&signals);
  sigaddset(&signals, SIGUSR1);
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  const tine::CounterFamily family("waiting_total", "Counts of the waiting.",
                                   {"l"});
  Children children(&family);
  char line[64];
  bool is_done = true;
  while (is_done && std::fgets(line, sizeof(line), stdin) != nullptr) {
    size_t count = 0;
    if (std::sscanf(line, "start %zu", &count) == 1) {
      is_done = children.Start(count);
    } else if (std::sscanf(line, "kill %zu", &count) == 1) {
      is_done = children.Kill(count);
    } else {
      is_done = std::strcmp(line, "count\n") == 0 && children.Count();
    }
    std::puts(is_done ? "done" : "failed");
    std::fflush(stdout);
  }
  children.KillAll();
  return is_done ? 0 : 1;
}
