// Programs for several processes that count: what random tests run, and what is
// printed of them when they fail.

#ifndef TINE_TESTS_MODEL_PROGRAM_H_
#define TINE_TESTS_MODEL_PROGRAM_H_

#include <map>
#include <string>
#include <vector>

namespace tine::model {

// Processes are numbered from 0; a number is given to one process only.
inline constexpr int kMaxProcesses = 8;

// One line of a program: words with a space between them. METRIC is one of
// metrics.h, LABEL the value of its label `l`, "-" for an empty one.
//
//   start P VARIANT PROCESS_LABELS WORKER   a new process; "-": none
//   fork P Q                 P forks Q, which goes on with the handles of P
//   clone P Q                the same by a raw clone()
//   touch P METRIC LABEL     looks the series up
//   add P METRIC LABEL VALUE (counters, up-down counters, gauges)
//   thread P METRIC LABEL VALUE   the same by a thread of its own
//   set P METRIC LABEL VALUE (gauges)
//   observe P METRIC LABEL VALUE (histograms, summaries)
//   only P METRIC LABEL STATE    (state sets) this one is true
//   raise P METRIC LABEL STATE   it is true, whatever else is
//   lower P METRIC LABEL STATE   it is not
//   tell P METRIC LABEL      (infos) instead of what it has told before
//   remove P METRIC LABEL
//   clear P METRIC
//   kill P                   SIGKILL
//   exit P                   a clean exit
//   tick                     until files get another time of birth
//   fold
//   restart                  of the collector
//   age                      two hours, for the collector's expiry
struct Step {
  std::vector<std::string> words;

  const std::string& verb() const { return words[0]; }
  int process() const;  // -1: none
  int child() const;    // of fork and clone
  // What is not there is empty, as is "-" for a label.
  std::string metric() const;
  std::string label() const;
  const std::string& value() const { return words[4]; }

  std::string text() const;
};

using Program = std::vector<Step>;

// One line. False, with the reason, when it is none of the above.
bool ParseStep(const std::string& line, Step* step, std::string* problem);

// Programs by name: "program NAME", then its steps, one on each line; "#" is a
// comment. False, with the line and the reason, when something is wrong.
bool ParsePrograms(const std::string& text,
                   std::map<std::string, Program>* programs,
                   std::string* problem);

std::string FormatProgram(const std::string& name, const Program& program);

}  // namespace tine::model

#endif  // TINE_TESTS_MODEL_PROGRAM_H_
