// The writer's state, split by what a fork does to it.
//
// ImageState is as old as the process image (since exec): settings, what was
// registered, where mappings are. A forked child has a copy. ProcessState
// belongs to one process. It lies in MADV_WIPEONFORK memory: a forked child,
// raw clone() included, finds zeroes there, and zeroes mean "nothing made yet,
// lock free, no file, no slot taken".

#ifndef TINE_WRITER_PROCESS_STATE_H_
#define TINE_WRITER_PROCESS_STATE_H_

#include <pthread.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/metric_file_name.h"
#include "common/record_layout.h"
#include "writer/block_table.h"
#include "writer/store.h"

namespace tine::internal {

inline constexpr uint32_t kMaxSlots = 64;  // besides slot 0
inline constexpr uint32_t kMaxFiles = 16;  // of one process
inline constexpr uint64_t kDefaultMaxBytes = 16 << 20;
// Room that only overflow series may take, so that sums stay true at the cap.
inline constexpr uint64_t kOverflowReserveBytes = 64 << 10;

// What Store::kWritten writes through. Known to forked children, which close
// it.
struct FileDescriptor {
  std::atomic<int> fd{-1};
  // What the number must still mean.
  uint64_t device = 0;
  uint64_t inode = 0;
};

// One metric file of this process: mapped, or a copy of it in private memory
// (written), or no file at all but its bytes. Changed only under the lock.
struct MetricFile {
  uint8_t* base;
  void* life_lock;             // the mapping that holds it; null: none does
  FileDescriptor* descriptor;  // of Store::kWritten; else null
  uint64_t reserve_bytes;      // address space and file size
  uint64_t real_bytes;  // from the start: backed by memory, may be touched
  uint64_t used;        // what was published last
  char name[kMaxMetricFileNameBytes + 1];

  format::FileHeaderDynamic* dynamic() const {
    return reinterpret_cast<format::FileHeaderDynamic*>(
        base + format::kHeaderDynamicOffset);
  }
};

// A thread's right to private blocks.
struct alignas(64) Slot {
  // Given back with release and taken with acquire: the taker goes on from the
  // numbers in the blocks.
  std::atomic<uint32_t> is_taken;
  BlockTable table;
};

enum class Phase : uint32_t { kWiped = 0, kResetting = 1, kReady = 2 };

struct ProcessState {
  std::atomic<Phase> phase;
  std::atomic<uint32_t> lock;  // 1: held; see SlowPathLock
  // Somebody waited for it in vain, and it has not been free since.
  std::atomic<bool> is_lock_stuck;
  std::atomic<int32_t> free_slot_count;

  // Under the lock.
  uint32_t file_count;
  uint32_t lost_file_count;  // made before, and lost (LoseFilesLocked)
  uint64_t private_bytes;    // of private blocks made
  bool has_told_parent;      // that this child could not make a file
  MetricFile files[kMaxFiles];
  uint8_t chunk_file[kMaxChunks];  // which file holds a chunk, once it is real

  // Counted here while there is no file, in the file's header afterwards.
  std::atomic<uint64_t> dropped_observations;
  std::atomic<uint64_t> dropped_series;

  // Of Store::kWritten. Who changes cells holds the lock (WrittenChange).
  std::atomic<uint32_t> write_lock;
  std::atomic<bool> is_write_lock_stuck;  // as is_lock_stuck
  // The program has closed a descriptor (LoseFilesLocked comes next).
  std::atomic<bool> are_files_lost;
  // Memory holds what the file does not.
  std::atomic<bool> is_file_behind;
  std::atomic<uint64_t> failed_writes;

  // Back-off after a failure: see MayRetry().
  std::atomic<uint64_t> retry_at_ns;  // coarse monotonic clock; 0: no failure
  std::atomic<uint64_t> clock_checked_ns;
  std::atomic<int32_t> calls_until_clock_check;
  std::atomic<int32_t> clock_check_period;

  std::atomic<const char*> last_error;  // a constant text
  std::atomic<int> last_error_errno;    // 0: none

  BlockTable shared;  // slot 0
  Slot slots[1];  // as many as ImageState::slot_count; slot number = index + 1
};

// A data mapping that a forked child must cover.
struct DataMapping {
  uint8_t* base;
  uint64_t reserve_bytes;
  uint64_t real_bytes;
};

struct Settings {
  char directory[4096];
  char executable[256];
  char worker_id[256];
  // name, value, ...: each a u16 length and its bytes, as in the file header.
  uint8_t process_labels[2048];
  uint32_t process_labels_bytes;
  uint16_t process_label_count;
  // The first ones came from the environment, the others from the program.
  uint16_t environment_label_count;
  uint8_t boot_id[16];
  uint64_t max_bytes;
  uint64_t max_files;  // in the directory
  Store store;         // never kDefault once the library has started
  bool may_use_disk;
  bool is_quiet;  // TINE_LOG=off
};

struct ImageState {
  std::atomic<ProcessState*> process{nullptr};
  // 0, then the pid of whose thread is in Start(), then kStarted. The pid,
  // because a child forked in the middle of it has to begin again.
  static constexpr int32_t kStarted = -1;
  std::atomic<int32_t> starter{0};
  size_t process_bytes = 0;
  uint32_t slot_count = 0;
  bool is_wiped_by_kernel = false;  // else by the atfork handler alone
  // Counts processes down a chain of forks, so that what the parent cached is
  // told from the child's own.
  std::atomic<uint32_t> process_number{1};
  pthread_key_t thread_key = 0;
  bool has_thread_key = false;
  std::atomic<bool> is_disabled{false};
  // Why, a constant text, if nobody asked for it. What is counted then is
  // counted as dropped here.
  std::atomic<const char*> start_error{nullptr};
  std::atomic<uint64_t> dropped_without_start{0};
  std::atomic<bool> is_start_stuck{false};  // somebody waited for it in vain
  std::atomic<bool> is_shut_down{false};    // for good, children too
  std::atomic<bool> is_sealed{false};
  std::atomic<bool> has_complained{false};  // of a file that cannot be made
  std::atomic<bool> has_told_usage_error{false};
  std::atomic<bool> has_warned_of_disk{false};
  // Found out with the first file in a directory.
  std::atomic<format::LifeLock> life_lock{format::LifeLock::kUnknown};

  // Slots ever taken, and slots that may not be taken, as bits. After a raw
  // clone() the one surviving thread may still point at a slot that it no
  // longer owns and that we cannot know; so all that were taken are retired.
  std::atomic<uint64_t> taken_slots{0};
  std::atomic<uint64_t> retired_slots{0};

  DataMapping mappings[kMaxFiles] = {};
  std::atomic<uint32_t> mapping_count{0};
  FileDescriptor descriptors[kMaxFiles];  // by the number of the mapping
  // The parent's header page, kept by a child that has no file yet, to be
  // counted there.
  std::atomic<format::FileHeaderDynamic*> parent_header{nullptr};

  // Descriptors and the life lock's mapping while a file is being made: a
  // concurrent fork's child gives them up.
  std::atomic<int> open_descriptors[4] = {{-1}, {-1}, {-1}, {-1}};
  std::atomic<void*> unprotected_life_lock{nullptr};
  std::atomic<bool> is_taking_life_lock{false};
  std::atomic<int> forks_under_way{0};  // between prepare and parent handler

  Settings settings = {};
};

extern ImageState g_image;

// Makes the process state, once per image; reads the environment. `store` wins
// over the environment's unless it is kDefault or the library has started.
// False: counting is off for good (no memory, TINE_DISABLE or Store::kNone).
// Not async-signal-safe; registrations call it.
bool Start(Store store = Store::kDefault) noexcept;

// Another store than the one it started with, before there is a file. Under the
// lock.
void SetStoreLocked(ProcessState* process, Store store) noexcept;

// The process's state, reset first if this is a forked child. Null before
// Start(). Async-signal-safe.
ProcessState* CurrentProcess() noexcept;

inline constexpr uint64_t kRetryAfterNs = 10'000'000'000;

// Coarse monotonic nanoseconds; never 0.
uint64_t CoarseNowNs() noexcept;

// After a failure the next attempt comes 10 s later. Between, almost every call
// is answered without looking at a clock, however hot the path is that asks.
bool MayRetry(ProcessState* process) noexcept;
void NoteFailure(ProcessState* process, const char* what,
                 int error_number) noexcept;
// The same without the back-off: the status has it, and stderr if it is the
// first.
void NoteError(ProcessState* process, const char* what,
               int error_number) noexcept;
void NoteSuccess(ProcessState* process) noexcept;
// A mistake of the program's: the status has it, and stderr if it is the first.
void NoteUsageError(ProcessState* process, const char* what,
                    std::string_view metric) noexcept;

void CountDrops(ProcessState* process, uint64_t observations,
                uint64_t series) noexcept;

// What an errno means, as a constant text; never null (kernels have numbers
// that the C library does not know). Async-signal-safe.
const char* ErrorText(int error_number) noexcept;

// One line on stderr, "tine: " in front, made without stdio. Not when
// TINE_LOG=off, nor when it would have to wait for a reader of stderr. Raises
// no signal.
void Complain(const char* what, const char* detail, int error_number) noexcept;

}  // namespace tine::internal

#endif  // TINE_WRITER_PROCESS_STATE_H_
