// A series that its writer has removed: gone when it should be, and its count
// in the sum once, whoever has it and whatever is killed.

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "tests/collector/removal_scenarios.h"

namespace tine::collector {
namespace {

class RemovalTest : public ::testing::TestWithParam<RemovalScenario> {};

TEST_P(RemovalTest, IsServedRightly) {
  if (GetParam().needs_root && ::geteuid() != 0) {
    GTEST_SKIP() << "only root may give files away";
  }
  GetParam().run();
}

INSTANTIATE_TEST_SUITE_P(
    Scenarios, RemovalTest, ::testing::ValuesIn(RemovalScenarios()),
    [](const ::testing::TestParamInfo<RemovalScenario>& of) {
      return std::string(of.param.name);
    });

}  // namespace
}  // namespace tine::collector
