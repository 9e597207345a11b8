// The slow path of Store::kWritten, which has no other: how a cell is changed
// and written. The tables that the hot path looks at stay null in this store.
//
// All threads share slot 0's cells. A change is made and its value written
// under one lock, with signals blocked, so an older value never comes to the
// file after a newer one, and what has been returned from is in the file,
// whatever kills the process then.

#ifndef TINE_WRITER_WRITTEN_CELLS_H_
#define TINE_WRITER_WRITTEN_CELLS_H_

#include <cstdint>

#include "writer/block_table.h"
#include "writer/process_state.h"
#include "writer/slow_path_lock.h"

namespace tine::internal {

// Holds the lock of all cells for one observation, which may change several
// cells of one chunk. Comes before the slow-path lock where both are needed.
// Async-signal-safe. Where the lock cannot be had (a thread is stopped that
// holds it) or the file cannot be written (its disk is full), a change is in
// memory alone, and a later one brings it to the file.
class WrittenChange {
 public:
  explicit WrittenChange(uint32_t chunk) noexcept;
  ~WrittenChange();
  WrittenChange(const WrittenChange&) = delete;
  WrittenChange& operator=(const WrittenChange&) = delete;

  // Changes the cell with `change(Cell*)`, which must be atomic, and writes it.
  // False: there is no such cell, which is counted as a drop.
  template <typename Change>
  bool Apply(uint32_t cell, Change change) noexcept {
    // Twice, because it may be found only in writing that the file is lost. The
    // change is in none then, and is made again in the next file.
    for (int attempt = 0; attempt < 2; ++attempt) {
      Cell* block = Block();
      if (block == nullptr) {
        break;
      }
      change(block + cell);
      if (Write(block + cell)) {
        return true;
      }
    }
    Drop();
    return false;
  }

 private:
  Cell* Block() noexcept;
  // False: the process has lost its files, and the change with them.
  bool Write(const Cell* cell) noexcept;
  void Drop() noexcept;

  const SignalShield shield_;
  ProcessState* const process_;
  const uint32_t chunk_;
  const bool is_held_;
};

// Writes the counts of drops in the file's header. Needs no lock: where two
// threads write at once, the kernel puts them in order, since it reads the
// counts while it holds the file's.
void WriteDropCounts(const MetricFile& file) noexcept;
// Writes whether the file is that of a living process.
void WriteState(const MetricFile& file) noexcept;

}  // namespace tine::internal

#endif  // TINE_WRITER_WRITTEN_CELLS_H_
