// A parent that never counts, and COUNT children that each count once and end:
// every second one by SIGKILL, the others with _exit.
//
//   short_lived_writers DIRECTORY COUNT

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "writer/tine.h"

namespace {

constexpr int kAtOnce = 32;

void CountAndEnd(const tine::CounterFamily& family, bool is_killed) {
  family.WithLabels("a").Increment();
  if (is_killed) {
    ::kill(::getpid(), SIGKILL);
  }
  ::_exit(0);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    return 2;
  }
  ::setenv("TINE_DIR", argv[1], 1);
  const tine::CounterFamily family("short_total", "Processes that have lived.",
                                   {"l"});
  const int count = std::atoi(argv[2]);
  for (int i = 0; i < count; ++i) {
    if (::fork() == 0) {
      CountAndEnd(family, i % 2 == 0);
    }
    if (i >= kAtOnce) {
      ::wait(nullptr);
    }
  }
  while (::wait(nullptr) > 0) {
  }
  return 0;
}
