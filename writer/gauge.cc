#include "writer/gauge.h"

#include <ctime>

#include "common/metric_names.h"
#include "common/record_codec.h"
#include "writer/registry.h"

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
  internal::Cell* block = internal::SharedBlockSlow(address_.chunk);
  if (block != nullptr) {
    AddIn(block, amount);
  }
}

void Gauge::SetToCurrentTime() const noexcept {
  const timespec now = WallNow();
  Set(static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9);
}

bool Gauge::Value(double* value) const noexcept {
  const internal::Cell* block = internal::SharedBlock(address_.chunk);
  return block != nullptr &&
         DecodeGaugeCell(internal::LoadCell(block + address_.cell), value);
}

void Gauge::StoreWithTime(internal::Cell* cell, uint64_t bits) noexcept {
  internal::StoreCell(cell, bits);
  const timespec now = WallNow();
  // Release: the value comes before its time.
  __atomic_store_n(cell + 1,
                   static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 +
                       static_cast<uint64_t>(now.tv_nsec),
                   __ATOMIC_RELEASE);
}

}  // namespace tine
