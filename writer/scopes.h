// What a scope of the program counts. (What it takes: timer.h.)

#ifndef TINE_WRITER_SCOPES_H_
#define TINE_WRITER_SCOPES_H_

#include <exception>

#include "writer/counter.h"

namespace tine {

// One more while the scope lasts, like a request in flight. A process that dies
// in it takes its share along if the counter's mode is kLiveSum. Made and ended
// in one process.
class InProgress {
 public:
  explicit InProgress(const UpDownCounter& counter) noexcept
      : counter_(counter) {
    counter_.Increment();
  }
  InProgress(const InProgress&) = delete;
  InProgress& operator=(const InProgress&) = delete;
  ~InProgress() { counter_.Decrement(); }

 private:
  const UpDownCounter counter_;
};

// Counts one if the scope is left by an exception. Made and ended by one
// thread. Right in a destructor that runs because of another exception, too:
// what counts is whether there is one more than when the scope began.
class ExceptionCounter {
 public:
  explicit ExceptionCounter(const Counter& counter) noexcept
      : counter_(counter), exception_count_(std::uncaught_exceptions()) {}
  ExceptionCounter(const ExceptionCounter&) = delete;
  ExceptionCounter& operator=(const ExceptionCounter&) = delete;
  ~ExceptionCounter() {
    if (std::uncaught_exceptions() > exception_count_) {
      counter_.Increment();
    }
  }

 private:
  const Counter counter_;
  const int exception_count_;
};

}  // namespace tine

#endif  // TINE_WRITER_SCOPES_H_
