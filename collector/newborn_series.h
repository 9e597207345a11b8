// Series that are served as 0 at first, so that their first count is an
// increase to whoever looks at two scrapes.

#ifndef TINE_COLLECTOR_NEWBORN_SERIES_H_
#define TINE_COLLECTOR_NEWBORN_SERIES_H_

#include <cstdint>
#include <deque>
#include <string>

#include "collector/family_variant.h"

namespace tine::collector {

// Of one view, from the moment on when it has all that there is. What came
// before that moment may have been served already, by another collector or
// another view: to serve it as 0 would be a fall. Costs by the number of
// newborn series. Not thread-safe.
class NewbornSeries {
 public:
  // `begin_wall_ns`: that moment. `duration_ms`: for how long after it was
  // served first a series is 0; not 0.
  NewbornSeries(uint64_t begin_wall_ns, uint32_t duration_ms)
      : begin_wall_ns_(begin_wall_ns), duration_ms_(duration_ms) {}

  // `variant`, which lives longer, has a series that the view did not have, the
  // last one of its family().
  void Add(FamilyVariant* variant);

  // After a sweep, before the view uses a family's place again.
  void ForgetGone();

  // After the numbers were filled in, before they are served. `now_ms`: any
  // clock that never falls.
  void ShowAsZero(uint64_t now_ms);

 private:
  struct Newborn {
    FamilyVariant* variant;
    std::string packed_labels;
    uint64_t due_ms;  // 0: it has not been served yet
  };

  const uint64_t begin_wall_ns_;
  const uint32_t duration_ms_;
  std::deque<Newborn> newborn_;  // those that are due first come first
};

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_NEWBORN_SERIES_H_
