// Each known mistake of a collector that trusts is seen by one of the tests of
// hostile_directory_test.

#include <gtest/gtest.h>
#include <unistd.h>

#include <ostream>
#include <string>

#include "tests/collector/hostile_scenarios.h"
#include "tests/testing/child_process.h"
#include "tests/testing/mutant.h"

namespace tine::collector {
namespace {

struct Control {
  const char* mutant;
  void (*scenario)();
  bool waits_for_ever = false;
  friend void PrintTo(const Control& control, std::ostream* out) {
    *out << control.mutant;
  }
};

constexpr Control kControls[] = {
    {"open_follows_links", LinksAreNotFollowed},
    {"open_waits_for_fifos", SpecialFilesAreNotWaitedFor, true},
    {"open_waits_for_fifos", LeasesAreNotWaitedFor, true},
    {"hard_links_accepted", HardLinksAreNotRead},
    {"no_size_cap", GiantSparseFilesAreNotRead},
    {"probe_sees_read_locks", ReadLocksFakeNoLife},
    {"copy_of_another_owner_counts", CopiesOfAVictimsFileDoNotCount},
    {"older_file_of_any_owner_wins", OlderFileDoesNotTakeAVictimsPlace},
    {"duplicate_uuid_accepted", SecondFileWithAUuidDoesNotCount},
    {"name_mismatch_accepted", NameMustBeTheHeaders},
    {"reads_by_mapping", MutationUnderTheReaderTouchesNobodyElse},
    {"no_file_limit_per_uid", NameFloodLeavesRoomForOthers},
    {"no_log_limit", NameFloodIsLoggedInAFewLines},
    {"no_descriptor_limit", LiveFileFloodLeavesDescriptors},
    {"poorest_gives_descriptors", LiveFileFloodLeavesDescriptors},
    {"no_series_limit_per_uid", SeriesFloodLeavesRoomForOthers},
    {"no_text_limit", TextFloodIsBounded},
    {"no_bounds_limit", BoundsFloodIsBounded},
    {"no_family_limit_per_uid", FamilyFloodLeavesRoomForOthers},
    {"labels_not_escaped", LabelTextsAreEscaped},
};

class TrustControlTest : public ::testing::TestWithParam<Control> {};

TEST_P(TrustControlTest, MistakeIsSeen) {
  if (::getuid() != 0) {
    GTEST_SKIP() << "only root can be several users";
  }
  const testing::ChildOutcome outcome = testing::RunInChild([this] {
    if (GetParam().waits_for_ever) {
      ::alarm(5);  // and this ends it
    }
    testing::SetMutant(GetParam().mutant);
    GetParam().scenario();
  });
  EXPECT_FALSE(outcome.HasExited(0)) << outcome.Description();
}

// Without a mistake, this build passes like the real one.
TEST(TrustControlBaseTest, NoMistakeIsNoFailure) {
  if (::getuid() != 0) {
    GTEST_SKIP() << "only root can be several users";
  }
  for (const Control& control : kControls) {
    const testing::ChildOutcome outcome =
        testing::RunInChild([&control] { control.scenario(); });
    EXPECT_TRUE(outcome.HasExited(0))
        << control.mutant << ": " << outcome.Description();
  }
}

INSTANTIATE_TEST_SUITE_P(All, TrustControlTest, ::testing::ValuesIn(kControls),
                         [](const ::testing::TestParamInfo<Control>& control) {
                           return std::string(control.param.mutant) + "_" +
                                  std::to_string(control.index);
                         });

}  // namespace
}  // namespace tine::collector
