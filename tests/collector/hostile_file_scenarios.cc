#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <string>

#include "common/unique_fd.h"
#include "tests/collector/hostile_directory.h"
#include "tests/collector/hostile_scenarios.h"

namespace tine::collector {

using testing::MetricFileBuilder;
using Answer = HostileDirectory::Answer;

void LinksAreNotFollowed() {
  HostileDirectory directory;
  testing::TestDirectory elsewhere;
  MetricFileBuilder outside(elsewhere.path());
  outside.AddCounter("outside_total", 1);
  ::chmod(elsewhere.path().c_str(), 0755);
  ::chmod(outside.path().c_str(), 0644);
  ::chmod(directory.victim()->path().c_str(), 0644);
  {
    const AsUser user(kAttackerUid);
    const std::string loop = directory.NewName();
    for (const auto& [target, name] :
         std::vector<std::pair<std::string, std::string>>{
             {outside.path(), outside.name()},
             {directory.victim()->name(), directory.NewName()},
             {"/etc/passwd", directory.NewName()},
             {"/nothing/here", directory.NewName()},
             {"/proc/self/fd/0", directory.NewName()},
             {loop, loop}}) {
      ASSERT_EQ(::symlink(target.c_str(), directory.At(name).c_str()), 0);
    }
  }
  const Answer answer = directory.ScrapeAndCheckVictims();
  EXPECT_FALSE(answer.Serves("outside_total{}"));
  EXPECT_EQ(answer.Problems("symbolic_link"), 6u);
}

void SpecialFilesAreNotWaitedFor() {
  HostileDirectory directory;
  const std::string device = directory.At(directory.NewName());
  const bool has_device =
      ::mknod(device.c_str(), S_IFCHR | 0666, makedev(1, 5)) == 0 &&
      ::chown(device.c_str(), kAttackerUid, kAttackerUid) == 0;
  UniqueFd listener;
  {
    const AsUser user(kAttackerUid);
    ASSERT_EQ(::mkfifo(directory.At(directory.NewName()).c_str(), 0666), 0);
    ASSERT_EQ(::mkdir(directory.At(directory.NewName()).c_str(), 0777), 0);
    listener.Reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    const std::string path = directory.At(directory.NewName());
    ASSERT_LT(path.size(), sizeof(address.sun_path));
    std::memcpy(address.sun_path, path.c_str(), path.size());
    ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address),
                     sizeof(address)),
              0);
  }
  const Answer answer = directory.ScrapeAndCheckVictims();
  // (On a file system without devices, that one cannot be opened at all.)
  EXPECT_EQ(
      answer.Problems("not_regular") + answer.OpenFailures("permission_denied"),
      has_device ? 4u : 3u);
}

void HardLinksAreNotRead() {
  HostileDirectory directory;
  std::string first;
  std::string name;
  {
    const AsUser user(kAttackerUid);
    MetricFileBuilder own(directory.path());
    own.AddCounter("linked_total", 1);
    name = own.name();
    first = directory.At("first");
    ASSERT_EQ(::link(own.path().c_str(), first.c_str()), 0);
    // Where the kernel lets nobody link what he may not write, nothing happens
    // here. Where it does, a file that is followed is followed on.
    ::link(directory.victim()->path().c_str(),
           directory.At(directory.NewName()).c_str());
  }
  Answer answer = directory.ScrapeAndCheckVictims();
  EXPECT_FALSE(answer.Serves("linked_total{}"));
  EXPECT_GE(answer.OpenFailures("hard_link"), 1u);
  // One name alone is a file like any other.
  ASSERT_EQ(::unlink(first.c_str()), 0);
  answer = directory.ScrapeAndCheckVictims();
  EXPECT_TRUE(answer.Serves("linked_total{}"));
}

void LeasesAreNotWaitedFor() {
  HostileDirectory directory;
  std::string name;
  UniqueFd holder;
  ::signal(SIGIO, SIG_IGN);  // how the holder is told
  {
    testing::TestDirectory elsewhere;
    ::chmod(elsewhere.path().c_str(), 0777);
    const AsUser user(kAttackerUid);
    {
      MetricFileBuilder whole(elsewhere.path());
      whole.AddCounter("leased_total", 1);
      // A lease needs a file that nobody has open for writing.
      std::ifstream from(whole.path(), std::ios::binary);
      std::ofstream to(directory.At("copy"), std::ios::binary);
      to << from.rdbuf();
      name = whole.name();
    }
    ASSERT_EQ(
        ::rename(directory.At("copy").c_str(), directory.At(name).c_str()), 0);
    holder.Reset(::open(directory.At(name).c_str(), O_RDWR | O_CLOEXEC));
    ASSERT_EQ(::fcntl(holder.get(), F_SETLEASE, F_WRLCK), 0);
  }
  Answer answer = directory.ScrapeAndCheckVictims();
  EXPECT_FALSE(answer.Serves("leased_total{}"));
  EXPECT_EQ(answer.statistics.files.unopened_files, 1u);
  EXPECT_GE(answer.OpenFailures("open_would_block"), 1u);
  holder.Reset();
  answer = directory.ScrapeAndCheckVictims();
  EXPECT_TRUE(answer.Serves("leased_total{}"));
}

void GiantSparseFilesAreNotRead() {
  HostileDirectory directory;
  for (const off_t size : {off_t{65} << 20, off_t{1} << 40, off_t{1} << 62}) {
    MetricFileBuilder file = directory.NewFile(kAttackerUid);
    file.AddCounter("giant_total", 1);
    const AsUser user(kAttackerUid);
    ASSERT_EQ(::truncate(file.path().c_str(), size), 0);
  }
  const Answer answer = directory.ScrapeAndCheckVictims();
  EXPECT_FALSE(answer.Serves("giant_total{}"));
  EXPECT_EQ(answer.Problems("too_large"), 3u);
}

void StateDirectorySquattersChangeNothing() {
  HostileDirectory directory;
  const std::string path = directory.At(".collector");
  directory.ScrapeAndCheckVictims();
  {
    const AsUser user(kAttackerUid);
    std::ofstream(path) << "mine";
  }
  directory.RestartAndCheckVictims();
  ASSERT_EQ(::unlink(path.c_str()), 0);
  {
    const AsUser user(kAttackerUid);
    ASSERT_EQ(::symlink("/etc", path.c_str()), 0);
  }
  directory.RestartAndCheckVictims();
  ASSERT_EQ(::unlink(path.c_str()), 0);
  {
    const AsUser user(kAttackerUid);
    ASSERT_EQ(::mkdir(path.c_str(), 0700), 0);
  }
  const Answer answer = directory.RestartAndCheckVictims();
  EXPECT_EQ(answer.statistics.files.unopened_files, 0u);
}

}  // namespace tine::collector
