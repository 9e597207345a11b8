#ifndef TINE_WRITER_TIMER_H_
#define TINE_WRITER_TIMER_H_

#include <chrono>

#include "writer/histogram.h"
#include "writer/summary.h"

namespace tine {

// Observes the seconds from its making to the end of its scope. Made and ended
// by one thread.
template <typename Instrument>
class Timer {
 public:
  explicit Timer(const Instrument& instrument)
      : instrument_(instrument), start_(std::chrono::steady_clock::now()) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() {
    const std::chrono::duration<double> elapsed =
        std::chrono::steady_clock::now() - start_;
    instrument_.Observe(elapsed.count());
  }

 private:
  const Instrument instrument_;
  const std::chrono::steady_clock::time_point start_;
};

}  // namespace tine

#endif  // TINE_WRITER_TIMER_H_
