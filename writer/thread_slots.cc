#include "writer/thread_slots.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>

#include "writer/settings.h"
#include "writer/slow_path_lock.h"

namespace tine::internal {

BlockTable g_new_thread_table;
BlockTable g_ended_thread_table;
// The attribute again: a definition without it has a model of its own.
__thread BlockTable* t_thread_table TINE_TLS_MODEL = &g_new_thread_table;

namespace {

// glibc keeps the first 32 keys' values in the thread descriptor and allocates
// for others.
constexpr pthread_key_t kKeysWithoutMalloc = 32;

// The slot whose table the thread points at; null for the two static tables.
Slot* SlotOfTable(ProcessState* process, BlockTable* table) {
  if (table == &g_new_thread_table || table == &g_ended_thread_table) {
    return nullptr;
  }
  const auto offset =
      static_cast<size_t>(reinterpret_cast<uint8_t*>(table) -
                          reinterpret_cast<uint8_t*>(&process->slots[0].table));
  return &process->slots[offset / sizeof(Slot)];
}

Slot* TakeFreeSlot(ProcessState* process) {
  for (uint32_t i = 0; i < g_image.slot_count; ++i) {
    const uint64_t bit = uint64_t{1} << i;
    Slot& slot = process->slots[i];
    uint32_t expected = 0;
    if ((g_image.retired_slots.load(std::memory_order_relaxed) & bit) == 0 &&
        slot.is_taken.load(std::memory_order_relaxed) == 0 &&
        // Acquire: pairs with the release in GiveBack(); the blocks hold what
        // the last owner left.
        slot.is_taken.compare_exchange_strong(expected, 1,
                                              std::memory_order_acquire,
                                              std::memory_order_relaxed)) {
      process->free_slot_count.fetch_sub(1, std::memory_order_relaxed);
      g_image.taken_slots.fetch_or(bit, std::memory_order_relaxed);
      return &slot;
    }
  }
  return nullptr;
}

void GiveBack(ProcessState* process, Slot* slot) {
  slot->is_taken.store(0, std::memory_order_release);
  process->free_slot_count.fetch_add(1, std::memory_order_relaxed);
}

// The key's destructor. What this thread still counts, in destructors that run
// after this one, goes to slot 0.
void OnThreadEnd(void* /*table*/) {
  SignalShield shield;
  BlockTable* table = t_thread_table;
  t_thread_table = &g_ended_thread_table;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  ProcessState* process = CurrentProcess();
  if (process == nullptr) {
    return;
  }
  Slot* slot = SlotOfTable(process, table);
  // Not taken: the slot was the parent's, and this is a child.
  if (slot != nullptr && slot->is_taken.load(std::memory_order_relaxed) != 0) {
    GiveBack(process, slot);
  }
}

}  // namespace

bool MakeThreadKey() noexcept {
  if (::pthread_key_create(&g_image.thread_key, OnThreadEnd) != 0) {
    return false;
  }
  if (g_image.thread_key >= kKeysWithoutMalloc) {
    ::pthread_key_delete(g_image.thread_key);
    return false;
  }
  g_image.has_thread_key = true;
  return true;
}

uint32_t SlotCountFromEnvironment() {
  const long cpu_count = ::sysconf(_SC_NPROCESSORS_ONLN);
  const auto by_cpus = static_cast<uint64_t>(cpu_count < 1 ? 2 : 2 * cpu_count);
  return static_cast<uint32_t>(NumberFromEnvironment(
      "TINE_MAX_SLOTS", 0, kMaxSlots, std::min<uint64_t>(by_cpus, kMaxSlots)));
}

Slot* ThreadSlot(ProcessState* process) noexcept {
  BlockTable* table = t_thread_table;
  if (table == &g_ended_thread_table) {
    return nullptr;
  }
  Slot* slot = SlotOfTable(process, table);
  if (slot != nullptr) {
    if (slot->is_taken.load(std::memory_order_relaxed) != 0) {
      return slot;
    }
    // A raw fork: the slot was the parent's. It is retired here, so nobody else
    // has taken it.
    t_thread_table = &g_new_thread_table;
  }
  if (process->free_slot_count.load(std::memory_order_relaxed) <= 0 ||
      g_image.is_sealed.load(std::memory_order_relaxed)) {
    return nullptr;
  }
  // No signal handler may find the slot taken but not yet this thread's.
  SignalShield shield;
  if (t_thread_table != &g_new_thread_table) {
    return SlotOfTable(process, t_thread_table);  // one was here just now
  }
  slot = TakeFreeSlot(process);
  if (slot == nullptr) {
    return nullptr;
  }
  if (::pthread_setspecific(g_image.thread_key, &slot->table) != 0) {
    GiveBack(process, slot);
    return nullptr;
  }
  t_thread_table = &slot->table;
  return slot;
}

void ForgetThreadSlot() noexcept {
  if (t_thread_table != &g_ended_thread_table) {
    t_thread_table = &g_new_thread_table;
  }
  if (g_image.has_thread_key) {
    ::pthread_setspecific(g_image.thread_key, nullptr);
  }
}

}  // namespace tine::internal
