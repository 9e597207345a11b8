// Where a thread's cells are: the data that every increment goes through.
//
// A series has a process-wide cell: number `cell` (0..511) of chunk `chunk`.
// Each thread with a slot has a private block for each chunk that it has
// touched; slot 0's blocks are shared by everybody else. A BlockTable holds one
// slot's block pointers. A null pointer means "not here": not made yet, forked
// since, file full or unreachable, thread ending. One null test covers them
// all, because the pointer that is tested is the pointer that is used.
//
// The tables lie in memory that the kernel wipes in a forked child
// (MADV_WIPEONFORK), raw clone() included: a child can not find its parent's
// blocks, whatever way it was made.

#ifndef TINE_WRITER_BLOCK_TABLE_H_
#define TINE_WRITER_BLOCK_TABLE_H_

#include <atomic>
#include <cstdint>

#include "common/record_layout.h"
#include "writer/cell_ops.h"

namespace tine::internal {

// 4096 blocks are 16 MiB of cells, as many as TINE_MAX_BYTES allows by default.
inline constexpr uint32_t kMaxChunks = 4096;
// The entry of every table that is always null: handles that may not count
// point here.
inline constexpr uint32_t kNoChunk = kMaxChunks;

struct BlockTable {
  std::atomic<Cell*> blocks[kMaxChunks + 1];
};

// Always-null tables. A thread begins at the first and, once its end has begun,
// is at the second for good.
extern BlockTable g_new_thread_table;
extern BlockTable g_ended_thread_table;

// The calling thread's table. Initial-exec: one load relative to the thread
// pointer, no call, also in a shared library that was dlopen'ed (8 bytes of the
// static TLS surplus). Where there is no such surplus (musl), build with
// --define=tine_tls=general-dynamic: a call, and a thread's first count may
// allocate, so that it must not come from a signal handler.
#if defined(TINE_GENERAL_DYNAMIC_TLS)
#define TINE_TLS_MODEL __attribute__((tls_model("global-dynamic")))
#else
#define TINE_TLS_MODEL __attribute__((tls_model("initial-exec")))
#endif
extern __thread BlockTable* t_thread_table TINE_TLS_MODEL;

// Slot 0's table; g_new_thread_table until the library has started.
extern std::atomic<BlockTable*> g_shared_table;

// Where a series' cells are.
struct CellAddress {
  uint32_t chunk = kNoChunk;
  uint32_t cell = 0;  // the first, within the block
};

// The slow path. Never waits for a thread that may be stopped for good, saves
// errno, allocates nothing with malloc. Any thread, signal handlers too.
void AddU64Slow(CellAddress address, uint64_t amount) noexcept;
void AddF64Slow(CellAddress address, double amount) noexcept;
// One observation: 1 to the u64 cell `count_cell`, `value` to the f64 cell
// `sum_cell` of one chunk.
void ObserveSlow(uint32_t chunk, uint32_t count_cell, uint32_t sum_cell,
                 double value) noexcept;
// Slot 0's block of this chunk, made now if need be; null (and counted as a
// drop) when it cannot be.
Cell* SharedBlockSlow(uint32_t chunk) noexcept;
// Slot 0's block to be read; null when it is not there. For any store.
const Cell* SharedBlockToRead(uint32_t chunk) noexcept;
// Something was asked to be counted that cannot be, like a negative increment.
void CountDroppedObservation() noexcept;

inline Cell* PrivateBlock(uint32_t chunk) noexcept {
  return t_thread_table->blocks[chunk].load(std::memory_order_relaxed);
}

// Gauges that are set live in slot 0 alone.
inline Cell* SharedBlock(uint32_t chunk) noexcept {
  // Acquire: another thread may have made the block.
  return g_shared_table.load(std::memory_order_relaxed)
      ->blocks[chunk]
      .load(std::memory_order_acquire);
}

inline void AddU64(CellAddress address, uint64_t amount) noexcept {
  Cell* block = PrivateBlock(address.chunk);
  if (__builtin_expect(block == nullptr, 0)) {
    AddU64Slow(address, amount);
    return;
  }
  OwnerAddU64(block + address.cell, amount);
}

inline void AddF64(CellAddress address, double amount) noexcept {
  Cell* block = PrivateBlock(address.chunk);
  if (__builtin_expect(block == nullptr, 0)) {
    AddF64Slow(address, amount);
    return;
  }
  OwnerAddF64(block + address.cell, amount);
}

inline void Observe(uint32_t chunk, uint32_t count_cell, uint32_t sum_cell,
                    double value) noexcept {
  Cell* block = PrivateBlock(chunk);
  if (__builtin_expect(block == nullptr, 0)) {
    ObserveSlow(chunk, count_cell, sum_cell, value);
    return;
  }
  OwnerAddU64(block + count_cell, 1);
  OwnerAddF64(block + sum_cell, value);
}

}  // namespace tine::internal

#endif  // TINE_WRITER_BLOCK_TABLE_H_
