#include "collector/liveness.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

#include "common/unique_fd.h"
#include "tests/testing/metric_file_builder.h"
#include "tests/testing/test_directory.h"

namespace tine::collector {
namespace {

using testing::LifeLockProcess;
using testing::MetricFileBuilder;

uint64_t StartTicksOf(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::stringstream text;
  text << file.rdbuf();
  const std::string stat = text.str();
  std::istringstream fields(stat.substr(stat.rfind(')') + 2));
  std::string field;
  for (int i = 3; i <= 22; ++i) {
    fields >> field;
  }
  return std::stoull(field);
}

class LivenessTest : public ::testing::Test {
 protected:
  LivenessTest()
      : file_(directory_.path()),
        fd_(::open(file_.path().c_str(), O_RDONLY | O_CLOEXEC)),
        host_(HostIdentity::OfThisProcess()) {
    writer_.boot_id = host_.boot_id;
    writer_.pid_namespace = host_.pid_namespace;
    writer_.time_namespace = host_.time_namespace;
    writer_.life_lock = format::LifeLock::kHolds;
  }

  Liveness Probe(FileSystemKind kind = FileSystemKind::kMemory) const {
    return LivenessProbe(host_).Probe(fd_.get(), writer_, kind);
  }

  testing::TestDirectory directory_;
  MetricFileBuilder file_;
  UniqueFd fd_;
  HostIdentity host_;
  WriterIdentity writer_;
};

TEST_F(LivenessTest, HostIdentityIsKnownHere) {
  EXPECT_NE(host_.boot_id, (std::array<uint8_t, 16>{}));
  EXPECT_NE(host_.pid_namespace, 0u);
  std::string text;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> text;
  char first[3] = {};
  std::snprintf(first, sizeof(first), "%02x", host_.boot_id[0]);
  EXPECT_EQ(text.substr(0, 2), first);
}

TEST_F(LivenessTest, LivesUntilKilledAndIsDeadBeforeItsZombieIsReaped) {
  LifeLockProcess process(file_.path());
  EXPECT_EQ(Probe(), Liveness::kLive);
  ASSERT_EQ(::kill(process.pid(), SIGKILL), 0);
  siginfo_t info = {};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(process.pid()), &info,
                     WEXITED | WNOWAIT),
            0);
  EXPECT_EQ(Probe(), Liveness::kDead);
}

TEST_F(LivenessTest, ReadLockOfASquatterDoesNotFakeLife) {
  struct flock lock = {};
  lock.l_type = F_RDLCK;
  lock.l_whence = SEEK_SET;
  UniqueFd squatter(::open(file_.path().c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_EQ(::fcntl(squatter.get(), F_OFD_SETLK, &lock), 0);
  EXPECT_EQ(Probe(), Liveness::kDead);
}

TEST_F(LivenessTest, AnotherBootIsDeadOnADiskAndForeignElsewhere) {
  writer_.boot_id[3] ^= 1;
  EXPECT_EQ(Probe(FileSystemKind::kDisk), Liveness::kDead);
  EXPECT_EQ(Probe(FileSystemKind::kMemory), Liveness::kForeign);
  EXPECT_EQ(Probe(FileSystemKind::kRemote), Liveness::kForeign);
  EXPECT_EQ(Probe(FileSystemKind::kUnknown), Liveness::kForeign);
}

TEST_F(LivenessTest, HeldLockIsLifeWhateverTheHeaderSays) {
  file_.HoldLifeLock();
  writer_.boot_id[3] ^= 1;
  writer_.life_lock = format::LifeLock::kDoesNotHold;
  EXPECT_EQ(Probe(FileSystemKind::kDisk), Liveness::kLive);
}

TEST_F(LivenessTest, WithoutAWorkingLockAGoneProcessIsDead) {
  writer_.life_lock = format::LifeLock::kDoesNotHold;
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::_exit(0);
  }
  ::waitpid(pid, nullptr, 0);
  writer_.pid = static_cast<uint32_t>(pid);
  EXPECT_EQ(Probe(), Liveness::kDead);
}

TEST_F(LivenessTest, WithoutAWorkingLockARunningProcessIsUnproven) {
  writer_.life_lock = format::LifeLock::kDoesNotHold;
  writer_.pid = static_cast<uint32_t>(::getpid());
  writer_.process_start_ticks = StartTicksOf(::getpid());
  EXPECT_EQ(Probe(), Liveness::kUnproven);
}

TEST_F(LivenessTest, WithoutAWorkingLockAReusedPidIsDead) {
  writer_.life_lock = format::LifeLock::kUnknown;
  writer_.pid = static_cast<uint32_t>(::getpid());
  writer_.process_start_ticks = StartTicksOf(::getpid()) - 1;
  EXPECT_EQ(Probe(), Liveness::kDead);
}

TEST_F(LivenessTest, WithoutAWorkingLockOtherNamespacesProveNothing) {
  writer_.life_lock = format::LifeLock::kDoesNotHold;
  writer_.pid = static_cast<uint32_t>(::getpid());
  writer_.process_start_ticks = StartTicksOf(::getpid()) - 1;
  writer_.time_namespace ^= 1;  // start times are shifted there
  EXPECT_EQ(Probe(), Liveness::kUnproven);
  writer_.time_namespace ^= 1;
  writer_.pid_namespace ^= 1;
  EXPECT_EQ(Probe(), Liveness::kUnproven);
}

TEST_F(LivenessTest, WithoutAWorkingLockNonsensePidsProveNothing) {
  writer_.life_lock = format::LifeLock::kDoesNotHold;
  for (const uint32_t pid : {0u, 0x80000000u, 0xFFFFFFFFu}) {
    writer_.pid = pid;
    EXPECT_EQ(Probe(), Liveness::kUnproven);
  }
}

}  // namespace
}  // namespace tine::collector
