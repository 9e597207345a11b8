#ifndef TINE_COLLECTOR_TARGET_STAMPS_H_
#define TINE_COLLECTOR_TARGET_STAMPS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "collector/cell_sums.h"
#include "collector/family_variant.h"

namespace tine::collector {

// A number for each sum of CellSums, by the same indexes; 0 until it is set.
class TargetStamps {
 public:
  void SetCounts(uint32_t first, size_t count, uint32_t stamp) {
    for (size_t i = 0; i < count; ++i) {
      Set(&counts_, first + static_cast<uint32_t>(i), stamp);
    }
  }
  void SetValue(uint32_t index, uint32_t stamp) { Set(&values_, index, stamp); }
  void SetGauge(uint32_t index, uint32_t stamp) { Set(&gauges_, index, stamp); }

  // Who is part of what: a sum that has another stamp already becomes
  // kSeveral's.
  static constexpr uint32_t kSeveral = UINT32_MAX;
  void JoinCounts(uint32_t first, size_t count, uint32_t stamp) {
    for (size_t i = 0; i < count; ++i) {
      Join(&counts_, first + static_cast<uint32_t>(i), stamp);
    }
  }
  void JoinValue(uint32_t index, uint32_t stamp) {
    Join(&values_, index, stamp);
  }
  void JoinGauge(uint32_t index, uint32_t stamp) {
    Join(&gauges_, index, stamp);
  }
  void Join(const SeriesTargets& targets, size_t count_count, uint32_t stamp) {
    JoinCounts(targets.first_count, count_count, stamp);
    JoinValue(targets.value, stamp);
    JoinGauge(targets.gauge, stamp);
  }

  // Sets all sums of a series, of which the first `count_count` are counts.
  void Set(const SeriesTargets& targets, size_t count_count, uint32_t stamp) {
    SetCounts(targets.first_count, count_count, stamp);
    SetValue(targets.value, stamp);
    SetGauge(targets.gauge, stamp);
  }

  // Those of one series are set together, so one of them tells.
  uint32_t Of(const SeriesTargets& targets) const {
    if (targets.first_count != CellSums::kNobody) {
      return At(counts_, targets.first_count);
    }
    return targets.value != CellSums::kNobody ? At(values_, targets.value)
                                              : At(gauges_, targets.gauge);
  }

 private:
  static void Set(std::vector<uint32_t>* stamps, uint32_t index,
                  uint32_t stamp) {
    if (index == CellSums::kNobody) {
      return;
    }
    if (index >= stamps->size()) {
      stamps->resize(index + 1);
    }
    (*stamps)[index] = stamp;
  }
  static void Join(std::vector<uint32_t>* stamps, uint32_t index,
                   uint32_t stamp) {
    const uint32_t before = At(*stamps, index);
    Set(stamps, index, before == 0 || before == stamp ? stamp : kSeveral);
  }
  static uint32_t At(const std::vector<uint32_t>& stamps, uint32_t index) {
    return index < stamps.size() ? stamps[index] : 0;
  }

  std::vector<uint32_t> counts_;
  std::vector<uint32_t> values_;
  std::vector<uint32_t> gauges_;
};

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_TARGET_STAMPS_H_
