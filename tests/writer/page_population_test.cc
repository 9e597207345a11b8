// Pages are made real before they are touched, whatever happens between the
// look at the free space and the request, and on kernels without the request.

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <functional>
#include <string>

#include "tests/testing/test_effort.h"
#include "tests/writer/own_tmpfs.h"
#include "tests/writer/run_mutant.h"
#include "tests/writer/writer_test_base.h"
#include "writer/tine.h"

namespace {
// Filled up after each look at it, when not null.
const char* g_tmpfs_to_fill = nullptr;

int FillAfter(long result) {
  if (g_tmpfs_to_fill != nullptr) {
    tine::testing::FillUpTo(g_tmpfs_to_fill, 0);
  }
  return static_cast<int>(result);
}
}  // namespace

// The library calls these instead of the C library's.
// NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name)
extern "C" int statfs(const char* path, struct statfs* info) noexcept {
  return FillAfter(::syscall(SYS_statfs, path, info));
}
// NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name)
extern "C" int fstatfs(int fd, struct statfs* info) noexcept {
  return FillAfter(::syscall(SYS_fstatfs, fd, info));
}

namespace tine::testing {
namespace {

class PagePopulationTest : public WriterTest {
 protected:
  void SetUp() override {
    WriterTest::SetUp();
    TINE_SKIP_UNLESS_CAN_MOUNT();
    ::setenv("TINE_LOG", "off", 1);
  }

  // What was counted is in the files or among the drops.
  void ExpectAllAccountedFor(uint64_t made) const {
    uint64_t sum = 0;
    for (const MetricFileText& file : Read()) {
      for (const auto& [name, cells] : file.series) {
        sum += cells.u64[0];
      }
    }
    EXPECT_EQ(sum + GetWriterStatus().dropped_observations, made);
  }

  // Runs it twice: as it is, and with the mistake, which must kill it.
  void RunAndSeeMutantDie(const char* mutant,
                          const std::function<void()>& scenario) {
    Run(scenario);
    ExpectMutantDies(mutant, SIGBUS, scenario);
  }
};

TEST_F(PagePopulationTest, FilledBetweenTheLookAndTheRequestForTheFirstPages) {
  RunAndSeeMutantDie("pages_not_populated", [this] {
    MountOwnTmpfs(dir_.path(), "size=1m");
    g_tmpfs_to_fill = dir_.path().c_str();
    const Counter counter("c_total", "c");
    counter.Increment();
    EXPECT_EQ(GetWriterStatus().dropped_observations, 1u);
    EXPECT_EQ(NamesIn(dir_.path()).size(), 1u);
    g_tmpfs_to_fill = nullptr;
    EXPECT_NE(GetWriterStatus().last_error.find("No space left"),
              std::string::npos)
        << GetWriterStatus().last_error;
  });
}

TEST_F(PagePopulationTest, FilledBetweenTheLookAndTheRequestForMorePages) {
  RunAndSeeMutantDie("pages_not_populated", [this] {
    MountOwnTmpfs(dir_.path(), "size=1m");
    const CounterFamily family("c_total", "c", {"l"});
    family.WithLabels("first").Increment();
    g_tmpfs_to_fill = dir_.path().c_str();
    for (int i = 0; i < 2000; ++i) {
      family.WithLabels(std::to_string(i)).Increment();
    }
    g_tmpfs_to_fill = nullptr;
    EXPECT_GT(GetWriterStatus().dropped_observations, 0u);
    ExpectAllAccountedFor(2001);
  });
}

// Somebody takes all space and gives it back, over and over.
TEST_F(PagePopulationTest, SpaceThatComesAndGoesKillsNobody) {
  Run([this] {
    MountOwnTmpfs(dir_.path(), "size=512k");
    const pid_t filler = StartChild([this] {
      for (;;) {
        // Not FillUpTo(): another one may be faster, and that is no failure.
        const UniqueFd fd(::open(dir_.At("filler").c_str(),
                                 O_CREAT | O_RDWR | O_CLOEXEC, 0600));
        for (off_t at = 0; ::fallocate(fd.get(), 0, at, 4096) == 0;) {
          at += 4096;
        }
        static_cast<void>(::ftruncate(fd.get(), 0));
      }
    });
    for (int round = 0; round < Rounds(Scaled(40)); ++round) {
      const int status = WaitFor(StartChild([this] {
        const CounterFamily family("c_total", "c", {"l"});
        constexpr int kSeries = 500;
        for (int i = 0; i < kSeries; ++i) {
          family.WithLabels(std::to_string(i)).Increment();
        }
        const auto files = GetWriterStatus().files;
        uint64_t sum = 0;
        for (const MetricFileText& file : Read()) {
          for (const auto& [name, cells] : file.series) {
            sum += !files.empty() && file.name == files[0] ? cells.u64[0] : 0;
          }
        }
        EXPECT_EQ(sum + GetWriterStatus().dropped_observations, 1u * kSeries);
        for (const std::string& name : files) {
          ::unlink(dir_.At(name).c_str());
        }
      }));
      ASSERT_TRUE(IsSuccess(status)) << EndingText(status);
    }
    ::kill(filler, SIGKILL);
    WaitFor(filler);
  });
}

// ---- Kernels before 5.14 ----

// From here on the kernel knows no MADV_POPULATE_WRITE.
void ForgetPopulateRequest() {
  constexpr auto kNumber = offsetof(seccomp_data, nr);
  constexpr auto kAdvice = offsetof(seccomp_data, args[2]);
  sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kNumber),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kAdvice),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 23, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{sizeof(filter) / sizeof(filter[0]), filter};
  ASSERT_EQ(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
  ASSERT_EQ(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
  errno = 0;
  ASSERT_EQ(::syscall(SYS_madvise, nullptr, 0, 23), -1);
  ASSERT_EQ(errno, EINVAL);
}

TEST_F(PagePopulationTest, OldKernelCountsExactlyAndKeepsTheSignalMask) {
  const auto scenario = [this] {
    MountOwnTmpfs(dir_.path(), "size=64m");
    ForgetPopulateRequest();
    sigset_t mask;
    ::sigemptyset(&mask);
    ::sigaddset(&mask, SIGHUP);
    ::sigaddset(&mask, SIGRTMAX);
    ::sigprocmask(SIG_SETMASK, &mask, nullptr);
    // Cells in every place of a page: the page's first word too.
    const CounterFamily family("c_total", "c", {"l"});
    for (int i = 0; i < 3000; ++i) {
      family.WithLabels(std::to_string(i)).Increment();
    }
    EXPECT_EQ(GetWriterStatus().dropped_observations, 0u);
    ExpectAllAccountedFor(3000);
    sigset_t now;
    ::sigprocmask(SIG_SETMASK, nullptr, &now);
    for (int number = 1; number <= SIGRTMAX; ++number) {
      EXPECT_EQ(::sigismember(&now, number), ::sigismember(&mask, number))
          << number;
    }
  };
  Run(scenario);
  ExpectMutantFails("populate_fallback_leaves_the_mask", scenario);
}

TEST_F(PagePopulationTest,
       OldKernelWithoutSpaceForTheFirstPagesDropsAndCounts) {
  RunAndSeeMutantDie("populate_fallback_forgotten", [this] {
    MountOwnTmpfs(dir_.path(), "size=8k");
    ForgetPopulateRequest();
    Counter("c_total", "c").Increment();
    EXPECT_EQ(GetWriterStatus().dropped_observations, 1u);
    EXPECT_TRUE(NamesIn(dir_.path()).empty());
  });
}

TEST_F(PagePopulationTest, OldKernelFilledUpBeforeGrowthDropsAndCounts) {
  RunAndSeeMutantDie("populate_fallback_forgotten", [this] {
    MountOwnTmpfs(dir_.path(), "size=1m");
    ForgetPopulateRequest();
    const CounterFamily family("c_total", "c", {"l"});
    family.WithLabels("first").Increment();
    g_tmpfs_to_fill = dir_.path().c_str();
    for (int i = 0; i < 2000; ++i) {
      family.WithLabels(std::to_string(i)).Increment();
    }
    g_tmpfs_to_fill = nullptr;
    EXPECT_GT(GetWriterStatus().dropped_observations, 0u);
    ExpectAllAccountedFor(2001);
  });
}

}  // namespace
}  // namespace tine::testing
