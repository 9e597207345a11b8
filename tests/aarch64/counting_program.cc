// Counts with every instrument, among signals and threads; prints how often a
// signal came; lives until its standard input ends. It does not fork: Debian's
// qemu-user takes advice about memory and does nothing, MADV_WIPEONFORK and
// MADV_DONTFORK too.

#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdio>
#include <thread>

#include "writer/tine.h"

namespace {

constexpr int kRounds = 200'000;
constexpr int kThreadRounds = 10'000;

struct Counts {
  tine::Counter whole{"whole_total", "A test's."};
  tine::DoubleCounter halves{"halves_total", "A test's."};
};

Counts* g_counts = nullptr;
volatile sig_atomic_t g_signals = 0;

void Count() {
  g_counts->whole.Increment();
  g_counts->halves.Increment(0.5);
}

void OnSignal(int /*number*/) {
  Count();
  g_signals = g_signals + 1;
}

void CountAmongSignals() {
  struct sigaction action {};
  action.sa_handler = OnSignal;
  ::sigaction(SIGALRM, &action, nullptr);
  const itimerval often = {{0, 300}, {0, 300}};
  const itimerval never = {};
  ::setitimer(ITIMER_REAL, &often, nullptr);
  for (int i = 0; i < kRounds; ++i) {
    Count();
  }
  ::setitimer(ITIMER_REAL, &never, nullptr);
}

void CountInThreads() {
  const auto count = [] {
    for (int i = 0; i < kThreadRounds; ++i) {
      Count();
    }
  };
  std::thread first(count);
  std::thread second(count);
  first.join();
  second.join();
}

}  // namespace

int main() {
  Counts counts;
  g_counts = &counts;
  CountAmongSignals();
  CountInThreads();
  tine::UpDownCounter("net", "A test's.", tine::GaugeMode::kSum).Add(-7);
  tine::Gauge("living", "A test's.", tine::GaugeMode::kLiveMax).Set(0.1);
  tine::Gauge("last", "A test's.", tine::GaugeMode::kMostRecent).Set(1e-300);
  const tine::Histogram histogram("seconds", "A test's.", {0.5, 1});
  const tine::Summary summary("bytes", "A test's.");
  for (const double value : {0.25, 0.5, 0.75, 3.0}) {
    histogram.Observe(value);
    summary.Observe(value);
  }
  tine::CounterFamily family("labelled_total", "A test's.", {"name"});
  family.WithLabels("kept").Increment(3);
  family.WithLabels("gone").Increment(4);
  family.Remove("gone");
  std::printf("%d\n", static_cast<int>(g_signals));
  std::fflush(stdout);
  char byte;
  while (::read(STDIN_FILENO, &byte, 1) > 0) {
  }
  return 0;
}
