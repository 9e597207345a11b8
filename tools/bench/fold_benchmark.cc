#include "tools/bench/fold_benchmark.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "collector/collect_loop.h"
#include "writer/tine.h"

namespace tine::bench {
namespace {

using collector::Collector;
using collector::CollectorOptions;
using collector::CollectorStatistics;
using collector::MergedFamilies;

constexpr int kPromisedPerCpuSecond = 5'000;

double CpuSeconds() {
  timespec now;
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) +
         1e-9 * static_cast<double>(now.tv_nsec);
}

// Each is a process that counts 1 in each of its series, and ends.
void LeaveFiles(const CounterFamily& family, int writer_count,
                int series_count) {
  for (int i = 0; i < writer_count; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      for (int k = 0; k < series_count; ++k) {
        family.WithLabels(std::to_string(k)).Increment();
      }
      ::_exit(0);
    }
    ::waitpid(child, nullptr, 0);
  }
}

struct Work {
  double cpu_seconds = 0;
  uint64_t system_calls = 0;
  uint64_t bytes = 0;
  double sum = 0;
};

Work Scrape(Collector* collector) {
  const auto before = collector->statistics().files.reads;
  const double start = CpuSeconds();
  Work work;
  collector->WithScrape(
      [&work](const MergedFamilies& families, const CollectorStatistics&) {
        for (const auto& family : families) {
          for (const auto& series : family->series) {
            work.sum += series.value;
          }
        }
      });
  work.cpu_seconds = CpuSeconds() - start;
  const auto after = collector->statistics().files.reads;
  work.system_calls = after.system_call_count - before.system_call_count;
  work.bytes = after.byte_count - before.byte_count;
  return work;
}

// What cannot be avoided: each file opened, read once, removed.
double ReadAndRemoveAll(const std::string& directory) {
  const double start = CpuSeconds();
  std::vector<char> buffer(1 << 20);
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.path().extension() != ".tine") {
      continue;
    }
    const int fd = ::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0 || ::pread(fd, buffer.data(), 4096, 0) != 4096 ||
        ::pread(fd, buffer.data(), buffer.size(), 4096) <= 0) {
      std::perror("tine-bench: a metric file cannot be read");
    }
    ::close(fd);
    ::unlink(entry.path().c_str());
  }
  return CpuSeconds() - start;
}

void PrintScrape(const char* what, const Work& work) {
  std::printf("%-28s %10.3f ms %10llu reads %12llu bytes\n", what,
              1e3 * work.cpu_seconds,
              static_cast<unsigned long long>(work.system_calls),
              static_cast<unsigned long long>(work.bytes));
}

int Run(const std::string& directory, int writer_count, int series_count) {
  ::setenv("TINE_DIR", directory.c_str(), 1);
  const CounterFamily family("bench_total", "Counted.", {"n"});
  LeaveFiles(family, writer_count, series_count);
  const double bare_s = ReadAndRemoveAll(directory);
  LeaveFiles(family, writer_count, series_count);

  CollectorOptions options;
  options.directory = directory;
  options.folding.may_fold = true;
  Collector collector(std::move(options));
  const Work first = Scrape(&collector);
  const Work before = Scrape(&collector);
  const double start = CpuSeconds();
  collector.FoldNow();
  const double fold_s = CpuSeconds() - start;
  const Work after = Scrape(&collector);

  std::printf("%d dead writers, %d series each; CPU time\n\n", writer_count,
              series_count);
  PrintScrape("scrape that finds them", first);
  PrintScrape("scrape before the fold", before);
  PrintScrape("scrape after the fold", after);
  const double rate = writer_count / (first.cpu_seconds + fold_s);
  std::printf(
      "\nfound, read and folded: %.0f a second of CPU, promised %d: %s\n"
      "that is %.2f times a bare open, read and unlink of the same files\n",
      rate, kPromisedPerCpuSecond,
      rate >= kPromisedPerCpuSecond ? "ok" : "MISSED",
      (first.cpu_seconds + fold_s) / bare_s);
  const double truth = static_cast<double>(writer_count) * series_count;
  if (first.sum != truth || after.sum != truth) {
    std::fprintf(stderr, "tine-bench: the sum is %g, then %g, not %g\n",
                 first.sum, after.sum, truth);
    return 1;
  }
  return 0;
}

}  // namespace

int RunFoldBenchmark(int writer_count, int series_count) {
  std::string directory = "/dev/shm/tine-bench-XXXXXX";
  if (::mkdtemp(directory.data()) == nullptr) {
    std::perror("tine-bench: cannot make a directory in /dev/shm");
    return 1;
  }
  const int code = Run(directory, writer_count, series_count);
  std::filesystem::remove_all(directory);
  return code;
}

}  // namespace tine::bench
