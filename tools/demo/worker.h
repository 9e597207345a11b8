#ifndef TINE_TOOLS_DEMO_WORKER_H_
#define TINE_TOOLS_DEMO_WORKER_H_

#include <cstdint>
#include <string>

#include "tools/demo/ledger.h"

namespace tine::demo {

struct DemoOptions {
  std::string directory;
  std::string listen_address = "127.0.0.1:8080";
  uint32_t worker_count = 4;
  uint64_t recycle_after = 0;  // requests; 0: never
};

// A worker's life, in the child process: serves until SIGTERM or SIGINT comes
// or it has answered its number of requests, finishes what is open, and returns
// the exit code. `number` is its place among the workers, `generation` how many
// have had it. SIGTERM and SIGINT must be blocked.
int RunWorker(const DemoOptions& options, uint32_t number, uint32_t generation,
              int listen_fd, Ledger* ledger);

}  // namespace tine::demo

#endif  // TINE_TOOLS_DEMO_WORKER_H_
