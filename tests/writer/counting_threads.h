#ifndef TINE_TESTS_WRITER_COUNTING_THREADS_H_
#define TINE_TESTS_WRITER_COUNTING_THREADS_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace tine::testing {

// Threads that repeat a step until they are told to stop.
class CountingThreads {
 public:
  CountingThreads(int count, const std::function<void()>& step) {
    for (int i = 0; i < count; ++i) {
      threads_.emplace_back([this, step] {
        while (!is_over_.load(std::memory_order_relaxed)) {
          step();
          step_count_.fetch_add(1, std::memory_order_relaxed);
        }
      });
    }
  }
  ~CountingThreads() { EXPECT_TRUE(threads_.empty()); }
  uint64_t Stop() {
    is_over_ = true;
    for (std::thread& thread : threads_) {
      thread.join();
    }
    threads_.clear();
    return step_count_;
  }

 private:
  std::atomic<bool> is_over_{false};
  std::atomic<uint64_t> step_count_{0};
  std::vector<std::thread> threads_;
};

}  // namespace tine::testing

#endif  // TINE_TESTS_WRITER_COUNTING_THREADS_H_
