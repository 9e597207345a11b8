// Shutdown() while threads count, register and fork: what was counted stays,
// nothing is added, nobody is harmed.

#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/writer/counting_threads.h"
#include "tests/writer/writer_test_base.h"
#include "writer/tine.h"

namespace tine::testing {
namespace {

// Bytes of metric files that this process has mapped.
size_t MappedFileBytes() {
  std::ifstream maps("/proc/self/maps");
  size_t bytes = 0;
  for (std::string line; std::getline(maps, line);) {
    if (line.find(".tine") == std::string::npos) {
      continue;
    }
    size_t begin = 0;
    size_t end = 0;
    char dash = 0;
    std::istringstream(line) >> std::hex >> begin >> dash >> end;
    bytes += end - begin;
  }
  return bytes;
}

class ShutdownTest : public WriterTest {};

TEST_F(ShutdownTest, WhatWasCountedStaysAndAllElseIsRefused) {
  Run(
      [this] {
        const Counter counter("c_total", "c");
        const CounterFamily family("d_total", "d", {"l"});
        const Gauge gauge("g", "g", GaugeMode::kMax);
        const Histogram histogram("h", "h", {1});
        counter.Increment(3);
        family.WithLabels("a").Increment(4);
        gauge.Set(5);
        histogram.Observe(1);
        EXPECT_TRUE(Shutdown().ok());
        counter.Increment(100);
        family.WithLabels("a").Increment(100);
        family.WithLabels("b").Increment();
        gauge.Set(100);
        gauge.Add(100);
        histogram.Observe(1);
        EXPECT_EQ(Shutdown().code(), ErrorCode::kShutDown);
        EXPECT_EQ(AfterFork().code(), ErrorCode::kShutDown);
        EXPECT_EQ(Init().code(), ErrorCode::kShutDown);
        EXPECT_EQ(counter.status().code(), ErrorCode::kShutDown);
        EXPECT_EQ(family.status().code(), ErrorCode::kShutDown);
        EXPECT_EQ(Counter("late_total", "l").status().code(),
                  ErrorCode::kShutDown);
        EXPECT_EQ(counter.Value(), 0u);
        EXPECT_FALSE(family.Remove("a"));
        const WriterStatus status = GetWriterStatus();
        EXPECT_FALSE(status.is_enabled);
        EXPECT_EQ(status.directory, dir_.path());
        EXPECT_GE(status.dropped_observations, 5u);
        Seal();
      },
      Ending::kExit);
  const auto files = Read();
  ASSERT_EQ(files.size(), 1u);
  EXPECT_EQ(SumU64(files, "c_total"), 3u);
  EXPECT_EQ(SumU64(files, "d_total{a}"), 4u);
  EXPECT_EQ(files[0].series.count("d_total{b}"), 0u);
  EXPECT_EQ(SumU64(files, "h", 0), 1u);
  double value = 0;
  EXPECT_TRUE(files[0].series.at("g").GaugeValue(&value));
  EXPECT_EQ(value, 5);
  EXPECT_EQ(files[0].state, format::FileState::kCleanExit);
}

TEST_F(ShutdownTest, BeforeTheFirstMetricItForbidsTheFile) {
  Run([] {
    EXPECT_TRUE(Shutdown().ok());
    const Counter counter("c_total", "c");
    counter.Increment();
    EXPECT_EQ(Shutdown().code(), ErrorCode::kShutDown);
  });
  EXPECT_TRUE(NamesIn(dir_.path()).empty());
}

TEST_F(ShutdownTest, ThreadsThatCountCountNoMore) {
  constexpr size_t kThreads = 4;
  Run([this] {
    const Counter counter("c_total", "c");
    std::atomic<size_t> thread_count{0};
    std::array<std::atomic<uint64_t>, kThreads> steps{};
    CountingThreads threads(kThreads, [&] {
      static thread_local const size_t index = thread_count++;
      counter.Increment();
      ++steps[index];
    });
    // Until every thread has gone so many steps on.
    const auto wait_for_steps = [&steps](uint64_t count) {
      for (std::atomic<uint64_t>& step : steps) {
        const uint64_t seen = step;
        EXPECT_TRUE(WaitUntil([&] { return step > seen + count; }));
      }
    };
    wait_for_steps(1000);
    EXPECT_TRUE(Shutdown().ok());
    wait_for_steps(1);  // adds that were under way are done
    const uint64_t sum = SumU64(Read(), "c_total");
    EXPECT_GE(sum, kThreads * 1000);
    wait_for_steps(1000);
    threads.Stop();
    std::thread([&] { counter.Increment(); }).join();
    EXPECT_EQ(SumU64(Read(), "c_total"), sum);
  });
}

// Who waits for the registry while it is shut down must not go on with it.
TEST_F(ShutdownTest, ThreadsThatRegisterLeaveASoundFile) {
  constexpr int kProcesses = 20;
  for (int i = 0; i < kProcesses; ++i) {
    Run([] {
      const CounterFamily family("d_total", "d", {"l"});
      std::atomic<uint64_t> next{0};
      CountingThreads threads(
          4, [&] { family.WithLabels(std::to_string(next++)).Increment(); });
      EXPECT_TRUE(WaitUntil([&] { return next > 100; }));
      EXPECT_TRUE(Shutdown().ok());
      const uint64_t seen = next;
      EXPECT_TRUE(WaitUntil([&] { return next > seen + 1000; }));
      threads.Stop();
    });
  }
  EXPECT_EQ(Read().size(), 1u * kProcesses);
}

TEST_F(ShutdownTest, ChildrenCountNothingAndLetGoOfTheFile) {
  Run([] {
    const Counter counter("c_total", "c");
    counter.Increment();
    EXPECT_TRUE(Shutdown().ok());
    const pid_t child = StartChild([&] {
      counter.Increment(100);
      EXPECT_EQ(counter.status().code(), ErrorCode::kShutDown);
      EXPECT_LE(MappedFileBytes(), size_t{format::kHeaderBytes});
    });
    EXPECT_TRUE(IsSuccess(WaitFor(child)));
    EXPECT_GT(MappedFileBytes(), size_t{format::kHeaderBytes});
  });
  const auto files = Read();
  EXPECT_EQ(files.size(), 1u);
  EXPECT_EQ(SumU64(files, "c_total"), 1u);
}

// Of all calls that look for the process's state, some find none in the middle.
TEST_F(ShutdownTest, WhoeverMeetsItIsToldSo) {
  constexpr int kProcesses = 40;
  for (int i = 0; i < kProcesses; ++i) {
    Run([] {
      const Counter counter("c_total", "c");
      std::atomic<int> next{0};
      std::atomic<int> ended{0};
      std::atomic<uint64_t> calls{0};
      CountingThreads threads(8, [&] {
        static thread_local const int index = next++;
        switch (index % 4) {
          case 0:
            ended += Shutdown().ok() ? 1 : 0;
            break;
          case 1:
            GetWriterStatus();
            break;
          case 2:
            Counter("d_total", "d").Increment();
            break;
          case 3:
            Init();
            break;
        }
        ++calls;
      });
      EXPECT_TRUE(WaitUntil([&] { return calls > 100 && ended > 0; }));
      threads.Stop();
      EXPECT_EQ(ended, 1);
      EXPECT_EQ(Shutdown().code(), ErrorCode::kShutDown);
    });
  }
}

TEST_F(ShutdownTest, ItsChildrenDoNotKeepItAlive) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t writer = StartChild([&] {
    const Counter counter("c_total", "c");
    EXPECT_TRUE(Shutdown().ok());
    const pid_t child = ::fork();
    if (child == 0) {
      ::pause();
    }
    EXPECT_EQ(::write(ends[1], &child, sizeof(child)),
              static_cast<ssize_t>(sizeof(child)));
  });
  EXPECT_TRUE(IsSuccess(WaitFor(writer)));
  pid_t child = 0;
  ASSERT_EQ(::read(ends[0], &child, sizeof(child)),
            static_cast<ssize_t>(sizeof(child)));
  const std::vector<std::string> names = NamesIn(dir_.path());
  EXPECT_EQ(names.size(), 1u);
  // It may be about to close its copy.
  EXPECT_TRUE(WaitUntil([&] { return !IsHeld(names.at(0)); }));
  EXPECT_EQ(::kill(child, SIGKILL), 0);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_F(ShutdownTest, DisabledWriterIsShutDownToo) {
  ::setenv("TINE_DISABLE", "1", 1);
  Run([] {
    EXPECT_TRUE(Shutdown().ok());
    EXPECT_EQ(Counter("c_total", "c").status().code(), ErrorCode::kShutDown);
  });
}

}  // namespace
}  // namespace tine::testing
