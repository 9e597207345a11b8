#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/metric_file_name.h"
#include "tests/collector/fault_scenarios.h"
#include "tests/collector/watch_bench.h"
#include "tests/testing/child_process.h"
#include "tests/testing/sanitizers.h"

namespace tine::collector {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using testing::MetricFileBuilder;
using testing::Scaled;
using testing::WaitUntil;

// The name of `file` with another pid: the same identity.
std::string OtherName(const MetricFileBuilder& file, uint32_t pid) {
  char name[kMaxMetricFileNameBytes + 1];
  FormatMetricFileName({pid, file.uuid()}, name);
  return name;
}

// ---- Files ------------------------------------------------------------------

void BurstOfFiles(bool has_thread) {
  WatchBench bench(has_thread);
  bench.Text();
  std::vector<std::string> paths;
  for (int i = 0; i < Scaled(10'000); ++i) {
    paths.push_back(bench.NewDeadFile(std::to_string(i % 100), 1)->path());
  }
  const auto count = static_cast<double>(paths.size() / 100);
  EXPECT_EQ(bench.Value("0"), count);
  bench.ExpectFresh();
  // Gone, all of them: the numbers stay.
  for (const std::string& path : paths) {
    ASSERT_EQ(::unlink(path.c_str()), 0);
  }
  EXPECT_EQ(bench.Value("0"), count);
  EXPECT_EQ(bench.Value("99"), count);
}

void FilesThatComeAndGoAtOnce(bool has_thread) {
  WatchBench bench(has_thread);
  const auto anchor = bench.NewFile("anchor", 5);
  for (int i = 0; i < Scaled(2'000); ++i) {
    // It adds 0: whether it was seen in time does not show.
    ASSERT_EQ(::unlink(bench.NewFile("anchor", 0)->path().c_str()), 0);
  }
  EXPECT_EQ(bench.Text(), bench.FreshText());
  EXPECT_EQ(bench.Value("anchor"), 5);
}

void RenamedFiles(bool has_thread) {
  WatchBench bench(has_thread);
  auto file = bench.NewFile("a", 1);
  bench.ExpectFresh();
  const std::string name = file->name();
  const std::string other = OtherName(*file, 7);
  const std::string at = bench.path() + "/";
  // Another pid in the name, another directory, a name that is none, and back.
  for (const std::string& to :
       {at + other, bench.workshop() + "/a", at + name, at + "notes", at + name,
        bench.workshop() + "/a", at + other, at + name}) {
    ASSERT_EQ(::rename(file->path().c_str(), to.c_str()), 0);
    const bool is_there = to == at + other || to == at + name;
    bench.ExpectFresh(is_there ? std::set<std::string>()
                               : std::set<std::string>{"a"});
    EXPECT_EQ(bench.Value("a"), 1);
    ASSERT_EQ(::rename(to.c_str(), (at + name).c_str()), 0);
    bench.ExpectFresh();
  }
  file->AddU64(0, 1);
  EXPECT_EQ(bench.Value("a"), 2);
}

// The first name goes to another file in the same moment.
void NameTakenByAnotherFile(bool has_thread) {
  WatchBench bench(has_thread);
  auto file = bench.NewFile("a", 1);
  bench.ExpectFresh();
  testing::BuilderHeader header;
  header.uuid = file->uuid();
  MetricFileBuilder copy(bench.workshop(), header, 16 << 10);
  copy.AddCounter("a_total", 100, {{"file", "a"}});
  const std::string first = file->path();
  for (uint32_t pid = 1; pid <= 20; ++pid) {
    const std::string from = bench.path() + "/" + OtherName(*file, pid);
    const std::string to = bench.path() + "/" + OtherName(*file, pid + 1);
    ASSERT_EQ(::rename((pid == 1 ? first : from).c_str(), to.c_str()), 0);
    ASSERT_EQ(::rename(copy.path().c_str(), (pid == 1 ? first : from).c_str()),
              0);
    bench.Text();
    EXPECT_EQ(bench.Value("a"), 1);
    EXPECT_EQ(bench.QuarantinedCount(), 1u);
    ASSERT_EQ(::rename((pid == 1 ? first : from).c_str(), copy.path().c_str()),
              0);
    bench.ExpectFresh();
    EXPECT_EQ(bench.QuarantinedCount(), 0u);
  }
}

void UnlinkedLiveFile(bool has_thread) {
  WatchBench bench(has_thread);
  const auto anchor = bench.NewFile("anchor", 1);
  auto file = bench.NewFile("a", 3);
  bench.ExpectFresh();
  ASSERT_EQ(::unlink(file->path().c_str()), 0);
  file->AddU64(0, 4);
  bench.ExpectFresh({"a"});
  EXPECT_EQ(bench.Value("a"), 7);
  EXPECT_EQ(bench.statistics().files.live_writers, 2u);
  file->AddU64(0, 1);
  file->ReleaseLifeLock();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(bench.Value("a"), 8);
  }
  EXPECT_EQ(bench.statistics().files.dead_writers, 1u);
  bench.ExpectFresh({"a"});
}

void ReplacedFile(bool has_thread) {
  WatchBench bench(has_thread);
  auto file = bench.NewFile("a", 3);
  bench.ExpectFresh();
  // The same identity in another inode: what was counted stays, what comes is
  // a copy. A collector that starts now sees nothing but the copy.
  testing::BuilderHeader header;
  header.uuid = file->uuid();
  MetricFileBuilder copy(bench.workshop(), header, 16 << 10);
  copy.AddCounter("a_total", 100, {{"file", "a"}});
  ASSERT_EQ(::rename(copy.path().c_str(), file->path().c_str()), 0);
  bench.ExpectFresh({"a"});
  EXPECT_EQ(bench.Value("a"), 3);
  EXPECT_EQ(bench.QuarantinedCount(), 1u);
  // Another identity under the old name: nobody's.
  auto other = bench.NewFile("b", 7);
  bench.ExpectFresh({"a"});
  ASSERT_EQ(::rename(other->path().c_str(), file->path().c_str()), 0);
  bench.ExpectFresh({"a", "b"});
  EXPECT_EQ(bench.Value("a"), 3);
  EXPECT_EQ(bench.Value("b"), 7);
  EXPECT_EQ(bench.QuarantinedCount(), 1u);
}

// A file is copied into the directory piece by piece, and no event tells that
// it is whole.
void FileMendedUnseen(bool has_thread) {
  WatchBench bench(has_thread);
  const std::string whole = bench.workshop() + "/whole";
  std::unique_ptr<MetricFileBuilder> file;
  bench.collector().WithScrape(  // the thread sees no more than we want
      [&](const MergedFamilies&, const CollectorStatistics&) {
        file = bench.NewDeadFile("a", 3);
        ::rename(file->path().c_str(), whole.c_str());
      });
  std::ofstream(file->path()) << "TINE";
  bench.ExpectFresh();
  EXPECT_EQ(bench.QuarantinedCount(), 1u);
  EXPECT_TRUE(bench.OverflowAround([&] {
    std::filesystem::copy_file(
        whole, file->path(), std::filesystem::copy_options::overwrite_existing);
  })) << "the queue is too long to fill";
  bench.ExpectFresh();
  EXPECT_EQ(bench.Value("a"), 3);
  EXPECT_EQ(bench.QuarantinedCount(), 0u);
}

// The kernel tells of a death before the lock is free.
void LockFreedAfterTheEvent(bool has_thread) {
  WatchBench bench(has_thread);
  auto file = bench.NewFile("a", 3);
  bench.ExpectFresh();
  UniqueFd(::open(file->path().c_str(), O_RDWR | O_CLOEXEC));
  bench.ExpectFresh();
  EXPECT_EQ(bench.statistics().files.live_writers, 1u);
  file->UnlockWithoutClosing();
  bench.Text();
  EXPECT_EQ(bench.statistics().files.dead_writers, 1u);
}

// It dies under a name that the collector does not know yet.
void RenamedAndDead(bool has_thread) {
  WatchBench bench(has_thread);
  auto file = bench.NewFile("a", 3);
  bench.ExpectFresh();
  ASSERT_EQ(::rename(file->path().c_str(),
                     (bench.path() + "/" + OtherName(*file, 7)).c_str()),
            0);
  file->ReleaseLifeLock();
  bench.ExpectFresh();
  EXPECT_EQ(bench.statistics().files.dead_writers, 1u);
}

// It dies in a directory that nobody watches, and comes back.
void DeadElsewhere(bool has_thread) {
  WatchBench bench(has_thread);
  auto file = bench.NewFile("a", 3);
  bench.ExpectFresh();
  const std::string away = bench.workshop() + "/a";
  ASSERT_EQ(::rename(file->path().c_str(), away.c_str()), 0);
  bench.ExpectFresh({"a"});
  bench.collector().WithScrape(
      [&](const MergedFamilies&, const CollectorStatistics&) {
        file->ReleaseLifeLock();
        ::rename(away.c_str(), file->path().c_str());
      });
  bench.ExpectFresh();
  EXPECT_EQ(bench.statistics().files.dead_writers, 1u);
}

// The same, before anybody has noticed that it was away.
void DeadOnAShortTrip(bool has_thread) {
  WatchBench bench(has_thread);
  auto file = bench.NewFile("a", 3);
  bench.ExpectFresh();
  const std::string away = bench.workshop() + "/a";
  bench.collector().WithScrape(
      [&](const MergedFamilies&, const CollectorStatistics&) {
        ::rename(file->path().c_str(), away.c_str());
        file->ReleaseLifeLock();
        ::rename(away.c_str(), file->path().c_str());
      });
  bench.ExpectFresh();
  EXPECT_EQ(bench.statistics().files.dead_writers, 1u);
}

// The event came before the collector had the file open, the end of the lock
// after it.
void DyingWhileItIsOpened(bool has_thread) {
  WatchBench bench(has_thread);
  bench.Text();
  std::unique_ptr<MetricFileBuilder> file;
  bench.collector().WithScrape(
      [&](const MergedFamilies&, const CollectorStatistics&) {
        file = bench.NewFile("a", 3);
        UniqueFd(::open(file->path().c_str(), O_RDWR | O_CLOEXEC));
      });
  bench.ExpectFresh();
  EXPECT_EQ(bench.statistics().files.live_writers, 1u);
  file->UnlockWithoutClosing();
  bench.Text();
  EXPECT_EQ(bench.statistics().files.dead_writers, 1u);
}

// ---- The directory ----------------------------------------------------------

void DirectoryMadeAgain(bool has_thread) {
  WatchBench bench(has_thread);
  bench.NewDeadFile("a", 1);
  bench.ExpectFresh();
  for (int i = 0; i < 5; ++i) {
    std::filesystem::remove_all(bench.path());
    if (i % 2 == 0) {
      bench.ExpectFresh({"a", "b"});
      EXPECT_TRUE(bench.statistics().is_directory_missing);
    }
    bench.MakeDirectory();
    const auto file = bench.NewFile("b", 1);
    bench.ExpectFresh({"a", "b"});
    EXPECT_EQ(bench.Value("a"), 1);
    EXPECT_EQ(bench.Value("b"), i + 1);
    EXPECT_FALSE(bench.statistics().is_directory_missing);
  }
}

void DirectoryReplacedAndBack(bool has_thread) {
  WatchBench bench(has_thread);
  auto file = bench.NewFile("a", 1);
  bench.ExpectFresh();
  for (int i = 0; i < 5; ++i) {
    const std::string away = bench.path() + "-away";
    ASSERT_EQ(::rename(bench.path().c_str(), away.c_str()), 0);
    bench.MakeDirectory();
    bench.ExpectFresh({"a", "late"});
    EXPECT_EQ(bench.Value("a"), 1 + i);
    file->AddU64(0, 1);  // read on: its lock is held
    EXPECT_EQ(bench.Value("a"), 2 + i);
    ASSERT_EQ(::rmdir(bench.path().c_str()), 0);
    ASSERT_EQ(::rename(away.c_str(), bench.path().c_str()), 0);
    bench.ExpectFresh();
    const auto late = bench.NewDeadFile("late", 1);
    bench.ExpectFresh();
  }
}

void DirectoryMountedOver(bool has_thread) {
  const auto outcome = testing::RunInChild([has_thread] {
    ASSERT_EQ(::unshare(CLONE_NEWNS), 0);
    ASSERT_EQ(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    WatchBench bench(has_thread);
    const auto file = bench.NewFile("a", 1);
    bench.ExpectFresh();
    for (int i = 0; i < 3; ++i) {
      ASSERT_EQ(::mount("tmpfs", bench.path().c_str(), "tmpfs", 0, "mode=700"),
                0);
      bench.ExpectFresh({"a", "above", "late"});
      // (Made elsewhere, it could not be renamed into another file system.)
      MetricFileBuilder above(bench.path(), {}, 16 << 10);
      above.AddCounter("a_total", 10, {{"file", "above"}});
      bench.ExpectFresh({"a", "above", "late"});
      EXPECT_EQ(bench.Value("a"), 1);
      EXPECT_EQ(bench.Value("above"), 10 * (i + 1));
      ASSERT_EQ(::umount2(bench.path().c_str(), MNT_DETACH), 0);
      bench.ExpectFresh({"above"});
      const auto late = bench.NewDeadFile("late", 1);
      bench.ExpectFresh({"above"});
      EXPECT_EQ(bench.Value("late"), i + 1);
    }
  });
  EXPECT_TRUE(outcome.HasExited(0)) << outcome.Description();
}

}  // namespace

#define SCENARIO(name) \
  { #name, name, false }
#define NAMESPACE_SCENARIO(name) \
  { #name, name, true }
std::vector<FaultScenario> WatchScenarios() {
  return {
      SCENARIO(BurstOfFiles),
      SCENARIO(FilesThatComeAndGoAtOnce),
      SCENARIO(RenamedFiles),
      SCENARIO(NameTakenByAnotherFile),
      SCENARIO(UnlinkedLiveFile),
      SCENARIO(ReplacedFile),
      SCENARIO(FileMendedUnseen),
      SCENARIO(LockFreedAfterTheEvent),
      SCENARIO(RenamedAndDead),
      SCENARIO(DeadElsewhere),
      SCENARIO(DeadOnAShortTrip),
      SCENARIO(DyingWhileItIsOpened),
      SCENARIO(DirectoryMadeAgain),
      SCENARIO(DirectoryReplacedAndBack),
      NAMESPACE_SCENARIO(DirectoryMountedOver),
  };
}

}  // namespace tine::collector
