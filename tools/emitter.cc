#include "tools/emitter.h"

#include <optional>
#include <string_view>
#include <vector>

#include "common/metric_names.h"

namespace tine::tools {
namespace {

using format::MetricType;

// Changes that came to no file of their own series, or not yet.
uint64_t DropCount(const WriterStatus& status) {
  return status.dropped_observations + status.dropped_series +
         status.failed_writes;
}

// What a command means where neither it nor an earlier one says.
void FillInDefaults(EmitCommand* command) {
  if (command->type == MetricType::kUpDownCounter && !command->mode) {
    command->mode = GaugeMode::kSum;
  }
  if (command->type == MetricType::kGauge && !command->mode) {
    command->mode = command->is_add ? GaugeMode::kSum : GaugeMode::kMostRecent;
  }
  if (command->type == MetricType::kHistogram && !command->buckets) {
    command->buckets = DefaultBuckets();
  }
  if (!command->help_text) {
    command->help_text = "";
  }
  if (!command->unit) {
    command->unit = "";
  }
}

template <typename Value>
bool TakeOver(const std::optional<Value>& first, std::optional<Value>* value) {
  if (!*value) {
    *value = first;
  }
  return *value == first;
}

std::vector<std::string_view> LabelNames(const EmitCommand& command) {
  std::vector<std::string_view> names;
  for (const auto& label : command.labels) {
    names.push_back(label.first);
  }
  return names;
}

// The series of the command's labels, and whether there is one.
template <typename Family>
auto Series(const Family& family, const EmitCommand& command, Status* status) {
  *status = family.status();
  std::vector<std::string_view> values;
  for (const auto& label : command.labels) {
    values.push_back(label.second);
  }
  const auto series = family.WithLabelValues(values);
  if (status->ok()) {
    *status = series.status();
  }
  return series;
}

Status Count(const EmitCommand& command,
             const std::vector<std::string_view>& names,
             const MetricOptions& options) {
  Status status;
  if (command.is_whole) {
    const CounterFamily family(command.name, *command.help_text, names,
                               options);
    const Counter counter = Series(family, command, &status);
    if (status.ok()) {
      counter.Increment(command.whole);
    }
    return status;
  }
  const DoubleCounterFamily family(command.name, *command.help_text, names,
                                   options);
  const DoubleCounter counter = Series(family, command, &status);
  if (status.ok()) {
    counter.Increment(command.real);
  }
  return status;
}

}  // namespace

bool Emitter::MakeLikeFirst(EmitCommand* command, std::string* error) {
  const auto it = first_by_name_.find(command->name);
  if (it == first_by_name_.end()) {
    FillInDefaults(command);
    return true;
  }
  const EmitCommand& first = it->second;
  const char* difference = nullptr;
  if (command->type != first.type) {
    difference = "type";
  } else if (LabelNames(*command) != LabelNames(first)) {
    difference = "labels";
  } else if (!TakeOver(first.mode, &command->mode)) {
    difference = "mode";
  } else if (!TakeOver(first.buckets, &command->buckets)) {
    difference = "buckets";
  } else if (!TakeOver(first.help_text, &command->help_text)) {
    difference = "help text";
  } else if (!TakeOver(first.unit, &command->unit)) {
    difference = "unit";
  } else if (command->is_whole && !first.is_whole) {
    command->is_whole = false;  // a whole number is a double, too
  } else if (!command->is_whole && first.is_whole) {
    difference = "numbers, whole ones";
  } else if (command->is_add && IsMostRecentMode(*command->mode)) {
    difference = "operations: its mode does not go with --op=add";
  }
  if (difference != nullptr) {
    *error = command->name + " began with different " + difference;
    return false;
  }
  return true;
}

Status Emitter::Change(const EmitCommand& command) const {
  const std::vector<std::string_view> names = LabelNames(command);
  MetricOptions options;
  options.unit = *command.unit;
  const std::string_view help = *command.help_text;
  Status status;
  switch (command.type) {
    case MetricType::kCounter:
      return Count(command, names, options);
    case MetricType::kUpDownCounter: {
      const UpDownCounterFamily family(command.name, help, names, *command.mode,
                                       options);
      const UpDownCounter counter = Series(family, command, &status);
      if (status.ok()) {
        counter.Add(static_cast<int64_t>(command.whole));
      }
      return status;
    }
    case MetricType::kGauge: {
      const GaugeFamily family(command.name, help, names, *command.mode,
                               options);
      const Gauge gauge = Series(family, command, &status);
      if (status.ok() && command.is_add) {
        gauge.Add(command.real);
      } else if (status.ok()) {
        gauge.Set(command.real);
      }
      return status;
    }
    case MetricType::kHistogram: {
      const HistogramFamily family(command.name, help, names, *command.buckets,
                                   options);
      const Histogram histogram = Series(family, command, &status);
      if (status.ok()) {
        histogram.Observe(command.real);
      }
      return status;
    }
    case MetricType::kSummary: {
      const SummaryFamily family(command.name, help, names, options);
      const Summary summary = Series(family, command, &status);
      if (status.ok()) {
        summary.Observe(command.real);
      }
      return status;
    }
    case MetricType::kStateSet:
    case MetricType::kInfo:
    case MetricType::kNone:
      break;
  }
  return Status(ErrorCode::kInvalidName, "no command");
}

bool Emitter::Apply(EmitCommand command, std::string* error) {
  if (!MakeLikeFirst(&command, error)) {
    return false;
  }
  const uint64_t drops_before = DropCount(GetWriterStatus());
  const Status status = Change(command);
  if (!status.ok()) {
    *error = status.message();
    return false;
  }
  first_by_name_.emplace(command.name, command);
  const WriterStatus after = GetWriterStatus();
  if (!after.is_enabled) {
    *error = "not counted: TINE_DISABLE is set, or TINE_STORE=none";
    return false;
  }
  if (after.store == Store::kMemory) {
    *error = "not in a metric file: TINE_STORE=memory";
    return false;
  }
  if (after.files.empty() || DropCount(after) != drops_before) {
    *error = "not in a metric file of " + after.directory +
             (after.last_error.empty() ? "" : ": " + after.last_error);
    return false;
  }
  return true;
}

}  // namespace tine::tools
