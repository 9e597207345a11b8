// The merged numbers of a scrape, as plain arrays without names. Every merged
// series knows its indexes here, every source adds to them, and nothing in
// between hashes or allocates.

#ifndef TINE_COLLECTOR_CELL_SUMS_H_
#define TINE_COLLECTOR_CELL_SUMS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "collector/gauge_merge.h"
#include "common/exact_sum.h"
#include "common/record_layout.h"

namespace tine::collector {

// sums[i] += cells[i] for `count` cells; a sum that would wrap stops at the
// top. Returns how many did.
size_t AddSaturating(const uint64_t* cells, size_t count, uint64_t* sums);

// The same for sums[targets[i]] += cells[i].
size_t AddSaturatingTo(const uint32_t* targets, const uint64_t* cells,
                       size_t count, uint64_t* sums);

// True when some cell is less than the same cell was before.
bool HasFallen(const uint64_t* cells, const uint64_t* before, size_t count);

class CellSums {
 public:
  // Index 0 belongs to nobody: cells that are not served go there, so that the
  // loops need no test.
  static constexpr uint32_t kNobody = 0;

  CellSums() : counts_(1), values_(1), gauges_(1) {}

  // Each returns the first of `count` new indexes, which lie one after the
  // other.
  uint32_t NewCounts(size_t count) { return Grow(&counts_, count); }
  uint32_t NewValue() { return Grow(&values_, 1); }
  uint32_t NewGauge(format::GaugeMode mode) {
    gauges_.emplace_back(mode);
    return static_cast<uint32_t>(gauges_.size() - 1);
  }

  // Before the sources are added: everything back to nothing.
  void Reset();

  // u64 counters, buckets, numbers of observations.
  uint64_t* counts() { return counts_.data(); }
  uint64_t count(uint32_t index) const { return counts_[index]; }
  // f64 counters, sums of histograms and summaries.
  ExactSum& value(uint32_t index) { return values_[index]; }
  const ExactSum& value(uint32_t index) const { return values_[index]; }
  GaugeMerge& gauge(uint32_t index) { return gauges_[index]; }
  const GaugeMerge& gauge(uint32_t index) const { return gauges_[index]; }

 private:
  template <typename T>
  static uint32_t Grow(std::vector<T>* cells, size_t count) {
    const auto first = static_cast<uint32_t>(cells->size());
    cells->resize(cells->size() + count);
    return first;
  }

  std::vector<uint64_t> counts_;
  std::vector<ExactSum> values_;
  std::vector<GaugeMerge> gauges_;
};

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_CELL_SUMS_H_
