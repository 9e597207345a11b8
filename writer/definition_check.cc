#include "writer/definition_check.h"

#include <algorithm>
#include <cmath>

#include "common/metric_names.h"
#include "writer/process_state.h"
#include "writer/settings.h"

namespace tine::internal {
namespace {

using format::MetricType;

Status CheckName(const Definition& definition) {
  const std::string name = Quoted(definition.name);
  if (!IsValidMetricName(definition.name)) {
    return Status(ErrorCode::kInvalidName,
                  "metric name " + name +
                      " is refused: a name is [a-zA-Z_:][a-zA-Z0-9_:]*, at "
                      "most 1024 bytes");
  }
  if (definition.help.size() > kMaxHelpBytes || !IsValidUtf8(definition.help)) {
    return Status(ErrorCode::kInvalidName,
                  "the help text of " + name +
                      " is refused: it must be UTF-8, at most 65536 bytes");
  }
  const bool has_no_unit = definition.type == MetricType::kStateSet ||
                           definition.type == MetricType::kInfo;
  if (has_no_unit && !definition.unit.empty()) {
    return Status(ErrorCode::kInvalidName,
                  "the unit of " + name + " is refused: a " +
                      std::string(InstrumentName(definition.type)) +
                      " measures nothing");
  }
  if (definition.type == MetricType::kInfo &&
      !EndsWith(definition.name, "_info")) {
    return Status(
        ErrorCode::kInvalidName,
        "metric name " + name + " is refused: an info's name ends in _info");
  }
  std::string_view stem = definition.name;
  if (EndsWith(stem, "_total")) {
    stem.remove_suffix(6);
  }
  const std::string unit(definition.unit);
  if (!unit.empty() && (unit.size() > kMaxUnitBytes || !IsValidUtf8(unit) ||
                        !EndsWith(stem, "_" + unit))) {
    return Status(ErrorCode::kInvalidName,
                  "the unit " + Quoted(unit) + " of " + name +
                      " is refused: the name must end in it, before _total");
  }
  return Status();
}

Status CheckLabelNames(const Definition& definition) {
  const std::string metric = Quoted(definition.name);
  const StringSpan names = definition.label_names;
  if (names.size() > kMaxLabelCount) {
    return Status(ErrorCode::kInvalidLabel,
                  metric + " has more than 64 labels");
  }
  for (size_t i = 0; i < names.size(); ++i) {
    const std::string label = "label " + Quoted(names[i]) + " of " + metric;
    if (!IsValidLabelName(names[i]) || IsReservedLabelName(names[i])) {
      return Status(ErrorCode::kInvalidLabel,
                    label +
                        " is refused: a label name is [a-zA-Z_][a-zA-Z0-9_]*, "
                        "does not begin with \"__\" and is not le or quantile");
    }
    if (names[i] == "pid" && IsAllMode(definition.gauge_mode)) {
      return Status(ErrorCode::kInvalidLabel,
                    label +
                        " is refused: in modes kAll and kLiveAll it tells the "
                        "processes apart");
    }
    if (IsProgramLabel(g_image.settings, names[i])) {
      return Status(ErrorCode::kInvalidLabel,
                    label + " is refused: Init() made it a process label");
    }
    for (size_t k = 0; k < i; ++k) {
      if (names[k] == names[i]) {
        return Status(ErrorCode::kInvalidLabel, label + " appears twice");
      }
    }
  }
  return Status();
}

// Each becomes the value of a label that is called like the metric.
Status CheckStates(const Definition& definition) {
  const std::string metric = Quoted(definition.name);
  const StringSpan names = definition.state_names;
  if (names.empty() || names.size() > format::kMaxStates) {
    return Status(ErrorCode::kInvalidState, metric + " needs 1 to 64 states");
  }
  for (size_t i = 0; i < names.size(); ++i) {
    const std::string state = "state " + Quoted(names[i]) + " of " + metric;
    if (names[i].empty() || names[i].size() > kMaxStateBytes ||
        !IsValidUtf8(names[i])) {
      return Status(ErrorCode::kInvalidState,
                    state + " is refused: it must be UTF-8 of 1 to 1024 bytes");
    }
    for (size_t k = 0; k < i; ++k) {
      if (names[k] == names[i]) {
        return Status(ErrorCode::kInvalidState, state + " appears twice");
      }
    }
  }
  bool is_taken =
      IsProgramLabel(g_image.settings, definition.name) ||
      (definition.name == "pid" && IsAllMode(definition.gauge_mode));
  for (const std::string_view label : definition.label_names) {
    is_taken = is_taken || label == definition.name;
  }
  if (!IsValidLabelName(definition.name) ||
      IsReservedLabelName(definition.name) || is_taken ||
      definition.label_names.size() >= kMaxLabelCount) {
    return Status(ErrorCode::kInvalidName,
                  "metric name " + metric +
                      " is refused: a state set's name is the name of a label, "
                      "besides at most 63 others, that holds the state");
  }
  return Status();
}

Status CheckTimeToLive(const Definition& definition) {
  const auto time_to_live = definition.time_to_live;
  if (time_to_live.count() == 0) {
    return Status();
  }
  if (time_to_live.count() < 0) {
    return Status(ErrorCode::kInvalidTimeToLive,
                  Quoted(definition.name) + ": its time to live is negative");
  }
  if (definition.type != MetricType::kGauge &&
      definition.type != MetricType::kStateSet) {
    return Status(ErrorCode::kInvalidTimeToLive,
                  Quoted(definition.name) + ": a " +
                      std::string(InstrumentName(definition.type)) +
                      " has no time to live: only a gauge or state set, which "
                      "is set, can "
                      "grow old");
  }
  return Status();
}

Status CheckMode(const Definition& definition) {
  const GaugeMode mode = definition.gauge_mode;
  if (definition.type == MetricType::kStateSet && !IsStateSetMode(mode)) {
    return Status(
        ErrorCode::kInvalidMode,
        Quoted(definition.name) +
            ": a state set's mode is not kMin or kLiveMin (a process that has "
            "set nothing yet would make every state false), but kAll, kSum, "
            "kMax, kMostRecent or one of their live ones");
  }
  if (definition.type == MetricType::kUpDownCounter &&
      mode != GaugeMode::kSum && mode != GaugeMode::kLiveSum) {
    return Status(ErrorCode::kInvalidMode,
                  Quoted(definition.name) +
                      ": an UpDownCounter's mode is kSum or kLiveSum");
  }
  if (definition.type == MetricType::kGauge && GaugeModeName(mode).empty()) {
    return Status(ErrorCode::kInvalidMode,
                  Quoted(definition.name) + ": a gauge needs a mode");
  }
  return Status();
}

Status CheckBounds(std::string_view name, const std::vector<double>& bounds) {
  const std::string metric = Quoted(name);
  if (bounds.empty() || bounds.size() > format::kMaxBounds) {
    return Status(ErrorCode::kInvalidBuckets,
                  metric + " needs 1 to 510 bucket bounds");
  }
  for (size_t i = 0; i < bounds.size(); ++i) {
    if (!std::isfinite(bounds[i]) || (i > 0 && !(bounds[i - 1] < bounds[i]))) {
      return Status(ErrorCode::kInvalidBuckets,
                    metric + ": bucket bound number " + std::to_string(i + 1) +
                        " is not finite or not greater than the one before");
    }
  }
  return Status();
}

double SecondsOf(std::chrono::milliseconds time) {
  return std::chrono::duration<double>(time).count();
}

bool AreEqual(const StringListView& known, StringSpan names) {
  bool are_equal = known.size() == names.size();
  size_t i = 0;
  for (const std::string_view name : known) {
    are_equal = are_equal && name == names[i++];
  }
  return are_equal;
}

}  // namespace

bool EndsWith(std::string_view text, std::string_view end) noexcept {
  return text.size() >= end.size() &&
         text.substr(text.size() - end.size()) == end;
}

std::string Quoted(std::string_view text) {
  return "\"" + std::string(text) + "\"";
}

std::vector<double> BoundsWithoutInfinity(const Definition& definition) {
  std::vector<double> bounds;
  if (definition.bounds != nullptr) {
    bounds = *definition.bounds;
    if (!bounds.empty() && bounds.back() == HUGE_VAL) {
      bounds.pop_back();
    }
  }
  return bounds;
}

Status CheckDefinition(const Definition& definition,
                       const std::vector<double>& bounds) {
  Status status = CheckName(definition);
  if (status.ok()) {
    status = CheckLabelNames(definition);
  }
  if (status.ok()) {
    status = CheckMode(definition);
  }
  if (status.ok()) {
    status = CheckTimeToLive(definition);
  }
  if (status.ok() && definition.type == MetricType::kHistogram) {
    status = CheckBounds(definition.name, bounds);
  }
  if (status.ok() && definition.type == MetricType::kStateSet) {
    status = CheckStates(definition);
  }
  return status;
}

FamilyView ViewOf(const Definition& definition,
                  const std::vector<double>& bounds) {
  FamilyView view;
  view.type = definition.type;
  view.value_kind = definition.value_kind;
  view.gauge_mode = definition.gauge_mode;
  view.name = definition.name;
  view.unit = definition.unit;
  view.help = definition.help;
  view.bounds = bounds.data();
  view.bound_count = bounds.size();
  view.time_to_live_s = SecondsOf(definition.time_to_live);
  return view;
}

const char* DifferenceFrom(const Family* family, const Definition& definition,
                           const std::vector<double>& bounds) {
  const FamilyView& known = family->definition;
  if (known.type != definition.type ||
      known.value_kind != definition.value_kind) {
    return "type";
  }
  if (known.gauge_mode != definition.gauge_mode) {
    return "gauge mode";
  }
  if (known.help != definition.help) {
    return "help text";
  }
  if (known.unit != definition.unit) {
    return "unit";
  }
  if (!AreEqual(known.label_names, definition.label_names)) {
    return "labels";
  }
  if (!AreEqual(known.state_names, definition.state_names)) {
    return "states";
  }
  if (known.time_to_live_s != SecondsOf(definition.time_to_live)) {
    return "time to live";
  }
  if (family->max_series != definition.max_series) {
    return "max_series";
  }
  if (known.bound_count != bounds.size() ||
      !std::equal(bounds.begin(), bounds.end(), known.bounds)) {
    return "buckets";
  }
  return nullptr;
}

}  // namespace tine::internal
