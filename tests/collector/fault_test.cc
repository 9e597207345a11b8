// A collector whose directory, files, inotify and writers fail in every way
// that we know serves what one that starts now would, and calls nobody dead who
// lives.

#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <string>
#include <tuple>

#include "tests/collector/fault_scenarios.h"
#include "tests/testing/child_process.h"

namespace tine::collector {
namespace {

bool MayMakeNamespaces() {
  const pid_t pid = testing::StartChild([] {
    ::_exit(::unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWTIME) == 0 &&
                    ::unshare(CLONE_NEWUSER) == 0
                ? 0
                : 1);
  });
  return testing::IsSuccess(testing::WaitFor(pid));
}

using Parameters = std::tuple<FaultScenario, bool>;

void RunScenario(const Parameters& parameters) {
  const auto& [scenario, has_thread] = parameters;
  if (scenario.needs_namespaces && !MayMakeNamespaces()) {
    GTEST_SKIP() << "this process may not make namespaces";
  }
  scenario.run(has_thread);
}

std::string NameOf(const ::testing::TestParamInfo<Parameters>& of) {
  return std::string(std::get<0>(of.param).name) +
         (std::get<1>(of.param) ? "Thread" : "OneShot");
}

class WatchFaultTest : public ::testing::TestWithParam<Parameters> {};

TEST_P(WatchFaultTest, ServesWhatAFreshCollectorWould) {
  RunScenario(GetParam());
}

INSTANTIATE_TEST_SUITE_P(
    Directory, WatchFaultTest,
    ::testing::Combine(::testing::ValuesIn(WatchScenarios()),
                       ::testing::Bool()),
    NameOf);

INSTANTIATE_TEST_SUITE_P(
    Inotify, WatchFaultTest,
    ::testing::Combine(::testing::ValuesIn(InotifyScenarios()),
                       ::testing::Bool()),
    NameOf);

INSTANTIATE_TEST_SUITE_P(
    Descriptors, WatchFaultTest,
    ::testing::Combine(::testing::ValuesIn(DescriptorScenarios()),
                       ::testing::Bool()),
    NameOf);

class LivenessFaultTest : public ::testing::TestWithParam<Parameters> {};

TEST_P(LivenessFaultTest, LifeAndDeathAreSeenAsTheyAre) {
  RunScenario(GetParam());
}

INSTANTIATE_TEST_SUITE_P(
    Writers, LivenessFaultTest,
    ::testing::Combine(::testing::ValuesIn(LivenessScenarios()),
                       ::testing::Bool()),
    NameOf);

}  // namespace
}  // namespace tine::collector
