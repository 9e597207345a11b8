#ifndef TINE_TOOLS_BENCH_FASTEST_REPORTER_H_
#define TINE_TOOLS_BENCH_FASTEST_REPORTER_H_

#include <map>
#include <string>
#include <vector>

#include "benchmark/benchmark.h"

namespace tine::bench {

// Keeps the fastest repetition of each benchmark, in nanoseconds of real time
// per operation. Noise only ever adds time, so the fastest is the best estimate
// of what the code costs.
class FastestReporter : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context& /*context*/) override { return true; }

  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      const auto operations = run.counters.find(kOperationsPerIteration);
      if (run.run_type != Run::RT_Iteration || run.error_occurred ||
          operations == run.counters.end()) {
        continue;
      }
      // A threaded run reports the sum of its threads' iterations;
      // GetAdjustedRealTime is per iteration of one.
      const double ns = run.real_accumulated_time * 1e9 * run.threads /
                        static_cast<double>(run.iterations) /
                        operations->second.value;
      const auto [it, is_new] =
          nanoseconds_.emplace(run.run_name.function_name, ns);
      if (!is_new && ns < it->second) {
        it->second = ns;
      }
    }
  }

  double NanosecondsOf(const std::string& name) const {
    const auto it = nanoseconds_.find(name);
    return it == nanoseconds_.end() ? 0 : it->second;
  }

  static constexpr const char* kOperationsPerIteration = "ops";

 private:
  std::map<std::string, double> nanoseconds_;
};

}  // namespace tine::bench

#endif  // TINE_TOOLS_BENCH_FASTEST_REPORTER_H_
