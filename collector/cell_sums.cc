#include "collector/cell_sums.h"

#include <algorithm>

namespace tine::collector {
namespace {

// The loops below go in steps of a constant size, which the compiler turns into
// vector instructions at -O2 too.
constexpr size_t kStep = 8;
constexpr uint64_t kTopBit = uint64_t{1} << 63;

// Its top bit is the carry out of a + b = sum. (A comparison would not be
// vectorised on the x86-64 baseline.)
inline uint64_t Carry(uint64_t a, uint64_t b, uint64_t sum) {
  return (a & b) | ((a | b) & ~sum);
}

// Its top bit is the borrow out of a - b = difference.
inline uint64_t Borrow(uint64_t a, uint64_t b, uint64_t difference) {
  return (~a & b) | ((~a | b) & difference);
}

// One of the `count` sums has wrapped: takes everything back, which is exact,
// and adds with care.
size_t Repair(const uint64_t* cells, size_t count, uint64_t* sums) {
  bool saturated = false;
  size_t saturated_count = 0;
  for (size_t i = 0; i < count; ++i) {
    const uint64_t before = sums[i] - cells[i];
    sums[i] = SaturatingAdd(before, cells[i], &saturated);
    saturated_count += saturated ? 1 : 0;
    saturated = false;
  }
  return saturated_count;
}

}  // namespace

size_t AddSaturating(const uint64_t* __restrict cells, size_t count,
                     uint64_t* __restrict sums) {
  uint64_t carries[kStep] = {};
  size_t i = 0;
  for (; i + kStep <= count; i += kStep) {
    for (size_t j = 0; j < kStep; ++j) {
      const uint64_t a = sums[i + j];
      const uint64_t b = cells[i + j];
      const uint64_t sum = a + b;
      carries[j] |= Carry(a, b, sum);
      sums[i + j] = sum;
    }
  }
  uint64_t carry = 0;
  for (; i < count; ++i) {
    const uint64_t a = sums[i];
    sums[i] = a + cells[i];
    carry |= Carry(a, cells[i], sums[i]);
  }
  for (const uint64_t step_carry : carries) {
    carry |= step_carry;
  }
  return (carry & kTopBit) == 0 ? 0 : Repair(cells, count, sums);
}

size_t AddSaturatingTo(const uint32_t* targets, const uint64_t* cells,
                       size_t count, uint64_t* sums) {
  uint64_t carry = 0;
  for (size_t i = 0; i < count; ++i) {
    uint64_t& sum = sums[targets[i]];
    const uint64_t before = sum;
    sum = before + cells[i];
    carry |= Carry(before, cells[i], sum);
  }
  if ((carry & kTopBit) == 0) {
    return 0;
  }
  // Several cells may have one target: take all back before the first is added
  // again.
  for (size_t i = 0; i < count; ++i) {
    sums[targets[i]] -= cells[i];
  }
  size_t saturated_count = 0;
  for (size_t i = 0; i < count; ++i) {
    bool saturated = false;
    uint64_t& sum = sums[targets[i]];
    sum = SaturatingAdd(sum, cells[i], &saturated);
    saturated_count += saturated ? 1 : 0;
  }
  return saturated_count;
}

bool HasFallen(const uint64_t* __restrict cells,
               const uint64_t* __restrict before, size_t count) {
  uint64_t borrows[kStep] = {};
  size_t i = 0;
  for (; i + kStep <= count; i += kStep) {
    for (size_t j = 0; j < kStep; ++j) {
      const uint64_t a = cells[i + j];
      const uint64_t b = before[i + j];
      borrows[j] |= Borrow(a, b, a - b);
    }
  }
  uint64_t borrow = 0;
  for (; i < count; ++i) {
    borrow |= Borrow(cells[i], before[i], cells[i] - before[i]);
  }
  for (const uint64_t step_borrow : borrows) {
    borrow |= step_borrow;
  }
  return (borrow & kTopBit) != 0;
}

void CellSums::ResetTo(const CellSums& base, uint64_t now_wall_ns) {
  std::fill(
      std::copy(base.counts_.begin(), base.counts_.end(), counts_.begin()),
      counts_.end(), 0);
  std::fill(
      std::copy(base.values_.begin(), base.values_.end(), values_.begin()),
      values_.end(), ExactSum());
  // A gauge that is absent in `base` may be another one there: indexes are used
  // again.
  for (size_t i = 0; i < gauges_.size(); ++i) {
    if (i < base.gauges_.size() && base.gauges_[i].is_present() &&
        !base.gauges_[i].IsExpired(now_wall_ns)) {
      gauges_[i] = base.gauges_[i];
    } else {
      gauges_[i].Reset();
    }
  }
}

}  // namespace tine::collector
