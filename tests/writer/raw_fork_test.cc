// Forks that pthread_atfork handlers do not see.

#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/writer/writer_test_base.h"
#include "writer/tine.h"

namespace tine::testing {
namespace {

struct ForkMethod {
  const char* name;
  pid_t (*fork)();
};

pid_t CloneByHand() {
  return static_cast<pid_t>(
      ::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr));
}
#ifdef SYS_fork
pid_t ForkByHand() { return static_cast<pid_t>(::syscall(SYS_fork)); }
#endif

const ForkMethod kMethods[] = {
    {"fork", ::fork},
    {"_Fork", ::_Fork},
    {"SYS_clone", CloneByHand},
#ifdef SYS_fork
    {"SYS_fork", ForkByHand},
#endif
};

// Runs `body` in a child made this way. In the child no more of the C library
// is used than a raw fork of a threaded process allows.
template <typename Body>
void InRawChild(pid_t (*fork_method)(), const Body& body) {
  const pid_t pid = fork_method();
  if (pid == 0) {
    body();
    ::_exit(0);
  }
  ASSERT_GT(pid, 0);
  const int status = WaitFor(pid);
  EXPECT_TRUE(IsSuccess(status)) << EndingText(status);
}

class RawForkTest : public WriterTest,
                    public ::testing::WithParamInterface<ForkMethod> {
 protected:
  void SetUp() override {
    WriterTest::SetUp();
    TINE_SKIP_UNDER_TSAN("its runtime does not survive a raw fork");
  }

  // Far more than is used of it.
  std::string BytesOf(const std::string& name) const {
    std::string bytes(256 << 10, '\0');
    std::ifstream stream(dir_.At(name), std::ios::binary);
    stream.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return bytes;
  }
};

INSTANTIATE_TEST_SUITE_P(AllMethods, RawForkTest, ::testing::ValuesIn(kMethods),
                         [](const auto& parameter) {
                           std::string name = parameter.param.name;
                           name.erase(0, name[0] == '_' ? 1 : 0);
                           return name.substr(0, 3) == "SYS"
                                      ? "Syscall" + name.substr(4)
                                      : name;
                         });

TEST_P(RawForkTest, ChildCountsInItsOwnFileAndNotAByteInItsParents) {
  Run([this] {
    const Counter counter("c_total", "c");
    const DoubleCounter seconds("s_total", "s");
    const Histogram histogram("h", "h", {1, 2});
    const Gauge gauge("g", "g", GaugeMode::kMax);
    counter.Increment(3);
    seconds.Increment(3);
    gauge.Set(3);
    const std::string parent_file = NamesIn(dir_.path()).at(0);
    const std::string before = BytesOf(parent_file);
    InRawChild(GetParam().fork, [&] {
      counter.Increment(5);
      seconds.Increment(5);
      histogram.Observe(5);
      gauge.Set(5);
      gauge.Add(1);
    });
    EXPECT_EQ(before, BytesOf(parent_file));
    EXPECT_EQ(counter.Value(), 3u);
    const auto files = Read();
    EXPECT_EQ(files.size(), 2u);
    EXPECT_EQ(SumU64(files, "c_total"), 8u);
    EXPECT_EQ(SumF64(files, "s_total"), 8);
    EXPECT_EQ(SumU64(files, "h", 2), 1u);
  });
}

TEST_P(RawForkTest, ChildThatNeverCountsMakesNoFile) {
  Run([this] {
    const Counter counter("c_total", "c");
    counter.Increment();
    InRawChild(GetParam().fork, [] {});
    EXPECT_EQ(NamesIn(dir_.path()).size(), 1u);
  });
}

TEST_P(RawForkTest, ChildrenOfChildrenEachHaveTheirFile) {
  Run([this] {
    const Counter counter("c_total", "c");
    const auto fork_method = GetParam().fork;
    InRawChild(fork_method, [&] {
      counter.Increment(10);
      InRawChild(fork_method, [&] {
        counter.Increment(100);
        InRawChild(fork_method, [&] { counter.Increment(1000); });
      });
      // And one whose parent did not count in between.
      InRawChild(fork_method, [&] {
        InRawChild(::fork, [&] { counter.Increment(10000); });
      });
    });
    counter.Increment(1);
    const auto files = Read();
    EXPECT_EQ(files.size(), 5u);
    EXPECT_EQ(SumU64(files, "c_total"), 11111u);
  });
}

// Threads of the parent hold slots and are in the middle of adds.
TEST_P(RawForkTest, ChildOfABusyThreadedParentCountsExactly) {
  constexpr int kChildren = 50;
  Run([this] {
    const Counter counter("c_total", "c");
    std::atomic<bool> is_over{false};
    std::atomic<uint64_t> steps{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (; !is_over.load(); ++steps) {
          counter.Increment();
        }
      });
    }
    std::thread forker([&] {  // not main; it counts as well
      for (int i = 0; i < kChildren; ++i) {
        counter.Increment();
        InRawChild(GetParam().fork, [&] { counter.Increment(); });
      }
    });
    forker.join();
    is_over = true;
    for (std::thread& thread : threads) {
      thread.join();
    }
    const auto files = Read();
    EXPECT_EQ(files.size(), kChildren + 1u);
    EXPECT_EQ(SumU64(files, "c_total"), steps + 2 * kChildren);
  });
}

TEST_P(RawForkTest, ChildThatStartsThreadsCountsExactly) {
  constexpr int kThreads = 8;
  constexpr int kAdds = 10'000;
  Run([this] {
    const Counter counter("c_total", "c");
    const DoubleCounter seconds("s_total", "s");
    counter.Increment();  // takes a slot, which the child must not use
    InRawChild(GetParam().fork, [&] {
      std::vector<std::thread> threads;
      for (int i = 0; i < kThreads; ++i) {
        threads.emplace_back([&] {
          for (int k = 0; k < kAdds; ++k) {
            counter.Increment();
            seconds.Increment(0.5);
          }
        });
      }
      for (int k = 0; k < kAdds; ++k) {
        counter.Increment();
      }
      for (std::thread& thread : threads) {
        thread.join();
      }
    });
    const auto files = Read();
    EXPECT_EQ(files.size(), 2u);
    EXPECT_EQ(SumU64(files, "c_total"), 1u + (kThreads + 1) * kAdds);
    EXPECT_EQ(SumF64(files, "s_total"), 0.5 * kThreads * kAdds);
  });
}

TEST_P(RawForkTest, ChildMakesNewSeriesAndFamiliesInItsOwnFile) {
  Run([this] {
    const CounterFamily family("c_total", "c", {"l"});
    const Counter old_series = family.WithLabels("old");
    InRawChild(GetParam().fork, [&] {
      family.WithLabels("new").Increment(2);
      Counter("d_total", "d").Increment(3);
      old_series.Increment(4);
    });
    const auto files = Read();
    EXPECT_EQ(files.size(), 2u);
    EXPECT_EQ(FilesWith(files, "c_total{new}"), 1u);
    EXPECT_EQ(SumU64(files, "c_total{new}"), 2u);
    EXPECT_EQ(SumU64(files, "d_total"), 3u);
    EXPECT_EQ(SumU64(files, "c_total{old}"), 4u);
  });
}

// Beyond its slots a child counts in slot 0, however often it was forked.
TEST_P(RawForkTest, LongChainOfChildrenKeepsCounting) {
  constexpr int kGenerations = 40;
  Run([] {
    const Counter counter("c_total", "c");
    for (int i = 0; i < kGenerations; ++i) {
      counter.Increment();
      const pid_t pid = GetParam().fork();
      if (pid != 0) {
        const int status = WaitFor(pid);
        ::_exit(IsSuccess(status) ? 0 : 1);
      }
    }
    counter.Increment();
  });
  const auto files = Read();
  EXPECT_EQ(files.size(), kGenerations + 1u);
  EXPECT_EQ(SumU64(files, "c_total"), kGenerations + 1u);
}

class VforkTest : public WriterTest {};

TEST_F(VforkTest, VforkChildIsItsParent) {
  TINE_SKIP_UNDER_TSAN("it makes a fork of a vfork");
  Run([this] {
    const Counter counter("c_total", "c");
    const pid_t pid = ::vfork();
    if (pid == 0) {
      counter.Increment();
      ::_exit(0);
    }
    counter.Increment();
    const int status = WaitFor(pid);
    EXPECT_TRUE(IsSuccess(status)) << EndingText(status);
    const auto files = Read();
    EXPECT_EQ(files.size(), 1u);
    EXPECT_EQ(SumU64(files, "c_total"), 2u);
  });
}

}  // namespace
}  // namespace tine::testing
