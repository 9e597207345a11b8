#ifndef TINE_WRITER_SLOW_PATH_LOCK_H_
#define TINE_WRITER_SLOW_PATH_LOCK_H_

#include <csignal>

#include "writer/process_state.h"

namespace tine::internal {

// Blocks all signals and cancellation in this thread and keeps errno, for its
// scope. Makes no system call once the process is sealed, unless it is for a
// fork, which makes many.
class SignalShield {
 public:
  enum class For { kAnything, kFork };

  explicit SignalShield(For purpose = For::kAnything) noexcept;
  ~SignalShield();
  SignalShield(const SignalShield&) = delete;
  SignalShield& operator=(const SignalShield&) = delete;

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
// everybody can do without.
class SlowPathLock {
 public:
  enum class Wait { kNot, kBounded };

  SlowPathLock(ProcessState* process, Wait wait) noexcept;
  ~SlowPathLock();
  SlowPathLock(const SlowPathLock&) = delete;
  SlowPathLock& operator=(const SlowPathLock&) = delete;

  bool is_held() const { return is_held_; }

 private:
  SignalShield shield_;
  ProcessState* const process_;
  bool is_held_;
};

}  // namespace tine::internal

#endif  // TINE_WRITER_SLOW_PATH_LOCK_H_
