// A real process, moved on by the instruction or by the system call (ptrace).
// While it is stopped, everything that it has stored is there for others to
// see: on a tmpfs a file is then what a SIGKILL at this instruction would
// leave.

#ifndef TINE_TESTS_TESTING_STEPPED_PROCESS_H_
#define TINE_TESTS_TESTING_STEPPED_PROCESS_H_

#include <sys/types.h>

#include <atomic>
#include <functional>

namespace tine::testing {

// x86-64 and aarch64 both have single steps; only the first has
// FailSystemCall().
#if defined(__x86_64__)
inline constexpr bool kCanFailSystemCalls = true;
#else
inline constexpr bool kCanFailSystemCalls = false;
#endif

// One thread of the process is stepped, from Begin() to End(); all others run
// freely.
class SteppedProcess {
 public:
  // For the child.
  class Stage {
   public:
    // The calling thread is stepped from here on.
    void Begin() const;
    // By the thread that is stepped.
    void End() const;

   private:
    friend class SteppedProcess;
    int begin_pipe_ = -1;
    std::atomic<bool>* is_over_ = nullptr;
  };

  // Forks. Returns when the child has come to Begin(); the body's return ends
  // the child, with 0.
  explicit SteppedProcess(const std::function<void(const Stage&)>& body);
  // Kills what is left.
  ~SteppedProcess();
  SteppedProcess(const SteppedProcess&) = delete;
  SteppedProcess& operator=(const SteppedProcess&) = delete;

  // The child forked in the stage will be stepped from its first instruction
  // on, and its parent runs freely.
  void FollowFork();

  // False once the stage is over or the process has ended.
  bool is_in_stage() const { return is_stopped_ && !is_over_->load(); }
  // False when it ended, by itself or by a signal.
  bool is_stopped() const { return is_stopped_; }
  // When it has ended.
  int wait_status() const { return wait_status_; }

  // One instruction. A system call counts as one, and so does a look at the
  // clock in the vDSO: that one begins anew when the clock has ticked
  // meanwhile, and single steps can be slower than the clock.
  void Step();
  // To the next entry to a system call, or exit from one.
  void StepToSystemCall();

  bool IsBlocked(int signal_number) const;

  // Of its memory.
  uint64_t WordAt(const void* address) const;

  // If the last step was this system call with this third argument, it returns
  // `error_number`, whatever it has done. True if so.
  bool FailSystemCall(long number, uint64_t third_argument, int error_number);

  // It runs on freely, with this signal (0: none). Returns how it ended; see
  // WaitFor().
  int Release(int signal_number);
  void Kill();

 private:
  void Resume(int request);
  void WaitForStop();
  void TakeForkedChild();
  void LeaveVdso();

  Stage stage_;
  std::atomic<bool>* is_over_ = nullptr;  // in memory shared with the child
  pid_t pid_ = -1;
  pid_t thread_ = -1;  // the one that is stepped
  bool is_stopped_ = false;
  bool is_reaped_ = false;  // pid_ is nobody's any more
  int wait_status_ = 0;
  int pending_signal_ = 0;  // to be delivered with the next step
};

}  // namespace tine::testing

#endif  // TINE_TESTS_TESTING_STEPPED_PROCESS_H_
