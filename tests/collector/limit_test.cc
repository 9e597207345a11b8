// Caps, expiry and birth at zero; see the scenarios.

#include <gtest/gtest.h>

#include <string>

#include "tests/collector/limit_scenarios.h"

namespace tine::collector {
namespace {

std::string NameOf(const ::testing::TestParamInfo<LimitScenario>& of) {
  return of.param.name;
}

class OverflowTest : public ::testing::TestWithParam<LimitScenario> {};
TEST_P(OverflowTest, Holds) { GetParam().run(); }
INSTANTIATE_TEST_SUITE_P(All, OverflowTest,
                         ::testing::ValuesIn(OverflowScenarios()), NameOf);

class ExpiryTest : public ::testing::TestWithParam<LimitScenario> {};
TEST_P(ExpiryTest, Holds) { GetParam().run(); }
INSTANTIATE_TEST_SUITE_P(All, ExpiryTest,
                         ::testing::ValuesIn(ExpiryScenarios()), NameOf);

class BirthTest : public ::testing::TestWithParam<LimitScenario> {};
TEST_P(BirthTest, Holds) { GetParam().run(); }
INSTANTIATE_TEST_SUITE_P(All, BirthTest, ::testing::ValuesIn(BirthScenarios()),
                         NameOf);

}  // namespace
}  // namespace tine::collector
