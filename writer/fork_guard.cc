#include "writer/fork_guard.h"

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "writer/life_lock.h"
#include "writer/slow_path_lock.h"
#include "writer/thread_slots.h"
#include "writer/written_file.h"

namespace tine::internal {
namespace {

void Cover(uint8_t* begin, const uint8_t* end, int protection) {
  if (begin < end) {
    ::mmap(begin, static_cast<size_t>(end - begin), protection,
           MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
  }
}

// Covers the parent's data with private memory. Not unmapped: the fork may have
// come between a hot path's load of a block pointer and its add, in a signal
// handler's frame say, and that add must land somewhere harmless. The header
// page stays shared, so that a child that cannot make a file of its own can be
// counted in its parent's; only the slow path writes there.
void CoverParentData() {
  // Only a mapped file's is the parent's too.
  const bool keeps_header = g_image.settings.store == Store::kMapped &&
                            ::sysconf(_SC_PAGESIZE) == format::kHeaderBytes;
  const uint32_t count = g_image.mapping_count.load(std::memory_order_acquire);
  for (uint32_t i = 0; i < count; ++i) {
    const DataMapping& mapping = g_image.mappings[i];
    const uint64_t real_bytes =
        __atomic_load_n(&mapping.real_bytes, __ATOMIC_RELAXED);
    const bool keeps_this_header = keeps_header && i + 1 == count;
    const uint64_t kept_bytes = keeps_this_header ? format::kHeaderBytes : 0;
    // In one step: were it covered first and made writable then, the second
    // could fail, and an add caught in mid-air would crash. If the kernel has
    // no memory for the cover, the parent's pages stay: that one add may then
    // count in both processes, which is better.
    Cover(mapping.base + kept_bytes, mapping.base + real_bytes,
          PROT_READ | PROT_WRITE);
    Cover(mapping.base + std::max(real_bytes, kept_bytes),
          mapping.base + mapping.reserve_bytes, PROT_NONE);
    if (keeps_this_header && real_bytes >= format::kHeaderBytes) {
      g_image.parent_header.store(
          reinterpret_cast<format::FileHeaderDynamic*>(
              mapping.base + format::kHeaderDynamicOffset),
          std::memory_order_relaxed);
    }
  }
  g_image.mapping_count.store(0, std::memory_order_relaxed);
}

// What another thread of the parent had open while it was making a file.
void CloseParentDescriptors() {
  for (std::atomic<int>& descriptor : g_image.open_descriptors) {
    const int fd = descriptor.exchange(-1, std::memory_order_relaxed);
    if (fd >= 0) {
      ::close(fd);
    }
  }
  for (FileDescriptor& descriptor : g_image.descriptors) {
    CloseDescriptor(&descriptor);
  }
  void* life_lock = g_image.unprotected_life_lock.exchange(
      nullptr, std::memory_order_relaxed);
  if (life_lock != nullptr) {
    ::munmap(life_lock, static_cast<size_t>(::sysconf(_SC_PAGESIZE)));
  }
  g_image.is_taking_life_lock.store(false, std::memory_order_relaxed);
  g_image.forks_under_way.store(0, std::memory_order_relaxed);
}

void BecomeOwnProcess(ProcessState* process) {
  CloseParentDescriptors();
  CoverParentData();
  g_image.process_number.fetch_add(1, std::memory_order_relaxed);
  const int usable_count = static_cast<int>(g_image.slot_count) -
                           __builtin_popcountll(g_image.retired_slots.load(
                               std::memory_order_relaxed));
  process->free_slot_count.store(usable_count, std::memory_order_relaxed);
  process->phase.store(Phase::kReady, std::memory_order_release);
}

// Memory for the life lock is mapped and marked MADV_DONTFORK some microseconds
// later; a child forked between would keep a dead parent's lock. And a child
// forked in the middle of Start() has to start again.
void BeforeFork() {
  const uint64_t give_up_ns = CoarseNowNs() + kLongestForkDelayNs;
  t_is_forking = true;
  g_image.forks_under_way.fetch_add(1, std::memory_order_seq_cst);
  while ((g_image.is_taking_life_lock.load(std::memory_order_seq_cst) ||
          g_image.starter.load(std::memory_order_acquire) > 0) &&
         CoarseNowNs() < give_up_ns) {
    ::sched_yield();
  }
}

void InForkingParent() {
  g_image.forks_under_way.fetch_sub(1, std::memory_order_release);
  t_is_forking = false;
}

void InForkedChild() {
  t_is_forking = false;
  ProcessState* process = g_image.process.load(std::memory_order_relaxed);
  if (process == nullptr) {
    SignalShield shield(SignalShield::For::kFork);
    // There are some if the parent has shut down.
    CloseParentDescriptors();
    CoverParentData();
    return;
  }
  // Signals stay as they are until here: a handler that counts first does the
  // reset itself, like any raw fork.
  SignalShield shield(SignalShield::For::kFork);
  if (!g_image.is_wiped_by_kernel) {
    std::memset(static_cast<void*>(process), 0, g_image.process_bytes);
  }
  Phase expected = Phase::kWiped;
  if (!process->phase.compare_exchange_strong(expected, Phase::kResetting,
                                              std::memory_order_acquire)) {
    return;
  }
  // The only thread there is runs this, so no slot of the parent's can still be
  // in somebody's hands.
  ForgetThreadSlot();
  g_image.taken_slots.store(0, std::memory_order_relaxed);
  g_image.retired_slots.store(0, std::memory_order_relaxed);
  BecomeOwnProcess(process);
}

}  // namespace

bool InstallForkHandlers() noexcept {
  static bool are_installed = false;  // in a child of a Start(), perhaps
  if (!are_installed) {
    are_installed =
        ::pthread_atfork(BeforeFork, InForkingParent, InForkedChild) == 0;
  }
  return are_installed;
}

void ResetAfterRawFork(ProcessState* process) noexcept {
  SignalShield shield(SignalShield::For::kFork);
  Phase expected = Phase::kWiped;
  if (process->phase.compare_exchange_strong(expected, Phase::kResetting,
                                             std::memory_order_acquire)) {
    g_image.retired_slots.fetch_or(
        g_image.taken_slots.load(std::memory_order_relaxed),
        std::memory_order_relaxed);
    BecomeOwnProcess(process);
    return;
  }
  // Another thread of this new process is at it; it cannot be interrupted by a
  // signal handler.
  while (process->phase.load(std::memory_order_acquire) != Phase::kReady) {
    ::sched_yield();
  }
}

}  // namespace tine::internal
