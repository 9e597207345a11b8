#ifndef TINE_TOOLS_BENCH_WRITE_BENCHMARK_H_
#define TINE_TOOLS_BENCH_WRITE_BENCHMARK_H_

namespace tine::bench {

// Prints the table of `tine-bench write` on stdout. Each row is run
// `repetition_count` times, interleaved with the others. Returns the exit code:
// 1 when a metrics directory cannot be made in /dev/shm.
int RunWriteBenchmarks(int repetition_count);

}  // namespace tine::bench

#endif  // TINE_TOOLS_BENCH_WRITE_BENCHMARK_H_
