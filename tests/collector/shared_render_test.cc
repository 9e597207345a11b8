#include "collector/shared_render.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace tine::collector {
namespace {

// A render that counts itself and stops until it is let on.
class GatedRender {
 public:
  std::string operator()() {
    std::unique_lock<std::mutex> lock(mutex_);
    const int number = ++started_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return allowed_ >= number; });
    return std::to_string(number);
  }
  void AwaitStart(int number) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return started_ >= number; });
  }
  void Allow(int number) {
    const std::lock_guard<std::mutex> lock(mutex_);
    allowed_ = number;
    changed_.notify_all();
  }
  int started() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return started_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int started_ = 0;
  int allowed_ = 0;
};

TEST(SharedRenderTest, EachLoneCallerGetsARenderOfItsOwn) {
  int count = 0;
  SharedRender render([&] { return std::to_string(++count); });
  EXPECT_EQ(*render.Get(), "1");
  EXPECT_EQ(*render.Get(), "2");
}

TEST(SharedRenderTest, CallersDuringARenderWaitForTheNext) {
  GatedRender gate;
  SharedRender render([&] { return gate(); });
  std::string first;
  std::thread first_caller([&] { first = *render.Get(); });
  gate.AwaitStart(1);
  constexpr int kCallers = 6;
  std::vector<std::string> texts(kCallers);
  std::vector<std::thread> callers;
  for (int i = 0; i < kCallers; ++i) {
    callers.emplace_back([&, i] { texts[i] = *render.Get(); });
  }
  // Some of them may come only after the second render has begun, and then need
  // a third; never do they get the first, which began before they asked.
  gate.Allow(100);
  first_caller.join();
  for (std::thread& caller : callers) {
    caller.join();
  }
  EXPECT_EQ(first, "1");
  for (const std::string& text : texts) {
    EXPECT_NE(text, "1");
  }
  EXPECT_LE(gate.started(), 1 + kCallers);
}

TEST(SharedRenderTest, FailureReachesItsCallerAndTheNextTriesAgain) {
  int count = 0;
  SharedRender render([&]() -> std::string {
    if (++count == 1) {
      throw std::runtime_error("first");
    }
    return "fine";
  });
  EXPECT_THROW(render.Get(), std::runtime_error);
  EXPECT_EQ(*render.Get(), "fine");
}

TEST(SharedRenderTest, ManyThreadsNeverRenderTwiceAtATime) {
  std::atomic<int> rendering{0};
  std::atomic<int> overlaps{0};
  std::atomic<int> count{0};
  SharedRender render([&]() -> std::string {
    overlaps += rendering.fetch_add(1) != 0 ? 1 : 0;
    const int number = ++count;
    --rendering;
    if (number % 7 == 0) {
      throw std::runtime_error("now and then");
    }
    return std::to_string(number);
  });
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 200; ++j) {
        const int before = count.load();
        try {
          EXPECT_GT(std::stoi(*render.Get()), before);
        } catch (const std::runtime_error&) {
        }
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(overlaps, 0);
}

}  // namespace
}  // namespace tine::collector
