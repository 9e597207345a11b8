#ifndef TINE_TOOLS_BENCH_FOLD_BENCHMARK_H_
#define TINE_TOOLS_BENCH_FOLD_BENCHMARK_H_

namespace tine::bench {

// Prints the table of `tine-bench fold` on stdout: what the files of
// `writer_count` dead writers with `series_count` series each cost until they
// are folded, and after. Returns the exit code: 1 when a metrics directory
// cannot be made in /dev/shm, or a sum is wrong.
int RunFoldBenchmark(int writer_count, int series_count);

}  // namespace tine::bench

#endif  // TINE_TOOLS_BENCH_FOLD_BENCHMARK_H_
