// The merged numbers of a scrape, as plain arrays without names. Every merged
// series knows its indexes here, every source adds to them, and nothing in
// between hashes or allocates.

#ifndef TINE_COLLECTOR_CELL_SUMS_H_
#define TINE_COLLECTOR_CELL_SUMS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"
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
  uint32_t NewCounts(size_t count) {
    return New(&free_counts_[count], &counts_, count);
  }
  uint32_t NewValue() { return New(&free_values_, &values_, 1); }
  uint32_t NewGauge(format::GaugeMode mode) {
    const uint32_t index = New(&free_gauges_, &gauges_, 1);
    gauges_[index] = GaugeMerge(mode);
    return index;
  }

  // No source has these indexes any more, nor does any base: they may be given
  // out again.
  void FreeCounts(uint32_t first, size_t count) {
    free_counts_[count].push_back(first);
  }
  void FreeValue(uint32_t index) { free_values_.push_back(index); }
  void FreeGauge(uint32_t index) { free_gauges_.push_back(index); }

  // Before the sources are added: everything back to what `base` has, which was
  // made from these sums at some time before; what it does not know, and gauges
  // that are too old by now, to nothing.
  void ResetTo(const CellSums& base, uint64_t now_wall_ns);
  void Reset() { ResetTo(CellSums(), 0); }

  // What has come together at the index that belongs to nobody.
  void ClearNobody() {
    counts_[kNobody] = 0;
    values_[kNobody] = ExactSum();
    gauges_[kNobody].Reset();
  }

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
  static uint32_t New(std::vector<uint32_t>* free, std::vector<T>* cells,
                      size_t count) {
    if (!free->empty()) {
      const uint32_t first = free->back();
      free->pop_back();
      return first;
    }
    const auto first = static_cast<uint32_t>(cells->size());
    cells->resize(cells->size() + count);
    return first;
  }

  std::vector<uint64_t> counts_;
  std::vector<ExactSum> values_;
  std::vector<GaugeMerge> gauges_;
  absl::flat_hash_map<size_t, std::vector<uint32_t>> free_counts_;  // by length
  std::vector<uint32_t> free_values_;
  std::vector<uint32_t> free_gauges_;
};

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_CELL_SUMS_H_
