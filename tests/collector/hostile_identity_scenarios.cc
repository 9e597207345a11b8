#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "common/metric_file_name.h"
#include "common/record_codec.h"
#include "common/unique_fd.h"
#include "tests/collector/hostile_directory.h"
#include "tests/collector/hostile_scenarios.h"
#include "tests/testing/child_process.h"
#include "tests/testing/test_effort.h"

namespace tine::collector {

using testing::BuilderHeader;
using testing::MetricFileBuilder;
using Answer = HostileDirectory::Answer;

namespace {

std::string NameOf(uint32_t pid, const FileUuid& uuid) {
  char name[kMaxMetricFileNameBytes + 1];
  FormatMetricFileName({pid, uuid}, name);
  return name;
}

std::string StateOf(const HostileDirectory& directory,
                    const std::string& name) {
  for (const FileReport& report : directory.Reports()) {
    if (report.name == name) {
      return std::string(report.state);
    }
  }
  return "unknown";
}

bool Lock(int fd, short type) {
  struct flock lock = {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  return ::fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

}  // namespace

void ReadLocksFakeNoLife() {
  HostileDirectory directory;
  directory.ScrapeAndCheckVictims();
  MetricFileBuilder& dead = (*directory.victims())[1];
  MetricFileBuilder& live = (*directory.victims())[2];
  UniqueFd on_dead;
  UniqueFd on_live;
  ::chmod(dead.path().c_str(), 0644);
  ::chmod(live.path().c_str(), 0644);
  {
    const AsUser user(kAttackerUid);
    on_dead.Reset(::open(dead.path().c_str(), O_RDONLY | O_CLOEXEC));
    on_live.Reset(::open(live.path().c_str(), O_RDONLY | O_CLOEXEC));
    ASSERT_TRUE(on_dead.valid() && on_live.valid());
    EXPECT_FALSE(Lock(on_dead.get(), F_WRLCK));
    EXPECT_FALSE(Lock(on_live.get(), F_RDLCK));
    dead.ReleaseLifeLock();
    EXPECT_TRUE(Lock(on_dead.get(), F_RDLCK));
  }
  directory.Scrape();
  EXPECT_EQ(StateOf(directory, dead.name()), "dead");
  EXPECT_EQ(StateOf(directory, live.name()), "live");
}

// A plain copy, under the victim's uuid and another pid, whichever of the two
// the collector comes to first.
void CopiesOfAVictimsFileDoNotCount() {
  HostileDirectory directory;
  directory.ScrapeAndCheckVictims();
  ::chmod(directory.victim()->path().c_str(), 0644);
  {
    const AsUser user(kAttackerUid);
    for (uint32_t pid = 1; pid < 9; ++pid) {
      std::filesystem::copy_file(
          directory.victim()->path(),
          directory.At(NameOf(pid, directory.victim()->uuid())));
    }
  }
  const Answer answer = directory.ScrapeAndCheckVictims();
  EXPECT_EQ(answer.Problems("duplicate_uuid"), 8u);
  for (int i = 0; i < 4; ++i) {
    directory.RestartAndCheckVictims();
  }
}

// A file that was born before the victim's gets its uuid, in the header and in
// the name.
void OlderFileDoesNotTakeAVictimsPlace() {
  HostileDirectory directory;
  directory.ScrapeAndCheckVictims();
  MetricFileBuilder older = directory.NewFile(kAttackerUid);
  ::usleep(20'000);  // file systems' clocks move in steps
  directory.AddVictim();
  directory.ScrapeAndCheckVictims();
  const FileUuid& uuid = directory.victims()->back().uuid();
  older.AddCounter("older_total", 1);
  std::memcpy(older.header()->uuid, uuid.bytes, sizeof(uuid.bytes));
  SealFileHeader(older.header());
  {
    const AsUser user(kAttackerUid);
    ASSERT_EQ(
        ::rename(older.path().c_str(), directory.At(NameOf(1, uuid)).c_str()),
        0);
  }
  directory.ScrapeAndCheckVictims();
  for (int i = 0; i < 4; ++i) {
    directory.RestartAndCheckVictims();
  }
}

void SecondFileWithAUuidDoesNotCount() {
  HostileDirectory directory;
  MetricFileBuilder first = directory.NewFile(kAttackerUid);
  first.AddCounter("first_total", 1);
  BuilderHeader header;
  header.uuid = first.uuid();
  header.pid = 1;
  MetricFileBuilder second = directory.NewFile(kAttackerUid, header);
  second.AddCounter("first_total", 1);
  const Answer answer = directory.ScrapeAndCheckVictims();
  EXPECT_EQ(answer.numbers.at("first_total{}"), 1);
  EXPECT_EQ(answer.Problems("duplicate_uuid"), 1u);
}

void NameMustBeTheHeaders() {
  HostileDirectory directory;
  MetricFileBuilder file = directory.NewFile(kAttackerUid);
  file.AddCounter("renamed_total", 1);
  {
    const AsUser user(kAttackerUid);
    ASSERT_EQ(::rename(file.path().c_str(),
                       directory.At(directory.NewName()).c_str()),
              0);
  }
  const Answer answer = directory.ScrapeAndCheckVictims();
  EXPECT_FALSE(answer.Serves("renamed_total{}"));
  EXPECT_EQ(answer.Problems("name_mismatch"), 1u);
}

// Pid, boot, namespaces, user, worker id and labels of the victim, or nonsense.
void ForgedClaimsTouchNobodyElse() {
  HostileDirectory directory;
  std::vector<MetricFileBuilder> files;
  for (int i = 0; i < 6; ++i) {
    BuilderHeader header;
    header.pid = i == 0 ? 0xFFFFFFFF : 4711;
    header.worker_id = i == 1 ? "victim" : "";
    header.process_labels = {{"app", "victim"}, {"job", "\n\"\\"}};
    header.boot_id[0] = i == 2 ? 1 : 0;
    header.pid_namespace = i == 3 ? 1 : 0;
    header.created_wall_ns = std::numeric_limits<uint64_t>::max();
    header.life_lock =
        i == 4 ? format::LifeLock::kDoesNotHold : format::LifeLock::kHolds;
    files.push_back(directory.NewFile(kAttackerUid, header));
    files.back().header()->uid = kVictimUid;
    SealFileHeader(files.back().header());
    files.back().AddCounter("forged_total", 1);
    files.back().SetGauge(
        files.back().AddSeries(files.back().AddFamily(
            testing::GaugeFamily("forged", format::GaugeMode::kAll))),
        1);
  }
  const Answer answer = directory.ScrapeAndCheckVictims();
  EXPECT_EQ(answer.numbers.at("forged_total{app=victim,job=\n\"\\}"), 6);
  // Who it really is, the status says.
  size_t attacker_count = 0;
  for (const FileReport& report : directory.Reports()) {
    attacker_count += report.owner_uid == kAttackerUid ? 1 : 0;
  }
  EXPECT_EQ(attacker_count, 6u);
}

namespace {

// Until it is killed, everything that the owner of a file can do to it, and
// between any two of them the file whole again.
void Mutate(const std::string& path, uint64_t seed) {
  constexpr size_t kSize = 64 * 1024;
  std::mt19937_64 random(seed);
  const UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  std::vector<char> whole(kSize);
  ::pread(fd.get(), whole.data(), kSize, 0);
  for (;;) {
    ::pwrite(fd.get(), whole.data(), kSize, 0);
    const uint64_t what = random();
    const auto at = static_cast<off_t>(random() % kSize);
    const uint64_t used = 4096 + 64 * (what / 8 % 200);
    switch (what % 8) {
      case 0:
        ::fallocate(fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at,
                    4096);
        break;
      case 1:
        ::pwrite(fd.get(), &what, sizeof(what), 3968);  // `used`
        break;
      case 2:
        ::pwrite(fd.get(), &used, sizeof(used), 3968);
        break;
      case 3:
        ::pwrite(fd.get(), &what, sizeof(what), at);
        break;
      default:
        ::ftruncate(fd.get(), at / 8);
    }
  }
}

}  // namespace

void MutationUnderTheReaderTouchesNobodyElse() {
  HostileDirectory directory;
  const uint64_t seed = testing::TestSeed();
  std::vector<pid_t> attackers;
  std::vector<MetricFileBuilder> files;
  for (uint64_t i = 0; i < 2; ++i) {
    files.push_back(directory.NewFile(kAttackerUid, {}, 64 * 1024));
    for (int j = 0; j < 20; ++j) {
      files.back().AddCounter("mutated_" + std::to_string(j) + "_total", 1);
    }
    files.back().AddBlock(1, 0);
    const std::string path = files.back().path();
    attackers.push_back(testing::StartChild([path, seed, i] {
      const AsUser user(kAttackerUid);
      Mutate(path, seed + i);
    }));
  }
  for (int round = 0; round < testing::Rounds(200); ++round) {
    // A file that was found damaged is read no further, but by a new collector.
    if (round % 2 == 0) {
      directory.RestartAndCheckVictims();
    } else {
      directory.ScrapeAndCheckVictims();
    }
  }
  for (const pid_t pid : attackers) {
    ::kill(pid, SIGKILL);
    testing::WaitFor(pid);
  }
}

}  // namespace tine::collector
