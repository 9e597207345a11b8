// A hostile user of a shared directory touches nobody's numbers but its own.

#include "tests/collector/hostile_directory.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "tests/collector/hostile_scenarios.h"

namespace tine::collector {
namespace {

using testing::MetricFileBuilder;
using Answer = HostileDirectory::Answer;

class HostileFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::getuid() != 0) {
      GTEST_SKIP() << "only root can be several users";
    }
  }
};
using HostileIdentityTest = HostileFileTest;
using HostileFloodTest = HostileFileTest;
using HostileContentTest = HostileFileTest;

TEST_F(HostileFileTest, LinksAreNotFollowed) { LinksAreNotFollowed(); }
TEST_F(HostileFileTest, SpecialFilesAreNotWaitedFor) {
  SpecialFilesAreNotWaitedFor();
}
TEST_F(HostileFileTest, HardLinksAreNotRead) { HardLinksAreNotRead(); }
TEST_F(HostileFileTest, LeasesAreNotWaitedFor) { LeasesAreNotWaitedFor(); }
TEST_F(HostileFileTest, GiantSparseFilesAreNotRead) {
  GiantSparseFilesAreNotRead();
}
TEST_F(HostileFileTest, StateDirectorySquattersChangeNothing) {
  StateDirectorySquattersChangeNothing();
}

TEST_F(HostileIdentityTest, ReadLocksFakeNoLife) { ReadLocksFakeNoLife(); }
TEST_F(HostileIdentityTest, CopiesOfAVictimsFileDoNotCount) {
  CopiesOfAVictimsFileDoNotCount();
}
TEST_F(HostileIdentityTest, OlderFileDoesNotTakeAVictimsPlace) {
  OlderFileDoesNotTakeAVictimsPlace();
}
TEST_F(HostileIdentityTest, SecondFileWithAUuidDoesNotCount) {
  SecondFileWithAUuidDoesNotCount();
}
TEST_F(HostileIdentityTest, NameMustBeTheHeaders) { NameMustBeTheHeaders(); }
TEST_F(HostileIdentityTest, ForgedClaimsTouchNobodyElse) {
  ForgedClaimsTouchNobodyElse();
}
TEST_F(HostileIdentityTest, MutationUnderTheReaderTouchesNobodyElse) {
  MutationUnderTheReaderTouchesNobodyElse();
}

TEST_F(HostileFloodTest, NamesLeaveRoomForOthers) {
  NameFloodLeavesRoomForOthers();
}
TEST_F(HostileFloodTest, NamesAreLoggedInAFewLines) {
  NameFloodIsLoggedInAFewLines();
}
TEST_F(HostileFloodTest, RefusedFilesAreNotReadAgainAndAgain) {
  RefusedFilesAreNotReadAgainAndAgain();
}
TEST_F(HostileFloodTest, LiveFilesLeaveDescriptors) {
  LiveFileFloodLeavesDescriptors();
}
TEST_F(HostileFloodTest, SeriesLeaveRoomForOthers) {
  SeriesFloodLeavesRoomForOthers();
}
TEST_F(HostileFloodTest, TextIsBounded) { TextFloodIsBounded(); }
TEST_F(HostileFloodTest, BoundsAreBounded) { BoundsFloodIsBounded(); }
TEST_F(HostileFloodTest, OpinionsLeaveRoomForOthers) {
  OpinionFloodLeavesRoomForOthers();
}
TEST_F(HostileFloodTest, FamiliesLeaveRoomForOthers) {
  FamilyFloodLeavesRoomForOthers();
}

TEST_F(HostileContentTest, LabelTextsAreEscaped) { LabelTextsAreEscaped(); }
TEST_F(HostileContentTest, InvalidTextsAreRefused) { InvalidTextsAreRefused(); }
TEST_F(HostileContentTest, ImpossibleNumbersTouchNobodyElse) {
  ImpossibleNumbersTouchNobodyElse();
}
TEST_F(HostileContentTest, ReservedNamesStayTheCollectors) {
  ReservedNamesStayTheCollectors();
}

// What a neighbour can do, because it is what sharing a directory means. These
// tests say so; SECURITY.md does too.
using SharedSeriesTest = HostileFileTest;

TEST_F(SharedSeriesTest, WhoeverUsesAVictimsNamesAddsToItsSums) {
  HostileDirectory directory;
  const Answer before = directory.ScrapeAndCheckVictims();
  MetricFileBuilder file = directory.NewFile(kAttackerUid);
  file.AddCounter("victim_total", 1'000'000);
  EXPECT_EQ(directory.Scrape().numbers.at("victim_total{}"),
            before.numbers.at("victim_total{}") + 1'000'000);
}

TEST_F(SharedSeriesTest, NewestLiveFileOfAnyUserSaysWhatAFamilyIs) {
  HostileDirectory directory;
  directory.ScrapeAndCheckVictims();
  ::usleep(20'000);  // file systems' clocks move in steps
  MetricFileBuilder file = directory.NewFile(kAttackerUid);
  file.HoldLifeLock();
  file.SetGauge(file.AddSeries(file.AddFamily(testing::GaugeFamily(
                    "victim_total", format::GaugeMode::kMax))),
                3);
  Answer answer = directory.Scrape();
  EXPECT_EQ(answer.numbers.at("victim_total{}"), 3);
  EXPECT_EQ(answer.statistics.conflicts.size(), 1u);
  file.ReleaseLifeLock();
  // As soon as its writer is dead, the living say it again.
  directory.ScrapeAndCheckVictims();
}

}  // namespace
}  // namespace tine::collector
