#include "writer/set_times.h"

#include "common/clock.h"
#include "common/metric_names.h"
#include "writer/registry.h"

namespace tine::internal {

SetTimes::SetTimes(const Series* series) noexcept {
  if (series == nullptr) {
    return;
  }
  const FamilyView& definition = series->family->definition;
  uint8_t cell = 0;
  if (IsMostRecentMode(definition.gauge_mode)) {
    wall_cell_ = ++cell;
  }
  if (definition.time_to_live_s != 0) {
    boot_cell_ = ++cell;
  }
}

void SetTimes::Store(Cell* time, clockid_t clock) noexcept {
  // Release: the value comes before its time.
  __atomic_store_n(time, NowNs(clock), __ATOMIC_RELEASE);
}

}  // namespace tine::internal
