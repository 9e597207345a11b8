#include "tools/demo/supervisor.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <utility>

#include "tools/demo/demo_metrics.h"

namespace tine::demo {
namespace {

using std::chrono::milliseconds;

// A worker that fails sooner than this is replaced only after it.
constexpr milliseconds kRestartDelay(1000);
// Longer than a worker takes to drain.
constexpr milliseconds kKillAfter(15'000);

UniqueFd BlockAndReceiveSignals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGCHLD, SIGUSR1}) {
    sigaddset(&set, number);
  }
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  return UniqueFd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

const char* ExitReason(int status) {
  if (WIFSIGNALED(status)) {
    return "signal";
  }
  return WEXITSTATUS(status) == 0 ? "recycled" : "error";
}

}  // namespace

void Supervisor::Run() {
  signals_ = BlockAndReceiveSignals();
  for (const char* reason : {"recycled", "signal", "error"}) {
    kWorkerExits.WithLabels(reason);
  }
  for (uint32_t i = 0; i < options_.worker_count; ++i) {
    places_.push_back({i, 0, 0, {}, {}});
  }
  while (!is_stopping_ || HasWorkers()) {
    StartWorkers();
    pollfd polled = {signals_.get(), POLLIN, 0};
    ::poll(&polled, 1, PollTimeoutMs());
    signalfd_siginfo info;
    while (::read(signals_.get(), &info, sizeof(info)) == sizeof(info)) {
      HandleSignal(info.ssi_signo);
    }
    if (is_stopping_ && Clock::now() >= kill_at_) {
      SignalWorkers(SIGKILL);
    }
  }
}

void Supervisor::HandleSignal(uint32_t number) {
  switch (number) {
    case SIGCHLD:
      ReapWorkers();
      break;
    case SIGUSR1:
      std::cout << ledger_->Text() << std::flush;
      break;
    default:
      Stop();
  }
}

void Supervisor::StartWorkers() {
  for (Place& place : places_) {
    if (!is_stopping_ && place.pid == 0 && Clock::now() >= place.start_at) {
      StartWorker(&place);
    }
  }
}

void Supervisor::StartWorker(Place* place) {
  ++place->generation;
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) {
    RunChild(*place, parent);
  }
  place->started = Clock::now();
  if (pid < 0) {
    std::cerr << "tine-demo: cannot start a worker: " << std::strerror(errno)
              << '\n';
    place->start_at = place->started + kRestartDelay;
    return;
  }
  place->pid = pid;
  kWorkersStarted.WithLabelValues({}).Increment();
}

void Supervisor::RunChild(const Place& place, pid_t parent) {
  // If the parent is killed, its workers end in good order.
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) {
    std::exit(0);
  }
  signals_.Reset();
  // exit(), not _exit(): a worker that ends like this has ended well, and its
  // metric file says so.
  std::exit(RunWorker(options_, place.number, place.generation,
                      listen_fd_.get(), ledger_));
}

void Supervisor::ReapWorkers() {
  int status;
  pid_t pid;
  while ((pid = ::waitpid(-1, &status, WNOHANG)) > 0) {
    for (Place& place : places_) {
      if (place.pid == pid) {
        NoteExit(&place, status);
      }
    }
  }
}

void Supervisor::NoteExit(Place* place, int status) {
  place->pid = 0;
  place->start_at = {};
  kWorkerExits.WithLabels(ExitReason(status)).Increment();
  const bool is_good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  if (!is_good && !is_stopping_) {
    place->start_at = place->started + kRestartDelay;
    std::cerr << "tine-demo: worker " << place->number << " ended by "
              << (WIFSIGNALED(status)
                      ? "signal " + std::to_string(WTERMSIG(status))
                      : "exit code " + std::to_string(WEXITSTATUS(status)))
              << '\n';
  }
}

void Supervisor::Stop() {
  if (is_stopping_) {
    return;
  }
  is_stopping_ = true;
  kill_at_ = Clock::now() + kKillAfter;
  listen_fd_.Reset();
  SignalWorkers(SIGTERM);
}

void Supervisor::SignalWorkers(int number) const {
  for (const Place& place : places_) {
    if (place.pid != 0) {
      ::kill(place.pid, number);
    }
  }
}

bool Supervisor::HasWorkers() const {
  return std::any_of(places_.begin(), places_.end(),
                     [](const Place& place) { return place.pid != 0; });
}

int Supervisor::PollTimeoutMs() const {
  constexpr int kNever = -1;
  if (is_stopping_) {
    return static_cast<int>(kRestartDelay.count());
  }
  auto earliest = Clock::time_point::max();
  for (const Place& place : places_) {
    if (place.pid == 0) {
      earliest = std::min(earliest, place.start_at);
    }
  }
  if (earliest == Clock::time_point::max()) {
    return kNever;
  }
  const auto left = std::chrono::ceil<milliseconds>(earliest - Clock::now());
  return static_cast<int>(
      std::clamp(left, milliseconds(0), kRestartDelay).count());
}

}  // namespace tine::demo
