#ifndef TINE_WRITER_GAUGE_H_
#define TINE_WRITER_GAUGE_H_

#include <string_view>

#include "writer/family.h"
#include "writer/set_times.h"

namespace tine {

// A value that is set. `mode` says what several processes' values become: kAll,
// kLiveAll (one series each, with a label `pid`), kSum, kLiveSum, kMin,
// kLiveMin, kMax, kLiveMax, kMostRecent, kLiveMostRecent. The live modes forget
// a process as soon as it is gone. There is no default: merging the wrong way
// is the classic mistake.
//
// Absent from the exposition until it is first set. Any thread, signal handlers
// and forked children too; a gauge has one value per process, the last one set.
// For a number that is only ever added to, use UpDownCounter.
class Gauge : public internal::Handle {
 public:
  Gauge() = default;
  Gauge(std::string_view name, std::string_view help, GaugeMode mode,
        const MetricOptions& options = {}) noexcept
      : Gauge(internal::RegisterSingle(
            internal::Definition(name, help, {}, options)
                .OfType(format::MetricType::kGauge, format::ValueKind::kF64,
                        mode))) {}
  explicit Gauge(const internal::Series* series) noexcept;

  // One store; with a time to live, and in the mostrecent modes, one more of
  // the time and a reading of the clock for each of the two.
  void Set(double value) const noexcept {
    internal::Cell* block = internal::SharedBlock(address_.chunk);
    if (__builtin_expect(block == nullptr, 0)) {
      SetSlow(value);
      return;
    }
    SetIn(block, value);
  }

  // Adds to the value, an unset one counting as 0. Atomic among threads. In the
  // mostrecent modes this is an error (the sum of two processes' changes is
  // nobody's most recent value): dropped and counted in WriterStatus.
  void Add(double amount) const noexcept {
    internal::Cell* block = internal::SharedBlock(address_.chunk);
    if (__builtin_expect(block == nullptr || has_times_, 0)) {
      AddSlow(amount);
      return;
    }
    AddTo(block + address_.cell, amount);
  }
  void Increment() const noexcept { Add(1); }
  void Decrement() const noexcept { Add(-1); }

  // Seconds since 1970, now.
  void SetToCurrentTime() const noexcept;

  // False while unset. For the process's own tests.
  bool Value(double* value) const noexcept;

 private:
  void SetSlow(double value) const noexcept;
  void AddSlow(double amount) const noexcept;
  void SetIn(internal::Cell* block, double value) const noexcept {
    internal::Cell* cell = block + address_.cell;
    const uint64_t bits =
        internal::DoubleToCell(value) ^ format::kUnsetGaugeBits;
    if (__builtin_expect(has_times_, 0)) {
      StoreWithTimes(cell, bits);
      return;
    }
    internal::StoreCell(cell, bits);
  }
  static void AddTo(internal::Cell* cell, double amount) noexcept {
    uint64_t expected = internal::LoadCell(cell);
    uint64_t desired;
    do {
      const double value =
          expected == 0
              ? 0
              : internal::CellToDouble(expected ^ format::kUnsetGaugeBits);
      desired =
          internal::DoubleToCell(value + amount) ^ format::kUnsetGaugeBits;
    } while (!__atomic_compare_exchange_n(cell, &expected, desired,
                                          /*weak=*/true, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
  }
  void StoreWithTimes(internal::Cell* cell, uint64_t bits) const noexcept;

  internal::SetTimes times_;
  bool has_times_ = false;
};

class GaugeFamily : public LabelledFamily<Gauge> {
 public:
  GaugeFamily(std::string_view name, std::string_view help,
              StringSpan label_names, GaugeMode mode,
              const MetricOptions& options = {}) noexcept
      : LabelledFamily(internal::Definition(name, help, label_names, options)
                           .OfType(format::MetricType::kGauge,
                                   format::ValueKind::kF64, mode)) {}
};

}  // namespace tine

#endif  // TINE_WRITER_GAUGE_H_
