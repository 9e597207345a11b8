// The control of crash_test: mistakes in the order of the writer's stores and
// system calls, each of which its readers must see. A way that sees none of
// them proves nothing.

#include <cstdio>
#include <ostream>

#include "tests/testing/mutant.h"
#include "tests/writer/crash_points.h"
#include "tests/writer/crash_scenarios.h"
#include "tests/writer/writer_test_base.h"

namespace tine::testing {
namespace {

struct Mistake {
  const char* mutant;
  CrashScenario (*scenario)();
};

void PrintTo(const Mistake& mistake, std::ostream* out) {
  *out << mistake.mutant;
}

class CrashControlTest : public WriterTest,
                         public ::testing::WithParamInterface<Mistake> {
 protected:
  void SetUp() override {
    WriterTest::SetUp();
    if (kHasTsan || kHasAsan) {
      GTEST_SKIP() << "sanitizers multiply the instructions to step through";
    }
    ::setenv("TINE_LOG", "off", 1);
  }
  void TearDown() override { SetMutant(nullptr); }
};

TEST_P(CrashControlTest, MistakeIsSeen) {
  const CrashScenario scenario = GetParam().scenario();
  SetMutant(GetParam().mutant);
  const CrashReport report = StepThroughCrashPoints(scenario, dir_.path());
  std::printf("%s: %s\n", scenario.name.c_str(), report.violation.c_str());
  EXPECT_NE(report.violation, "");
}

INSTANTIATE_TEST_SUITE_P(
    All, CrashControlTest,
    ::testing::Values(
        Mistake{"publish_before_payload", PrivateBlock},
        Mistake{"used_before_family", FurtherFamily},
        Mistake{"used_before_series", FurtherFamily},
        Mistake{"checksum_after_publish", FirstTouchOfASeries},
        Mistake{"series_published_one_by_one", ChunkOfManySeries},
        Mistake{"series_published_before_its_cells", ChunkOfManySeries},
        Mistake{"removal_published_before_its_record", RemovalAndANewSeries},
        Mistake{"pointer_before_publish", BlockUsedByAnotherThread},
        Mistake{"add_in_two_steps", SharedAdds},
        Mistake{"rename_before_lock", InitMakesTheFile},
        Mistake{"rename_before_header", InitMakesTheFile},
        Mistake{"used_not_set_before_rename", InitMakesTheFile},
        Mistake{"real_before_populate", GrowthThatFails},
        Mistake{"time_before_value", MostRecentGauge},
        Mistake{"slot_given_back_while_in_use", ThreadEnd},
        Mistake{"child_trusts_its_parents_offsets", ForkedChildsFirstTouch}),
    [](const auto& test) { return std::string(test.param.mutant); });

}  // namespace
}  // namespace tine::testing
