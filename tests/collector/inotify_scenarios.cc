// inotify that fails: its queue, its limits, its watch; and descriptors used
// up.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/collector/fault_scenarios.h"
#include "tests/collector/watch_bench.h"
#include "tests/testing/child_process.h"

namespace tine::collector {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using testing::MetricFileBuilder;

// ---- inotify ----------------------------------------------------------------

void QueueOverflows(bool has_thread) {
  WatchBench bench(has_thread);
  bench.Text();
  std::vector<std::unique_ptr<MetricFileBuilder>> files;
  for (uint64_t i = 0; i < 4; ++i) {
    const std::string key = std::to_string(i);
    // No event tells of the new file, nor of a death, nor of one that goes.
    EXPECT_TRUE(bench.OverflowAround([&] {
      files.push_back(bench.NewFile(key, i));
      if (i == 2) {
        files[0]->ReleaseLifeLock();
      }
      if (i == 3) {
        ::unlink(files[0]->path().c_str());
      }
    })) << "the queue is too long to fill";
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
  EXPECT_TRUE(bench.OverflowAround([&] {
    bench.NewDeadFile("b", 2);
    SetSoftLimit(NextDescriptor());
  })) << "the queue is too long to fill";
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
std::vector<FaultScenario> InotifyScenarios() {
  return {
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
