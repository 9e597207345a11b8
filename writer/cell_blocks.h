// Makes chunks and private blocks real in this process's files.

#ifndef TINE_WRITER_CELL_BLOCKS_H_
#define TINE_WRITER_CELL_BLOCKS_H_

#include <cstdint>

#include "writer/process_state.h"
#include "writer/registry.h"

namespace tine::internal {

// Bytes of private blocks that a process may have; the rest of TINE_MAX_BYTES
// is for everything else.
uint64_t PrivateBudgetBytes() noexcept;

// Would records of so many bytes more be too much, with or without what is kept
// for overflow series?
bool AreBytesOverBudget(uint64_t more_bytes, bool may_use_reserve) noexcept;

// Slot 0's block of `chunk`, made if need be together with every family and
// series of the chunk, all published at once. In a forked child this is what
// brings inherited series along, at zero. Null: noted in the process.
Cell* MakeChunkRealLocked(ProcessState* process, uint32_t chunk) noexcept;

// Publishes one more series in a chunk that is real already. False: no room or
// no memory; nothing was published.
bool AppendSeriesLocked(ProcessState* process, Series* series) noexcept;

// Publishes that the process no longer holds a series, which was published
// because its chunk is real. False as above.
bool AppendRemovedLocked(ProcessState* process, const Series* series) noexcept;

inline bool IsChunkReal(const ProcessState* process, uint32_t chunk) {
  return process->shared.blocks[chunk].load(std::memory_order_relaxed) !=
         nullptr;
}

}  // namespace tine::internal

#endif  // TINE_WRITER_CELL_BLOCKS_H_
