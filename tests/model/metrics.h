// The metrics of all programs: every instrument, every gauge mode.

#ifndef TINE_TESTS_MODEL_METRICS_H_
#define TINE_TESTS_MODEL_METRICS_H_

#include <string>
#include <vector>

namespace tine::model {

enum class Instrument {
  kCounter,
  kDoubleCounter,
  kUpDownCounter,
  kGauge,
  kHistogram,
  kSummary,
  kStateSet,
  kInfo,
};

struct Metric {
  std::string name;
  Instrument instrument = Instrument::kCounter;
  // Of gauges, up-down counters, state sets and infos: how values of several
  // processes become one.
  std::string rule;  // all, sum, min, max, mostrecent
  bool is_live_mode = false;
  std::string help = "A test's.";
  std::vector<double> bounds;
  std::vector<std::string> states;
  // It has one that never ends.
  bool has_time_to_live = false;
};

// Each process has a variant: programs do not agree about everything.
inline constexpr int kVariants = 3;

const std::vector<std::string>& MetricNames();
bool IsMetric(const std::string& name);

// What the metric is for a process of this variant:
//   m_total  a counter, of whole numbers or not
//   h        a histogram with other bounds
//   x_total  a counter, a gauge, or a counter with another help text
//   ud_MODE, g_MODE  up-down counters and gauges of this mode
//   st_MODE  a state set of this mode, with other states
//   v_info   an info
// All have the one label `l`. Of variant 1, g_MODE and st_MODE have a time to
// live.
Metric MetricOf(const std::string& name, int variant);

}  // namespace tine::model

#endif  // TINE_TESTS_MODEL_METRICS_H_
