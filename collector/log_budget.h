// How many lines may be logged about things that strangers can cause.

#ifndef TINE_COLLECTOR_LOG_BUDGET_H_
#define TINE_COLLECTOR_LOG_BUDGET_H_

#include <algorithm>
#include <cstdint>

namespace tine::collector {

// Some lines at once, and one more for each `refill_ms` that passes. Not
// thread-safe.
class LogBudget {
 public:
  LogBudget(uint64_t max_lines, uint64_t refill_ms)
      : max_lines_(max_lines), refill_ms_(refill_ms), lines_(max_lines) {}

  // May a line be logged now? `now_ms` never falls.
  bool TrySpend(uint64_t now_ms) {
    const uint64_t refill = (now_ms - refilled_ms_) / refill_ms_;
    refilled_ms_ += refill * refill_ms_;
    lines_ = std::min(max_lines_, lines_ + std::min(refill, max_lines_));
    if (lines_ == 0) {
      return false;
    }
    --lines_;
    return true;
  }

 private:
  uint64_t max_lines_;
  uint64_t refill_ms_;
  uint64_t lines_;
  uint64_t refilled_ms_ = 0;
};

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_LOG_BUDGET_H_
