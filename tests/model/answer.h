// What is served when these writers, living and dead, have these series: worked
// out anew for each question, from all of them.

#ifndef TINE_TESTS_MODEL_ANSWER_H_
#define TINE_TESTS_MODEL_ANSWER_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/model/metrics.h"

namespace tine::model {

// What a collector serves.
struct ServedSeries {
  double value = 0;                  // of a histogram or summary: the sum
  uint64_t count = 0;                // of a summary
  std::vector<uint64_t> cumulative;  // for each bound and +Inf
};
struct ServedFamily {
  std::string type;  // counter, gauge, histogram, summary, stateset, info
  std::string help;
  std::vector<double> bounds;
  std::map<std::string, ServedSeries> series;  // by LabelsText
};
using Served = std::map<std::string, ServedFamily>;  // by name

using Labels = std::map<std::string, std::string>;
std::string LabelsText(const Labels& labels);

// What one writer has of a series; of a state set, of one state.
struct Share {
  Metric metric;
  std::string label;  // the metric's own
  std::string state;
  Labels labels;  // all that it is served with
  bool is_live = false;
  bool is_removed = false;
  bool is_set = false;            // a gauge, a state set; an info: it is told
  uint64_t whole = 0;             // a counter; the observations of a summary
  int64_t net = 0;                // an up-down counter
  double number = 0;              // a double counter; a gauge; a sum; a state
  uint64_t set_order = 0;         // greater for what was set later
  std::vector<uint64_t> buckets;  // not cumulative
  // Of its writer's file: a number that is greater for later files, and when it
  // was born, which may be the same for two.
  int file_order = 0;
  uint64_t birth_ns = 0;
};

// The served type.
std::string TypeOf(const Metric& metric);

// Is it there at all?
bool IsPresent(const Share& share);

// Whose sums, minima and so on are one: metric, type, mode and labels.
std::string KeyOf(const Share& share);

// Why `served` is not a right answer; empty: it is one. Where several are
// right, any of them is.
std::string DifferenceFrom(const std::vector<Share>& shares,
                           const Served& served);

}  // namespace tine::model

#endif  // TINE_TESTS_MODEL_ANSWER_H_
