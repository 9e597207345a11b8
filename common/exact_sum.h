#ifndef TINE_COMMON_EXACT_SUM_H_
#define TINE_COMMON_EXACT_SUM_H_

#include <cmath>
#include <cstdint>

namespace tine {

// A sum of doubles kept as an unevaluated pair high + low with about 106
// significant bits (Dekker's TwoSum, 1971), so that the order in which
// processes, slots and files are added does not show in the double that is
// served: one ulp down would be a counter reset. Must not be compiled with
// -ffast-math.
class ExactSum {
 public:
  ExactSum() = default;
  ExactSum(double high, double low) : high_(high), low_(low) {}

  void Add(double value) {
    const double sum = high_ + value;
    if (!std::isfinite(sum)) {
      // Infinity and NaN have no error term; Inf - Inf would make one of NaN.
      high_ = sum;
      low_ = 0;
      return;
    }
    const double virtual_value = sum - high_;
    const double error =
        (high_ - (sum - virtual_value)) + (value - virtual_value) + low_;
    high_ = sum + error;
    low_ = error - (high_ - sum);
  }

  void Add(const ExactSum& other) {
    Add(other.high_);
    Add(other.low_);
  }

  // The nearest double.
  double value() const { return high_; }
  double high() const { return high_; }
  double low() const { return low_; }

 private:
  double high_ = 0;
  double low_ = 0;
};

// u64 sums across processes stop at the top instead of wrapping round to a
// small number.
inline uint64_t SaturatingAdd(uint64_t a, uint64_t b, bool* saturated) {
  uint64_t sum;
  if (__builtin_add_overflow(a, b, &sum)) {
    *saturated = true;
    return UINT64_MAX;
  }
  return sum;
}

}  // namespace tine

#endif  // TINE_COMMON_EXACT_SUM_H_
