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
};

struct Metric {
  std::string name;
  Instrument instrument = Instrument::kCounter;
  // Of gauges and up-down counters: how values of several processes become one.
  std::string rule;  // all, sum, min, max, mostrecent
  bool is_live_mode = false;
  std::string help = "A test's.";
  std::vector<double> bounds;
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
// All have the one label `l`.
Metric MetricOf(const std::string& name, int variant);

}  // namespace tine::model

#endif  // TINE_TESTS_MODEL_METRICS_H_
