#include "tests/collector/watch_bench.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "collector/text_encoder.h"
#include "common/unique_fd.h"
#include "tests/testing/child_process.h"
#include "tests/testing/sanitizers.h"

namespace tine::collector {
namespace {

using testing::MetricFileBuilder;

constexpr uint64_t kFileBytes = 16 << 10;

std::string Scrape(Collector* collector, CollectorStatistics* statistics) {
  std::string text;
  collector->WithScrape(
      [&](const MergedFamilies& families, const CollectorStatistics& current) {
        TextEncoder().Encode(families, &text);
        *statistics = current;
      });
  return text;
}

// Without comments too: a family whose series are all left out may have some on
// one side alone.
std::string WithoutFiles(const std::string& text,
                         const std::set<std::string>& keys) {
  std::istringstream lines(text);
  std::string result;
  for (std::string line; std::getline(lines, line);) {
    const size_t at = line.find("file=\"");
    const std::string key =
        at == std::string::npos
            ? ""
            : line.substr(at + 6, line.find('"', at + 6) - at - 6);
    if (keys.count(key) == 0 && line[0] != '#') {
      result += line + '\n';
    }
  }
  return result;
}

// So many events in `path` that a queue overflows. False where it is too long.
bool FillQueue(const std::string& path) {
  int queue_length = 0;
  std::ifstream("/proc/sys/fs/inotify/max_queued_events") >> queue_length;
  if (queue_length <= 0 || queue_length > 100'000) {
    return false;
  }
  const std::string from = path + "/x";
  const std::string to = path + "/y";
  UniqueFd(::open(from.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  // Two events for each rename.
  for (int i = 0; i < queue_length; i += 4) {
    EXPECT_EQ(::rename(from.c_str(), to.c_str()), 0);
    EXPECT_EQ(::rename(to.c_str(), from.c_str()), 0);
  }
  return true;
}

}  // namespace

size_t CountEntries(const std::string& path) {
  size_t count = 0;
  for ([[maybe_unused]] const auto& entry :
       std::filesystem::directory_iterator(path)) {
    ++count;
  }
  return count;
}

WatchBench::WatchBench(bool has_thread, uint32_t rescan_interval_ms,
                       size_t max_open_files)
    : descriptor_count_(CountEntries("/proc/self/fd")),
      thread_count_(CountEntries("/proc/self/task")),
      path_(parent_.path() + "/metrics"),
      rescan_interval_ms_(rescan_interval_ms),
      max_open_files_(max_open_files) {
  MakeDirectory();
  CollectorOptions options = Options();
  options.log = [this](LogLevel, const std::string& line) {
    const std::lock_guard<std::mutex> lock(log_mutex_);
    log_.push_back(line);
    if (on_log_) {
      on_log_(line);
    }
  };
  collector_ = std::make_unique<Collector>(std::move(options));
  if (has_thread) {
    collector_->Start();
  }
}

WatchBench::~WatchBench() {
  collector_.reset();
  EXPECT_EQ(CountEntries("/proc/self/fd"), descriptor_count_);
  // A thread that was joined may still be on its way out of the kernel. Thread
  // sanitizer has one of its own, once one was started.
  const size_t most = thread_count_ + (testing::kHasTsan ? 1 : 0);
  EXPECT_TRUE(testing::WaitUntil(
      [most] { return CountEntries("/proc/self/task") <= most; }));
}

CollectorOptions WatchBench::Options() const {
  CollectorOptions options;
  options.directory = path_;
  options.rescan_interval_ms = rescan_interval_ms_;
  options.owner_limits.max_open_files = max_open_files_;
  return options;
}

void WatchBench::MakeDirectory() const {
  ASSERT_EQ(::mkdir(path_.c_str(), 0700), 0) << path_;
}

std::unique_ptr<MetricFileBuilder> WatchBench::NewFile(const std::string& key,
                                                       uint64_t value) {
  auto file = std::make_unique<MetricFileBuilder>(
      workshop(), testing::BuilderHeader(), kFileBytes);
  file->AddCounter("a_total", value, {{"file", key}});
  file->HoldLifeLock();
  file->MoveTo(path_);
  return file;
}

std::unique_ptr<MetricFileBuilder> WatchBench::NewDeadFile(
    const std::string& key, uint64_t value) {
  auto file = std::make_unique<MetricFileBuilder>(
      workshop(), testing::BuilderHeader(), kFileBytes);
  file->AddCounter("a_total", value, {{"file", key}});
  file->MoveTo(path_);
  return file;
}

std::string WatchBench::Text() {
  CollectorStatistics ignored;
  return Scrape(collector_.get(), &ignored);
}

std::string WatchBench::FreshText() const {
  Collector fresh(Options());
  CollectorStatistics ignored;
  return Scrape(&fresh, &ignored);
}

void WatchBench::ExpectFresh(const std::set<std::string>& kept) {
  Collector fresh(Options());
  CollectorStatistics fresh_statistics;
  CollectorStatistics statistics;
  const std::string fresh_text = Scrape(&fresh, &fresh_statistics);
  const std::string text = Scrape(collector_.get(), &statistics);
  EXPECT_EQ(WithoutFiles(text, kept), WithoutFiles(fresh_text, kept));
  if (kept.empty()) {
    EXPECT_EQ(text, fresh_text);
    EXPECT_EQ(statistics.files.files_by_state,
              fresh_statistics.files.files_by_state);
  }
}

bool WatchBench::OverflowAround(const std::function<void()>& meanwhile) {
  bool is_full = false;
  collector_->WithScrape(
      [&](const MergedFamilies&, const CollectorStatistics&) {
        is_full = FillQueue(path_);
        meanwhile();
      });
  return is_full;
}

uint64_t WatchBench::QuarantinedCount() const {
  return statistics()
      .files.files_by_state[static_cast<size_t>(FileState::kQuarantined)];
}

testing::ServedNumbers WatchBench::Numbers() {
  testing::ServedNumbers numbers;
  collector_->WithScrape(
      [&](const MergedFamilies& families, const CollectorStatistics&) {
        numbers = testing::NumbersOf(families);
      });
  return numbers;
}

double WatchBench::Value(const std::string& key) {
  const testing::ServedNumbers numbers = Numbers();
  const auto it = numbers.find("a_total{file=" + key + "}");
  return it == numbers.end() ? -1 : it->second;
}

std::vector<std::string> WatchBench::log() const {
  const std::lock_guard<std::mutex> lock(log_mutex_);
  return log_;
}

}  // namespace tine::collector
