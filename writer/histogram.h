#ifndef TINE_WRITER_HISTOGRAM_H_
#define TINE_WRITER_HISTOGRAM_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "writer/family.h"

namespace tine {

// Upper bounds of buckets, ascending, without +Inf (it is always there).
// .005 .01 .025 .05 .1 .25 .5 1 2.5 5 10: the default of the Prometheus client
// libraries, for seconds.
std::vector<double> DefaultBuckets();
// start, start + width, ...: `count` bounds. Width > 0, count > 0, or the
// result is empty, which registration refuses.
std::vector<double> LinearBuckets(double start, double width, int count);
// start, start * factor, ...: `count` bounds. Start > 0, factor > 1, count > 0,
// or the result is empty.
std::vector<double> ExponentialBuckets(double start, double factor, int count);

// Observations counted in buckets. Served as the sum over all processes, dead
// ones included. At most 510 bounds.
//
// Observe() is a search in the bounds and two adds; safe wherever
// Counter::Increment() is. A scrape in the middle of it can show the bucket and
// not yet the sum, but never a `_count` that differs from the buckets.
class Histogram : public internal::Handle {
 public:
  Histogram() = default;
  Histogram(std::string_view name, std::string_view help,
            const std::vector<double>& bounds,
            const MetricOptions& options = {}) noexcept
      : Histogram(internal::RegisterSingle(
            internal::Definition(name, help, {}, options)
                .OfType(format::MetricType::kHistogram, format::ValueKind::kF64)
                .WithBounds(bounds))) {}
  explicit Histogram(const internal::Series* series)
      : Handle(series), bounds_(internal::BoundsOf(series, &bound_count_)) {}

  // NaN is dropped and counted in WriterStatus: it would make the sum NaN for
  // ever. (client_golang keeps it.)
  void Observe(double value) const noexcept {
    if (__builtin_expect(value != value, 0)) {
      internal::CountDroppedObservation();
      return;
    }
    internal::Observe(address_.chunk, address_.cell + BucketOf(value),
                      address_.cell + bound_count_ + 1, value);
  }

  // For the process's own tests. `bucket` is 0 .. bound_count(), the last one
  // +Inf; not cumulative.
  uint32_t bound_count() const { return bound_count_; }
  uint64_t BucketCount(uint32_t bucket) const noexcept {
    return bucket <= bound_count_ ? internal::ReadU64(At(bucket)) : 0;
  }
  uint64_t Count() const noexcept;
  double Sum() const noexcept {
    return internal::ReadF64(At(bound_count_ + 1));
  }

 private:
  static constexpr uint32_t kLongestLinearSearch = 24;

  // The first bucket whose bound is >= value (`le` is inclusive).
  uint32_t BucketOf(double value) const noexcept {
    if (bound_count_ > kLongestLinearSearch) {
      return BucketOfMany(value);
    }
    uint32_t bucket = 0;
    while (bucket < bound_count_ && bounds_[bucket] < value) {
      ++bucket;
    }
    return bucket;
  }
  uint32_t BucketOfMany(double value) const noexcept;

  uint32_t bound_count_ = 0;
  const double* bounds_ = nullptr;
};

class HistogramFamily : public LabelledFamily<Histogram> {
 public:
  HistogramFamily(std::string_view name, std::string_view help,
                  StringSpan label_names, const std::vector<double>& bounds,
                  const MetricOptions& options = {}) noexcept
      : LabelledFamily(
            internal::Definition(name, help, label_names, options)
                .OfType(format::MetricType::kHistogram, format::ValueKind::kF64)
                .WithBounds(bounds)) {}
};

}  // namespace tine

#endif  // TINE_WRITER_HISTOGRAM_H_
