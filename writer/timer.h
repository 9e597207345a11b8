#ifndef TINE_WRITER_TIMER_H_
#define TINE_WRITER_TIMER_H_

#include <chrono>

#include "writer/gauge.h"
#include "writer/histogram.h"
#include "writer/summary.h"

namespace tine {

// Times its scope: a histogram or summary observes the seconds from its making
// to its end, a gauge is set to them. Made and ended by one thread.
template <typename Instrument>
class Timer {
 public:
  explicit Timer(const Instrument& instrument)
      : instrument_(instrument), start_(std::chrono::steady_clock::now()) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() { Stop(); }

  // Tells the instrument now instead of at the end. Returns the seconds; again
  // the same when it was stopped before.
  double Stop() noexcept {
    if (is_running_) {
      is_running_ = false;
      const std::chrono::duration<double> elapsed =
          std::chrono::steady_clock::now() - start_;
      seconds_ = elapsed.count();
      Tell(instrument_, seconds_);
    }
    return seconds_;
  }

 private:
  static void Tell(const Gauge& gauge, double seconds) noexcept {
    gauge.Set(seconds);
  }
  static void Tell(const Histogram& histogram, double seconds) noexcept {
    histogram.Observe(seconds);
  }
  static void Tell(const Summary& summary, double seconds) noexcept {
    summary.Observe(seconds);
  }

  const Instrument instrument_;
  const std::chrono::steady_clock::time_point start_;
  double seconds_ = 0;
  bool is_running_ = true;
};

}  // namespace tine

#endif  // TINE_WRITER_TIMER_H_
