#include "writer/slow_path_lock.h"

#include <pthread.h>
#include <sched.h>

#include <cerrno>

#include "common/retry_if_interrupted.h"
#include "writer/fork_guard.h"

namespace tine::internal {
namespace {

// The holder at most makes a file, some tens of microseconds; a second is for a
// machine in trouble.
constexpr uint64_t kLongestWaitNs = 1'000'000'000;

bool TryLock(ProcessState* process) {
  uint32_t expected = 0;
  if (!process->lock.compare_exchange_strong(
          expected, 1, std::memory_order_acquire, std::memory_order_relaxed)) {
    return false;
  }
  if (process->is_lock_stuck.load(std::memory_order_relaxed)) {
    process->is_lock_stuck.store(false, std::memory_order_relaxed);
  }
  return true;
}

// Looked at before the shield is put up, which takes two system calls.
bool IsWorthTrying(const ProcessState* process, SlowPathLock::Wait wait) {
  return process->lock.load(std::memory_order_relaxed) == 0 ||
         (wait == SlowPathLock::Wait::kBounded &&
          !process->is_lock_stuck.load(std::memory_order_relaxed));
}

bool LockWithin(ProcessState* process, uint64_t longest_wait_ns) {
  const uint64_t give_up_ns = CoarseNowNs() + longest_wait_ns;
  while (!TryLock(process)) {
    if (CoarseNowNs() > give_up_ns) {
      process->is_lock_stuck.store(true, std::memory_order_relaxed);
      NoteError(process,
                "a thread has been stopped while it changed the metrics of "
                "this process",
                0);
      return false;
    }
    ::sched_yield();
  }
  return true;
}

// pthread_sigmask() returns its error; here it must not look interrupted.
bool SetSignalMask(const sigset_t& mask, sigset_t* old_mask) {
  return RetryIfInterrupted([&] {
           errno = ::pthread_sigmask(SIG_SETMASK, &mask, old_mask);
           return errno == 0 ? 0 : -1;
         }) == 0;
}

}  // namespace

SignalShield::SignalShield(For purpose) noexcept
    : is_shielded_(purpose == For::kFork ||
                   (purpose == For::kAnything &&
                    !g_image.is_sealed.load(std::memory_order_relaxed))),
      saved_errno_(errno) {
  if (is_shielded_) {
    sigset_t all;
    ::sigfillset(&all);
    // A sandbox may refuse it. Then there is no old mask to go back to.
    is_shielded_ = SetSignalMask(all, &old_mask_);
  }
  ::pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old_cancel_state_);
}

SignalShield::~SignalShield() {
  ::pthread_setcancelstate(old_cancel_state_, nullptr);
  if (is_shielded_) {
    SetSignalMask(old_mask_, nullptr);
  }
  errno = saved_errno_;
}

SlowPathLock::SlowPathLock(ProcessState* process, Wait wait) noexcept
    : process_(process),
      is_worth_trying_(IsWorthTrying(process, wait)),
      shield_(is_worth_trying_ ? SignalShield::For::kAnything
                               : SignalShield::For::kNothing) {
  if (!is_worth_trying_) {
    return;
  }
  // A signal handler may have forked by hand since the caller looked; the
  // shield is up now.
  if (process->phase.load(std::memory_order_acquire) != Phase::kReady) {
    ResetAfterRawFork(process);
  }
  is_held_ = TryLock(process);
  if (!is_held_ && wait == Wait::kBounded &&
      !g_image.is_sealed.load(std::memory_order_relaxed)) {
    is_held_ = LockWithin(process, kLongestWaitNs);
  }
  if (is_held_ && g_image.is_shut_down.load(std::memory_order_relaxed)) {
    process->lock.store(0, std::memory_order_release);
    is_held_ = false;
  }
}

SlowPathLock::~SlowPathLock() {
  if (is_held_) {
    process_->lock.store(0, std::memory_order_release);
  }
}

}  // namespace tine::internal
