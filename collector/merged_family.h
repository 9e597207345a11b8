// What a scrape serves: families, their series, and the merged numbers. Made by
// MergedView, read by every encoder.

#ifndef TINE_COLLECTOR_MERGED_FAMILY_H_
#define TINE_COLLECTOR_MERGED_FAMILY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "common/record_codec.h"
#include "common/record_layout.h"

namespace tine::collector {

// A label set: name, value, name, value, ... sorted by name, no empty value,
// packed into one string (each a u16 length and its bytes). One allocation a
// series, and comparable and hashable as it is.
class LabelSet {
 public:
  LabelSet() = default;
  explicit LabelSet(std::string packed, size_t pair_count)
      : packed_(std::move(packed)), pair_count_(pair_count) {}

  // Iterates name, value, name, value, ...
  StringListView strings() const {
    return StringListView(reinterpret_cast<const uint8_t*>(packed_.data()),
                          packed_.size(), 2 * pair_count_);
  }
  size_t pair_count() const { return pair_count_; }
  bool empty() const { return pair_count_ == 0; }
  const std::string& packed() const { return packed_; }

 private:
  std::string packed_;
  size_t pair_count_ = 0;
};

// Order in the exposition: by label names and values, as strings, pair by pair.
bool operator<(const LabelSet& a, const LabelSet& b);

struct MergedSeries {
  LabelSet labels;
  // False: nothing to serve now (an unset gauge, a live mode without a live
  // writer). Encoders skip it.
  bool is_present = false;
  // Counts what a cap keeps from having a series of its own.
  bool is_overflow = false;
  // Since when the series counts: the earliest of its writers' records. Once it
  // was served it stays, as long as the series does.
  uint64_t created_wall_ns = 0;
  bool was_served = false;
  // The user whose file came with it first; see SeriesBudget.
  uint64_t owner = UINT64_MAX;
  // Counter, gauge, up-down counter: the value. Histogram, summary: the sum.
  double value = 0;
  // Summary: the number of observations. (A histogram's is the total of its
  // buckets, by definition.)
  uint64_t count = 0;
  // Histogram: not cumulative, one for each bound of the family and one for
  // +Inf.
  std::vector<uint64_t> buckets;
};

struct MergedFamily {
  std::string name;
  std::string help;
  std::string unit;
  format::MetricType type = format::MetricType::kNone;
  std::vector<double> bounds;  // histogram: strictly ascending, without +Inf
  std::vector<MergedSeries> series;  // sorted by labels
  // Changes whenever `series` gains, loses or reorders entries, or a text above
  // changes, and is never used twice in one process: what an encoder has cached
  // for (family name, layout_id) is still right.
  uint64_t layout_id = 0;
};

// All families, sorted by name. Valid until the next Scrape() of the view that
// made it.
using MergedFamilies = std::vector<const MergedFamily*>;

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_MERGED_FAMILY_H_
