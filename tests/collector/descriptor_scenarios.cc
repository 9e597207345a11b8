// More files than descriptors: they take turns, and nothing is lost by that.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "collector/file_set.h"
#include "tests/collector/fault_scenarios.h"
#include "tests/collector/watch_bench.h"
#include "tests/testing/metric_file_builder.h"
#include "tests/testing/read_descriptors.h"
#include "tests/testing/served_numbers.h"
#include "tests/testing/test_directory.h"

namespace tine::collector {
namespace {

using testing::MetricFileBuilder;

constexpr uint32_t kNoRescanMs = 3'600'000;
constexpr uint32_t kOnlyCell = 0;
constexpr uint64_t kFileBytes = 64 << 10;

// Live files by their key; each counts 1 at first.
using Files = std::map<std::string, std::unique_ptr<MetricFileBuilder>>;

// Their process is this one.
Files MakeFiles(WatchBench* bench, int count) {
  testing::BuilderHeader header;
  header.pid = static_cast<uint32_t>(::getpid());
  Files files;
  for (int i = 0; i < count; ++i) {
    const std::string key = std::to_string(i);
    auto& file = files[key];
    file = std::make_unique<MetricFileBuilder>(bench->workshop(), header,
                                               kFileBytes);
    file->AddCounter("a_total", 1, {{"file", key}});
    file->HoldLifeLock();
    file->MoveTo(bench->path());
  }
  return files;
}

void CountOn(const Files& files) {
  for (const auto& [key, file] : files) {
    file->AddU64(kOnlyCell, 1);
  }
}

// The event comes while the file has no descriptor to ask for the lock with.
void DeathsOfClosedFiles(bool has_thread) {
  WatchBench bench(has_thread, kNoRescanMs, /*max_open_files=*/4);
  const Files files = MakeFiles(&bench, 40);
  bench.ExpectFresh();
  for (int i = 0; i < 20; ++i) {
    files.at(std::to_string(i))->ReleaseLifeLock();
  }
  bench.Text();
  EXPECT_EQ(bench.statistics().files.dead_writers, 20u);
  EXPECT_EQ(bench.statistics().files.live_writers, 20u);
  bench.ExpectFresh();
}

// No event comes at all; the rescan asks for all locks.
void SilentDeathsOfClosedFiles(bool has_thread) {
  WatchBench bench(has_thread, kNoRescanMs, /*max_open_files=*/4);
  const Files files = MakeFiles(&bench, 40);
  bench.Text();
  EXPECT_TRUE(bench.OverflowAround([&] {
    for (int i = 0; i < 20; ++i) {
      files.at(std::to_string(i))->UnlockWithoutClosing();
    }
  })) << "the queue is too long to fill";
  bench.Text();
  EXPECT_EQ(bench.statistics().files.dead_writers, 20u);
  bench.ExpectFresh();
}

// What a dead writer has written since the last scrape is read, wherever the
// descriptor is meanwhile.
void LastWordsOfClosedFiles(bool has_thread) {
  WatchBench bench(has_thread, kNoRescanMs, /*max_open_files=*/4);
  const Files files = MakeFiles(&bench, 40);
  bench.Text();
  CountOn(files);
  for (const auto& [key, file] : files) {
    file->ReleaseLifeLock();
  }
  bench.ExpectFresh();
  for (const auto& [key, file] : files) {
    EXPECT_EQ(bench.Value(key), 2);
  }
  EXPECT_TRUE(testing::ReadDescriptorsIn(bench.path()).empty());
}

// All but the last place of an owner keep their files.
void OnlyFilesOverTheLimitAreOpenedAgain(bool has_thread) {
  WatchBench bench(has_thread, kNoRescanMs, /*max_open_files=*/8);
  const Files files = MakeFiles(&bench, 40);
  // The thread may still have news of how the files were made to look after,
  // for which it opens some of them.
  uint64_t reopens = 0;
  for (int attempt = 0; attempt < 100 && reopens != 10 * (40 - 5); ++attempt) {
    const uint64_t before = bench.statistics().files.reopens;
    for (int i = 0; i < 10; ++i) {
      bench.Text();
    }
    reopens = bench.statistics().files.reopens - before;
  }
  EXPECT_EQ(reopens, 10u * (40 - 5));
}

void UnlinkedOpenFilesAreReadOn(bool has_thread) {
  WatchBench bench(has_thread, kNoRescanMs, /*max_open_files=*/8);
  Files files = MakeFiles(&bench, 40);
  bench.Text();
  // All but the one that was opened first: the last one among them is whose
  // turn it would be to be closed.
  const auto open = testing::ReadDescriptorsIn(bench.path());
  ASSERT_EQ(open.size(), 6u);
  for (auto it = std::next(open.begin()); it != open.end(); ++it) {
    ASSERT_EQ(::unlink(it->second.path.c_str()), 0);
  }
  for (int i = 2; i <= 4; ++i) {
    CountOn(files);
    for (const auto& [key, file] : files) {
      EXPECT_EQ(bench.Value(key), i) << key;
    }
  }
}

// The number of descriptors is a limit, also for those that cannot be had
// again: the last good numbers stay.
void UnlinkedFilesBeyondTheLimitKeepTheirNumbers(bool has_thread) {
  WatchBench bench(has_thread, kNoRescanMs, /*max_open_files=*/4);
  Files files = MakeFiles(&bench, 12);
  bench.Text();
  std::vector<std::string> gone;
  for (const auto& [fd, open] : testing::ReadDescriptorsIn(bench.path())) {
    ASSERT_EQ(::unlink(open.path.c_str()), 0);
    gone.push_back(open.path);
  }
  ASSERT_EQ(gone.size(), 3u);
  bench.Text();
  CountOn(files);
  int current = 0;
  for (const auto& [key, file] : files) {
    const double value = bench.Value(key);
    EXPECT_GE(value, 1);
    current += value == 2 ? 1 : 0;
  }
  EXPECT_EQ(current, 11);
  EXPECT_LE(testing::ReadDescriptorsIn(bench.path()).size(), 3u);
  size_t told = 0;
  for (const std::string& line : bench.log()) {
    told += line.find("can be read no more") != std::string::npos ? 1 : 0;
  }
  EXPECT_EQ(told, 1u);
  EXPECT_EQ(bench.statistics().files.problems.size(), 0u);
}

// Nobody can ask for its lock any more.
void UnlinkedWhileClosed(bool has_thread) {
  WatchBench bench(has_thread, kNoRescanMs, /*max_open_files=*/1);
  const Files files = MakeFiles(&bench, 2);
  bench.Text();
  const auto open = testing::ReadDescriptorsIn(bench.path());
  ASSERT_EQ(open.size(), 1u);
  const bool is_first_open = open.begin()->second.path == files.at("0")->path();
  ASSERT_EQ(::unlink(files.at(is_first_open ? "1" : "0")->path().c_str()), 0);
  CountOn(files);
  EXPECT_EQ(bench.Value("0"), is_first_open ? 2 : 1);
  EXPECT_EQ(bench.Value("1"), is_first_open ? 1 : 2);
  const FileSetStatistics statistics = bench.statistics().files;
  EXPECT_EQ(
      statistics.files_by_state[static_cast<size_t>(FileState::kVanished)], 1u);
  // Not known to be.
  EXPECT_EQ(statistics.live_writers, 1u);
}

// Away for a moment, and back: with its numbers of now.
void MovedAwayAndBackWhileClosed(bool has_thread) {
  WatchBench bench(has_thread, kNoRescanMs, /*max_open_files=*/1);
  Files files = MakeFiles(&bench, 3);
  bench.Text();
  for (const auto& [key, file] : files) {
    const std::string aside = bench.workshop() + "/aside";
    ASSERT_EQ(::rename(file->path().c_str(), aside.c_str()), 0);
    bench.Text();
    ASSERT_EQ(::rename(aside.c_str(), file->path().c_str()), 0);
    CountOn(files);
    bench.ExpectFresh();
  }
}

void DeadElsewhereWhileClosed(bool has_thread) {
  WatchBench bench(has_thread, kNoRescanMs, /*max_open_files=*/1);
  Files files = MakeFiles(&bench, 3);
  bench.Text();
  uint64_t dead = 0;
  for (const auto& [key, file] : files) {
    const std::string aside = bench.workshop() + "/aside";
    ASSERT_EQ(::rename(file->path().c_str(), aside.c_str()), 0);
    bench.Text();
    EXPECT_EQ(bench.statistics().files.dead_writers, dead);
    file->ReleaseLifeLock();
    ASSERT_EQ(::rename(aside.c_str(), file->path().c_str()), 0);
    bench.Text();
    EXPECT_EQ(bench.statistics().files.dead_writers, ++dead);
  }
}

// Another file has the name, and nothing has told of it yet.
void ReplacedWhileClosed(bool /*has_thread*/) {
  const testing::TestDirectory directory;
  const testing::TestDirectory elsewhere;
  const UniqueFd fd(
      ::open(directory.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  MergedView view{MergedView::Limits()};
  const Archive archive;
  FileSet::Options options;
  options.host = HostIdentity::OfThisProcess();
  options.limits.max_open_files = 1;
  FileSet set(std::move(options), &view, &archive);
  set.SetDirectory(fd.get());
  const auto serve = [&] {
    set.AddAll();
    return testing::NumbersOf(view.Finish()).at("a_total{}");
  };
  std::vector<MetricFileBuilder> files;
  for (int i = 0; i < 3; ++i) {
    files.emplace_back(directory.path());
    files.back().AddCounter("a_total", 10);
    files.back().HoldLifeLock();
  }
  set.Rescan();
  set.OpenPending(SIZE_MAX);
  EXPECT_EQ(serve(), 30);
  for (const MetricFileBuilder& file : files) {
    testing::BuilderHeader header;
    header.uuid = file.uuid();
    MetricFileBuilder other(elsewhere.path(), header);
    other.AddCounter("a_total", 1'000);
    ASSERT_EQ(::rename(other.path().c_str(), file.path().c_str()), 0);
  }
  EXPECT_EQ(serve(), 30);
  set.OpenPending(SIZE_MAX);
  EXPECT_EQ(serve(), 30);
}

}  // namespace

#define SCENARIO(name) \
  { #name, name, false }
std::vector<FaultScenario> DescriptorScenarios() {
  return {
      SCENARIO(DeathsOfClosedFiles),
      SCENARIO(SilentDeathsOfClosedFiles),
      SCENARIO(LastWordsOfClosedFiles),
      SCENARIO(OnlyFilesOverTheLimitAreOpenedAgain),
      SCENARIO(UnlinkedOpenFilesAreReadOn),
      SCENARIO(UnlinkedFilesBeyondTheLimitKeepTheirNumbers),
      SCENARIO(UnlinkedWhileClosed),
      SCENARIO(MovedAwayAndBackWhileClosed),
      SCENARIO(DeadElsewhereWhileClosed),
      SCENARIO(ReplacedWhileClosed),
  };
}

}  // namespace tine::collector
