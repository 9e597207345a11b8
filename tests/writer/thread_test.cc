#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <functional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/writer/writer_test_base.h"
#include "writer/tine.h"

namespace tine::testing {
namespace {

void RunThreads(int count, const std::function<void(int)>& body) {
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back(body, i);
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
}

class ThreadTest : public WriterTest {};

TEST_F(ThreadTest, SixteenThreadsOnOneCounterLoseNothing) {
  constexpr int kAdds = Scaled(1'000'000);
  Run([this] {
    const Counter counter("c_total", "c");
    const DoubleCounter seconds("s_total", "s");
    const UpDownCounter in_flight("f", "f", GaugeMode::kLiveSum);
    RunThreads(16, [&](int) {
      for (int i = 0; i < kAdds; ++i) {
        counter.Increment();
        seconds.Increment(0.5);
        in_flight.Decrement();
      }
    });
    EXPECT_EQ(counter.Value(), 16u * kAdds);
    EXPECT_EQ(seconds.Value(), 8.0 * kAdds);
    EXPECT_EQ(in_flight.Value(), -16 * kAdds);
    const auto files = Read();
    EXPECT_EQ(SumU64(files, "c_total"), 16u * kAdds);
    EXPECT_EQ(SumF64(files, "s_total"), 8.0 * kAdds);
    EXPECT_EQ(SumU64(files, "f"), static_cast<uint64_t>(-16 * kAdds));
  });
}

TEST_F(ThreadTest, MoreThreadsThanSlotsOnFiftyCountersLoseNothing) {
  constexpr int kThreads = 300;
  constexpr int kRounds = Scaled(400);
  Run([this] {
    const CounterFamily family("c_total", "c", {"l"});
    RunThreads(kThreads, [&](int) {
      for (int round = 0; round < kRounds; ++round) {
        for (int label = 0; label < 50; ++label) {
          family.WithLabels(std::to_string(label)).Increment();
        }
      }
    });
    const auto files = Read();
    EXPECT_EQ(files.size(), 1u);
    for (int label = 0; label < 50; ++label) {
      EXPECT_EQ(SumU64(files, "c_total{" + std::to_string(label) + "}"),
                1u * kThreads * kRounds);
    }
  });
}

TEST_F(ThreadTest, SlotsOfEndedThreadsServeNewOnes) {
  constexpr int kThreads = Scaled(1000);
  ::setenv("TINE_MAX_SLOTS", "3", 1);
  Run([this] {
    const Counter counter("c_total", "c");
    for (int i = 0; i < kThreads; ++i) {
      RunThreads(1, [&](int) { counter.Increment(); });
    }
    const auto files = Read();
    EXPECT_EQ(SumU64(files, "c_total"), 1u * kThreads);
    // One after the other they all had one private block, and slot 0 nothing.
    EXPECT_EQ(files.at(0).blocks.size(), 2u);
    EXPECT_EQ(files.at(0).series.at("c_total").slot0[0], 0u);
  });
}

TEST_F(ThreadTest, WithoutSlotsAllCountInSlotZero) {
  ::setenv("TINE_MAX_SLOTS", "0", 1);
  Run([this] {
    const Counter counter("c_total", "c");
    const DoubleCounter seconds("s_total", "s");
    RunThreads(4, [&](int) {
      for (int i = 0; i < 1000; ++i) {
        counter.Increment();
        seconds.Increment(0.5);
      }
    });
    const auto files = Read();
    EXPECT_EQ(files.at(0).series.at("c_total").slot0[0], 4000u);
    EXPECT_EQ(SumF64(files, "s_total"), 2000);
    EXPECT_EQ(files.at(0).blocks.size(), 1u);
  });
}

TEST_F(ThreadTest, OneSlotServesOneThreadAndSlotZeroTheOthers) {
  ::setenv("TINE_MAX_SLOTS", "1", 1);
  Run([this] {
    const Counter counter("c_total", "c");
    counter.Increment();  // main has the slot
    RunThreads(2, [&](int) { counter.Increment(); });
    const auto files = Read();
    EXPECT_EQ(files.at(0).series.at("c_total").slot0[0], 2u);
    EXPECT_EQ(SumU64(files, "c_total"), 3u);
  });
}

struct CountsAtThreadEnd {
  Counter counter;
  ~CountsAtThreadEnd() { counter.Increment(); }
};

TEST_F(ThreadTest, ThreadLocalAndKeyDestructorsMayCount) {
  constexpr int kThreads = Scaled(400);
  static Counter counter;
  Run([this] {
    // Keys made before and after the library's own: their destructors run
    // before and after it.
    pthread_key_t early;
    pthread_key_t late;
    const auto count = [](void*) { counter.Increment(); };
    ASSERT_EQ(::pthread_key_create(&early, count), 0);
    counter = Counter("c_total", "c");
    ASSERT_EQ(::pthread_key_create(&late, count), 0);
    for (int i = 0; i < kThreads; ++i) {
      RunThreads(1, [&](int number) {
        ::pthread_setspecific(early, &counter);
        ::pthread_setspecific(late, &counter);
        thread_local CountsAtThreadEnd at_end;
        at_end.counter = counter;
        if (number % 2 == 0) {
          counter.Increment();
        }
      });
    }
    const auto files = Read();
    EXPECT_EQ(SumU64(files, "c_total"), 4u * kThreads);
    EXPECT_LE(files.at(0).blocks.size(), 3u);
  });
}

TEST_F(ThreadTest, ThreadThatFirstCountsInItsLastDestructorIsCounted) {
  constexpr int kThreads = 50;
  static Counter counter;
  Run([this] {
    counter = Counter("c_total", "c");
    pthread_key_t key;
    ASSERT_EQ(::pthread_key_create(&key, [](void*) { counter.Increment(); }),
              0);
    RunThreads(kThreads, [&](int) { ::pthread_setspecific(key, &counter); });
    EXPECT_EQ(SumU64(Read(), "c_total"), 1u * kThreads);
  });
}

TEST_F(ThreadTest, ExitWhileDetachedThreadsCountIsHarmless) {
  Run(
      [] {
        static const Counter counter("c_total", "c");
        static const CounterFamily family("d_total", "d", {"l"});
        static std::atomic<int> started{0};
        for (int i = 0; i < 8; ++i) {
          std::thread([] {
            for (uint64_t n = 0;; ++n) {
              counter.Increment();
              family.WithLabels(std::to_string(n % 500)).Increment();
              started += n == 1000 ? 1 : 0;
            }
          }).detach();
        }
        EXPECT_TRUE(WaitUntil([] { return started == 8; }));
      },
      Ending::kExit);
  const auto files = Read();
  ASSERT_EQ(files.size(), 1u);
  EXPECT_GE(SumU64(files, "c_total"), 8000u);
  EXPECT_EQ(files[0].state, format::FileState::kCleanExit);
}

TEST_F(ThreadTest, MainThreadMayEndBeforeTheOthers) {
  Run([] {
    static const Counter counter("c_total", "c");
    counter.Increment();
    std::thread([] {
      // A process whose first thread has ended looks like a zombie.
      const bool has_ended = WaitUntil([] {
        std::ifstream stat("/proc/self/stat");
        std::string text;
        std::getline(stat, text);
        return text.find(") Z ") != std::string::npos;
      });
      counter.Increment();
      ::_exit(has_ended ? 0 : 1);
    }).detach();
    ::syscall(SYS_exit, 0);
  });
  EXPECT_EQ(SumU64(Read(), "c_total"), 2u);
}

TEST_F(ThreadTest, ThreadsThatRegisterTheSameThingsGetTheSameSeries) {
  Run([this] {
    RunThreads(16, [&](int) {
      for (int i = 0; i < 100; ++i) {
        const std::string n = std::to_string(i);
        Counter("c" + n + "_total", "c").Increment();
        CounterFamily("d" + n + "_total", "d", {"l"}).WithLabels(n).Increment();
      }
    });
    const auto files = Read();
    EXPECT_EQ(files.at(0).series.size(), 200u);
    for (const auto& [name, cells] : files.at(0).series) {
      EXPECT_EQ(cells.u64[0], 16u) << name;
    }
  });
}

TEST_F(ThreadTest, CancelledThreadKeepsTheLibraryUsable) {
  TINE_SKIP_UNDER_TSAN("it does not support cancellation at every point");
  Run([this] {
    const Counter counter("c_total", "c");
    const CounterFamily family("d_total", "d", {"l"});
    for (int i = 0; i < 200; ++i) {
      std::atomic<bool> is_counting{false};
      std::thread thread([&] {
        for (int n = 0;; ++n) {
          counter.Increment();
          family.WithLabels(std::to_string(i), "wrong");
          family.WithLabels(std::to_string(i * 10 + n % 10)).Increment();
          is_counting = true;
          ::pthread_testcancel();
        }
      });
      WaitUntil([&] { return is_counting.load(); });
      ::pthread_cancel(thread.native_handle());
      thread.join();
    }
    counter.Increment();
    EXPECT_GE(SumU64(Read(), "c_total"), 201u);
  });
}

}  // namespace
}  // namespace tine::testing
