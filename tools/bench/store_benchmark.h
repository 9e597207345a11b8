#ifndef TINE_TOOLS_BENCH_STORE_BENCHMARK_H_
#define TINE_TOOLS_BENCH_STORE_BENCHMARK_H_

#include <string>

namespace tine::bench {

// Prints the table of `tine-bench stores` on stdout: what an increment costs in
// each store, against what it cannot be faster than; on one thread, and on all
// cores at once on one counter. Each cell is the fastest of `repetition_count`
// runs. `disk_directory` is where a written file is on a disk. Returns the exit
// code: 1 when a metrics directory cannot be made there or in /dev/shm, or a
// count is wrong.
int RunStoreBenchmark(int repetition_count, const std::string& disk_directory);

}  // namespace tine::bench

#endif  // TINE_TOOLS_BENCH_STORE_BENCHMARK_H_
