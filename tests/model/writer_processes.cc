#include "tests/model/writer_processes.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <vector>

#include "common/unique_fd.h"
#include "tests/model/instruments.h"
#include "tests/testing/child_process.h"
#include "writer/tine.h"

namespace tine::model {
namespace {

constexpr size_t kMaxMessageBytes = 512;

// Empty at the end, or at the deadline.
std::string ReceiveFrom(int socket) {
  char text[kMaxMessageBytes];
  ssize_t size;
  do {
    size = ::recv(socket, text, sizeof(text), 0);
  } while (size < 0 && errno == EINTR);
  return size <= 0 ? "" : std::string(text, static_cast<size_t>(size));
}

void SendTo(int socket, const std::string& text) {
  // Whoever is not there does not answer.
  [[maybe_unused]] const ssize_t sent =
      ::send(socket, text.data(), text.size(), MSG_NOSIGNAL);
}

// What is inherited from the driver would go on living in a child: locks.
void CloseAllBut(const std::set<int>& kept) {
  std::vector<int> open;
  for (const auto& entry :
       std::filesystem::directory_iterator("/proc/self/fd")) {
    open.push_back(std::atoi(entry.path().filename().c_str()));
  }
  for (const int fd : open) {
    if (fd > STDERR_FILENO && kept.count(fd) == 0) {
      ::close(fd);
    }
  }
}

pid_t RawClone() {
  return static_cast<pid_t>(
      ::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr));
}

// Whoever's child it is; nobody waits for it before the end, so its pid stays
// its own. False at the deadline.
bool WaitUntilDead(pid_t pid) {
  const UniqueFd over(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  pollfd wanted{over.get(), POLLIN, 0};
  int ready;
  do {
    ready = ::poll(&wanted, 1, 1000 * testing::kDeadlineSeconds);
  } while (ready < 0 && errno == EINTR);
  return ready == 1;
}

void Answer(int socket, const std::string& answer) {
  const WriterStatus status = GetWriterStatus();
  SendTo(socket, answer + " " + std::to_string(::getpid()) + " " +
                     (status.files.empty() ? "-" : status.files[0]));
}

}  // namespace

// ---- The processes ----------------------------------------------------------

void WriterProcesses::Run(const Step& start) const {
  CloseAllBut(std::set<int>(process_ends_, process_ends_ + kMaxProcesses));
  ::setenv("TINE_DIR", directory_.c_str(), 1);
  if (start.words[3] != "-") {
    ::setenv("TINE_PROCESS_LABELS", start.words[3].c_str(), 1);
  }
  if (start.words[4] != "-") {
    ::setenv("TINE_WORKER_ID", start.words[4].c_str(), 1);
  }
  int self = start.process();
  bool is_clone = false;
  Instruments instruments(std::atoi(start.words[2].c_str()));
  Answer(process_ends_[self], "ok");
  for (;;) {
    Step step;
    std::string problem;
    const std::string message = ReceiveFrom(process_ends_[self]);
    if (message.empty()) {
      ::_exit(1);  // the driver is gone
    }
    if (!ParseStep(message, &step, &problem)) {
      Answer(process_ends_[self], problem);
    } else if (step.verb() == "exit" && is_clone) {
      ::_exit(0);
    } else if (step.verb() == "exit") {
      ::exit(0);
    } else if (step.verb() == "fork" || step.verb() == "clone") {
      const pid_t child = step.verb() == "fork" ? ::fork() : RawClone();
      if (child == 0) {
        self = step.child();
        is_clone |= step.verb() == "clone";
      }
      Answer(process_ends_[self], child < 0 ? "failed" : "ok");
    } else {
      Answer(process_ends_[self], instruments.Do(step) ? "ok" : "no");
    }
  }
}

// ---- Their driver -----------------------------------------------------------

WriterProcesses::WriterProcesses(const std::string& directory)
    : directory_(directory) {
  // Of those whose parents have died, this process is the next parent.
  ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  for (int i = 0; i < kMaxProcesses; ++i) {
    int ends[2] = {-1, -1};
    ::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends);
    driver_ends_[i] = ends[0];
    process_ends_[i] = ends[1];
    const timeval deadline = {testing::kDeadlineSeconds, 0};
    ::setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof(deadline));
  }
}

WriterProcesses::~WriterProcesses() {
  for (const auto& [number, pid] : pids_) {
    ::kill(pid, SIGKILL);
    WaitUntilDead(pid);
  }
  // Now all of them are this process's children, and it has no others.
  while (::waitpid(-1, nullptr, 0) > 0) {
  }
  for (int i = 0; i < kMaxProcesses; ++i) {
    ::close(driver_ends_[i]);
    ::close(process_ends_[i]);
  }
}

std::string WriterProcesses::Receive(int process) {
  const std::string message = ReceiveFrom(driver_ends_[process]);
  const size_t file = message.rfind(' ');
  const size_t pid =
      file == std::string::npos ? file : message.rfind(' ', file - 1);
  if (pid == std::string::npos) {
    return "process " + std::to_string(process) + " does not answer";
  }
  pids_[process] = std::atoi(message.c_str() + pid);
  files_[process] =
      message.substr(file + 1) == "-" ? "" : message.substr(file + 1);
  return message.substr(0, pid);
}

std::string WriterProcesses::Do(const Step& step) {
  if (step.verb() == "start") {
    return Start(step);
  }
  if (step.verb() == "fork" || step.verb() == "clone") {
    return Fork(step);
  }
  if (step.verb() == "kill" || step.verb() == "exit") {
    return End(step);
  }
  SendTo(driver_ends_[step.process()], step.text());
  return Receive(step.process());
}

std::string WriterProcesses::Start(const Step& step) {
  pids_[step.process()] = testing::StartChild([&] { Run(step); });
  return Receive(step.process());
}

std::string WriterProcesses::Fork(const Step& step) {
  SendTo(driver_ends_[step.process()], step.text());
  const std::string answer = Receive(step.process());
  return answer == "ok" ? Receive(step.child()) : answer;
}

std::string WriterProcesses::End(const Step& step) {
  const pid_t pid = pids_.at(step.process());
  if (step.verb() == "kill") {
    ::kill(pid, SIGKILL);
  } else {
    SendTo(driver_ends_[step.process()], step.text());
  }
  return WaitUntilDead(pid) ? "ok" : "does not end";
}

}  // namespace tine::model
