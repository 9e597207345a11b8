#ifndef TINE_TESTS_WRITER_CRASH_SCENARIOS_H_
#define TINE_TESTS_WRITER_CRASH_SCENARIOS_H_

#include <vector>

#include "tests/writer/crash_points.h"

namespace tine::testing {

// Making a file and publishing records.
CrashScenario FirstCounterMakesTheFile();
CrashScenario InitMakesTheFile();
CrashScenario FurtherFamily();
CrashScenario FirstTouchOfASeries();
CrashScenario ChunkOfManySeries();
CrashScenario PrivateBlock();
CrashScenario GrowthForASeries();
CrashScenario GrowthForAPrivateBlock();
CrashScenario GrowthThatFails();
CrashScenario OverflowFile();
CrashScenario RemovalAndANewSeries();

// Changing cells.
CrashScenario CounterAdds();
CrashScenario SharedAdds();
CrashScenario Observations();
CrashScenario GaugeChanges();
CrashScenario MostRecentGauge();

// Threads and forks.
CrashScenario BlockUsedByAnotherThread();
CrashScenario ThreadEnd();
CrashScenario ForkedChildsFirstTouch();
CrashScenario RawForkedChildsFirstTouch();
CrashScenario ForkBesideTheParentsFile();

// All of them.
std::vector<CrashScenario> AllCrashScenarios();
// Some in which no other thread or process has a part; most are short.
std::vector<CrashScenario> KillableCrashScenarios();

}  // namespace tine::testing

#endif  // TINE_TESTS_WRITER_CRASH_SCENARIOS_H_
