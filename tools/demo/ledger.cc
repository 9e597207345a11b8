#include "tools/demo/ledger.h"

#include <sys/mman.h>

#include <new>

namespace tine::demo {

// Atomics with a lock in them would not work between processes.
static_assert(std::atomic<uint64_t>::is_always_lock_free);

Ledger* Ledger::Make() {
  void* memory = ::mmap(nullptr, sizeof(Ledger), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? nullptr : new (memory) Ledger();
}

uint64_t Ledger::Total(const Counts& counts) {
  uint64_t total = 0;
  for (const auto& by_path : counts) {
    for (const auto& by_code : by_path) {
      for (const auto& count : by_code) {
        total += count.load();
      }
    }
  }
  return total;
}

std::string Ledger::Lines(const char* what, const Counts& counts) {
  std::string text;
  for (size_t code = 0; code < kCodes.size(); ++code) {
    for (size_t method = 0; method < kMethods.size(); ++method) {
      for (size_t path = 0; path < kPaths.size(); ++path) {
        const uint64_t count = counts[method][path][code].load();
        if (count != 0) {
          text += what;
          text += "{code=\"" + std::string(kCodes[code]) + "\",method=\"" +
                  std::string(kMethods[method]) + "\",path=\"" +
                  std::string(kPaths[path]) + "\"} " + std::to_string(count) +
                  '\n';
        }
      }
    }
  }
  return text;
}

std::string Ledger::Text() const {
  // `done` before `attempted`: a request in between must not make more done
  // than attempted.
  const uint64_t done = Total(done_);
  const std::string done_lines = Lines("done", done_);
  return "done " + std::to_string(done) + "\nattempted " +
         std::to_string(Total(attempted_)) + '\n' + done_lines +
         Lines("attempted", attempted_);
}

}  // namespace tine::demo
