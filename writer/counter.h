#ifndef TINE_WRITER_COUNTER_H_
#define TINE_WRITER_COUNTER_H_

#include <cstdint>
#include <string_view>

#include "writer/family.h"

namespace tine {

// A count of whole things that only grows. Served as the sum over all
// processes, dead ones included.
//
// A handle: copy it freely. Increment() takes about a nanosecond: no lock, no
// allocation, no system call; any thread, signal handlers and forked children
// too. Errors: a handle that is not valid counts nothing (status() says why);
// while no file can be made or grown, increments are dropped and counted in
// WriterStatus.
class Counter : public internal::Handle {
 public:
  Counter() = default;
  // A counter without labels, served as 0 at once. Its name should end in
  // "_total" (Prometheus convention).
  Counter(std::string_view name, std::string_view help,
          const MetricOptions& options = {}) noexcept
      : Handle(internal::RegisterSingle(
            internal::Definition(name, help, {}, options)
                .OfType(format::MetricType::kCounter,
                        format::ValueKind::kU64))) {}
  explicit Counter(const internal::Series* series) : Handle(series) {}

  void Increment(uint64_t amount = 1) const noexcept {
    internal::AddU64(address_, amount);
  }

  // What this process has counted, for its own tests.
  uint64_t Value() const noexcept { return internal::ReadU64(address_); }
};

class CounterFamily : public LabelledFamily<Counter> {
 public:
  CounterFamily(std::string_view name, std::string_view help,
                StringSpan label_names,
                const MetricOptions& options = {}) noexcept
      : LabelledFamily(internal::Definition(name, help, label_names, options)
                           .OfType(format::MetricType::kCounter,
                                   format::ValueKind::kU64)) {}
};

// A total of amounts that need not be whole, like seconds. Otherwise as
// Counter.
class DoubleCounter : public internal::Handle {
 public:
  DoubleCounter() = default;
  DoubleCounter(std::string_view name, std::string_view help,
                const MetricOptions& options = {}) noexcept
      : Handle(internal::RegisterSingle(
            internal::Definition(name, help, {}, options)
                .OfType(format::MetricType::kCounter,
                        format::ValueKind::kF64))) {}
  explicit DoubleCounter(const internal::Series* series) : Handle(series) {}

  // A negative amount, NaN or infinity is dropped and counted in WriterStatus:
  // a counter never goes backwards.
  void Increment(double amount) const noexcept {
    if (__builtin_expect(!(amount >= 0 && amount <= kLargest), 0)) {
      internal::CountDroppedObservation();
      return;
    }
    internal::AddF64(address_, amount);
  }

  double Value() const noexcept { return internal::ReadF64(address_); }

 private:
  static constexpr double kLargest = 1.7976931348623157e308;
};

class DoubleCounterFamily : public LabelledFamily<DoubleCounter> {
 public:
  DoubleCounterFamily(std::string_view name, std::string_view help,
                      StringSpan label_names,
                      const MetricOptions& options = {}) noexcept
      : LabelledFamily(internal::Definition(name, help, label_names, options)
                           .OfType(format::MetricType::kCounter,
                                   format::ValueKind::kF64)) {}
};

// A number of things that come and go, like requests in flight: add-only like a
// counter, exact across threads and processes, shown as a gauge. Mode kSum
// keeps what dead processes left; kLiveSum counts the living only, which is
// right for anything that dies with its process.
class UpDownCounter : public internal::Handle {
 public:
  UpDownCounter() = default;
  UpDownCounter(std::string_view name, std::string_view help, GaugeMode mode,
                const MetricOptions& options = {}) noexcept
      : Handle(internal::RegisterSingle(
            internal::Definition(name, help, {}, options)
                .OfType(format::MetricType::kUpDownCounter,
                        format::ValueKind::kI64, mode))) {}
  explicit UpDownCounter(const internal::Series* series) : Handle(series) {}

  void Add(int64_t amount) const noexcept {
    internal::AddU64(address_, static_cast<uint64_t>(amount));
  }
  void Increment() const noexcept { Add(1); }
  void Decrement() const noexcept { Add(-1); }

  int64_t Value() const noexcept {
    return static_cast<int64_t>(internal::ReadU64(address_));
  }
};

class UpDownCounterFamily : public LabelledFamily<UpDownCounter> {
 public:
  UpDownCounterFamily(std::string_view name, std::string_view help,
                      StringSpan label_names, GaugeMode mode,
                      const MetricOptions& options = {}) noexcept
      : LabelledFamily(internal::Definition(name, help, label_names, options)
                           .OfType(format::MetricType::kUpDownCounter,
                                   format::ValueKind::kI64, mode)) {}
};

}  // namespace tine

#endif  // TINE_WRITER_COUNTER_H_
