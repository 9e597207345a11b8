// A directory with a collector that folds, a clock that can be set, and files
// made by hand.

#ifndef TINE_TESTS_COLLECTOR_LIMIT_BENCH_H_
#define TINE_TESTS_COLLECTOR_LIMIT_BENCH_H_

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "collector/collect_loop.h"
#include "tests/testing/metric_file_builder.h"
#include "tests/testing/one_shot_scrape.h"
#include "tests/testing/test_directory.h"

namespace tine::collector {

class LimitBench {
 public:
  static constexpr uint32_t kHour = 3600;
  static constexpr uint32_t kDay = 24 * kHour;

  LimitBench() {
    options.directory = directory.path();
    options.folding.may_fold = true;
    options.folding.now_s = [this] { return now_s; };
    options.rescan_interval_ms = 3'600'000;
  }

  // A collector that starts now; the one before it has ended.
  void Restart() {
    collector = nullptr;
    collector = std::make_unique<Collector>(options);
  }

  testing::ServedNumbers Scrape() const {
    return testing::Scrape(collector.get()).numbers;
  }
  // What a reader that starts now, without limits, would serve.
  testing::ServedNumbers ScrapeOnce() const {
    return testing::ScrapeOnce(directory.path()).numbers;
  }
  void PassTime(uint32_t seconds) {
    now_s += seconds;
    collector->FoldNow();
  }
  CollectorStatistics Statistics() const { return collector->statistics(); }

  testing::MetricFileBuilder NewDead(
      const testing::Labels& process_labels = {}) {
    testing::BuilderHeader header;
    header.process_labels = process_labels;
    return testing::MetricFileBuilder(directory.path(), header);
  }
  testing::MetricFileBuilder NewLive(
      const testing::Labels& process_labels = {}) {
    testing::MetricFileBuilder file = NewDead(process_labels);
    file.HoldLifeLock();
    return file;
  }
  // A dead writer with one counter.
  void LeaveCounter(const std::string& name, uint64_t value,
                    const testing::Labels& labels = {},
                    const testing::Labels& process_labels = {}) {
    NewDead(process_labels).AddCounter(name, value, labels);
  }

  size_t FileCount() const {
    size_t count = 0;
    for (const auto& entry :
         std::filesystem::directory_iterator(directory.path())) {
      count += entry.path().extension() == ".tine" ? 1 : 0;
    }
    return count;
  }

  testing::TestDirectory directory;
  uint32_t now_s = 1'800'000'000;
  CollectorOptions options;
  std::unique_ptr<Collector> collector;
};

}  // namespace tine::collector

#endif  // TINE_TESTS_COLLECTOR_LIMIT_BENCH_H_
