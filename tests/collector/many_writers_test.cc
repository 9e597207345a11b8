// Thousands of live writers and a collector with a handful of descriptors:
// every scrape is exact, and deaths are seen as soon as ever.

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "collector/file_limit.h"
#include "tests/collector/watch_bench.h"
#include "tests/testing/metric_file_builder.h"
#include "tests/testing/read_descriptors.h"

namespace tine::collector {
namespace {

using testing::MetricFileBuilder;

constexpr size_t kWriterCount = 5'000;
constexpr size_t kMaxOpenFiles = 16;
constexpr uint32_t kOnlyCell = 0;
constexpr uint32_t kNoRescanMs = 3'600'000;

class ManyWritersTest : public ::testing::TestWithParam<bool> {
 protected:
  // The writers' locks need descriptors too, and they are in this process.
  void SetUp() override {
    RaiseFileLimit();
    rlimit limit = {};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < kWriterCount + 500) {
      GTEST_SKIP() << "this process may not have " << kWriterCount
                   << " descriptors";
    }
    bench_ =
        std::make_unique<WatchBench>(GetParam(), kNoRescanMs, kMaxOpenFiles);
    Add(kWriterCount);
  }

  void Add(size_t count) {
    for (size_t i = 0; i < count; ++i) {
      auto file = std::make_unique<MetricFileBuilder>(
          bench_->workshop(), testing::BuilderHeader(), 16 << 10);
      file->AddCounter("a_total", 1);
      file->HoldLifeLock();
      file->MoveTo(bench_->path());
      files_.push_back(std::move(file));
    }
    expected_ += static_cast<double>(count);
  }

  void ExpectExact(size_t live_count) {
    EXPECT_EQ(bench_->Numbers().at("a_total{}"), expected_);
    const FileSetStatistics statistics = bench_->statistics().files;
    EXPECT_EQ(statistics.live_writers, live_count);
    EXPECT_EQ(statistics.unopened_files, 0u);
    EXPECT_EQ(statistics.left_out_files, 0u);
    EXPECT_TRUE(statistics.open_failures.empty());
    EXPECT_LE(testing::ReadDescriptorsIn(bench_->path()).size(), kMaxOpenFiles);
  }

  std::unique_ptr<WatchBench> bench_;
  std::vector<std::unique_ptr<MetricFileBuilder>> files_;
  double expected_ = 0;
};

TEST_P(ManyWritersTest, EveryScrapeIsExactOnFewDescriptors) {
  ExpectExact(kWriterCount);
  for (int round = 0; round < 3; ++round) {
    for (const auto& file : files_) {
      file->AddU64(kOnlyCell, 1);
    }
    expected_ += static_cast<double>(files_.size());
    ExpectExact(kWriterCount);
  }
}

TEST_P(ManyWritersTest, WritersThatComeAndGoAreSeenAtTheNextScrape) {
  ExpectExact(kWriterCount);
  for (int round = 0; round < 3; ++round) {
    // Each third one dies, right after it has counted.
    for (size_t i = 0; i < files_.size(); i += 3) {
      files_[i]->AddU64(kOnlyCell, 1);
      expected_ += 1;
      files_[i]->ReleaseLifeLock();
      files_[i] = nullptr;
    }
    std::vector<std::unique_ptr<MetricFileBuilder>> living;
    for (auto& file : files_) {
      if (file != nullptr) {
        living.push_back(std::move(file));
      }
    }
    files_ = std::move(living);
    Add(500);
    ExpectExact(files_.size());
  }
  EXPECT_EQ(bench_->statistics().files.dead_writers,
            kWriterCount + 3 * 500 - files_.size());
}

INSTANTIATE_TEST_SUITE_P(Collector, ManyWritersTest, ::testing::Bool(),
                         [](const ::testing::TestParamInfo<bool>& of) {
                           return of.param ? "Thread" : "OneShot";
                         });

}  // namespace
}  // namespace tine::collector
