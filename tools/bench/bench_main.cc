// tine-bench: the figures that the documentation quotes, as tables. Each table
// is one run on one machine, with what it is compared to measured in the same
// run, and gives ratios.

#include <cstdio>
#include <string>

#include "CLI/CLI.hpp"
#include "tools/bench/fold_benchmark.h"
#include "tools/bench/store_benchmark.h"
#include "tools/bench/write_benchmark.h"
#include "version.h"

int main(int argc, char** argv) {
  CLI::App app(
      "Benchmarks of Tine, as tables of ratios.\n"
      "Build it optimised: bazel run -c opt //tools:tine-bench -- write");
  app.set_version_flag("--version",
                       std::string("tine-bench, version ") + tine::kVersion);
  app.require_subcommand(1);
  int repetition_count = 9;
  CLI::App* write =
      app.add_subcommand("write",
                         "What counting costs, against a fetch_add on the heap "
                         "and prometheus-cpp");
  write
      ->add_option("--repetitions", repetition_count,
                   "Runs of each row, interleaved; the fastest is shown")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  int writer_count = 10'000;
  int series_count = 100;
  CLI::App* fold = app.add_subcommand(
      "fold", "What dead writers cost, before and after they are folded");
  fold->add_option("--writers", writer_count, "Dead writers")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  fold->add_option("--series", series_count, "Series of each")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  int store_repetition_count = 30;
  std::string disk_directory = "/var/tmp";
  CLI::App* stores = app.add_subcommand(
      "stores",
      "What counting costs in each store, against plain words and a bare "
      "pwrite");
  stores
      ->add_option("--repetitions", store_repetition_count,
                   "Runs of each; the fastest is shown")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  stores
      ->add_option("--disk-dir", disk_directory,
                   "A directory on a disk, for the store that may be there")
      ->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (stores->parsed()) {
    return tine::bench::RunStoreBenchmark(store_repetition_count,
                                          disk_directory);
  }
  return fold->parsed()
             ? tine::bench::RunFoldBenchmark(writer_count, series_count)
             : tine::bench::RunWriteBenchmarks(repetition_count);
}
