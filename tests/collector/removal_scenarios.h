// Series that their writers remove. Functions, so that they can be run with
// known mistakes, too: they know the collector by its headers alone.

#ifndef TINE_TESTS_COLLECTOR_REMOVAL_SCENARIOS_H_
#define TINE_TESTS_COLLECTOR_REMOVAL_SCENARIOS_H_

#include <vector>

namespace tine::collector {

struct RemovalScenario {
  const char* name;
  void (*run)();
  bool needs_root = false;
};

const std::vector<RemovalScenario>& RemovalScenarios();

}  // namespace tine::collector

#endif  // TINE_TESTS_COLLECTOR_REMOVAL_SCENARIOS_H_
