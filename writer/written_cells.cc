#include "writer/written_cells.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <ctime>

#include "writer/cell_blocks.h"
#include "writer/registry.h"
#include "writer/written_file.h"

namespace tine::internal {
namespace {

constexpr uint64_t kLongestWaitNs = 1'000'000'000;
// Without system calls, and where a signal handler may have interrupted the
// holder, which then waits for it.
constexpr uint64_t kLongestSealedWaitNs = 10'000'000;
constexpr int kSpins = 100;
// A piece of a block, small enough for the stack.
constexpr uint32_t kPieceCells = 64;

// ProcessState::write_lock.
constexpr uint32_t kFree = 0;
constexpr uint32_t kHeld = 1;
constexpr uint32_t kHeldAndWaitedFor = 2;

bool TryLock(ProcessState* process, uint32_t as) {
  uint32_t expected = kFree;
  return process->write_lock.compare_exchange_strong(
      expected, as, std::memory_order_acquire, std::memory_order_relaxed);
}

// Sleeps, since the holder is in a system call that may take long on a disk.
// In turns: a holder that was sealed meanwhile wakes nobody.
void SleepUntilFree(ProcessState* process) {
  uint32_t held = kHeld;
  process->write_lock.compare_exchange_strong(held, kHeldAndWaitedFor,
                                              std::memory_order_relaxed);
  const timespec turn = {0, 50'000'000};
  ::syscall(SYS_futex, &process->write_lock, FUTEX_WAIT_PRIVATE,
            kHeldAndWaitedFor, &turn, nullptr, 0);
}

// False: not within the bound, as somebody else has found out before perhaps.
// Until the lock is free again nobody waits.
bool Lock(ProcessState* process) {
  const bool is_sealed = g_image.is_sealed.load(std::memory_order_relaxed);
  if (TryLock(process, kHeld)) {
    process->is_write_lock_stuck.store(false, std::memory_order_relaxed);
    return true;
  }
  const uint64_t give_up_ns =
      CoarseNowNs() + (is_sealed ? kLongestSealedWaitNs : kLongestWaitNs);
  while (!process->is_write_lock_stuck.load(std::memory_order_relaxed)) {
    for (int i = 0; i < kSpins; ++i) {
      // As one that is waited for: others may sleep still.
      if (TryLock(process, kHeldAndWaitedFor)) {
        return true;
      }
    }
    if (CoarseNowNs() > give_up_ns) {
      process->is_write_lock_stuck.store(true, std::memory_order_relaxed);
    } else if (!is_sealed) {
      SleepUntilFree(process);
    }
  }
  return false;
}

void Unlock(ProcessState* process) {
  if (process->write_lock.exchange(kFree, std::memory_order_release) ==
          kHeldAndWaitedFor &&
      !g_image.is_sealed.load(std::memory_order_relaxed)) {
    ::syscall(SYS_futex, &process->write_lock, FUTEX_WAKE_PRIVATE, 1, nullptr,
              nullptr, 0);
  }
}

const MetricFile& FileOf(const ProcessState* process, uint32_t chunk) {
  return process->files[process->chunk_file[chunk]];
}

uint64_t OffsetIn(const MetricFile& file, const Cell* cell) {
  return static_cast<uint64_t>(reinterpret_cast<const uint8_t*>(cell) -
                               file.base);
}

void NoteFailedWrite(ProcessState* process) {
  process->failed_writes.fetch_add(1, std::memory_order_relaxed);
  process->is_file_behind.store(true, std::memory_order_relaxed);
  NoteFailure(process, "cannot write to a metric file", errno);
}

// Values are copied first, each whole: threads without the lock may be adding.
Written WriteBlock(const MetricFile& file, const Cell* block) {
  Written written = Written::kAll;
  for (uint32_t i = 0; i < format::kCellsPerBlock && written == Written::kAll;
       i += kPieceCells) {
    Cell piece[kPieceCells];
    for (uint32_t k = 0; k < kPieceCells; ++k) {
      piece[k] = LoadCell(block + i + k);
    }
    written = WriteAt(file, piece, sizeof(piece), OffsetIn(file, block + i));
  }
  return written;
}

// Brings what is in memory alone to the file.
void CatchUp(ProcessState* process) {
  // First, so that who fails from here on is not forgotten.
  process->is_file_behind.store(false, std::memory_order_seq_cst);
  for (uint32_t chunk = 0; chunk < g_registry.chunk_count(); ++chunk) {
    const Cell* block =
        process->shared.blocks[chunk].load(std::memory_order_acquire);
    const Written written = block == nullptr
                                ? Written::kAll
                                : WriteBlock(FileOf(process, chunk), block);
    if (written != Written::kAll) {
      if (written == Written::kNot) {
        NoteFailedWrite(process);
      }
      return;  // not ours: whoever writes next finds it out too
    }
  }
  NoteSuccess(process);
}

}  // namespace

WrittenChange::WrittenChange(uint32_t chunk) noexcept
    : process_(CurrentProcess()),
      chunk_(chunk),
      is_held_(process_ != nullptr && Lock(process_)) {}

WrittenChange::~WrittenChange() {
  if (!is_held_) {
    return;
  }
  if (process_->is_file_behind.load(std::memory_order_relaxed) &&
      (g_image.is_sealed.load(std::memory_order_relaxed) ||
       MayRetry(process_))) {
    CatchUp(process_);
  }
  Unlock(process_);
}

Cell* WrittenChange::Block() noexcept {
  // No process: it has shut down since the caller looked.
  if (chunk_ == kNoChunk || process_ == nullptr) {
    return nullptr;
  }
  const std::atomic<Cell*>& block = process_->shared.blocks[chunk_];
  // Twice: making a chunk may find out that the files are lost.
  for (int attempt = 0; attempt < 2 && is_held_; ++attempt) {
    if (process_->are_files_lost.load(std::memory_order_relaxed)) {
      const SlowPathLock lock(process_, SlowPathLock::Wait::kBounded);
      if (lock.is_held()) {
        LoseFilesLocked(process_);
      }
    }
    if (block.load(std::memory_order_acquire) == nullptr &&
        MayRetry(process_)) {
      const SlowPathLock lock(process_, SlowPathLock::Wait::kBounded);
      if (lock.is_held()) {
        MakeChunkRealLocked(process_, chunk_);
      }
    }
  }
  return block.load(std::memory_order_acquire);
}

bool WrittenChange::Write(const Cell* cell) noexcept {
  if (!is_held_) {
    process_->is_file_behind.store(true, std::memory_order_relaxed);
    return true;
  }
  const MetricFile& file = FileOf(process_, chunk_);
  const Cell value = LoadCell(cell);
  const Written written =
      WriteAt(file, &value, sizeof(value), OffsetIn(file, cell),
              shield_.WasBlockedBefore(SIGXFSZ));
  if (written == Written::kNotOurs) {
    process_->are_files_lost.store(true, std::memory_order_relaxed);
    return false;
  }
  if (written == Written::kNot) {
    NoteFailedWrite(process_);
  }
  return true;
}

void WrittenChange::Drop() noexcept {
  CountDrops(process_, /*observations=*/1, /*series=*/0);
}

void WriteDropCounts(const MetricFile& file) noexcept {
  const SignalShield shield;
  const auto* header = file.dynamic();
  WriteAt(file, &header->dropped_series,
          sizeof(header->dropped_series) + sizeof(header->dropped_observations),
          format::kHeaderDynamicOffset +
              offsetof(format::FileHeaderDynamic, dropped_series));
}

void WriteState(const MetricFile& file) noexcept {
  const SignalShield shield;
  const auto* header = file.dynamic();
  WriteAt(file, &header->state, sizeof(header->state),
          format::kHeaderDynamicOffset +
              offsetof(format::FileHeaderDynamic, state));
}

}  // namespace tine::internal
