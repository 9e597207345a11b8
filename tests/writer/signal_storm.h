// A loop that counts while a storm of signals interrupts it, whose handler
// counts on the same counters. A header, because it must be compiled once with
// the real hot path and once with the control's.

#ifndef TINE_TESTS_WRITER_SIGNAL_STORM_H_
#define TINE_TESTS_WRITER_SIGNAL_STORM_H_

#include <pthread.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <ctime>
#include <thread>

#include "writer/tine.h"

namespace tine::testing {

enum class SignalSource { kPthreadKill, kIntervalTimer, kThreadTimer };

struct StormResult {
  uint64_t handler_calls = 0;
  uint64_t loops = 0;
  uint64_t step_backs = 0;  // seen by a reader
  uint64_t u64_value = 0;
  double f64_value = 0;
  uint64_t summary_count = 0;

  uint64_t expected_u64() const { return loops + handler_calls; }
  double expected_f64() const {
    return 0.5 * static_cast<double>(loops + handler_calls);
  }
};

// One storm per process.
class SignalStorm {
 public:
  SignalStorm()
      : counter_("storm_total", "u64"),
        seconds_("storm_seconds_total", "f64"),
        summary_("storm_summary", "both") {}

  // Until the handler has run `wanted_calls` times, or for 5 s.
  StormResult Run(SignalSource source, uint64_t wanted_calls) {
    current_ = this;
    struct sigaction action {};
    action.sa_handler = [](int) { current_->OnSignal(); };
    action.sa_flags = SA_RESTART;
    ::sigaction(SIGUSR1, &action, nullptr);
    ::sigaction(SIGALRM, &action, nullptr);
    target_ = ::pthread_self();
    sigset_t signals;
    ::sigemptyset(&signals);
    ::sigaddset(&signals, SIGUSR1);
    ::sigaddset(&signals, SIGALRM);
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // the reader inherits it
    std::thread reader([this] { ReadUntilOver(); });
    std::thread sender;
    if (source == SignalSource::kPthreadKill) {
      sender = std::thread([this] { SendUntilOver(); });
    }
    ::pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
    StartTimer(source);
    Loop(wanted_calls);
    is_over_ = true;
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    reader.join();
    if (sender.joinable()) {
      sender.join();
    }
    return Result();
  }

 private:
  void OnSignal() {
    counter_.Increment();
    seconds_.Increment(0.5);
    summary_.Observe(1);
    calls_.store(calls_.load(std::memory_order_relaxed) + 1,
                 std::memory_order_relaxed);
  }

  void Loop(uint64_t wanted_calls) {
    const auto deadline =
        std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (
        calls_.load(std::memory_order_relaxed) < wanted_calls &&
        (loops_ % 1024 != 0 || std::chrono::steady_clock::now() < deadline)) {
      counter_.Increment();
      seconds_.Increment(0.5);
      summary_.Observe(1);
      ++loops_;
    }
  }

  void SendUntilOver() {
    while (!is_over_) {
      const uint64_t calls = calls_.load(std::memory_order_relaxed);
      ::pthread_kill(target_, SIGUSR1);
      for (int i = 0; i < 1000 && calls == calls_; ++i) {
      }
    }
  }

  void ReadUntilOver() {
    uint64_t last_u64 = 0;
    double last_f64 = 0;
    while (!is_over_) {
      const uint64_t u64 = counter_.Value();
      const double f64 = seconds_.Value();
      step_backs_ += u64 < last_u64 || f64 < last_f64 ? 1 : 0;
      last_u64 = u64;
      last_f64 = f64;
      std::this_thread::sleep_for(std::chrono::microseconds(20));
    }
  }

  static void StartTimer(SignalSource source) {
    if (source == SignalSource::kIntervalTimer) {
      const itimerval every{{0, 20}, {0, 20}};
      ::setitimer(ITIMER_REAL, &every, nullptr);
    } else if (source == SignalSource::kThreadTimer) {
      sigevent event{};
      event.sigev_notify = SIGEV_THREAD_ID;
      event.sigev_signo = SIGUSR1;
      event._sigev_un._tid = static_cast<pid_t>(::syscall(SYS_gettid));
      timer_t timer;
      ::timer_create(CLOCK_MONOTONIC, &event, &timer);
      const itimerspec every{{0, 15'000}, {0, 15'000}};
      ::timer_settime(timer, 0, &every, nullptr);
    }
  }

  StormResult Result() const {
    StormResult result;
    result.handler_calls = calls_;
    result.loops = loops_;
    result.step_backs = step_backs_;
    result.u64_value = counter_.Value();
    result.f64_value = seconds_.Value();
    result.summary_count = summary_.Count();
    return result;
  }

  static inline SignalStorm* current_ = nullptr;
  Counter counter_;
  DoubleCounter seconds_;
  Summary summary_;
  pthread_t target_{};
  std::atomic<bool> is_over_{false};
  std::atomic<uint64_t> calls_{0};
  std::atomic<uint64_t> step_backs_{0};
  uint64_t loops_ = 0;
};

}  // namespace tine::testing

#endif  // TINE_TESTS_WRITER_SIGNAL_STORM_H_
