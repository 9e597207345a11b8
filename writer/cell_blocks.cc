#include "writer/cell_blocks.h"

#include <algorithm>

#include "common/exact_sum.h"
#include "writer/family.h"
#include "writer/metric_file.h"
#include "writer/record_appender.h"
#include "writer/slow_path_lock.h"
#include "writer/thread_slots.h"
#include "writer/written_cells.h"
#include "writer/written_file.h"

namespace tine::internal {
namespace {

constexpr uint64_t kMostPrivateBytes = 8 << 20;

struct BlockChoice {
  Cell* block = nullptr;
  bool is_private = false;
};

// Bytes that making `chunk` real takes in the appender's file.
uint64_t ChunkBytes(const RecordAppender& appender, uint32_t chunk) {
  static uint64_t pass = 0;  // under the lock, as Family::sized_in_pass
  ++pass;
  uint64_t bytes = format::kCellsRecordBytes;
  for (const Series* series = g_registry.ChunkSeriesLocked(chunk);
       series != nullptr; series = series->next_in_chunk) {
    if (series->is_removed.load(std::memory_order_relaxed)) {
      continue;
    }
    bytes += RecordAppender::SeriesBytes(series);
    // A family with many series here goes into the file once; its help text may
    // be long.
    if (series->family->sized_in_pass != pass) {
      series->family->sized_in_pass = pass;
      bytes += appender.FamilyBytes(series->family);
    }
  }
  return bytes;
}

// The number of a file with room for the chunk: the last one, or a further one.
bool FindFileForChunk(ProcessState* process, uint32_t chunk,
                      uint32_t* file_number) {
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (process->file_count != 0) {
      *file_number = process->file_count - 1;
      const RecordAppender appender(process, *file_number);
      if (appender.HasRoomFor(ChunkBytes(appender, chunk))) {
        return true;
      }
      if (process->files[*file_number].used == format::kHeaderBytes) {
        break;  // it is empty: another one would be no larger
      }
    }
    if (attempt == 0 && !CreateMetricFileLocked(process)) {
      return false;
    }
  }
  NoteFailure(process, "a metric file is too small for a chunk of series", 0);
  return false;
}

Cell* MakeChunkReal(ProcessState* process, uint32_t chunk) {
  if (!MayRetry(process)) {
    return nullptr;
  }
  SlowPathLock lock(process, SlowPathLock::Wait::kBounded);
  return lock.is_held() ? MakeChunkRealLocked(process, chunk) : nullptr;
}

bool HasPrivateBudget(const ProcessState* process) {
  return __atomic_load_n(&process->private_bytes, __ATOMIC_RELAXED) +
             format::kCellsRecordBytes <=
         PrivateBudgetBytes();
}

// A private block of `chunk` for the thread's slot, or null: then slot 0
// serves.
Cell* MakePrivateBlock(ProcessState* process, Slot* slot, uint32_t chunk) {
  if (!HasPrivateBudget(process) || !MayRetry(process)) {
    return nullptr;
  }
  SlowPathLock lock(process, SlowPathLock::Wait::kNot);
  if (!lock.is_held()) {
    return nullptr;
  }
  // From here on no signal handler comes in between; until here one may have.
  // It may have made this block, and a second one would be damage; or it may
  // have forked, so that all that the caller knows is the parent's.
  Cell* made = slot->table.blocks[chunk].load(std::memory_order_relaxed);
  if (made != nullptr || !IsSlotOfThread(slot) ||
      !IsChunkReal(process, chunk) || !HasPrivateBudget(process)) {
    return made;
  }
  RecordAppender appender(process, process->chunk_file[chunk]);
  if (!appender.Reserve(format::kCellsRecordBytes)) {
    if (!appender.HasRoomFor(format::kCellsRecordBytes)) {
      // Not worth asking again at each increment: no more private blocks in
      // this process.
      __atomic_store_n(&process->private_bytes, PrivateBudgetBytes(),
                       __ATOMIC_RELAXED);
    }
    return nullptr;
  }
  Cell* cells = appender.AppendCells(SlotNumber(process, slot), chunk);
  appender.Publish();  // cannot fail: private blocks are in memory
  __atomic_fetch_add(&process->private_bytes, format::kCellsRecordBytes,
                     __ATOMIC_RELAXED);
  // Only this thread reads its table; the next owner of the slot acquires it.
  slot->table.blocks[chunk].store(cells, std::memory_order_relaxed);
  return cells;
}

// The slow path of every add. Its steps are ordered by how often they are the
// answer.
BlockChoice ChooseBlock(uint32_t chunk) {
  ProcessState* process = CurrentProcess();
  if (process == nullptr || chunk == kNoChunk) {
    return {};
  }
  Slot* slot = ThreadSlot(process);
  if (slot != nullptr) {
    Cell* block = slot->table.blocks[chunk].load(std::memory_order_relaxed);
    if (block != nullptr) {
      return {block, true};
    }
  }
  Cell* shared = process->shared.blocks[chunk].load(std::memory_order_acquire);
  if (shared == nullptr) {
    shared = MakeChunkReal(process, chunk);
    if (shared == nullptr) {
      return {};
    }
  }
  if (slot != nullptr) {
    Cell* block = MakePrivateBlock(process, slot, chunk);
    if (block != nullptr) {
      return {block, true};
    }
  }
  return {shared, false};
}

}  // namespace

uint64_t PrivateBudgetBytes() noexcept {
  return std::min(kMostPrivateBytes, g_image.settings.max_bytes / 2);
}

bool AreBytesOverBudget(uint64_t more_bytes, bool may_use_reserve) noexcept {
  const uint64_t budget_bytes = g_image.settings.max_bytes -
                                PrivateBudgetBytes() +
                                (may_use_reserve ? kOverflowReserveBytes : 0);
  return g_registry.record_bytes() + more_bytes > budget_bytes;
}

Cell* MakeChunkRealLocked(ProcessState* process, uint32_t chunk) noexcept {
  Cell* block = process->shared.blocks[chunk].load(std::memory_order_relaxed);
  uint32_t file_number = 0;
  if (block != nullptr || !FindFileForChunk(process, chunk, &file_number)) {
    return block;
  }
  RecordAppender appender(process, file_number);
  if (!appender.Reserve(ChunkBytes(appender, chunk))) {
    return nullptr;
  }
  block = appender.AppendCells(/*slot=*/0, chunk);
  for (Series* series = g_registry.ChunkSeriesLocked(chunk); series != nullptr;
       series = series->next_in_chunk) {
    if (!series->is_removed.load(std::memory_order_relaxed)) {
      appender.AppendFamily(series->family);
      appender.AppendSeries(series);
    }
  }
  if (!appender.Publish()) {
    return nullptr;
  }
  process->chunk_file[chunk] = static_cast<uint8_t>(file_number);
  // Release: who sees the pointer sees `chunk_file` too.
  process->shared.blocks[chunk].store(block, std::memory_order_release);
  return block;
}

bool AppendSeriesLocked(ProcessState* process, Series* series) noexcept {
  RecordAppender appender(process, process->chunk_file[series->address.chunk]);
  if (!appender.Reserve(appender.FamilyBytes(series->family) +
                        RecordAppender::SeriesBytes(series))) {
    return false;
  }
  appender.AppendFamily(series->family);
  appender.AppendSeries(series);
  return appender.Publish();
}

bool AppendRemovedLocked(ProcessState* process, const Series* series) noexcept {
  RecordAppender appender(process, process->chunk_file[series->address.chunk]);
  if (!appender.Reserve(sizeof(format::RemovedRecord))) {
    return false;
  }
  appender.AppendRemoved(series);
  return appender.Publish();
}

void AddU64Slow(CellAddress address, uint64_t amount) noexcept {
  if (IsStoreWritten()) {
    WrittenChange(address.chunk).Apply(address.cell, [amount](Cell* cell) {
      SharedAddU64(cell, amount);
    });
    return;
  }
  const BlockChoice choice = ChooseBlock(address.chunk);
  if (choice.block == nullptr) {
    CountDroppedObservation();
  } else if (choice.is_private) {
    OwnerAddU64(choice.block + address.cell, amount);
  } else {
    SharedAddU64(choice.block + address.cell, amount);
  }
}

void AddF64Slow(CellAddress address, double amount) noexcept {
  if (IsStoreWritten()) {
    WrittenChange(address.chunk).Apply(address.cell, [amount](Cell* cell) {
      SharedAddF64(cell, amount);
    });
    return;
  }
  const BlockChoice choice = ChooseBlock(address.chunk);
  if (choice.block == nullptr) {
    CountDroppedObservation();
  } else if (choice.is_private) {
    OwnerAddF64(choice.block + address.cell, amount);
  } else {
    SharedAddF64(choice.block + address.cell, amount);
  }
}

void ObserveSlow(uint32_t chunk, uint32_t count_cell, uint32_t sum_cell,
                 double value) noexcept {
  if (IsStoreWritten()) {
    WrittenChange change(chunk);
    if (change.Apply(count_cell, [](Cell* cell) { SharedAddU64(cell, 1); })) {
      change.Apply(sum_cell,
                   [value](Cell* cell) { SharedAddF64(cell, value); });
    }
    return;
  }
  const BlockChoice choice = ChooseBlock(chunk);
  if (choice.block == nullptr) {
    CountDroppedObservation();
  } else if (choice.is_private) {
    OwnerAddU64(choice.block + count_cell, 1);
    OwnerAddF64(choice.block + sum_cell, value);
  } else {
    SharedAddU64(choice.block + count_cell, 1);
    SharedAddF64(choice.block + sum_cell, value);
  }
}

Cell* SharedBlockSlow(uint32_t chunk) noexcept {
  ProcessState* process = CurrentProcess();
  Cell* block = nullptr;
  if (process != nullptr && chunk != kNoChunk) {
    block = process->shared.blocks[chunk].load(std::memory_order_acquire);
    if (block == nullptr) {
      block = MakeChunkReal(process, chunk);
    }
  }
  if (block == nullptr) {
    CountDroppedObservation();
  }
  return block;
}

const Cell* SharedBlockToRead(uint32_t chunk) noexcept {
  ProcessState* process = CurrentProcess();
  return process == nullptr
             ? nullptr
             : process->shared.blocks[chunk].load(std::memory_order_acquire);
}

void CountDroppedObservation() noexcept {
  CountDrops(CurrentProcess(), /*observations=*/1, /*series=*/0);
}

uint64_t ReadU64(CellAddress address) noexcept {
  ProcessState* process = CurrentProcess();
  if (process == nullptr) {
    return 0;
  }
  const Cell* shared =
      process->shared.blocks[address.chunk].load(std::memory_order_acquire);
  uint64_t sum = shared == nullptr ? 0 : LoadCell(shared + address.cell);
  for (uint32_t i = 0; i < g_image.slot_count; ++i) {
    const Cell* block = process->slots[i].table.blocks[address.chunk].load(
        std::memory_order_relaxed);
    sum += block == nullptr ? 0 : LoadCell(block + address.cell);
  }
  return sum;
}

double ReadF64(CellAddress address) noexcept {
  ProcessState* process = CurrentProcess();
  if (process == nullptr) {
    return 0;
  }
  ExactSum sum;
  const Cell* shared =
      process->shared.blocks[address.chunk].load(std::memory_order_acquire);
  if (shared != nullptr) {
    sum.Add(CellToDouble(LoadCell(shared + address.cell)));
  }
  for (uint32_t i = 0; i < g_image.slot_count; ++i) {
    const Cell* block = process->slots[i].table.blocks[address.chunk].load(
        std::memory_order_relaxed);
    if (block != nullptr) {
      sum.Add(CellToDouble(LoadCell(block + address.cell)));
    }
  }
  return sum.value();
}

}  // namespace tine::internal
