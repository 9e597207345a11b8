// How one cell is changed. The innermost instructions of the hot path.
//
// A private block has one writer thread, but that thread's signal handlers
// count too, so "load, add, store" in three instructions would lose a handler's
// adds (23-85 % at high signal rates) and step backwards. The Owner* operations
// are one instruction (or a retried compare-exchange) that no signal can split;
// they need no LOCK prefix because no other thread writes the cell. The Shared*
// operations are for slot 0, which any thread may write.
//
// A reader in another process needs each aligned 8-byte value whole, and
// nothing else: everything here is relaxed.

#ifndef TINE_WRITER_CELL_OPS_H_
#define TINE_WRITER_CELL_OPS_H_

#include <cstdint>
#include <cstring>

namespace tine::internal {

// A cell lies in memory that other processes read, so it is a plain u64 changed
// only through these functions.
using Cell = uint64_t;

inline double CellToDouble(uint64_t bits) noexcept {
  double value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

inline uint64_t DoubleToCell(double value) noexcept {
  uint64_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

inline uint64_t LoadCell(const Cell* cell) noexcept {
  return __atomic_load_n(cell, __ATOMIC_RELAXED);
}

inline void StoreCell(Cell* cell, uint64_t value) noexcept {
  __atomic_store_n(cell, value, __ATOMIC_RELAXED);
}

inline void SharedAddU64(Cell* cell, uint64_t amount) noexcept {
  __atomic_fetch_add(cell, amount, __ATOMIC_RELAXED);
}

inline void SharedAddF64(Cell* cell, double amount) noexcept {
  uint64_t expected = LoadCell(cell);
  while (!__atomic_compare_exchange_n(
      cell, &expected, DoubleToCell(CellToDouble(expected) + amount),
      /*weak=*/true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
}

#if defined(TINE_MUTANT_PLAIN_CELL_OPS)

// The control build of the signal tests: what the Owner* operations must not
// be.
inline void OwnerAddU64(Cell* cell, uint64_t amount) noexcept {
  StoreCell(cell, LoadCell(cell) + amount);
}
inline void OwnerAddF64(Cell* cell, double amount) noexcept {
  StoreCell(cell, DoubleToCell(CellToDouble(LoadCell(cell)) + amount));
}

#elif defined(__x86_64__) && !defined(__SANITIZE_THREAD__)

inline void OwnerAddU64(Cell* cell, uint64_t amount) noexcept {
  __asm__ volatile("addq %1, %0" : "+m"(*cell) : "er"(amount) : "cc");
}

inline void OwnerAddF64(Cell* cell, double amount) noexcept {
  uint64_t expected = LoadCell(cell);
  bool done;
  do {
    const uint64_t desired = DoubleToCell(CellToDouble(expected) + amount);
    __asm__ volatile("cmpxchgq %3, %1"
                     : "=@ccz"(done), "+m"(*cell), "+a"(expected)
                     : "r"(desired));
  } while (__builtin_expect(!done, 0));
}

#elif defined(__aarch64__) && !defined(__ARM_FEATURE_ATOMICS) && \
    !defined(__SANITIZE_THREAD__)

// Without the LSE instructions of ARMv8.1 (what runs on any aarch64) a compiler
// calls a function that looks for them. Nobody else writes the cell, so an
// exclusive pair in place is enough: the return from a signal handler clears
// the monitor, the store fails, and the pair is tried again.
inline void OwnerAddU64(Cell* cell, uint64_t amount) noexcept {
  uint64_t value;
  uint32_t has_failed;
  __asm__ volatile(
      "1:\n\t"
      "ldxr %[value], %[cell]\n\t"
      "add %[value], %[value], %[amount]\n\t"
      "stxr %w[failed], %[value], %[cell]\n\t"
      "cbnz %w[failed], 1b"
      : [value] "=&r"(value), [failed] "=&r"(has_failed), [cell] "+Q"(*cell)
      : [amount] "r"(amount));
}

inline void OwnerAddF64(Cell* cell, double amount) noexcept {
  uint64_t bits;
  double sum;
  uint32_t has_failed;
  __asm__ volatile(
      "1:\n\t"
      "ldxr %[bits], %[cell]\n\t"
      "fmov %d[sum], %[bits]\n\t"
      "fadd %d[sum], %d[sum], %d[amount]\n\t"
      "fmov %[bits], %d[sum]\n\t"
      "stxr %w[failed], %[bits], %[cell]\n\t"
      "cbnz %w[failed], 1b"
      : [bits] "=&r"(bits), [sum] "=&w"(sum), [failed] "=&r"(has_failed),
        [cell] "+Q"(*cell)
      : [amount] "w"(amount));
}

#else

// Elsewhere an atomic read-modify-write, on aarch64 one instruction of LSE.
// Thread sanitizer builds come here too, because it cannot see into assembly.
inline void OwnerAddU64(Cell* cell, uint64_t amount) noexcept {
  SharedAddU64(cell, amount);
}
inline void OwnerAddF64(Cell* cell, double amount) noexcept {
  SharedAddF64(cell, amount);
}

#endif

}  // namespace tine::internal

#endif  // TINE_WRITER_CELL_OPS_H_
