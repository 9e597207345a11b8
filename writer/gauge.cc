#include "writer/gauge.h"

#include <ctime>

#include "common/clock.h"
#include "common/record_codec.h"
#include "writer/shared_cell.h"

namespace tine {

Gauge::Gauge(const internal::Series* series) noexcept
    : Handle(series), times_(series), has_times_(times_.any()) {}

void Gauge::SetSlow(double value) const noexcept {
  const uint64_t bits = internal::DoubleToCell(value) ^ format::kUnsetGaugeBits;
  internal::ChangeSharedCell(address_, times_, [bits](internal::Cell* cell) {
    internal::StoreCell(cell, bits);
  });
}

void Gauge::AddSlow(double amount) const noexcept {
  if (times_.has_wall()) {
    internal::CountDroppedObservation();
    return;
  }
  internal::ChangeSharedCell(address_, times_, [amount](internal::Cell* cell) {
    AddTo(cell, amount);
  });
}

void Gauge::SetToCurrentTime() const noexcept {
  Set(static_cast<double>(NowNs(CLOCK_REALTIME)) / 1e9);
}

void Gauge::StoreWithTimes(internal::Cell* cell, uint64_t bits) const noexcept {
  internal::StoreCell(cell, bits);
  times_.StoreAfter(cell);
}

bool Gauge::Value(double* value) const noexcept {
  const internal::Cell* block = internal::SharedBlockToRead(address_.chunk);
  return block != nullptr &&
         DecodeGaugeCell(internal::LoadCell(block + address_.cell), value);
}

}  // namespace tine
