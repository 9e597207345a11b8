// The truth that the soak holds against what is served: a second count of
// everything, in memory that all writers share and that no death can take.

#ifndef TINE_TESTS_SOAK_LEDGER_H_
#define TINE_TESTS_SOAK_LEDGER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace tine::soak {

inline constexpr size_t kMaxEntries = 512;
inline constexpr size_t kMaxSlots = 256;
inline constexpr size_t kMaxRows = 1 << 20;

// One number that is served, or an event that is counted for the report. Each
// add is told to `attempted` before and to `done` after it: a killed writer has
// at most one add between the two.
struct Entry {
  std::atomic<uint64_t> attempted;
  std::atomic<uint64_t> done;
};

// What a writer is to do next; 0: count on.
enum Order : uint64_t {
  kNothing = 0,
  kExit = 1,
  kFork = 2,
  kForkTwice = 3,  // and the child's child outlives it
  kExec = 4,
  kFlood = 5,  // hundreds of children that count once and end
};

// A place that one writer after the other has.
struct Slot {
  std::atomic<uint64_t> order;
  std::atomic<uint64_t> row;  // of the writer that has it; 0: none yet
};

// Amounts that are no binary fractions add up to a double that depends on their
// order: so each process has one of its own, made by the same additions as that
// in its metric file. The bits of doubles.
struct Row {
  std::atomic<uint64_t> attempted;
  std::atomic<uint64_t> done;
  std::atomic<uint64_t> is_closed;  // nothing changes here any more
};

// Zero at first.
struct Ledger {
  Entry entries[kMaxEntries];
  Slot slots[kMaxSlots];
  std::atomic<uint64_t> row_count;
  Row rows[kMaxRows];  // row 0 is nobody's
};

static_assert(sizeof(Entry) == 16 && sizeof(Row) == 24);
static_assert(std::atomic<uint64_t>::is_always_lock_free);

}  // namespace tine::soak

#endif  // TINE_TESTS_SOAK_LEDGER_H_
