#include "collector/collect_loop.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/testing/metric_file_builder.h"
#include "tests/testing/one_shot_scrape.h"
#include "tests/testing/test_directory.h"

namespace tine::collector {
namespace {

using testing::BuilderHeader;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::LifeLockProcess;
using testing::MetricFileBuilder;
using ::testing::Pair;
using testing::Scrape;
using testing::ScrapeResult;

class CollectLoopTest : public ::testing::Test {
 protected:
  CollectLoopTest() : path_(parent_.path() + "/metrics") {
    ::mkdir(path_.c_str(), 0700);
  }

  CollectorOptions Options() const {
    CollectorOptions options;
    options.directory = path_;
    // So that nothing in a test is seen by the slow rescan alone.
    options.rescan_interval_ms = 3'600'000;
    return options;
  }

  // False when it does not come true in time.
  static bool Await(const std::function<bool()>& condition) {
    const auto deadline =
        std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) {
        return false;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
  }

  testing::TestDirectory parent_;
  const std::string path_;
  // Where files are made and locked before they appear in the metrics
  // directory: a writer locks before it names.
  testing::TestDirectory workshop_;
};

// Both ways to run it must give the same.
class CollectorTest : public CollectLoopTest,
                      public ::testing::WithParamInterface<bool> {
 protected:
  std::unique_ptr<Collector> NewCollector() const {
    auto collector = std::make_unique<Collector>(Options());
    if (GetParam()) {
      collector->Start();
    }
    return collector;
  }
};
INSTANTIATE_TEST_SUITE_P(WithAndWithoutThread, CollectorTest, ::testing::Bool(),
                         [](const ::testing::TestParamInfo<bool>& has_thread) {
                           return has_thread.param ? "Thread" : "OneShot";
                         });

TEST_P(CollectorTest, ScrapeShowsWhatWasPublishedBeforeIt) {
  const auto collector = NewCollector();
  EXPECT_THAT(Scrape(collector.get()).numbers, IsEmpty());
  std::vector<MetricFileBuilder> files;
  for (int i = 1; i <= 20; ++i) {
    files.emplace_back(path_);
    files.back().AddCounter("a_total", 1);
    EXPECT_THAT(Scrape(collector.get()).numbers,
                ElementsAre(Pair("a_total{}", i)));
  }
}

TEST_P(CollectorTest, KilledWriterLosesNothingButItsLiveValues) {
  const auto collector = NewCollector();
  MetricFileBuilder file(workshop_.path());
  const uint32_t counter = file.AddCounter("a_total", 3);
  file.SetGauge(file.AddSeries(file.AddFamily(
                    testing::GaugeFamily("g", format::GaugeMode::kLiveSum))),
                7);
  LifeLockProcess process(file.path());
  file.MoveTo(path_);
  EXPECT_THAT(Scrape(collector.get()).numbers,
              ElementsAre(Pair("a_total{}", 3), Pair("g{}", 7)));
  file.AddU64(counter, 1);
  process.Kill();
  const ScrapeResult result = Scrape(collector.get());
  EXPECT_THAT(result.numbers, ElementsAre(Pair("a_total{}", 4)));
  EXPECT_EQ(result.statistics.files.dead_writers, 1u);
  EXPECT_EQ(result.statistics.files.live_writers, 0u);
}

TEST_P(CollectorTest, DirectoryThatIsMissingIsServedEmptyUntilItAppears) {
  ASSERT_EQ(::rmdir(path_.c_str()), 0);
  const auto collector = NewCollector();
  const ScrapeResult result = Scrape(collector.get());
  EXPECT_THAT(result.numbers, IsEmpty());
  EXPECT_TRUE(result.statistics.is_directory_missing);
  EXPECT_FALSE(result.statistics.directory_problem.empty());
  ASSERT_EQ(::mkdir(path_.c_str(), 0700), 0);
  MetricFileBuilder file(path_);
  file.AddCounter("a_total", 1);
  const ScrapeResult later = Scrape(collector.get());
  EXPECT_THAT(later.numbers, ElementsAre(Pair("a_total{}", 1)));
  EXPECT_FALSE(later.statistics.is_directory_missing);
}

TEST_P(CollectorTest, DirectoryThatIsMadeAgainIsFollowedAndTheOldSumStays) {
  const auto collector = NewCollector();
  {
    MetricFileBuilder file(path_);
    file.AddCounter("a_total", 1);
    EXPECT_THAT(Scrape(collector.get()).numbers,
                ElementsAre(Pair("a_total{}", 1)));
  }
  std::filesystem::remove_all(path_);
  ASSERT_EQ(::mkdir(path_.c_str(), 0700), 0);
  MetricFileBuilder second(path_);
  second.AddCounter("a_total", 10);
  EXPECT_THAT(Scrape(collector.get()).numbers,
              ElementsAre(Pair("a_total{}", 11)));
  MetricFileBuilder third(path_);
  third.AddCounter("a_total", 100);
  EXPECT_THAT(Scrape(collector.get()).numbers,
              ElementsAre(Pair("a_total{}", 111)));
}

TEST_P(CollectorTest, WarmScrapeParsesNothing) {
  const auto collector = NewCollector();
  MetricFileBuilder file(workshop_.path());
  file.HoldLifeLock();
  file.MoveTo(path_);
  file.AddCounter("a_total", 1);
  const uint64_t records =
      Scrape(collector.get()).statistics.files.reads.record_count;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Scrape(collector.get()).statistics.files.reads.record_count,
              records);
  }
  EXPECT_EQ(records, 3u);
}

TEST_F(CollectLoopTest, ThreadOpensNewFilesAndLearnsOfDeathsWithoutAnyScrape) {
  Collector collector(Options());
  collector.Start();
  EXPECT_TRUE(Await([&] { return collector.is_ready(); }));
  MetricFileBuilder file(workshop_.path());
  LifeLockProcess process(file.path());
  file.MoveTo(path_);
  EXPECT_TRUE(
      Await([&] { return collector.statistics().files.live_writers == 1; }));
  process.Kill();
  EXPECT_TRUE(
      Await([&] { return collector.statistics().files.dead_writers == 1; }));
  EXPECT_EQ(collector.statistics().scrapes, 0u);
}

TEST_F(CollectLoopTest, ThreadFindsADirectoryThatAppears) {
  ASSERT_EQ(::rmdir(path_.c_str()), 0);
  Collector collector(Options());
  collector.Start();
  EXPECT_TRUE(Await([&] { return collector.is_ready(); }));
  ASSERT_EQ(::mkdir(path_.c_str(), 0700), 0);
  MetricFileBuilder file(path_);
  EXPECT_TRUE(Await([&] { return !collector.ReportFiles().empty(); }));
}

TEST_F(CollectLoopTest, SlowRescanFindsADeathThatNoEventToldOf) {
  CollectorOptions options = Options();
  options.rescan_interval_ms = 20;
  Collector collector(options);
  collector.Start();
  MetricFileBuilder file(workshop_.path());
  file.AddCounter("a_total", 1);
  file.HoldLifeLock();
  file.MoveTo(path_);
  EXPECT_TRUE(
      Await([&] { return collector.statistics().files.live_writers == 1; }));
  file.UnlockWithoutClosing();
  EXPECT_TRUE(
      Await([&] { return collector.statistics().files.dead_writers == 1; }));
}

TEST_F(CollectLoopTest, IsNotReadyBeforeEveryFileWasReadAndIsAfterwards) {
  std::vector<MetricFileBuilder> files;
  for (int i = 0; i < 300; ++i) {
    files.emplace_back(path_, BuilderHeader{}, 16 << 10);
    files.back().AddCounter("a_total", 1);
  }
  Collector collector(Options());
  EXPECT_FALSE(collector.is_ready());
  collector.Start();
  ASSERT_TRUE(Await([&] { return collector.is_ready(); }));
  EXPECT_EQ(collector.ReportFiles().size(), 300u);
}

TEST_F(CollectLoopTest,
       FileThatCannotBeOpenedDelaysReadinessNoLongerThanTheLimit) {
  MetricFileBuilder file(path_);
  testing::TestDirectory elsewhere;
  const std::string copy = elsewhere.path() + "/copy";
  std::filesystem::copy_file(file.path(), copy);
  ASSERT_EQ(::rename(copy.c_str(), file.path().c_str()), 0);
  ::signal(SIGIO, SIG_IGN);  // how the holder of the lease is told
  UniqueFd holder(::open(file.path().c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_EQ(::fcntl(holder.get(), F_SETLEASE, F_WRLCK), 0);

  CollectorOptions options = Options();
  options.max_start_ms = 3'600'000;
  options.min_rescan_distance_ms = 5;
  Collector patient(options);
  patient.Start();
  options.max_start_ms = 1;
  Collector hasty(options);
  hasty.Start();
  EXPECT_TRUE(Await([&] { return hasty.is_ready(); }));
  EXPECT_TRUE(Await([&] {
    return patient.statistics().files.open_failures["open_would_block"] > 1;
  }));
  EXPECT_FALSE(patient.is_ready());
  holder.Reset();
  EXPECT_TRUE(Await([&] { return patient.is_ready(); }));
}

TEST_F(CollectLoopTest, WithoutInotifyEachScrapeListsTheDirectory) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    // In a child, whose limits end with it: at the first attempt a descriptor
    // for the directory, none for inotify and none to see whether there is an
    // archive. Without that an answer would be a part, so there is none.
    Collector collector(Options());
    const int next_fd = ::dup(0);
    ::close(next_fd);
    rlimit limit = {};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    const rlim_t soft_before = limit.rlim_cur;
    limit.rlim_cur = static_cast<rlim_t>(next_fd) + 1;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    bool is_refused = false;
    try {
      Scrape(&collector);
    } catch (const std::runtime_error&) {
      is_refused = true;
    }
    const bool is_polling = collector.statistics().is_polling;
    limit.rlim_cur = soft_before;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    MetricFileBuilder file(path_);
    file.AddCounter("a_total", 1);
    const ScrapeResult result = Scrape(&collector);
    const bool is_found = result.numbers.count("a_total{}") == 1;
    ::_exit(is_refused && is_polling && is_found ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST_F(CollectLoopTest, OverflowOfTheQueueLosesNothing) {
  Collector collector(Options());
  Scrape(&collector);
  MetricFileBuilder file(path_);
  file.AddCounter("a_total", 1);
  const std::string from = path_ + "/x";
  const std::string to = path_ + "/y";
  ASSERT_TRUE(UniqueFd(::open(from.c_str(), O_CREAT | O_RDWR, 0600)).valid());
  int queue_length = 0;
  std::ifstream("/proc/sys/fs/inotify/max_queued_events") >> queue_length;
  if (queue_length > 100'000) {
    GTEST_SKIP() << "the queue is too long to fill here";
  }
  for (int i = 0; i < queue_length; i += 2) {
    ASSERT_EQ(::rename(from.c_str(), to.c_str()), 0);
    ASSERT_EQ(::rename(to.c_str(), from.c_str()), 0);
  }
  MetricFileBuilder late(path_);  // its event finds no room
  late.AddCounter("a_total", 10);
  const ScrapeResult result = Scrape(&collector);
  EXPECT_THAT(result.numbers, ElementsAre(Pair("a_total{}", 11)));
  EXPECT_EQ(result.statistics.overflows, 1u);
}

TEST_F(CollectLoopTest, StopsAndStartsAgainAndScrapesInBetween) {
  Collector collector(Options());
  MetricFileBuilder file(path_);
  const uint32_t cell = file.AddCounter("a_total", 1);
  for (int i = 1; i <= 3; ++i) {
    collector.Start();
    collector.Stop();
    collector.Stop();
    EXPECT_THAT(Scrape(&collector).numbers, ElementsAre(Pair("a_total{}", 1)));
  }
  file.AddU64(cell, 0);
}

// Real processes that live and die all the time; the sum never falls, never
// counts twice, and ends at the truth.
TEST_F(CollectLoopTest, SumNeverFallsWhileWritersComeAndDie) {
  Collector collector(Options());
  collector.Start();
  std::atomic<bool> is_done{false};
  std::atomic<uint64_t> published{0};
  double last = 0;
  bool has_fallen = false;
  bool has_too_little = false;
  std::thread scraper([&] {
    while (!is_done.load()) {
      const auto at_least = static_cast<double>(published.load());
      const testing::ServedNumbers numbers = Scrape(&collector).numbers;
      const auto it = numbers.find("a_total{}");
      const double now = it == numbers.end() ? 0 : it->second;
      has_fallen |= now < last;
      has_too_little |= now < at_least;
      last = now;
    }
  });
  std::vector<MetricFileBuilder> files;
  uint64_t expected = 0;
  for (int i = 0; i < 60; ++i) {
    files.emplace_back(workshop_.path(), BuilderHeader{}, 64 << 10);
    MetricFileBuilder& file = files.back();
    LifeLockProcess process(file.path());
    file.MoveTo(path_);
    const uint32_t cell = file.AddCounter("a_total", 0);
    for (int k = 0; k < 50; ++k) {
      file.AddU64(cell, 1);
      ++expected;
      published.store(expected);
    }
    if (i % 3 == 0) {
      // A stranger unlinks it. The collector keeps what it has read, and it
      // reads on until the writer is dead.
      Scrape(&collector);
      ::unlink(file.path().c_str());
      file.AddU64(cell, 1);
      ++expected;
      published.store(expected);
    }
    process.Kill();
  }
  is_done.store(true);
  scraper.join();
  EXPECT_FALSE(has_fallen);
  EXPECT_FALSE(has_too_little);
  EXPECT_EQ(Scrape(&collector).numbers.at("a_total{}"),
            static_cast<double>(expected));
}

TEST_F(CollectLoopTest, ReportNamesEachFileItsStateAndItsLabels) {
  BuilderHeader header;
  header.process_labels = {{"app", "web"}};
  header.worker_id = "w1";
  header.pid = 99;
  MetricFileBuilder file(path_, header);
  file.AddCounter("a_total", 1);
  Collector collector(Options());
  Scrape(&collector);
  const std::vector<FileReport> reports = collector.ReportFiles();
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].name, file.name());
  EXPECT_EQ(reports[0].state, "dead");
  EXPECT_EQ(reports[0].worker_id, "w1");
  EXPECT_EQ(reports[0].pid, 99u);
  EXPECT_EQ(reports[0].series_count, 1u);
  EXPECT_EQ(reports[0].used_bytes, file.used());
  EXPECT_THAT(reports[0].process_labels, ElementsAre(Pair("app", "web")));
}

}  // namespace
}  // namespace tine::collector
