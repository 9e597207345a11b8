#include "tools/bench/write_benchmark.h"

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "benchmark/benchmark.h"
#include "common/clock.h"
#include "prometheus/counter.h"
#include "prometheus/gauge.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"
#include "tools/bench/fastest_reporter.h"
#include "writer/c/tine.h"
#include "writer/tine.h"

namespace tine::bench {
namespace {

// Several operations per turn of the benchmark's loop, so that its own cost
// does not blur a nanosecond.
constexpr int kOperations = 16;

template <typename Operation>
void Loop(benchmark::State& state, const Operation& operation) {
  for (auto _ : state) {
    for (int i = 0; i < kOperations; ++i) {
      operation(i);
    }
  }
  state.counters[FastestReporter::kOperationsPerIteration] =
      benchmark::Counter(kOperations, benchmark::Counter::kAvgThreads);
}

// A word alone in its pair of cache lines.
struct alignas(128) PaddedWord {
  std::atomic<uint64_t> value{0};
};

tine_series* MakeCCounter() {
  tine_definition definition{};
  definition.size = sizeof(definition);
  definition.type = TINE_COUNTER;
  definition.name = "bench_calls_total";
  definition.help = "Calls.";
  tine_series* series = nullptr;
  tine_register_single(&definition, &series, nullptr, 0);
  return series;
}

// Everything that is measured, made once. Never destroyed: handles are kept by
// threads.
struct Subjects {
  Counter counter{"bench_operations_total", "Operations."};
  tine_series* c_counter = MakeCCounter();
  DoubleCounter double_counter{"bench_seconds_total", "Seconds."};
  Histogram histogram{"bench_duration_seconds", "Durations.", DefaultBuckets()};
  Gauge gauge{"bench_temperature", "Degrees.", GaugeMode::kMax};
  Gauge mortal_gauge{"bench_pressure",
                     "Pascals.",
                     GaugeMode::kMax,
                     {{}, std::chrono::hours(1), 0}};
  StateSet states{"bench_state", "State.", {"off", "on"}, GaugeMode::kMax};
  CounterFamily family{
      "bench_requests_total", "Requests.", {"method", "code", "path"}};
  PresetFamily<Counter> preset =
      family.Preset({{"method", "GET"}, {"code", "200"}});

  std::unique_ptr<std::atomic<uint64_t>> heap_word =
      std::make_unique<std::atomic<uint64_t>>(0);
  std::vector<PaddedWord> private_words = std::vector<PaddedWord>(64);
  uint64_t* volatile mapped_word = nullptr;

  prometheus::Registry registry;
  prometheus::Counter& peer_counter =
      prometheus::BuildCounter().Name("c_total").Register(registry).Add({});
  prometheus::Gauge& peer_gauge =
      prometheus::BuildGauge().Name("g").Register(registry).Add({});
  prometheus::Histogram& peer_histogram =
      prometheus::BuildHistogram().Name("h").Register(registry).Add(
          {}, prometheus::Histogram::BucketBoundaries{.005, .01, .025, .05, .1,
                                                      .25, .5, 1, 2.5, 5, 10});
  prometheus::Family<prometheus::Counter>& peer_family =
      prometheus::BuildCounter().Name("r_total").Register(registry);

  // Spread over the default buckets, one decade per three values.
  std::array<double, 1024> durations{};
  std::array<std::string, kOperations> paths;
};

Subjects* MakeSubjects() {
  auto* subjects = new Subjects();
  void* page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  subjects->mapped_word = static_cast<uint64_t*>(page);
  std::mt19937_64 random(1);
  std::lognormal_distribution<double> distribution(-3, 2);
  for (double& duration : subjects->durations) {
    duration = distribution(random);
  }
  for (int i = 0; i < kOperations; ++i) {
    subjects->paths[static_cast<size_t>(i)] =
        "/api/v1/resource" + std::to_string(i);
  }
  return subjects;
}

using Body = void (*)(benchmark::State&, Subjects&);

struct Measured {
  const char* name;
  int thread_count;  // 0: one per core
  Body body;
};

// Every body that some row of the table names.
const Measured kMeasured[] = {
    {"heap fetch_add", 1,
     [](benchmark::State& state, Subjects& s) {
       std::atomic<uint64_t>* word = s.heap_word.get();
       Loop(state, [=](int) { word->fetch_add(1, std::memory_order_relaxed); });
     }},
    {"counter", 1,
     [](benchmark::State& state, Subjects& s) {
       const Counter counter = s.counter;
       Loop(state, [=](int) { counter.Increment(); });
     }},
    {"counter, C function", 1,
     [](benchmark::State& state, Subjects& s) {
       tine_series* counter = s.c_counter;
       Loop(state, [=](int) { tine_counter_add(counter, 1); });
     }},
    {"peer counter", 1,
     [](benchmark::State& state, Subjects& s) {
       Loop(state, [&](int) { s.peer_counter.Increment(); });
     }},
    {"counter, all cores", 0,
     [](benchmark::State& state, Subjects& s) {
       const Counter counter = s.counter;
       Loop(state, [=](int) { counter.Increment(); });
     }},
    {"private fetch_adds, all cores", 0,
     [](benchmark::State& state, Subjects& s) {
       std::atomic<uint64_t>* word =
           &s.private_words[static_cast<size_t>(state.thread_index())].value;
       Loop(state, [=](int) { word->fetch_add(1, std::memory_order_relaxed); });
     }},
    {"heap fetch_add, all cores", 0,
     [](benchmark::State& state, Subjects& s) {
       std::atomic<uint64_t>* word = s.heap_word.get();
       Loop(state, [=](int) { word->fetch_add(1, std::memory_order_relaxed); });
     }},
    {"peer counter, all cores", 0,
     [](benchmark::State& state, Subjects& s) {
       Loop(state, [&](int) { s.peer_counter.Increment(); });
     }},
    {"double counter", 1,
     [](benchmark::State& state, Subjects& s) {
       const DoubleCounter counter = s.double_counter;
       Loop(state, [=](int) { counter.Increment(0.25); });
     }},
    {"peer double counter", 1,
     [](benchmark::State& state, Subjects& s) {
       Loop(state, [&](int) { s.peer_counter.Increment(0.25); });
     }},
    {"histogram", 1,
     [](benchmark::State& state, Subjects& s) {
       const Histogram histogram = s.histogram;
       size_t next = 0;
       Loop(state, [&](int) {
         histogram.Observe(s.durations[next++ % s.durations.size()]);
       });
     }},
    {"peer histogram", 1,
     [](benchmark::State& state, Subjects& s) {
       size_t next = 0;
       Loop(state, [&](int) {
         s.peer_histogram.Observe(s.durations[next++ % s.durations.size()]);
       });
     }},
    {"mapped store", 1,
     [](benchmark::State& state, Subjects& s) {
       // Through a pointer in memory, as from a handle.
       uint64_t* volatile* word = &s.mapped_word;
       Loop(state, [=](int i) {
         internal::StoreCell(*word, internal::DoubleToCell(i));
       });
     }},
    {"gauge set", 1,
     [](benchmark::State& state, Subjects& s) {
       const Gauge gauge = s.gauge;
       Loop(state, [=](int i) { gauge.Set(i); });
     }},
    {"peer gauge set", 1,
     [](benchmark::State& state, Subjects& s) {
       Loop(state, [&](int i) { s.peer_gauge.Set(i); });
     }},
    {"gauge add", 1,
     [](benchmark::State& state, Subjects& s) {
       const Gauge gauge = s.gauge;
       Loop(state, [=](int) { gauge.Add(1); });
     }},
    {"peer gauge add", 1,
     [](benchmark::State& state, Subjects& s) {
       Loop(state, [&](int) { s.peer_gauge.Increment(1); });
     }},
    {"look-up", 1,
     [](benchmark::State& state, Subjects& s) {
       Loop(state, [&](int i) {
         s.family.WithLabels("GET", "200", s.paths[static_cast<size_t>(i)])
             .Increment();
       });
     }},
    {"preset look-up", 1,
     [](benchmark::State& state, Subjects& s) {
       Loop(state, [&](int i) {
         s.preset.WithLabels(s.paths[static_cast<size_t>(i)]).Increment();
       });
     }},
    {"state set", 1,
     [](benchmark::State& state, Subjects& s) {
       const StateSet states = s.states;
       Loop(state, [=](int i) { states.SetOnly(i & 1); });
     }},
    {"boot clock", 1,
     [](benchmark::State& state, Subjects&) {
       Loop(state,
            [](int) { benchmark::DoNotOptimize(NowNs(CLOCK_BOOTTIME)); });
     }},
    {"gauge set, time to live", 1,
     [](benchmark::State& state, Subjects& s) {
       const Gauge gauge = s.mortal_gauge;
       Loop(state, [=](int i) { gauge.Set(i); });
     }},
    {"peer look-up", 1,
     [](benchmark::State& state, Subjects& s) {
       Loop(state, [&](int i) {
         s.peer_family
             .Add({{"method", "GET"},
                   {"code", "200"},
                   {"path", s.paths[static_cast<size_t>(i)]}})
             .Increment();
       });
     }},
};

// One line of the table: what Tine takes, as a share of what something else
// takes.
struct Row {
  const char* name;
  const char* reference;
  double most;  // the promise: name / reference is at most this
};

const Row kRows[] = {
    {"counter", "heap fetch_add", 0.7},
    {"counter", "peer counter", 0.25},
    {"counter, C function", "heap fetch_add", 2.0},
    {"counter, C function", "peer counter", 1.0},
    {"counter, all cores", "private fetch_adds, all cores", 1.0},
    {"counter, all cores", "heap fetch_add, all cores", 1.0},
    {"counter, all cores", "peer counter, all cores", 1.0},
    {"double counter", "heap fetch_add", 2.5},
    {"double counter", "peer double counter", 1.0},
    {"histogram", "heap fetch_add", 3.5},
    {"histogram", "peer histogram", 0.5},
    {"gauge set", "mapped store", 1.0},
    {"gauge set", "peer gauge set", 1.0},
    {"gauge add", "peer gauge add", 1.1},
    {"look-up", "peer look-up", 0.2},
    {"preset look-up", "look-up", 1.5},
    {"state set", "heap fetch_add", 1.0},
    {"gauge set, time to live", "boot clock", 1.3},
};

// Two measurements of one thing differ by this much here; a ratio within it of
// the promise is called "as".
constexpr double kNoise = 0.02;

void PrintTable(const FastestReporter& reporter) {
  std::printf("%-22s %9s   %-30s %9s %8s %9s\n", "tine", "ns", "against", "ns",
              "ratio", "promise");
  for (const Row& row : kRows) {
    const double own_ns = reporter.NanosecondsOf(row.name);
    const double reference_ns = reporter.NanosecondsOf(row.reference);
    const double ratio = own_ns / reference_ns;
    std::printf("%-22s %9.2f   %-30s %9.2f %7.2fx  <= %.2fx %s\n", row.name,
                own_ns, row.reference, reference_ns, ratio, row.most,
                ratio <= row.most            ? "ok"
                : ratio <= row.most + kNoise ? "ok (within noise)"
                                             : "MISSED");
  }
  std::printf(
      "\n`peer` is prometheus-cpp, one process, no file. Times are of one "
      "operation in one thread,\nthe fastest of the repetitions.\n");
}

}  // namespace

int RunWriteBenchmarks(int repetition_count) {
  std::string directory = "/dev/shm/tine-bench-XXXXXX";
  if (::mkdtemp(directory.data()) == nullptr) {
    std::perror("tine-bench: cannot make a directory in /dev/shm");
    return 1;
  }
  InitOptions options;
  options.directory = directory;
  const Status status = Init(options);
  if (!status.ok()) {
    std::fprintf(stderr, "tine-bench: %s\n", status.message().c_str());
    std::filesystem::remove_all(directory);
    return 1;
  }
  Subjects* subjects = MakeSubjects();
  const int core_count = static_cast<int>(std::thread::hardware_concurrency());
  for (const Measured& measured : kMeasured) {
    benchmark::RegisterBenchmark(
        measured.name,
        [&measured, subjects](benchmark::State& state) {
          measured.body(state, *subjects);
        })
        ->Threads(measured.thread_count == 0 ? core_count
                                             : measured.thread_count)
        ->MinTime(0.05)
        ->Repetitions(repetition_count)
        ->UseRealTime();
  }
  char program[] = "tine-bench";
  char interleave[] = "--benchmark_enable_random_interleaving=true";
  char* arguments[] = {program, interleave, nullptr};
  int argument_count = 2;
  benchmark::Initialize(&argument_count, arguments);
  FastestReporter reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter);
  PrintTable(reporter);
  std::filesystem::remove_all(directory);
  return 0;
}

}  // namespace tine::bench
