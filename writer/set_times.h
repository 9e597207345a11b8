// When a value was set, in the cells behind it.

#ifndef TINE_WRITER_SET_TIMES_H_
#define TINE_WRITER_SET_TIMES_H_

#include <cstdint>
#include <ctime>

#include "writer/cell_ops.h"
#include "writer/family.h"

namespace tine::internal {

// Which times a series keeps: in the mostrecent modes that of the wall clock,
// with a time to live that of the boot clock. Trivially copyable.
class SetTimes {
 public:
  SetTimes() = default;
  explicit SetTimes(const Series* series) noexcept;

  bool any() const { return wall_cell_ != 0 || boot_cell_ != 0; }
  bool has_wall() const { return wall_cell_ != 0; }

  // After the value was stored in `*value`: stores the times, now. A timestamp
  // is stored after the value and read before it, so a reader never pairs a
  // value with a time later than its own.
  void StoreAfter(Cell* value) const noexcept {
    ForEach([value](uint32_t distance, clockid_t clock) {
      Store(value + distance, clock);
    });
  }

  // Calls `f(cells behind the value, clock)` for each time that is kept.
  template <typename F>
  void ForEach(F f) const {
    if (wall_cell_ != 0) {
      f(wall_cell_, CLOCK_REALTIME);
    }
    if (boot_cell_ != 0) {
      f(boot_cell_, CLOCK_BOOTTIME);
    }
  }
  static void Store(Cell* time, clockid_t clock) noexcept;

 private:
  // How many cells behind the value; 0: not kept.
  uint8_t wall_cell_ = 0;
  uint8_t boot_cell_ = 0;
};

}  // namespace tine::internal

#endif  // TINE_WRITER_SET_TIMES_H_
