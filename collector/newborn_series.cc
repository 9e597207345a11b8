#include "collector/newborn_series.h"

#include <algorithm>

namespace tine::collector {
namespace {

using format::MetricType;

bool NeverFalls(MetricType type) {
  return type == MetricType::kCounter || type == MetricType::kHistogram ||
         type == MetricType::kSummary;
}

}  // namespace

void NewbornSeries::Add(FamilyVariant* variant) {
  const MergedSeries& series = variant->family().series.back();
  // A file that could not be opened before brings series late that are old.
  if (NeverFalls(variant->type()) && series.created_wall_ns >= begin_wall_ns_) {
    newborn_.push_back({variant, series.labels.packed(), 0});
  }
}

void NewbornSeries::ForgetGone() {
  newborn_.erase(
      std::remove_if(newborn_.begin(), newborn_.end(),
                     [](const Newborn& series) {
                       return !series.variant->HasSeries(series.packed_labels);
                     }),
      newborn_.end());
}

void NewbornSeries::ShowAsZero(uint64_t now_ms) {
  while (!newborn_.empty() && newborn_.front().due_ms != 0 &&
         newborn_.front().due_ms <= now_ms) {
    newborn_.pop_front();
  }
  for (Newborn& series : newborn_) {
    if (series.due_ms == 0) {
      series.due_ms = now_ms + duration_ms_;
    }
    series.variant->ShowAsZero(series.packed_labels);
  }
}

}  // namespace tine::collector
