#ifndef TINE_WRITER_RAISED_SIGNAL_H_
#define TINE_WRITER_RAISED_SIGNAL_H_

namespace tine::internal {

// A signal that the kernel raises in this thread when a call of ours fails:
// SIGXFSZ, SIGPIPE. It would kill the host as soon as the SignalShield around
// us goes down. Made before the call; Take() when the call has failed. One that
// was pending before is the host's and stays; `can_be_pending` false: there can
// be none, which saves a system call. Async-signal-safe; keeps errno.
class RaisedSignal {
 public:
  explicit RaisedSignal(int number, bool can_be_pending = true) noexcept;
  void Take() const noexcept;

 private:
  const int number_;
  bool was_pending_;
};

}  // namespace tine::internal

#endif  // TINE_WRITER_RAISED_SIGNAL_H_
