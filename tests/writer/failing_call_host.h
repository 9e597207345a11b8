// A host that uses the library while one of its system calls fails, and tells
// what that was like.

#ifndef TINE_TESTS_WRITER_FAILING_CALL_HOST_H_
#define TINE_TESTS_WRITER_FAILING_CALL_HOST_H_

#include <atomic>
#include <string>
#include <vector>

#include "tests/writer/host_report.h"

namespace tine::testing {

struct CaseReport : HostReport {
  std::atomic<bool> is_enabled{false};
  std::atomic<bool> is_over{false};
  char last_error[512] = {};  // after the action
};

// A way to the library's system calls: start, Init(), look-ups, growth, a
// further file, threads, forked children, AfterFork(), Seal(), the status,
// exit.
struct Scenario;
const std::vector<const Scenario*>& AllScenarios();
const Scenario& ScenarioNamed(const std::string& name);
const char* NameOf(const Scenario& scenario);

// Does Init() make its directory, below /dev/shm?
bool UsesPrivateDefault(const Scenario& scenario);
// Are most of its calls those of the scenario "Start" again?
bool MakesFileAgain(const Scenario& scenario);

// In the traced child. `increments` more are made while the failure lasts; 0:
// it does not. May not return.
void RunScenario(const Scenario& scenario, const std::string& directory,
                 int increments, CaseReport* report);

}  // namespace tine::testing

#endif  // TINE_TESTS_WRITER_FAILING_CALL_HOST_H_
