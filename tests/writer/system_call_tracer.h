// Runs a body in a child of which every system call is seen, and makes chosen
// ones fail, by ptrace.

#ifndef TINE_TESTS_WRITER_SYSTEM_CALL_TRACER_H_
#define TINE_TESTS_WRITER_SYSTEM_CALL_TRACER_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace tine::testing {

struct SystemCall {
  uint64_t number = 0;
  uint64_t args[6] = {};
  std::string path;  // of calls that take one as their first or second argument

  std::string Text() const;
};

// What the body is at; only one of its threads and processes may be at
// something at a time.
enum class Stage : int {
  kUntouched,  // calls neither fail nor count
  kAction,     // calls are numbered from 1, and fail as planned
  kCounting,   // calls are counted, and fail as planned if the failure lasts
  kReleased,   // who was stopped by kNeverReturns goes on
};

// In place of an errno: the thread is stopped in the call. The stage is then
// kUntouched.
inline constexpr int kNeverReturns = -1;

struct PlannedFailure {
  int call = 0;  // the number of the first one that fails; 0: none
  int error_number = 0;
  bool lasts = false;  // later calls of the same system call fail too
};

struct TraceResult {
  bool has_timed_out = false;  // and was killed
  int wait_status = 0;
  std::vector<SystemCall> action_calls;
  std::vector<SystemCall> failed_calls;
  int counting_calls = 0;
};

// More calls than this while counting, and the body is killed: it would never
// end.
inline constexpr int kMostCountingCalls = 200;

// In the body. Tells the tracer, which until then lets it run at full speed.
void SetStage(std::atomic<Stage>* stage, Stage value);

// Why this machine cannot trace; empty if it can.
std::string WhyNotTraced();

// Runs `body` in a forked child, which then ends with _exit(0). Calls are made
// to fail without being made, save close(), which closes whatever it says.
// Forked children and threads of the body are traced too. `stage` is in memory
// that the test and its children share.
TraceResult RunTraced(const std::function<void()>& body,
                      std::atomic<Stage>* stage, const PlannedFailure& failure);

}  // namespace tine::testing

#endif  // TINE_TESTS_WRITER_SYSTEM_CALL_TRACER_H_
