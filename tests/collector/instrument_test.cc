// What each instrument becomes over several processes, over their deaths, and
// in the archive.

#include <gtest/gtest.h>

#include <string>

#include "tests/collector/instrument_scenarios.h"

namespace tine::collector {
namespace {

class InstrumentTest : public ::testing::TestWithParam<InstrumentScenario> {};

TEST_P(InstrumentTest, IsServedRightly) { GetParam().run(); }

INSTANTIATE_TEST_SUITE_P(
    Scenarios, InstrumentTest, ::testing::ValuesIn(InstrumentScenarios()),
    [](const ::testing::TestParamInfo<InstrumentScenario>& of) {
      return std::string(of.param.name);
    });

}  // namespace
}  // namespace tine::collector
