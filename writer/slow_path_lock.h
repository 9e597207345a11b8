#ifndef TINE_WRITER_SLOW_PATH_LOCK_H_
#define TINE_WRITER_SLOW_PATH_LOCK_H_

#include <csignal>

#include "writer/process_state.h"

namespace tine::internal {

// Blocks all signals and cancellation in this thread and keeps errno, for its
// scope. Makes no system call once the process is sealed, unless it is for a
// fork, which makes many; nor when it is for nothing.
class SignalShield {
 public:
  enum class For { kAnything, kFork, kNothing };

  explicit SignalShield(For purpose = For::kAnything) noexcept;
  ~SignalShield();
  SignalShield(const SignalShield&) = delete;
  SignalShield& operator=(const SignalShield&) = delete;

  // Had this thread blocked the signal before? True when that is not known.
  bool WasBlockedBefore(int number) const noexcept {
    return !is_shielded_ || ::sigismember(&old_mask_, number) != 0;
  }

 private:
  sigset_t old_mask_;
  bool is_shielded_;
  int old_cancel_state_ = 0;
  int saved_errno_;
};

// The one lock of a process: who changes the registry, the files or the tables
// holds it. It lies in wiped memory, so a forked child finds it free. Its
// holder cannot be interrupted by a signal handler (SignalShield), so waiting
// for it is waiting for a running thread; even so the wait is bounded, and
// everybody can do without. Who has waited in vain tells the others: until the
// lock is free again nobody waits, and not getting it costs no system call.
// After Shutdown() nobody gets it.
class SlowPathLock {
 public:
  enum class Wait { kNot, kBounded };

  SlowPathLock(ProcessState* process, Wait wait) noexcept;
  ~SlowPathLock();
  SlowPathLock(const SlowPathLock&) = delete;
  SlowPathLock& operator=(const SlowPathLock&) = delete;

  bool is_held() const { return is_held_; }

 private:
  ProcessState* const process_;
  const bool is_worth_trying_;
  SignalShield shield_;
  bool is_held_ = false;
};

}  // namespace tine::internal

#endif  // TINE_WRITER_SLOW_PATH_LOCK_H_
