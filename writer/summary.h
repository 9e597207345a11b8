#ifndef TINE_WRITER_SUMMARY_H_
#define TINE_WRITER_SUMMARY_H_

#include <cstdint>
#include <string_view>

#include "writer/family.h"

namespace tine {

// How many observations and their sum; no quantiles, which cannot be merged
// across processes. Otherwise as Histogram.
class Summary : public internal::Handle {
 public:
  Summary() = default;
  Summary(std::string_view name, std::string_view help,
          const MetricOptions& options = {}) noexcept
      : Handle(internal::RegisterSingle(
            internal::Definition(name, help, {}, options)
                .OfType(format::MetricType::kSummary,
                        format::ValueKind::kF64))) {}
  explicit Summary(const internal::Series* series) : Handle(series) {}

  // NaN is dropped and counted in WriterStatus.
  void Observe(double value) const noexcept {
    if (__builtin_expect(value != value, 0)) {
      internal::CountDroppedObservation();
      return;
    }
    internal::Observe(address_.chunk, address_.cell, address_.cell + 1, value);
  }

  uint64_t Count() const noexcept { return internal::ReadU64(At(0)); }
  double Sum() const noexcept { return internal::ReadF64(At(1)); }
};

class SummaryFamily : public LabelledFamily<Summary> {
 public:
  SummaryFamily(std::string_view name, std::string_view help,
                StringSpan label_names,
                const MetricOptions& options = {}) noexcept
      : LabelledFamily(internal::Definition(name, help, label_names, options)
                           .OfType(format::MetricType::kSummary,
                                   format::ValueKind::kF64)) {}
};

}  // namespace tine

#endif  // TINE_WRITER_SUMMARY_H_
