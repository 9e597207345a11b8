#include "writer/slow_path_lock.h"

#include <pthread.h>
#include <sched.h>

#include <cerrno>

#include "writer/fork_guard.h"

namespace tine::internal {
namespace {

// The holder at most makes a file, some tens of microseconds; a second is for a
// machine in trouble.
constexpr uint64_t kLongestWaitNs = 1'000'000'000;

bool TryLock(ProcessState* process) {
  uint32_t expected = 0;
  return process->lock.compare_exchange_strong(
      expected, 1, std::memory_order_acquire, std::memory_order_relaxed);
}

bool LockWithin(ProcessState* process, uint64_t longest_wait_ns) {
  const uint64_t give_up_ns = CoarseNowNs() + longest_wait_ns;
  while (!TryLock(process)) {
    if (CoarseNowNs() > give_up_ns) {
      return false;
    }
    ::sched_yield();
  }
  return true;
}

}  // namespace

SignalShield::SignalShield(For purpose) noexcept
    : is_shielded_(purpose == For::kFork ||
                   !g_image.is_sealed.load(std::memory_order_relaxed)),
      saved_errno_(errno) {
  if (is_shielded_) {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &old_mask_);
  }
  ::pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old_cancel_state_);
}

SignalShield::~SignalShield() {
  ::pthread_setcancelstate(old_cancel_state_, nullptr);
  if (is_shielded_) {
    ::pthread_sigmask(SIG_SETMASK, &old_mask_, nullptr);
  }
  errno = saved_errno_;
}

SlowPathLock::SlowPathLock(ProcessState* process, Wait wait) noexcept
    : process_(process), is_held_(false) {
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
}

SlowPathLock::~SlowPathLock() {
  if (is_held_) {
    process_->lock.store(0, std::memory_order_release);
  }
}

}  // namespace tine::internal
