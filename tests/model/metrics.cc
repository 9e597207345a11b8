#include "tests/model/metrics.h"

#include <algorithm>
#include <iterator>

namespace tine::model {
namespace {

constexpr const char* kNames[] = {
    "u_total",
    "f_total",
    "m_total",
    "x_total",
    "h",
    "s",
    "ud_sum",
    "ud_livesum",
    "g_all",
    "g_liveall",
    "g_sum",
    "g_livesum",
    "g_min",
    "g_livemin",
    "g_max",
    "g_livemax",
    "g_mostrecent",
    "g_livemostrecent",
    "st_all",
    "st_liveall",
    "st_sum",
    "st_livesum",
    "st_max",
    "st_livemax",
    "st_mostrecent",
    "st_livemostrecent",
    "v_info",
};

void SetMode(const std::string& mode, Metric* metric) {
  metric->is_live_mode = mode.compare(0, 4, "live") == 0;
  metric->rule = metric->is_live_mode ? mode.substr(4) : mode;
}

std::vector<double> BoundsOf(int variant) {
  switch (variant) {
    case 0:
      return {1, 3};
    case 1:
      return {2, 3};
    default:
      return {0.5, 1, 2, 4};
  }
}

std::vector<std::string> StatesOf(int variant) {
  switch (variant) {
    case 0:
      return {"open", "shut"};
    case 1:
      return {"shut", "open", "stuck"};
    default:
      return {"torn", "open", "stuck"};
  }
}

}  // namespace

const std::vector<std::string>& MetricNames() {
  static const auto* names =
      new std::vector<std::string>(std::begin(kNames), std::end(kNames));
  return *names;
}

bool IsMetric(const std::string& name) {
  return std::count(MetricNames().begin(), MetricNames().end(), name) != 0;
}

Metric MetricOf(const std::string& name, int variant) {
  Metric metric;
  metric.name = name;
  if (name.compare(0, 2, "g_") == 0) {
    metric.instrument = Instrument::kGauge;
    SetMode(name.substr(2), &metric);
    metric.has_time_to_live = variant == 1;
  } else if (name.compare(0, 3, "ud_") == 0) {
    metric.instrument = Instrument::kUpDownCounter;
    SetMode(name.substr(3), &metric);
  } else if (name == "f_total" || (name == "m_total" && variant == 1)) {
    metric.instrument = Instrument::kDoubleCounter;
  } else if (name == "x_total" && variant == 1) {
    metric.instrument = Instrument::kGauge;
    SetMode("max", &metric);
  } else if (name == "x_total" && variant == 2) {
    metric.help = "Another text.";
  } else if (name == "h") {
    metric.instrument = Instrument::kHistogram;
    metric.bounds = BoundsOf(variant);
  } else if (name == "s") {
    metric.instrument = Instrument::kSummary;
  } else if (name.compare(0, 3, "st_") == 0) {
    metric.instrument = Instrument::kStateSet;
    SetMode(name.substr(3), &metric);
    metric.states = StatesOf(variant);
    metric.has_time_to_live = variant == 1;
  } else if (name == "v_info") {
    metric.instrument = Instrument::kInfo;
    SetMode("livemax", &metric);
  }
  return metric;
}

}  // namespace tine::model
