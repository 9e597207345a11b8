// Crash points: a call of the writer, taken instruction by instruction. Each
// state of the files on the way is what a SIGKILL would leave and what a scrape
// may meet, so the collector's own reader is asked about each.

#ifndef TINE_TESTS_WRITER_CRASH_POINTS_H_
#define TINE_TESTS_WRITER_CRASH_POINTS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tests/testing/served_numbers.h"
#include "tests/testing/stepped_process.h"

namespace tine::testing {

struct CrashScenario {
  std::string name;
  // What the child does. The stage is the call under test, between Begin() and
  // End(); the child must stay alive behind it.
  std::function<void(const SteppedProcess::Stage&)> body;
  // All that may be served on the way, in this order: before the call, steps
  // that the call promises, after it.
  std::vector<ServedNumbers> states;
  // The stage forks, and the child's way is under test.
  bool follows_fork = false;
  // After each step; true when it has done something that a reader must see.
  std::function<bool(SteppedProcess*)> after_step = {};
  // Of what after_step has added: takes its numbers out of those served.
  // Returns what is wrong with them, or nothing.
  std::function<std::string(ServedNumbers*)> judge_added = {};
  // What is wrong with the directory after the call, or nothing.
  std::function<std::string(const std::string&)> judge_end = {};
};

struct CrashReport {
  uint64_t point_count = 0;  // instructions stepped over
  uint64_t state_count = 0;  // distinct states of the files
  size_t file_count = 0;     // at the end
  uint64_t used_bytes = 0;   // of the longest file, at the end
  // The first point at which a reader would be wrong; empty: none.
  std::string violation;
};

// Steps through the scenario's stage in a child whose metrics directory is
// `directory` (left empty). At each distinct state three readers look: one that
// starts there, one that has followed the files from before the stage, and one
// that starts after a SIGKILL there.
CrashReport StepThroughCrashPoints(const CrashScenario& scenario,
                                   const std::string& directory);

// Kills the child by SIGKILL after `step` instructions. Returns how the
// directory then differs from what it was at that instruction, or how what is
// served differs from what may be; empty: not at all.
std::string KillAtCrashPoint(const CrashScenario& scenario,
                             const std::string& directory, uint64_t step);

// How many instructions the stage has.
uint64_t CountCrashPoints(const CrashScenario& scenario,
                          const std::string& directory);

}  // namespace tine::testing

#endif  // TINE_TESTS_WRITER_CRASH_POINTS_H_
