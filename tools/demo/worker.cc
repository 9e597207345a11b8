#include "tools/demo/worker.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>

#include <cerrno>
#include <iostream>

#include "common/unique_fd.h"
#include "tools/demo/demo_metrics.h"
#include "tools/demo/server.h"

namespace tine::demo {
namespace {

constexpr int kDone = 0;
constexpr int kFailed = 1;

// A file of its own for this worker, before its first request.
void StartMetrics(const DemoOptions& options, uint32_t number,
                  uint32_t generation) {
  const std::string worker_id = std::to_string(number);
  InitOptions init;
  init.directory = options.directory;
  init.worker_id = worker_id;
  Init(init);  // without a file it serves all the same; the library says so
  kWorkerGeneration.WithLabelValues({}).Set(generation);
  kInFlight.WithLabelValues({});
}

void WaitForEither(int first_fd, int second_fd) {
  pollfd polled[] = {{first_fd, POLLIN, 0}, {second_fd, POLLIN, 0}};
  while (::poll(polled, 2, -1) < 0 && errno == EINTR) {
  }
}

}  // namespace

int RunWorker(const DemoOptions& options, uint32_t number, uint32_t generation,
              int listen_fd, Ledger* ledger) {
  sigset_t stop_signals;
  sigemptyset(&stop_signals);
  sigaddset(&stop_signals, SIGTERM);
  sigaddset(&stop_signals, SIGINT);
  const UniqueFd signals(::signalfd(-1, &stop_signals, SFD_CLOEXEC));
  const UniqueFd limit_reached(::eventfd(0, EFD_CLOEXEC));
  StartMetrics(options, number, generation);
  Server server(listen_fd, ledger, options.recycle_after, limit_reached.get());
  if (!signals.valid() || !limit_reached.valid() || !server.Start()) {
    std::cerr << "tine-demo: worker " << number << " cannot start its server\n";
    return kFailed;
  }
  WaitForEither(signals.get(), limit_reached.get());
  server.Drain();
  return kDone;
}

}  // namespace tine::demo
