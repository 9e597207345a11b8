// A collector, the directory that it watches, and the view that a collector
// would have that starts now: after whatever happens, the two are the same.

#ifndef TINE_TESTS_COLLECTOR_WATCH_BENCH_H_
#define TINE_TESTS_COLLECTOR_WATCH_BENCH_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "collector/collect_loop.h"
#include "tests/testing/metric_file_builder.h"
#include "tests/testing/served_numbers.h"
#include "tests/testing/test_directory.h"

namespace tine::collector {

// Entries of a directory in /proc: descriptors ("/proc/self/fd"), threads.
size_t CountEntries(const std::string& path);

class WatchBench {
 public:
  // Without a thread, everything happens in Text(). No slow rescan comes within
  // a test, unless `rescan_interval_ms` says so.
  explicit WatchBench(bool has_thread, uint32_t rescan_interval_ms = 3'600'000,
                      size_t max_open_files = SIZE_MAX);
  // Expects threads and descriptors to be as many as at the start.
  ~WatchBench();
  WatchBench(const WatchBench&) = delete;
  WatchBench& operator=(const WatchBench&) = delete;

  const std::string& path() const { return path_; }
  const std::string& workshop() const { return workshop_.path(); }
  Collector& collector() { return *collector_; }

  // A file with the counter a_total{file="key"}, its lock held as a live
  // writer's is, put into the directory as a writer does.
  std::unique_ptr<testing::MetricFileBuilder> NewFile(const std::string& key,
                                                      uint64_t value);
  // The same of a dead writer.
  std::unique_ptr<testing::MetricFileBuilder> NewDeadFile(
      const std::string& key, uint64_t value);

  // What a scrape serves, and what a collector that starts now would.
  std::string Text();
  std::string FreshText() const;

  // Expects the two to be equal byte for byte. Files in `kept` have vanished:
  // the one has their last numbers, of which the other cannot know. Their
  // series are left out on both sides; without any, the states of all files are
  // compared too.
  void ExpectFresh(const std::set<std::string>& kept = {});

  // All that is served; and the number of a_total{file="key"}, -1: none.
  testing::ServedNumbers Numbers();
  double Value(const std::string& key);

  // Makes the directory anew, with another identity.
  void MakeDirectory() const;

  // Overflows the queue while the thread, if there is one, cannot empty it: a
  // scrape has the lock. `meanwhile` happens once the queue is full: no event
  // tells of it. False where the queue is too long to fill.
  bool OverflowAround(const std::function<void()>& meanwhile);

  CollectorStatistics statistics() const { return collector_->statistics(); }
  uint64_t QuarantinedCount() const;
  std::vector<std::string> log() const;
  // What else to do with a line of the log. The collector works no further
  // until it returns.
  void set_on_log(std::function<void(const std::string&)> on_log) {
    on_log_ = std::move(on_log);
  }

 private:
  CollectorOptions Options() const;

  size_t descriptor_count_;
  size_t thread_count_;
  testing::TestDirectory parent_;
  testing::TestDirectory workshop_;
  const std::string path_;
  const uint32_t rescan_interval_ms_;
  const size_t max_open_files_;
  mutable std::mutex log_mutex_;
  std::vector<std::string> log_;
  std::function<void(const std::string&)> on_log_;
  std::unique_ptr<Collector> collector_;
};

}  // namespace tine::collector

#endif  // TINE_TESTS_COLLECTOR_WATCH_BENCH_H_
