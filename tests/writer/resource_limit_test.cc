// Limits that a host lives under, and what hosts do to themselves.

#include <grp.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/writer/naive_file.h"
#include "tests/writer/writer_test_base.h"
#include "writer/tine.h"

// Lets the test fail the n-th allocation from now on; 0: none.
namespace {
thread_local int g_failing_allocation = 0;
thread_local bool g_has_failed = false;
}  // namespace

// Not replaced where the sanitizers have replaced it.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
void* operator new(size_t size) {
  if (g_failing_allocation > 0 && --g_failing_allocation == 0) {
    g_has_failed = true;
    throw std::bad_alloc();
  }
  void* memory = std::malloc(size);
  if (memory == nullptr) {
    throw std::bad_alloc();
  }
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
#endif

namespace tine::testing {
namespace {

class ResourceLimitTest : public WriterTest {
 protected:
  void SetUp() override {
    WriterTest::SetUp();
    ::setenv("TINE_LOG", "off", 1);
  }

  static void SetLimit(__rlimit_resource resource, rlim_t value) {
    rlimit limit{};
    ::getrlimit(resource, &limit);
    limit.rlim_cur = value;
    ASSERT_EQ(::setrlimit(resource, &limit), 0);
  }

  uint64_t SumOfAll() const {
    uint64_t sum = 0;
    for (const MetricFileText& file : Read()) {
      for (const auto& [name, cells] : file.series) {
        sum += cells.u64[0];
      }
    }
    return sum;
  }
};

TEST_F(ResourceLimitTest, SmallFileSizeLimitMeansMoreFiles) {
  constexpr int kSeries = 2000;
  Run([this] {
    SetLimit(RLIMIT_FSIZE, 128 << 10);
    const CounterFamily family("c_total", "c", {"l"});
    for (int i = 0; i < kSeries; ++i) {
      family.WithLabels(std::to_string(i)).Increment();
    }
    const WriterStatus status = GetWriterStatus();
    EXPECT_GT(status.files.size(), 1u);
    EXPECT_EQ(status.dropped_observations, 0u);
    EXPECT_EQ(SumOfAll(), 1u * kSeries);
    const pid_t pid = StartChild([&] {
      for (int i = 0; i < kSeries; ++i) {
        family.WithLabels(std::to_string(i)).Increment();
      }
      EXPECT_EQ(GetWriterStatus().dropped_observations, 0u);
    });
    EXPECT_TRUE(IsSuccess(WaitFor(pid)));
    EXPECT_EQ(SumOfAll(), 2u * kSeries);
  });
}

TEST_F(ResourceLimitTest, TinyFileSizeLimitDropsAndCounts) {
  for (const rlim_t bytes : {0, 4096, 65535}) {
    Run([this, bytes] {
      SetLimit(RLIMIT_FSIZE, bytes);
      const Counter counter("c_total", "c");
      counter.Increment();
      EXPECT_EQ(GetWriterStatus().dropped_observations, 1u);
      EXPECT_NE(GetWriterStatus().last_error.find("RLIMIT_FSIZE"),
                std::string::npos);
      EXPECT_TRUE(NamesIn(dir_.path()).empty());
    });
  }
}

TEST_F(ResourceLimitTest, FileSizeLimitKillsANaiveWriter) {
  const ChildOutcome outcome = RunInChild([this] {
    SetLimit(RLIMIT_FSIZE, 128 << 10);
    const NaiveFile file(dir_.path(), 16 << 20);
  });
  EXPECT_TRUE(outcome.WasKilledBy(SIGXFSZ)) << outcome.Description();
}

TEST_F(ResourceLimitTest, FileSizeLimitSetAfterTheStartHarmsNobody) {
  Run([this] {
    const Counter counter("c_total", "c");
    const CounterFamily family("d_total", "d", {"l"});
    SetLimit(RLIMIT_FSIZE, 0);
    for (int i = 0; i < 2000; ++i) {
      family.WithLabels(std::to_string(i)).Increment();
    }
    EXPECT_EQ(SumOfAll(), 2000u);
  });
}

// What does not fit into an empty file is not tried in a second one.
TEST_F(ResourceLimitTest, ChunkThatFitsNowhereMakesNoFurtherFiles) {
  Run([] {
    const CounterFamily family("c_total", "c", {"l"});
    const std::string value(60'000, 'v');
    const Counter first = family.WithLabels(value + "1");
    const Counter second = family.WithLabels(value + "2");
    const pid_t pid = StartChild([&] {
      SetLimit(RLIMIT_FSIZE, 64 << 10);
      first.Increment();
      EXPECT_EQ(GetWriterStatus().dropped_observations, 1u);
      EXPECT_EQ(GetWriterStatus().files.size(), 1u);
      Seal();  // tries again
      EXPECT_EQ(GetWriterStatus().files.size(), 1u);
    });
    EXPECT_TRUE(IsSuccess(WaitFor(pid)));
    second.Increment();
  });
}

// None at all, and too few for each of the steps that need one.
TEST_F(ResourceLimitTest, TooFewDescriptorsDropAndCountAndLeaveNothing) {
  int dropped_count = 0;
  for (const int limit : {0, 3, 4, 5, 6}) {
    SCOPED_TRACE(limit);
    const ChildOutcome outcome = Run([&] {
      ::close_range(3, ~0u, 0);
      rlimit before{};
      ::getrlimit(RLIMIT_NOFILE, &before);
      SetLimit(RLIMIT_NOFILE, static_cast<rlim_t>(limit));
      const Counter counter("c_total", "c");
      counter.Increment();
      ::setrlimit(RLIMIT_NOFILE, &before);
      const WriterStatus status = GetWriterStatus();
      EXPECT_EQ(NamesIn(dir_.path()), status.files);
      EXPECT_EQ(SumOfAll() + status.dropped_observations, 1u);
      if (status.dropped_observations != 0) {
        EXPECT_NE(status.last_error.find("Too many open files"),
                  std::string::npos)
            << status.last_error;
        std::fputs("dropped", stderr);
      }
      for (const std::string& name : status.files) {
        ::unlink(dir_.At(name).c_str());
      }
    });
    dropped_count += outcome.stderr_text == "dropped" ? 1 : 0;
  }
  EXPECT_GE(dropped_count, 3);
  EXPECT_LT(dropped_count, 5) << "the most of these limits is enough";
}

TEST_F(ResourceLimitTest, DescriptorsAreNotNeededAfterTheStart) {
  Run([this] {
    const Counter counter("c_total", "c");
    const CounterFamily family("d_total", "d", {"l"});
    ::close_range(3, ~0u, 0);
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    SetLimit(RLIMIT_NOFILE, 3);
    for (int i = 0; i < 2000; ++i) {
      family.WithLabels(std::to_string(i)).Increment();
    }
    pthread_t thread;
    const auto count = [](void* handle) -> void* {
      static_cast<const Counter*>(handle)->Increment();
      return nullptr;
    };
    Counter handle = counter;
    ASSERT_EQ(::pthread_create(&thread, nullptr, count, &handle), 0);
    ::pthread_join(thread, nullptr);
    ::setrlimit(RLIMIT_NOFILE, &limit);
    EXPECT_EQ(SumOfAll(), 2001u);
  });
}

TEST_F(ResourceLimitTest, SmallAddressSpaceMeansASmallFile) {
  if (kHasAsan || kHasTsan) {
    GTEST_SKIP() << "sanitizers take terabytes of address space";
  }
  Run([this] {
    SetLimit(RLIMIT_AS, 256 << 20);
    const Counter counter("c_total", "c");
    counter.Increment();
    EXPECT_EQ(SumOfAll(), 1u);
    struct stat info {};
    ::stat(dir_.At(NamesIn(dir_.path()).at(0)).c_str(), &info);
    EXPECT_LE(info.st_size, 4 << 20);
  });
}

TEST_F(ResourceLimitTest, ChrootAfterAfterForkCountsAndGrows) {
  if (::geteuid() != 0) {
    GTEST_SKIP() << "needs to be root";
  }
  const TestDirectory root;
  Run([&] {
    const CounterFamily family("c_total", "c", {"l"});
    const pid_t pid = StartChild([&] {
      EXPECT_TRUE(AfterFork().ok());
      ASSERT_EQ(::chroot(root.path().c_str()), 0);
      ASSERT_EQ(::chdir("/"), 0);
      for (int i = 0; i < 2000; ++i) {
        family.WithLabels(std::to_string(i)).Increment();
      }
    });
    EXPECT_TRUE(IsSuccess(WaitFor(pid)));
  });
  EXPECT_EQ(SumOfAll(), 2000u);
}

TEST_F(ResourceLimitTest, SetuidAfterTheStartCountsAndGrows) {
  if (::geteuid() != 0) {
    GTEST_SKIP() << "needs to be root";
  }
  Run([] {
    const CounterFamily family("c_total", "c", {"l"});
    family.WithLabels("first").Increment();
    std::thread counting([&] {
      for (int i = 0; i < 1000; ++i) {
        family.WithLabels("a" + std::to_string(i)).Increment();
      }
    });
    ASSERT_EQ(::setgroups(0, nullptr), 0);
    ASSERT_EQ(::setresgid(65534, 65534, 65534), 0);
    ASSERT_EQ(::setresuid(65534, 65534, 65534), 0);
    for (int i = 0; i < 1000; ++i) {
      family.WithLabels("b" + std::to_string(i)).Increment();
    }
    counting.join();
  });
  EXPECT_EQ(SumOfAll(), 2001u);
}

// No exception through the library, whichever allocation fails; the metric may
// be lost, the host is not.
TEST_F(ResourceLimitTest, EachFailingAllocationLeavesTheHostAlive) {
  if (kHasAsan || kHasTsan) {
    GTEST_SKIP() << "the sanitizer has its own operator new";
  }
  ::setenv("TINE_PROCESS_LABELS", "application=a_long_enough_label_value", 1);
  ::setenv("TINE_MAX_BYTES", "not a number, which is told on stderr", 1);
  bool has_failed = true;
  int number = 1;
  for (; has_failed && number < 200; ++number) {
    const ChildOutcome outcome = RunInChild([number] {
      const std::vector<double> bounds = {1, 2};
      const std::vector<std::string_view> names = {"first_label", "second"};
      g_failing_allocation = number;
      const Counter counter("a_counter_with_a_long_name", "h");
      const Histogram histogram("a_histogram_with_a_long_name", "h", bounds);
      const Counter refused("a refused name that is long", "h");
      const Counter conflict("a_counter_with_a_long_name", "other");
      const CounterFamily family("a_family_total", "h", names);
      family.WithLabels("x", "y").Increment();
      family.WithLabels("x", "\xff").Increment();
      counter.Increment();
      histogram.Observe(1);
      g_failing_allocation = 0;
      ::_exit(HasFailure() ? 1 : g_has_failed ? 3 : 0);
    });
    EXPECT_TRUE(outcome.HasExited(3) || outcome.HasExited(0))
        << "allocation " << number << ": " << outcome.Description();
    has_failed = outcome.HasExited(3);
  }
  EXPECT_GT(number, 10);
  EXPECT_FALSE(has_failed);
}

// A pending cancellation acts at the next cancellation point, as an exception
// that must not be caught. The library must be none.
TEST_F(ResourceLimitTest, PendingCancellationPassesTheLibraryBy) {
  TINE_SKIP_UNDER_TSAN("it makes cancellation points of its own");
  ::unsetenv("TINE_LOG");
  Run([] {
    static bool has_passed = false;
    std::thread([] {
      ::pthread_cancel(::pthread_self());
      const Counter counter("c_total", "c");  // reads files at the start
      const Counter refused("bad name", "");  // writes to stderr
      const CounterFamily family("d_total", "d", {"l"});
      family.WithLabels("1", "2").Increment();
      family.WithLabels("1").Increment();
      counter.Increment();
      has_passed = true;
      ::pthread_testcancel();
    }).join();
    EXPECT_TRUE(has_passed);
  });
}

}  // namespace
}  // namespace tine::testing
