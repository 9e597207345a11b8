#include "collector/series_key.h"

#include <algorithm>
#include <string>
#include <utility>

#include "common/metric_names.h"

namespace tine::collector {
namespace {

constexpr std::string_view kPidLabelName = "pid";

}  // namespace

SeriesKeyBuilder::SeriesKeyBuilder(const StringListView& label_names,
                                   const StringListView& process_labels,
                                   std::string_view pid_label) {
  labels_.reserve(label_names.size() + process_labels.size() / 2 + 1);
  if (!pid_label.empty()) {
    Add({kPidLabelName, kFixedValue, pid_label});
  }
  uint32_t value_index = 0;
  for (const std::string_view name : label_names) {
    Add({name, value_index++, {}});
  }
  for (auto it = process_labels.begin(); it != process_labels.end(); ++it) {
    const std::string_view name = *it;
    ++it;
    Add({name, kFixedValue, *it});
  }
  std::sort(labels_.begin(), labels_.end(),
            [](const Label& a, const Label& b) { return a.name < b.name; });
}

void SeriesKeyBuilder::Add(const Label& label) {
  for (const Label& earlier : labels_) {
    if (earlier.name == label.name) {
      ++clash_count_;
      return;
    }
  }
  labels_.push_back(label);
}

LabelSet SeriesKeyBuilder::Build(const StringListView& values) {
  values_.clear();
  for (const std::string_view value : values) {
    values_.push_back(value);
  }
  for (Label& label : labels_) {
    if (label.value_index != kFixedValue) {
      label.value = values_[label.value_index];
    }
  }
  return Pack();
}

LabelSet SeriesKeyBuilder::BuildOverflow() const {
  SeriesKeyBuilder overflow = *this;
  for (Label& label : overflow.labels_) {
    label.value = kOverflowLabelValue;
  }
  return overflow.Pack();
}

LabelSet SeriesKeyBuilder::Pack() const {
  size_t size_bytes = 0;
  for (const Label& label : labels_) {
    size_bytes +=
        label.value.empty() ? 0 : 4 + label.name.size() + label.value.size();
  }
  std::string packed(size_bytes, '\0');
  auto* at = reinterpret_cast<uint8_t*>(packed.data());
  size_t pair_count = 0;
  for (const Label& label : labels_) {
    if (label.value.empty()) {
      continue;
    }
    at = AppendString(AppendString(at, label.name), label.value);
    ++pair_count;
  }
  return LabelSet(std::move(packed), pair_count);
}

}  // namespace tine::collector
