// Which thread owns which slot.

#ifndef TINE_WRITER_THREAD_SLOTS_H_
#define TINE_WRITER_THREAD_SLOTS_H_

#include <cstdint>

#include "writer/process_state.h"

namespace tine::internal {

// Makes the key whose destructor tells us that a thread ends. False where a
// thread's first use of it could call malloc: then there are no private slots,
// and everybody counts in slot 0.
bool MakeThreadKey() noexcept;

// $TINE_MAX_SLOTS, else two per CPU, at most kMaxSlots.
uint32_t SlotCountFromEnvironment();

// The calling thread's slot in this process, taken now if one is free; null if
// there is none, or if the thread is ending. Async-signal-safe.
Slot* ThreadSlot(ProcessState* process) noexcept;

// Is it the calling thread's, in this process? Not when a signal handler has
// forked since ThreadSlot() gave it.
inline bool IsSlotOfThread(const Slot* slot) {
  return t_thread_table == &slot->table &&
         slot->is_taken.load(std::memory_order_relaxed) != 0;
}

// 1 for the first. Slot 0 is the shared one.
inline uint32_t SlotNumber(const ProcessState* process, const Slot* slot) {
  return static_cast<uint32_t>(slot - process->slots) + 1;
}

// In a forked child: what this thread had was its parent's.
void ForgetThreadSlot() noexcept;

}  // namespace tine::internal

#endif  // TINE_WRITER_THREAD_SLOTS_H_
