// How a cell of slot 0 is changed where the hot path cannot: for the first time
// in a chunk, after a fork, and always in Store::kWritten.

#ifndef TINE_WRITER_SHARED_CELL_H_
#define TINE_WRITER_SHARED_CELL_H_

#include "writer/block_table.h"
#include "writer/set_times.h"
#include "writer/written_cells.h"
#include "writer/written_file.h"

namespace tine::internal {

// Changes the cell with `change(Cell*)`, which must be atomic, and then its
// times. False: there is no such cell, counted as a drop. Async-signal-safe.
template <typename Change>
bool ChangeSharedCell(CellAddress address, const SetTimes& times,
                      Change change) noexcept {
  if (IsStoreWritten()) {
    WrittenChange written(address.chunk);
    const bool is_done = written.Apply(address.cell, change);
    if (is_done) {
      times.ForEach([&](uint32_t distance, clockid_t clock) {
        written.Apply(address.cell + distance,
                      [clock](Cell* cell) { SetTimes::Store(cell, clock); });
      });
    }
    return is_done;
  }
  Cell* block = SharedBlockSlow(address.chunk);
  if (block == nullptr) {
    return false;
  }
  change(block + address.cell);
  times.StoreAfter(block + address.cell);
  return true;
}

}  // namespace tine::internal

#endif  // TINE_WRITER_SHARED_CELL_H_
