// A tmpfs that is small, full, full of files or of huge pages: the host lives,
// what has a place goes on counting, what is lost is counted.

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "common/unique_fd.h"
#include "tests/writer/naive_file.h"
#include "tests/writer/own_tmpfs.h"
#include "tests/writer/run_mutant.h"
#include "tests/writer/writer_test_base.h"
#include "writer/tine.h"

namespace tine::testing {
namespace {

class TmpfsSpaceTest : public WriterTest {
 protected:
  void SetUp() override {
    WriterTest::SetUp();
    TINE_SKIP_UNLESS_CAN_MOUNT();
    ::setenv("TINE_LOG", "off", 1);
  }

  // What this process's files hold, all series together.
  uint64_t SumOfAll() const {
    uint64_t sum = 0;
    for (const MetricFileText& file : Read()) {
      for (const auto& [name, cells] : file.series) {
        sum += cells.u64[0];
      }
    }
    return sum;
  }

  // One count in each of `count` new series; some have long names.
  static void CountInSeries(const CounterFamily& family, int count) {
    for (int i = 0; i < count; ++i) {
      const size_t filler_bytes = i % 16 == 15 ? 20'000 : 0;
      family.WithLabels(std::to_string(i) + std::string(filler_bytes, 'x'))
          .Increment();
    }
  }

  // Makes `count` empty files.
  void MakeFiles(int count) const {
    for (int i = 0; i < count; ++i) {
      const UniqueFd fd(::open(dir_.At("f" + std::to_string(i)).c_str(),
                               O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
      ASSERT_GE(fd.get(), 0);
    }
  }

  void ExpectDropped(uint64_t count, const std::string& reason) const {
    const WriterStatus status = GetWriterStatus();
    EXPECT_EQ(status.dropped_observations, count);
    EXPECT_NE(status.last_error.find(reason), std::string::npos)
        << status.last_error;
  }
};

// ---- Blocks ----

TEST_F(TmpfsSpaceTest, SixtyFourKiBHoldWhatTheyCanAndTheRestIsCounted) {
  const auto scenario = [this] {
    MountOwnTmpfs(dir_.path(), "size=64k");
    const CounterFamily family("c_total", "c", {"l"});
    CountInSeries(family, 2000);
    const WriterStatus status = GetWriterStatus();
    EXPECT_EQ(status.files.size(), 1u);
    EXPECT_GT(status.dropped_observations, 0u);
    EXPECT_GT(SumOfAll(), 20u);
    EXPECT_EQ(SumOfAll() + status.dropped_observations, 2000u);
  };
  Run(scenario);
  ExpectMutantDies("pages_not_populated", SIGBUS, scenario);
  ExpectMutantFails("drops_not_counted", scenario);
}

TEST_F(TmpfsSpaceTest, NaiveWriterDiesInSixtyFourKiB) {
  const ChildOutcome outcome = RunInChild([this] {
    std::signal(SIGBUS, SIG_DFL);  // a sanitizer has a handler
    MountOwnTmpfs(dir_.path(), "size=64k");
    NaiveFile file(dir_.path(), 1 << 20);
    ASSERT_EQ(file.map_errno(), 0);
    file.Store(60 << 10);
    EXPECT_EQ(file.allocated_bytes(), 60u << 10);
    file.Store(1 << 20);
  });
  EXPECT_TRUE(outcome.WasKilledBy(SIGBUS)) << outcome.Description();
}

TEST_F(TmpfsSpaceTest, NearlyFullOneIsLeftAlone) {
  const auto scenario = [this] {
    MountOwnTmpfs(dir_.path(), "size=1m");
    FillUpTo(dir_.path(), 64 << 10);
    Counter("c_total", "c").Increment();
    EXPECT_EQ(NamesIn(dir_.path()).size(), 1u);
    ExpectDropped(1, "nearly full");
  };
  Run(scenario);
  ExpectMutantFails("space_floor_forgotten", scenario);
}

TEST_F(TmpfsSpaceTest, WithoutRoomForAFilesFirstPagesNothingIsLeftBehind) {
  const auto scenario = [this] {
    MountOwnTmpfs(dir_.path(), "size=8k");
    Counter("c_total", "c").Increment();
    ExpectDropped(1, "No space left");
    EXPECT_TRUE(NamesIn(dir_.path()).empty());
  };
  Run(scenario);
  ExpectMutantDies("pages_not_populated", SIGBUS, scenario);
}

// The space runs out after the start: what has a place goes on counting; what
// has none gets one when there is space again.
TEST_F(TmpfsSpaceTest, FillingUpLaterStopsGrowthUntilThereIsSpaceAgain) {
  Run([this] {
    MountOwnTmpfs(dir_.path(), "size=1m");
    const Counter counter("c_total", "c");
    const CounterFamily family("d_total", "d", {"l"});
    counter.Increment();
    FillUpTo(dir_.path(), 0);
    for (int i = 0; i < 5000; ++i) {
      family.WithLabels(std::to_string(i)).Increment();
      counter.Increment();
    }
    EXPECT_EQ(counter.Value(), 5001u);
    uint64_t dropped = GetWriterStatus().dropped_observations;
    EXPECT_GT(dropped, 0u);
    EXPECT_EQ(SumOfAll() + dropped, 10'001u);
    FreeFiller(dir_.path());
    const Counter last = family.WithLabels("4999");
    uint64_t made = 10'001;
    EXPECT_TRUE(WaitUntil(
        [&] {
          last.Increment();
          ++made;
          return last.Value() != 0;
        },
        20));
    dropped = GetWriterStatus().dropped_observations;
    for (int i = 0; i < 5000; ++i) {
      family.WithLabels(std::to_string(i)).Increment();
    }
    EXPECT_EQ(GetWriterStatus().dropped_observations, dropped);
    EXPECT_EQ(SumOfAll() + dropped, made + 5000);
  });
}

// ---- Inodes and names ----

TEST_F(TmpfsSpaceTest, WithoutInodesNothingIsMade) {
  Run([this] {
    MountOwnTmpfs(dir_.path(), "size=1m,nr_inodes=1");
    Counter("c_total", "c").Increment();
    ExpectDropped(1, "No space left");
  });
  Run([this] {
    MountOwnTmpfs(dir_.path(), "size=1m,nr_inodes=40");
    MakeFiles(36);
    Counter("c_total", "c").Increment();
    ExpectDropped(1, "no inodes left");
  });
}

TEST_F(TmpfsSpaceTest, InodesThatRunOutLaterStopNoGrowth) {
  const auto scenario = [this] {
    MountOwnTmpfs(dir_.path(), "size=1m,nr_inodes=40");
    const CounterFamily family("c_total", "c", {"l"});
    CountInSeries(family, 1);
    MakeFiles(38);  // and the root, and the metric file
    EXPECT_LT(::open(dir_.At("more").c_str(), O_CREAT | O_WRONLY, 0600), 0);
    for (int i = 1; i < 2000; ++i) {
      family.WithLabels(std::to_string(i)).Increment();
    }
    EXPECT_EQ(GetWriterStatus().dropped_observations, 0u);
    EXPECT_EQ(SumOfAll(), 2000u);
  };
  Run(scenario);
  ExpectMutantFails("growth_needs_inodes", scenario);
}

// What the cap on files relies on.
TEST_F(TmpfsSpaceTest, DirectorySizeTellsTheNumberOfNames) {
  Run([this] {
    MountOwnTmpfs(dir_.path(), "size=1m");
    const auto names_by_size = [this] {
      struct stat info {};
      ::stat(dir_.path().c_str(), &info);
      return info.st_size / 20 - 2;
    };
    EXPECT_EQ(names_by_size(), 0);
    MakeFiles(1000);
    EXPECT_EQ(names_by_size(), 1000);
    ::rename(dir_.At("f1").c_str(), dir_.At("renamed").c_str());
    ::mkdir(dir_.At("directory").c_str(), 0700);
    EXPECT_EQ(names_by_size(), 1001);
    for (int i = 500; i < 1000; ++i) {
      ::unlink(dir_.At("f" + std::to_string(i)).c_str());
    }
    ::rmdir(dir_.At("directory").c_str());
    EXPECT_EQ(names_by_size(), 500);
  });
}

TEST_F(TmpfsSpaceTest, BeyondTheCapOnFilesNoneIsMade) {
  static constexpr size_t kMaxFiles = 20;
  ::setenv("TINE_MAX_FILES", std::to_string(kMaxFiles).c_str(), 1);
  const auto scenario = [this] {
    MountOwnTmpfs(dir_.path(), "size=10m");
    const CounterFamily family("c_total", "c", {"l"});
    constexpr size_t kProcesses = kMaxFiles + 5;
    for (size_t i = 0; i < kProcesses; ++i) {
      const pid_t pid = StartChild([&] {
        family.WithLabels("x").Increment();
        if (i >= kMaxFiles) {
          ExpectDropped(1, "is a collector running there?");
        }
      });
      EXPECT_TRUE(IsSuccess(WaitFor(pid)));
    }
    EXPECT_EQ(NamesIn(dir_.path()).size(), kMaxFiles);
    EXPECT_EQ(SumOfAll(), kMaxFiles);
    ::unlink(dir_.At(NamesIn(dir_.path()).at(0)).c_str());
    family.WithLabels("x").Increment();
    EXPECT_EQ(SumOfAll(), kMaxFiles);
    EXPECT_EQ(GetWriterStatus().dropped_observations, 0u);
  };
  Run(scenario);
  ExpectMutantFails("file_cap_forgotten", scenario);
}

// Its directories have no size.
TEST_F(TmpfsSpaceTest, RamfsHasNoCapOnFiles) {
  ::setenv("TINE_MAX_FILES", "1", 1);
  Run([this] {
    ASSERT_TRUE(EnterOwnMountNamespace());
    ASSERT_EQ(
        ::mount("tine-test", dir_.path().c_str(), "ramfs", 0, "mode=0700"), 0);
    MakeFiles(10);
    Counter("c_total", "c").Increment();
    EXPECT_EQ(SumOfAll(), 1u);
  });
}

// ---- Huge pages ----

TEST_F(TmpfsSpaceTest, HugePagesAreNotForMetricFiles) {
  constexpr size_t kHugePageBytes = 2 << 20;
  const ChildOutcome probe = RunInChild([this] {
    MountOwnTmpfs(dir_.path(), "size=64m,huge=always");
    if (!HasFailure()) {
      NaiveFile file(dir_.path(), 16 << 20);
      file.Store(1);
      ::_exit(file.allocated_bytes() >= kHugePageBytes ? 0 : 2);
    }
  });
  if (!probe.HasExited(0)) {
    GTEST_SKIP() << "the kernel gives no huge pages to a tmpfs: "
                 << probe.Description();
  }
  const auto scenario = [this] {
    MountOwnTmpfs(dir_.path(), "size=64m,huge=always");
    const CounterFamily family("c_total", "c", {"l"});
    for (int i = 0; i < 2000; ++i) {
      family.WithLabels(std::to_string(i)).Increment();
    }
    EXPECT_EQ(SumOfAll(), 2000u);
    struct stat info {};
    ::stat(dir_.At(NamesIn(dir_.path()).at(0)).c_str(), &info);
    EXPECT_EQ(static_cast<uint64_t>(info.st_blocks) * 512,
              GetWriterStatus().file_bytes);
    EXPECT_LT(static_cast<size_t>(info.st_blocks) * 512, kHugePageBytes / 4);
  };
  Run(scenario);
  ExpectMutantFails("huge_pages_allowed", scenario);
}

}  // namespace
}  // namespace tine::testing
