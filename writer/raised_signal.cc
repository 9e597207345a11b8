#include "writer/raised_signal.h"

#include <cerrno>
#include <csignal>
#include <ctime>

#include "common/retry_if_interrupted.h"

namespace tine::internal {

RaisedSignal::RaisedSignal(int number, bool can_be_pending) noexcept
    : number_(number) {
  sigset_t pending;
  was_pending_ = can_be_pending && ::sigpending(&pending) == 0 &&
                 ::sigismember(&pending, number) == 1;
}

void RaisedSignal::Take() const noexcept {
  if (was_pending_) {
    return;
  }
  const int saved_errno = errno;
  sigset_t raised;
  ::sigemptyset(&raised);
  ::sigaddset(&raised, number_);
  const timespec now = {0, 0};
  RetryIfInterrupted([&] { return ::sigtimedwait(&raised, nullptr, &now); });
  errno = saved_errno;
}

}  // namespace tine::internal
