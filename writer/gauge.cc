#include "writer/gauge.h"

#include <ctime>

#include "common/metric_names.h"
#include "common/record_codec.h"
#include "writer/registry.h"
#include "writer/written_cells.h"
#include "writer/written_file.h"

namespace tine {
namespace {

timespec WallNow() {
  timespec now;
  ::clock_gettime(CLOCK_REALTIME, &now);
  return now;
}

}  // namespace

Gauge::Gauge(const internal::Series* series) noexcept
    : Handle(series),
      is_most_recent_(series != nullptr &&
                      IsMostRecentMode(series->family->definition.gauge_mode)) {
}

void Gauge::SetSlow(double value) const noexcept {
  if (internal::IsStoreWritten()) {
    const uint64_t bits =
        internal::DoubleToCell(value) ^ format::kUnsetGaugeBits;
    internal::WrittenChange change(address_.chunk);
    const bool is_set = change.Apply(
        address_.cell,
        [bits](internal::Cell* cell) { internal::StoreCell(cell, bits); });
    if (is_set && is_most_recent_) {
      change.Apply(address_.cell + 1, StoreTime);
    }
    return;
  }
  internal::Cell* block = internal::SharedBlockSlow(address_.chunk);
  if (block != nullptr) {
    SetIn(block, value);
  }
}

void Gauge::AddSlow(double amount) const noexcept {
  if (is_most_recent_) {
    internal::CountDroppedObservation();
    return;
  }
  if (internal::IsStoreWritten()) {
    internal::WrittenChange(address_.chunk)
        .Apply(address_.cell,
               [amount](internal::Cell* cell) { AddTo(cell, amount); });
    return;
  }
  internal::Cell* block = internal::SharedBlockSlow(address_.chunk);
  if (block != nullptr) {
    AddTo(block + address_.cell, amount);
  }
}

void Gauge::SetToCurrentTime() const noexcept {
  const timespec now = WallNow();
  Set(static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9);
}

bool Gauge::Value(double* value) const noexcept {
  const internal::Cell* block = internal::SharedBlockToRead(address_.chunk);
  return block != nullptr &&
         DecodeGaugeCell(internal::LoadCell(block + address_.cell), value);
}

void Gauge::StoreWithTime(internal::Cell* cell, uint64_t bits) noexcept {
  internal::StoreCell(cell, bits);
  StoreTime(cell + 1);
}

void Gauge::StoreTime(internal::Cell* cell) noexcept {
  const timespec now = WallNow();
  // Release: the value comes before its time.
  __atomic_store_n(cell,
                   static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 +
                       static_cast<uint64_t>(now.tv_nsec),
                   __ATOMIC_RELEASE);
}

}  // namespace tine
