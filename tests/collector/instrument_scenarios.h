// What instruments become over several processes. Functions, so that they can
// be run with known mistakes, too: they know the collector by its headers
// alone.

#ifndef TINE_TESTS_COLLECTOR_INSTRUMENT_SCENARIOS_H_
#define TINE_TESTS_COLLECTOR_INSTRUMENT_SCENARIOS_H_

#include <vector>

namespace tine::collector {

struct InstrumentScenario {
  const char* name;
  void (*run)();
};

const std::vector<InstrumentScenario>& InstrumentScenarios();

}  // namespace tine::collector

#endif  // TINE_TESTS_COLLECTOR_INSTRUMENT_SCENARIOS_H_
