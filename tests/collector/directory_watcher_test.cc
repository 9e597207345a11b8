#include "collector/directory_watcher.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "tests/testing/metric_file_builder.h"
#include "tests/testing/test_directory.h"

namespace tine::collector {
namespace {

using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;
using Mode = DirectoryWatcher::Mode;

class DirectoryWatcherTest : public ::testing::Test {
 protected:
  DirectoryWatcherTest() : path_(parent_.path() + "/metrics") {
    ::mkdir(path_.c_str(), 0700);
  }
  void Create(const std::string& name) const {
    ASSERT_TRUE(std::ofstream(path_ + "/" + name).good());
  }

  testing::TestDirectory parent_;
  const std::string path_;
};

// Runs in a child, so that limits and mounts end with it. Returns its exit
// code.
template <typename Function>
int InChild(Function function) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::_exit(function());
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_F(DirectoryWatcherTest,
       FirstRefreshTakesTheDirectoryAndTheNextChangesNothing) {
  DirectoryWatcher watcher(path_, false);
  EXPECT_EQ(watcher.mode(), Mode::kMissing);
  EXPECT_TRUE(watcher.Refresh());
  EXPECT_EQ(watcher.mode(), Mode::kWatching);
  EXPECT_FALSE(watcher.Refresh());
  EXPECT_GE(watcher.directory_fd(), 0);
}

TEST_F(DirectoryWatcherTest, DrainNamesEachFileOnceAndMarksWhatWasClosed) {
  DirectoryWatcher watcher(path_, false);
  watcher.Refresh();
  Create("closed");
  const UniqueFd open(
      ::open((path_ + "/open").c_str(), O_RDWR | O_CREAT, 0600));
  const DirectoryWatcher::Changes changes = watcher.Drain();
  EXPECT_THAT(changes.names,
              UnorderedElementsAre(Pair("closed", true), Pair("open", false)));
  EXPECT_FALSE(changes.is_rescan_needed);
  EXPECT_THAT(watcher.Drain().names, IsEmpty());
}

TEST_F(DirectoryWatcherTest, RenameGivesBothNamesAndRemovalOne) {
  Create("old");
  Create("victim");
  DirectoryWatcher watcher(path_, false);
  watcher.Refresh();
  ASSERT_EQ(::rename((path_ + "/old").c_str(), (path_ + "/new").c_str()), 0);
  ASSERT_EQ(::unlink((path_ + "/victim").c_str()), 0);
  EXPECT_THAT(watcher.Drain().names,
              UnorderedElementsAre(Pair("old", false), Pair("new", false),
                                   Pair("victim", false)));
}

TEST_F(DirectoryWatcherTest, StoresToAMappingRaiseNothing) {
  testing::MetricFileBuilder file(path_);
  DirectoryWatcher watcher(path_, false);
  watcher.Refresh();
  file.AddCounter("a_total", 1);
  EXPECT_THAT(watcher.Drain().names, IsEmpty());
}

TEST_F(DirectoryWatcherTest,
       DeathByKillOfALockHolderIsSeenAsClosedUnderTheFinalName) {
  testing::MetricFileBuilder file(path_);
  testing::LifeLockProcess process(file.path());
  DirectoryWatcher watcher(path_, false);
  watcher.Refresh();
  process.Kill();
  // The event precedes the end of the process, which Kill has waited for;
  // poll() is for the deadline.
  pollfd polled = {watcher.poll_fd(), POLLIN, 0};
  ASSERT_EQ(::poll(&polled, 1, 10'000), 1);
  EXPECT_THAT(watcher.Drain().names,
              UnorderedElementsAre(Pair(file.name(), true)));
}

TEST_F(DirectoryWatcherTest, DirectoryMadeAgainUnderItsNameIsFound) {
  DirectoryWatcher watcher(path_, false);
  watcher.Refresh();
  ASSERT_EQ(::rmdir(path_.c_str()), 0);
  ASSERT_EQ(::mkdir(path_.c_str(), 0700), 0);
  EXPECT_FALSE(watcher.IsCurrent());
  EXPECT_TRUE(watcher.Drain().is_rescan_needed);
  EXPECT_TRUE(watcher.Refresh());
  EXPECT_EQ(watcher.mode(), Mode::kWatching);
  Create("a");
  EXPECT_THAT(watcher.Drain().names, UnorderedElementsAre(Pair("a", true)));
}

TEST_F(DirectoryWatcherTest, RenamedDirectoryIsNoLongerTheOne) {
  DirectoryWatcher watcher(path_, false);
  watcher.Refresh();
  ASSERT_EQ(::rename(path_.c_str(), (path_ + "2").c_str()), 0);
  EXPECT_TRUE(watcher.Drain().is_rescan_needed);
  EXPECT_TRUE(watcher.Refresh());
  EXPECT_EQ(watcher.mode(), Mode::kMissing);
  EXPECT_FALSE(watcher.problem().empty());
  EXPECT_FALSE(watcher.Refresh());
}

TEST_F(DirectoryWatcherTest, DirectoryThatAppearsLaterIsTaken) {
  ASSERT_EQ(::rmdir(path_.c_str()), 0);
  DirectoryWatcher watcher(path_, false);
  EXPECT_FALSE(watcher.Refresh());
  EXPECT_EQ(watcher.mode(), Mode::kMissing);
  ASSERT_EQ(::mkdir(path_.c_str(), 0700), 0);
  EXPECT_TRUE(watcher.Refresh());
  EXPECT_EQ(watcher.mode(), Mode::kWatching);
}

TEST_F(DirectoryWatcherTest,
       WorldWritableDirectoryWithoutStickyBitIsRefusedWithAReason) {
  ASSERT_EQ(::chmod(path_.c_str(), 0777), 0);
  DirectoryWatcher watcher(path_, false);
  EXPECT_FALSE(watcher.Refresh());
  EXPECT_EQ(watcher.mode(), Mode::kMissing);
  EXPECT_THAT(watcher.problem(), ::testing::HasSubstr("sticky"));
}

TEST_F(DirectoryWatcherTest, DirectoryThatIsMountedOverIsFound) {
  const int result = InChild([this] {
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
      return 77;
    }
    DirectoryWatcher watcher(path_, false);
    watcher.Refresh();
    if (::mount("tmpfs", path_.c_str(), "tmpfs", 0, "mode=700") != 0) {
      return 77;
    }
    return watcher.Drain().is_rescan_needed && watcher.Refresh() &&
                   watcher.mode() == Mode::kWatching
               ? 0
               : 1;
  });
  if (result == 77) {
    GTEST_SKIP() << "no right to mount here";
  }
  EXPECT_EQ(result, 0);
}

TEST_F(DirectoryWatcherTest, FullQueueAsksForARescanAndLaterEventsComeThrough) {
  DirectoryWatcher watcher(path_, false);
  watcher.Refresh();
  int queue_length = 0;
  std::ifstream("/proc/sys/fs/inotify/max_queued_events") >> queue_length;
  ASSERT_GT(queue_length, 0);
  if (queue_length > 100'000) {
    GTEST_SKIP() << "the queue is too long to fill here";
  }
  const std::string from = path_ + "/a";
  const std::string to = path_ + "/b";
  Create("a");
  for (int i = 0; i < queue_length; i += 2) {
    ASSERT_EQ(::rename(from.c_str(), to.c_str()), 0);
    ASSERT_EQ(::rename(to.c_str(), from.c_str()), 0);
  }
  const DirectoryWatcher::Changes changes = watcher.Drain();
  EXPECT_EQ(changes.overflow_count, 1u);
  EXPECT_TRUE(changes.is_rescan_needed);
  Create("after");
  EXPECT_THAT(watcher.Drain().names, UnorderedElementsAre(Pair("after", true)));
}

TEST_F(DirectoryWatcherTest, WithoutInotifyItPollsAndRecoversWhenItComesBack) {
  const int result = InChild([this] {
    DirectoryWatcher watcher(path_, false);
    // One descriptor is left for the directory and none for inotify.
    const int next_fd = ::dup(0);
    ::close(next_fd);
    rlimit limit = {};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    const rlim_t soft_before = limit.rlim_cur;
    limit.rlim_cur = static_cast<rlim_t>(next_fd) + 1;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    if (!watcher.Refresh() || watcher.mode() != Mode::kPolling ||
        watcher.problem().empty() || watcher.poll_fd() >= 0) {
      return 1;
    }
    limit.rlim_cur = soft_before;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    return !watcher.Refresh() && watcher.mode() == Mode::kWatching &&
                   watcher.problem().empty()
               ? 0
               : 2;
  });
  EXPECT_EQ(result, 0);
}

}  // namespace
}  // namespace tine::collector
