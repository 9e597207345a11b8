#ifndef TINE_TOOLS_DEMO_SUPERVISOR_H_
#define TINE_TOOLS_DEMO_SUPERVISOR_H_

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <vector>

#include "common/unique_fd.h"
#include "tools/demo/worker.h"

namespace tine::demo {

// The parent: keeps the workers running until it is asked to stop.
// Single-threaded.
class Supervisor {
 public:
  Supervisor(const DemoOptions& options, UniqueFd listen_fd, Ledger* ledger)
      : options_(options), listen_fd_(std::move(listen_fd)), ledger_(ledger) {}

  // Starts the workers and returns when all have ended after SIGTERM or SIGINT.
  // SIGUSR1 prints the ledger.
  void Run();

 private:
  using Clock = std::chrono::steady_clock;

  // A worker's place. Its process comes and goes.
  struct Place {
    uint32_t number = 0;
    uint32_t generation = 0;
    pid_t pid = 0;  // 0: none now
    Clock::time_point started;
    Clock::time_point start_at;  // not before
  };

  void StartWorkers();
  void StartWorker(Place* place);
  [[noreturn]] void RunChild(const Place& place, pid_t parent);
  void ReapWorkers();
  void NoteExit(Place* place, int status);
  void HandleSignal(uint32_t number);
  void Stop();
  void SignalWorkers(int number) const;
  int PollTimeoutMs() const;
  bool HasWorkers() const;

  const DemoOptions options_;
  UniqueFd listen_fd_;
  Ledger* const ledger_;
  UniqueFd signals_;
  std::vector<Place> places_;
  bool is_stopping_ = false;
  Clock::time_point kill_at_;
};

}  // namespace tine::demo

#endif  // TINE_TOOLS_DEMO_SUPERVISOR_H_
