// What can happen to a watched directory and to the writers in it, each with
// what must come of it. Built with the collector as it is and with mistakes in
// it.

#ifndef TINE_TESTS_COLLECTOR_FAULT_SCENARIOS_H_
#define TINE_TESTS_COLLECTOR_FAULT_SCENARIOS_H_

#include <vector>

namespace tine::collector {

struct FaultScenario {
  const char* name;
  // `has_thread`: the collector's thread runs; else all happens in scrapes.
  void (*run)(bool has_thread);
  // Needs mounts or namespaces of its own.
  bool needs_namespaces;
};

std::vector<FaultScenario> WatchScenarios();
std::vector<FaultScenario> InotifyScenarios();
std::vector<FaultScenario> LivenessScenarios();
std::vector<FaultScenario> DescriptorScenarios();

}  // namespace tine::collector

#endif  // TINE_TESTS_COLLECTOR_FAULT_SCENARIOS_H_
