// What can happen while dead writers' files are folded, each with what must
// come of it. Built with the collector as it is and with mistakes in it.

#ifndef TINE_TESTS_COLLECTOR_FOLD_SCENARIOS_H_
#define TINE_TESTS_COLLECTOR_FOLD_SCENARIOS_H_

#include <string>
#include <vector>

namespace tine::collector {

struct FoldScenario {
  const char* name;
  void (*run)();
  // Why it cannot run here; empty: it can. Null: it always can.
  std::string (*why_not)();
};

std::vector<FoldScenario> FoldCrashScenarios();   // killed anywhere
std::vector<FoldScenario> FoldFaultScenarios();   // system calls fail
std::vector<FoldScenario> FoldPeerScenarios();    // other folders and readers
std::vector<FoldScenario> FoldRandomScenarios();  // scrape = scrape(compact)

}  // namespace tine::collector

#endif  // TINE_TESTS_COLLECTOR_FOLD_SCENARIOS_H_
