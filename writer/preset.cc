#include "writer/preset.h"

#include <algorithm>

#include "common/metric_names.h"
#include "writer/family.h"
#include "writer/process_state.h"
#include "writer/registry.h"

namespace tine::internal {
namespace {

// (More would take longer to fill than to look up.)
constexpr size_t kFewLabels = 8;

// False of one that was refused, or that a disabled writer has: then a label is
// neither right nor wrong.
bool HasDefinition(const Family* family) {
  return family->definition.type != format::MetricType::kNone;
}

void NoteMistake(const char* what, const Family* family) {
  ProcessState* process = CurrentProcess();
  if (process != nullptr) {
    NoteUsageError(process, what, family->definition.name);
  }
}

}  // namespace

PresetLabels PresetLabels::With(
    std::initializer_list<LabelPair> labels) const noexcept {
  try {
    PresetLabels more(*this);
    for (const LabelPair& label : labels) {
      if (more.status_.ok() && HasDefinition(family_)) {
        more.status_ = more.Add(label);
      }
    }
    return more;
  } catch (...) {
    PresetLabels nothing(family_);
    nothing.status_ = Status(ErrorCode::kLimitReached, "no memory");
    return nothing;
  }
}

Status PresetLabels::Add(const LabelPair& label) {
  const auto refuse = [&](const char* what) {
    NoteMistake(what, family_);
    return Status(ErrorCode::kWrongLabels,
                  std::string(what) + ": \"" + std::string(label.name) +
                      "\" of \"" + std::string(family_->definition.name) +
                      "\"");
  };
  uint32_t index = 0;
  for (const std::string_view name : family_->definition.label_names) {
    if (name != label.name) {
      ++index;
      continue;
    }
    const auto at = std::find_if(
        labels_.begin(), labels_.end(),
        [index](const Label& known) { return known.index >= index; });
    if (at != labels_.end() && at->index == index) {
      return refuse("a label is preset twice");
    }
    labels_.insert(at, Label{index, name, std::string(label.value)});
    return Status();
  }
  return refuse("a preset of a label that the metric does not have");
}

template <size_t max_count>
Series* PresetLabels::FindAmong(StringSpan rest) const noexcept {
  std::string_view values[max_count];
  const size_t count = labels_.size() + rest.size();
  auto preset = labels_.begin();
  const std::string_view* next = rest.begin();
  for (uint32_t index = 0; index < count; ++index) {
    if (preset != labels_.end() && preset->index == index) {
      values[index] = preset->value;
      ++preset;
    } else {
      values[index] = *next++;
    }
  }
  return FindOrAddSeries(family_, StringSpan(values, count));
}

Series* PresetLabels::Find(StringSpan rest) const noexcept {
  if (!status_.ok()) {
    return nullptr;
  }
  const size_t name_count = family_->definition.label_names.size();
  if (!HasDefinition(family_)) {
    return FindOrAddSeries(family_, rest);
  }
  if (labels_.size() + rest.size() != name_count) {
    NoteMistake("a look-up in a preset with the wrong number of label values",
                family_);
    return nullptr;
  }
  return name_count <= kFewLabels ? FindAmong<kFewLabels>(rest)
                                  : FindAmong<kMaxLabelCount>(rest);
}

Series* PresetLabels::FindByName(const LabelPair* rest,
                                 size_t rest_count) const noexcept {
  if (!status_.ok()) {
    return nullptr;
  }
  LabelPair labels[kMaxLabelCount + 1];
  size_t count = 0;
  for (const Label& preset : labels_) {
    labels[count++] = {preset.name, preset.value};
  }
  for (size_t i = 0; i < rest_count && count <= kMaxLabelCount; ++i) {
    labels[count++] = rest[i];
  }
  return FindOrAddSeriesByName(family_, labels, count);
}

Status PresetLabels::status() const {
  return status_.ok() ? StatusOf(family_) : status_;
}

}  // namespace tine::internal
