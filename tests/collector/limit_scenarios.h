// What comes of series that are too many, too old or new. Built with the
// collector as it is and with mistakes in it.

#ifndef TINE_TESTS_COLLECTOR_LIMIT_SCENARIOS_H_
#define TINE_TESTS_COLLECTOR_LIMIT_SCENARIOS_H_

#include <vector>

namespace tine::collector {

struct LimitScenario {
  const char* name;
  void (*run)();
};

std::vector<LimitScenario> OverflowScenarios();
std::vector<LimitScenario> ExpiryScenarios();
std::vector<LimitScenario> BirthScenarios();

}  // namespace tine::collector

#endif  // TINE_TESTS_COLLECTOR_LIMIT_SCENARIOS_H_
