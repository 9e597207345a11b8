// Folding is exact whatever is killed, and whoever else is there.

#include <gtest/gtest.h>

#include <string>

#include "tests/collector/fold_scenarios.h"

namespace tine::collector {
namespace {

class FoldTest : public ::testing::TestWithParam<FoldScenario> {};

TEST_P(FoldTest, IsExact) {
  if (GetParam().why_not != nullptr) {
    const std::string reason = GetParam().why_not();
    if (!reason.empty()) {
      GTEST_SKIP() << reason;
    }
  }
  GetParam().run();
}

std::string NameOf(const ::testing::TestParamInfo<FoldScenario>& of) {
  return of.param.name;
}

INSTANTIATE_TEST_SUITE_P(Killed, FoldTest,
                         ::testing::ValuesIn(FoldCrashScenarios()), NameOf);
INSTANTIATE_TEST_SUITE_P(Failing, FoldTest,
                         ::testing::ValuesIn(FoldFaultScenarios()), NameOf);
INSTANTIATE_TEST_SUITE_P(AmongOthers, FoldTest,
                         ::testing::ValuesIn(FoldPeerScenarios()), NameOf);
INSTANTIATE_TEST_SUITE_P(Random, FoldTest,
                         ::testing::ValuesIn(FoldRandomScenarios()), NameOf);

}  // namespace
}  // namespace tine::collector
