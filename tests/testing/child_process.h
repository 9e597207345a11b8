// Real processes for tests: a body in a forked child, with a deadline.

#ifndef TINE_TESTS_TESTING_CHILD_PROCESS_H_
#define TINE_TESTS_TESTING_CHILD_PROCESS_H_

#include <sys/types.h>

#include <functional>
#include <string>

namespace tine::testing {

// Longer than anything takes under a sanitizer on a busy machine.
inline constexpr int kDeadlineSeconds = 60;

struct ChildOutcome {
  bool has_timed_out = false;  // and was killed, with all its children
  int wait_status = 0;
  std::string stderr_text;

  bool HasExited(int code) const;
  bool WasKilledBy(int signal_number) const;
  // For messages: how it ended, and what it wrote to stderr.
  std::string Description() const;
};

enum class Ending {
  kQuick,  // _exit: no destructors
  kExit,   // exit, as at the end of main
};

// Runs `body` in a forked child that leads a process group of its own, its
// stderr caught. The child ends with 1 if an EXPECT or ASSERT failed in it (or
// in a child that it ran so), else with 0.
ChildOutcome RunInChild(const std::function<void()>& body,
                        Ending ending = Ending::kQuick);

// Starts `body` and goes on; the caller waits. The child ends with _exit, as
// above, and dies with the thread that started it.
pid_t StartChild(const std::function<void()>& body);

// Waits for the process; kills it at the deadline. The wait status, or -1 at
// the deadline.
int WaitFor(pid_t pid, int deadline_seconds = kDeadlineSeconds);

// Waits until `condition` is true; false at the deadline.
bool WaitUntil(const std::function<bool()>& condition,
               int deadline_seconds = kDeadlineSeconds);

// Did it end with exit code 0?
bool IsSuccess(int wait_status);

// "with code 3", "by signal 9", "at the deadline".
std::string EndingText(int wait_status);

}  // namespace tine::testing

#endif  // TINE_TESTS_TESTING_CHILD_PROCESS_H_
