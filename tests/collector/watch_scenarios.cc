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

uint64_t Quarantined(const WatchBench& bench) {
  return bench.statistics()
      .files.files_by_state[static_cast<size_t>(FileState::kQuarantined)];
}

// Overflows the queue while the thread, if there is one, cannot empty it: a
// scrape has the lock. `meanwhile` happens once the queue is full: no event
// tells of it.
void OverflowAround(WatchBench* bench, const std::function<void()>& meanwhile) {
  bool is_full = false;
  bench->collector().WithScrape(
      [&](const MergedFamilies&, const CollectorStatistics&) {
        is_full = OverflowQueue(bench->path());
        meanwhile();
      });
  EXPECT_TRUE(is_full) << "the queue is too long to fill here";
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
    EXPECT_EQ(Quarantined(bench), 1u);
    ASSERT_EQ(::rename((pid == 1 ? first : from).c_str(), copy.path().c_str()),
              0);
    bench.ExpectFresh();
    EXPECT_EQ(Quarantined(bench), 0u);
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
  EXPECT_EQ(Quarantined(bench), 1u);
  // Another identity under the old name: nobody's.
  auto other = bench.NewFile("b", 7);
  bench.ExpectFresh({"a"});
  ASSERT_EQ(::rename(other->path().c_str(), file->path().c_str()), 0);
  bench.ExpectFresh({"a", "b"});
  EXPECT_EQ(bench.Value("a"), 3);
  EXPECT_EQ(bench.Value("b"), 7);
  EXPECT_EQ(Quarantined(bench), 1u);
}

// A file is copied into the directory piece by piece, and no event tells that
// it is whole.
void FileMendedUnseen(bool has_thread) {
  WatchBench bench(has_thread);
  auto file = bench.NewDeadFile("a", 3);
  const std::string whole = bench.workshop() + "/whole";
  ASSERT_EQ(::rename(file->path().c_str(), whole.c_str()), 0);
  std::ofstream(file->path()) << "TINE";
  bench.ExpectFresh();
  EXPECT_EQ(Quarantined(bench), 1u);
  OverflowAround(&bench, [&] {
    std::filesystem::copy_file(
        whole, file->path(), std::filesystem::copy_options::overwrite_existing);
  });
  bench.ExpectFresh();
  EXPECT_EQ(bench.Value("a"), 3);
  EXPECT_EQ(Quarantined(bench), 0u);
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

// ---- inotify ----------------------------------------------------------------

void QueueOverflows(bool has_thread) {
  WatchBench bench(has_thread);
  bench.Text();
  std::vector<std::unique_ptr<MetricFileBuilder>> files;
  for (uint64_t i = 0; i < 4; ++i) {
    const std::string key = std::to_string(i);
    // No event tells of the new file, nor of a death, nor of one that goes.
    OverflowAround(&bench, [&] {
      files.push_back(bench.NewFile(key, i));
      if (i == 2) {
        files[0]->ReleaseLifeLock();
      }
      if (i == 3) {
        ::unlink(files[0]->path().c_str());
      }
    });
    bench.ExpectFresh(i < 3 ? std::set<std::string>()
                            : std::set<std::string>{"0"});
    EXPECT_EQ(bench.statistics().overflows, i + 1);
  }
  EXPECT_EQ(bench.Value("0"), 0);
  EXPECT_EQ(bench.statistics().files.dead_writers, 1u);
  bench.NewDeadFile("after", 1);  // the watch goes on
  bench.ExpectFresh({"0"});
  EXPECT_EQ(bench.statistics().overflows, 4u);
}

// A limit of this user namespace.
void SetLimit(const std::string& name, int limit) {
  std::ofstream file("/proc/sys/user/" + name);
  file << limit << std::flush;
  ASSERT_TRUE(file.good()) << name;
}

// In a user namespace of its own, whose limits are nobody else's.
void LimitUsedUp(bool has_thread, const std::string& limit) {
  const auto outcome = testing::RunInChild([has_thread, &limit] {
    ASSERT_EQ(::unshare(CLONE_NEWUSER), 0);
    std::ofstream("/proc/self/setgroups") << "deny";
    std::ofstream("/proc/self/uid_map") << "0 0 1";
    std::ofstream("/proc/self/gid_map") << "0 0 1";
    SetLimit(limit, 0);
    WatchBench bench(has_thread, /*rescan_interval_ms=*/50);
    auto file = bench.NewFile("a", 1);
    bench.ExpectFresh();
    EXPECT_TRUE(bench.statistics().is_polling);
    EXPECT_THAT(bench.log(), Contains(HasSubstr("polling")));
    // What was published before a scrape is in it; deaths are seen.
    const auto second = bench.NewFile("b", 2);
    bench.ExpectFresh();
    file->AddU64(0, 4);
    file->ReleaseLifeLock();
    bench.ExpectFresh();
    EXPECT_EQ(bench.statistics().files.dead_writers, 1u);
    SetLimit(limit, 100);
    // Within one rescan, which each scrape makes while it polls.
    bench.Text();
    EXPECT_FALSE(bench.statistics().is_polling);
    EXPECT_THAT(bench.log().back(), HasSubstr("watching"));
    const auto third = bench.NewFile("c", 3);
    bench.ExpectFresh();
  });
  EXPECT_TRUE(outcome.HasExited(0)) << outcome.Description();
}

void InstancesUsedUp(bool has_thread) {
  LimitUsedUp(has_thread, "max_inotify_instances");
}

void WatchesUsedUp(bool has_thread) {
  LimitUsedUp(has_thread, "max_inotify_watches");
}

// A file that is seen too early, in polling mode: no event will tell that it
// is whole.
void FileMendedWhilePolling(bool has_thread) {
  const auto outcome = testing::RunInChild([has_thread] {
    ASSERT_EQ(::unshare(CLONE_NEWUSER), 0);
    SetLimit("max_inotify_instances", 0);
    WatchBench bench(has_thread);
    auto file = bench.NewDeadFile("a", 3);
    const std::string whole = bench.workshop() + "/whole";
    ASSERT_EQ(::rename(file->path().c_str(), whole.c_str()), 0);
    std::ofstream(file->path()) << "TINE";
    bench.ExpectFresh();
    EXPECT_EQ(Quarantined(bench), 1u);
    std::filesystem::copy_file(
        whole, file->path(), std::filesystem::copy_options::overwrite_existing);
    bench.ExpectFresh();
    EXPECT_EQ(bench.Value("a"), 3);
  });
  EXPECT_TRUE(outcome.HasExited(0)) << outcome.Description();
}

// A listing that finds a file gone, the first after inotify came back, during
// which another file appears.
void FileMadeWhileListing(bool has_thread) {
  const auto outcome = testing::RunInChild([has_thread] {
    ASSERT_EQ(::unshare(CLONE_NEWUSER), 0);
    SetLimit("max_inotify_instances", 0);
    WatchBench bench(has_thread);
    const auto file = bench.NewFile("a", 1);
    bench.ExpectFresh();
    std::unique_ptr<MetricFileBuilder> late;
    bench.set_on_log([&](const std::string& line) {
      if (late == nullptr && line.find("vanished") != std::string::npos) {
        late = bench.NewDeadFile("late", 1);
      }
    });
    SetLimit("max_inotify_instances", 100);
    ASSERT_EQ(::unlink(file->path().c_str()), 0);
    bench.Text();
    ASSERT_NE(late, nullptr);
    EXPECT_FALSE(bench.statistics().is_polling);
    bench.ExpectFresh({"a"});
    EXPECT_EQ(bench.Value("late"), 1);
  });
  EXPECT_TRUE(outcome.HasExited(0)) << outcome.Description();
}

// The descriptor of the process's only inotify instance.
int InotifyDescriptor() {
  for (const auto& entry :
       std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code error;
    if (std::filesystem::read_symlink(entry.path(), error) ==
        "anon_inode:inotify") {
      return std::stoi(entry.path().filename());
    }
  }
  return -1;
}

// As the kernel does when the file system goes.
void WatchTakenOff(bool has_thread) {
  WatchBench bench(has_thread);
  bench.ExpectFresh();
  for (int wd = 1; wd <= 3; ++wd) {
    ASSERT_EQ(::inotify_rm_watch(InotifyDescriptor(), wd), 0);
    const auto file = bench.NewDeadFile("a", 1);
    bench.ExpectFresh();
    const auto late = bench.NewDeadFile("b", 1);
    bench.ExpectFresh();
    EXPECT_FALSE(bench.statistics().is_polling);
  }
}

// ---- Descriptors ------------------------------------------------------------

void SetSoftLimit(rlim_t limit) {
  rlimit limits = {};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limits), 0);
  limits.rlim_cur = limit;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limits), 0);
}

rlim_t NextDescriptor() {
  const int fd = ::dup(0);
  ::close(fd);
  return static_cast<rlim_t>(fd);
}

// A listing that fails is made up for as soon as it can be.
void ListingFails(bool has_thread) {
  WatchBench bench(has_thread);
  const auto file = bench.NewFile("a", 1);
  bench.ExpectFresh();
  rlimit before = {};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  OverflowAround(&bench, [&] {
    bench.NewDeadFile("b", 2);
    SetSoftLimit(NextDescriptor());
  });
  bench.Text();
  EXPECT_EQ(bench.Value("a"), 1);
  EXPECT_EQ(bench.Value("b"), -1);
  SetSoftLimit(before.rlim_cur);
  bench.ExpectFresh();
  EXPECT_EQ(bench.Value("b"), 2);
}

// The dead need no descriptors, however many they are.
void MoreDeadFilesThanDescriptors(bool has_thread) {
  WatchBench bench(has_thread);
  const auto file = bench.NewFile("live", 1);
  bench.Text();
  rlimit before = {};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  SetSoftLimit(NextDescriptor() + 20);
  bench.collector().WithScrape(
      [&](const MergedFamilies&, const CollectorStatistics&) {
        for (int i = 0; i < 200; ++i) {
          bench.NewDeadFile("dead", 1);
        }
      });
  EXPECT_EQ(bench.Value("dead"), 200);
  EXPECT_EQ(bench.statistics().files.unopened_files, 0u);
  SetSoftLimit(before.rlim_cur);
  bench.ExpectFresh();
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
      SCENARIO(DirectoryMadeAgain),
      SCENARIO(DirectoryReplacedAndBack),
      NAMESPACE_SCENARIO(DirectoryMountedOver),
      SCENARIO(QueueOverflows),
      NAMESPACE_SCENARIO(InstancesUsedUp),
      NAMESPACE_SCENARIO(WatchesUsedUp),
      NAMESPACE_SCENARIO(FileMendedWhilePolling),
      NAMESPACE_SCENARIO(FileMadeWhileListing),
      SCENARIO(WatchTakenOff),
      SCENARIO(ListingFails),
      SCENARIO(MoreDeadFilesThanDescriptors),
  };
}

}  // namespace tine::collector
