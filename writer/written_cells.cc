#include "writer/written_cells.h"

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "writer/cell_blocks.h"
#include "writer/registry.h"
#include "writer/written_file.h"

namespace tine::internal {
namespace {

// A piece of a block, small enough for the stack.
constexpr uint32_t kPieceCells = 64;

const MetricFile& FileOf(const ProcessState* process, uint32_t chunk) {
  return process->files[process->chunk_file[chunk]];
}

uint64_t OffsetIn(const MetricFile& file, const Cell* cell) {
  return static_cast<uint64_t>(reinterpret_cast<const uint8_t*>(cell) -
                               file.base);
}

// Values are copied first, each whole: threads without the lock may be adding.
bool WriteBlock(const MetricFile& file, const Cell* block) {
  for (uint32_t i = 0; i < format::kCellsPerBlock; i += kPieceCells) {
    Cell piece[kPieceCells];
    for (uint32_t k = 0; k < kPieceCells; ++k) {
      piece[k] = LoadCell(block + i + k);
    }
    if (WriteAt(file, piece, sizeof(piece), OffsetIn(file, block + i)) !=
        Written::kAll) {
      return false;
    }
  }
  return true;
}

// Brings what is in memory alone to the file.
void CatchUpLocked(ProcessState* process) {
  // First, so that who fails from here on is not forgotten.
  process->is_file_behind.store(false, std::memory_order_seq_cst);
  for (uint32_t chunk = 0; chunk < g_registry.chunk_count(); ++chunk) {
    const Cell* block =
        process->shared.blocks[chunk].load(std::memory_order_relaxed);
    if (block != nullptr && !WriteBlock(FileOf(process, chunk), block)) {
      process->is_file_behind.store(true, std::memory_order_relaxed);
      NoteFailure(process, "cannot write to a metric file", errno);
      return;
    }
  }
  NoteSuccess(process);
}

}  // namespace

WrittenChange::WrittenChange(uint32_t chunk) noexcept
    : process_(CurrentProcess()),
      chunk_(chunk),
      lock_(process_, SlowPathLock::Wait::kBounded) {}

WrittenChange::~WrittenChange() {
  if (lock_.is_held() &&
      process_->is_file_behind.load(std::memory_order_relaxed) &&
      (g_image.is_sealed.load(std::memory_order_relaxed) ||
       MayRetry(process_))) {
    CatchUpLocked(process_);
  }
}

Cell* WrittenChange::Block() noexcept {
  if (chunk_ == kNoChunk) {
    return nullptr;
  }
  Cell* block = process_->shared.blocks[chunk_].load(std::memory_order_acquire);
  if (block == nullptr && lock_.is_held() && MayRetry(process_)) {
    block = MakeChunkRealLocked(process_, chunk_);
  }
  return block;
}

bool WrittenChange::Write(const Cell* cell) noexcept {
  if (!lock_.is_held()) {
    process_->is_file_behind.store(true, std::memory_order_relaxed);
    return true;
  }
  const MetricFile& file = FileOf(process_, chunk_);
  const Cell value = LoadCell(cell);
  const Written written =
      WriteAt(file, &value, sizeof(value), OffsetIn(file, cell),
              lock_.WasBlockedBefore(SIGXFSZ));
  if (written == Written::kNotOurs) {
    LoseFilesLocked(process_);
    return false;
  }
  if (written == Written::kNot) {
    process_->failed_writes.fetch_add(1, std::memory_order_relaxed);
    process_->is_file_behind.store(true, std::memory_order_relaxed);
    NoteFailure(process_, "cannot write to a metric file", errno);
  }
  return true;
}

void WrittenChange::Drop() noexcept {
  CountDrops(process_, /*observations=*/1, /*series=*/0);
}

void WriteDropCounts(const MetricFile& file) noexcept {
  const SignalShield shield;
  const auto* header = file.dynamic();
  WriteBytes(
      file, &header->dropped_series,
      sizeof(header->dropped_series) + sizeof(header->dropped_observations));
}

void WriteState(const MetricFile& file) noexcept {
  const SignalShield shield;
  WriteBytes(file, &file.dynamic()->state, sizeof(file.dynamic()->state));
}

}  // namespace tine::internal
