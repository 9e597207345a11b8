// Metrics directories that cannot be used: the host runs on, what it counts is
// counted as dropped, and one line says why.

#include <fcntl.h>
#include <grp.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "tests/writer/own_tmpfs.h"
#include "tests/writer/writer_test_base.h"
#include "writer/tine.h"

namespace tine::testing {
namespace {

constexpr uid_t kNobody = 65534;

class DirectoryFailureTest : public WriterTest {
 protected:
  // Counts three times in vain in a child that was prepared by `prepare`; the
  // library's one line must contain `reason`, and so must its status.
  void ExpectDropped(
      const std::string& reason, const std::function<void()>& prepare = [] {}) {
    const ChildOutcome outcome = RunInChild([&] {
      prepare();
      if (HasFatalFailure()) {
        return;
      }
      const Counter counter("c_total", "c");
      const CounterFamily family("d_total", "d", {"l"});
      EXPECT_TRUE(counter.is_valid());
      counter.Increment();
      family.WithLabels("x").Increment();
      Gauge("g", "g", GaugeMode::kMax).Set(1);
      const WriterStatus status = GetWriterStatus();
      EXPECT_TRUE(status.is_enabled);
      EXPECT_EQ(status.dropped_observations, 3u);
      EXPECT_TRUE(status.files.empty());
      EXPECT_NE(status.last_error.find(reason), std::string::npos)
          << status.last_error;
      EXPECT_EQ(AfterFork().code(), ErrorCode::kFileUnavailable);
    });
    EXPECT_TRUE(outcome.HasExited(0)) << outcome.Description();
    EXPECT_EQ(LineCount(outcome.stderr_text), 1) << outcome.stderr_text;
    EXPECT_NE(outcome.stderr_text.find(reason), std::string::npos)
        << outcome.stderr_text;
  }

  static void BecomeNobody() {
    ASSERT_EQ(::setgroups(0, nullptr), 0);
    ASSERT_EQ(::setresgid(kNobody, kNobody, kNobody), 0);
    ASSERT_EQ(::setresuid(kNobody, kNobody, kNobody), 0);
  }

  static bool IsRoot() { return ::geteuid() == 0; }
};

#define TINE_SKIP_UNLESS_ROOT()           \
  do {                                    \
    if (!IsRoot()) {                      \
      GTEST_SKIP() << "needs to be root"; \
    }                                     \
  } while (false)

TEST_F(DirectoryFailureTest, Missing) {
  ::setenv("TINE_DIR", dir_.At("missing").c_str(), 1);
  ExpectDropped("No such file or directory");
  EXPECT_TRUE(NamesIn(dir_.path()).empty()) << "only the default is made";
}

TEST_F(DirectoryFailureTest, NotADirectory) {
  ::close(::open(dir_.At("file").c_str(), O_CREAT | O_WRONLY, 0600));
  ::setenv("TINE_DIR", dir_.At("file").c_str(), 1);
  ExpectDropped("Not a directory");
}

TEST_F(DirectoryFailureTest, NotWritableByThisUser) {
  TINE_SKIP_UNLESS_ROOT();
  dir_.SetMode(0755);
  ExpectDropped("Permission denied", BecomeNobody);
  EXPECT_TRUE(NamesIn(dir_.path()).empty());
}

TEST_F(DirectoryFailureTest, WritableByTheWorldAndNotSticky) {
  dir_.SetMode(0777);
  ExpectDropped("sticky");
  EXPECT_TRUE(NamesIn(dir_.path()).empty());
}

TEST_F(DirectoryFailureTest, StickyOneOfAnotherUserWorks) {
  TINE_SKIP_UNLESS_ROOT();
  dir_.SetMode(03777);
  Run([] {
    BecomeNobody();
    Counter("c_total", "c").Increment();
  });
  EXPECT_EQ(SumU64(Read(), "c_total"), 1u);
  EXPECT_EQ(Read().at(0).uid, kNobody);
}

TEST_F(DirectoryFailureTest, FileSystemsThatAreNoMemory) {
  ::setenv("TINE_DIR", "/proc", 1);
  ExpectDropped("file system cannot be used");
  ::setenv("TINE_DIR", "/sys", 1);
  ExpectDropped("file system cannot be used");
}

TEST_F(DirectoryFailureTest, DiskIsRefusedUnlessAllowed) {
  char name[] = "/var/tmp/tine-test-XXXXXX";
  ASSERT_NE(::mkdtemp(name), nullptr);
  ::setenv("TINE_DIR", name, 1);
  struct Remove {
    const char* path;
    ~Remove() { std::filesystem::remove_all(path); }
  } const remove{name};
  const ChildOutcome probe = RunInChild([] {
    Counter("c_total", "c").Increment();
    EXPECT_NE(GetWriterStatus().last_error.find("disk"), std::string::npos);
  });
  if (!probe.HasExited(0)) {
    GTEST_SKIP() << "/var/tmp is no ext4 or xfs here";
  }
  ExpectDropped("disk");
  ::setenv("TINE_ALLOW_DISK", "1", 1);
  Run([] { Counter("c_total", "c").Increment(); });
  EXPECT_EQ(SumU64(ReadMetricFiles(name), "c_total"), 1u);
}

TEST_F(DirectoryFailureTest, SilencedLogSaysNothing) {
  ::setenv("TINE_DIR", dir_.At("missing").c_str(), 1);
  ::setenv("TINE_LOG", "off", 1);
  const ChildOutcome outcome = Run([] { Counter("c_total", "c").Increment(); });
  EXPECT_EQ(outcome.stderr_text, "");
}

TEST_F(DirectoryFailureTest, ChildWithoutFileIsCountedInItsParentsFile) {
  TINE_SKIP_UNLESS_ROOT();
  ::setenv("TINE_LOG", "off", 1);
  Run([this] {
    const Counter counter("c_total", "c");
    for (int i = 0; i < 3; ++i) {
      const pid_t pid = StartChild([&] {
        BecomeNobody();
        counter.Increment();
        counter.Increment();
        EXPECT_EQ(GetWriterStatus().dropped_observations, 2u);
      });
      EXPECT_TRUE(IsSuccess(WaitFor(pid)));
    }
    EXPECT_EQ(GetWriterStatus().children_without_file, 3u);
    EXPECT_EQ(Read().at(0).children_without_file, 3u);
    EXPECT_EQ(SumU64(Read(), "c_total"), 0u);
  });
}

TEST_F(DirectoryFailureTest, ReadOnlyMount) {
  TINE_SKIP_UNLESS_CAN_MOUNT();
  ExpectDropped("Read-only file system", [this] {
    MountOwnTmpfs(dir_.path(), "size=1m");
    ASSERT_EQ(::mount(nullptr, dir_.path().c_str(), nullptr,
                      MS_REMOUNT | MS_RDONLY, nullptr),
              0);
  });
}

// ---- Recovery: the library tries again after ten seconds. ----

// Counts until it gets through; drops before are counted in the file's header.
void ExpectRecovery(const std::function<void()>& remove_cause) {
  const Counter counter("c_total", "c");
  counter.Increment();
  EXPECT_EQ(GetWriterStatus().dropped_observations, 1u);
  remove_cause();
  uint64_t dropped = 1;
  EXPECT_TRUE(WaitUntil(
      [&] {
        counter.Increment();
        ++dropped;
        return counter.Value() != 0;
      },
      20));
  --dropped;
  EXPECT_EQ(counter.Value(), 1u);
  EXPECT_EQ(GetWriterStatus().dropped_observations, dropped);
  EXPECT_EQ(
      ReadMetricFiles(GetWriterStatus().directory).at(0).dropped_observations,
      dropped);
}

TEST_F(DirectoryFailureTest, RecoversWhenTheCauseIsGone) {
  const std::string missing = dir_.At("missing");
  const std::string world = dir_.At("world");
  ::mkdir(world.c_str(), 0700);
  ::chmod(world.c_str(), 0777);
  std::vector<pid_t> children;
  children.push_back(StartChild([&] {
    ::setenv("TINE_DIR", missing.c_str(), 1);
    ExpectRecovery([&] { ::mkdir(missing.c_str(), 0700); });
  }));
  children.push_back(StartChild([&] {
    ::setenv("TINE_DIR", world.c_str(), 1);
    ExpectRecovery([&] { ::chmod(world.c_str(), 01777); });
  }));
  children.push_back(StartChild([&] {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    const rlimit none{0, limit.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &none);
    ExpectRecovery([&] { ::setrlimit(RLIMIT_NOFILE, &limit); });
  }));
  if (CanMount()) {
    children.push_back(StartChild([&] {
      MountOwnTmpfs(dir_.path(), "size=1m");
      FillUpTo(dir_.path(), 0);
      ExpectRecovery([&] { FreeFiller(dir_.path()); });
    }));
  }
  for (const pid_t pid : children) {
    EXPECT_TRUE(IsSuccess(WaitFor(pid)));
  }
}

}  // namespace
}  // namespace tine::testing
