// The library inside a shared object that the host loads and unloads, once and
// more than once.

#include "tests/writer/plugin.h"

#include <dlfcn.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/testing/one_shot_scrape.h"
#include "tests/writer/counting_threads.h"
#include "tests/writer/writer_test_base.h"
#include "writer/tine.h"

namespace tine::testing {
namespace {

constexpr char kPlugin[] = "tests/writer/libtine_plugin.so";
constexpr char kOtherPlugin[] = "tests/writer/libtine_other_plugin.so";
// The control: its copy of the library leaves with it.
constexpr char kUnpinnedPlugin[] = "tests/writer/libtine_unpinned_plugin.so";

class Plugin {
 public:
  explicit Plugin(const char* path)
      : library_(::dlopen(path, RTLD_NOW | RTLD_LOCAL)) {
    EXPECT_NE(library_, nullptr) << ::dlerror();
    count_ = Find<decltype(&PluginCount)>("PluginCount");
    set_gauge_ = Find<decltype(&PluginSetGauge)>("PluginSetGauge");
  }
  void Count(uint64_t amount) const { count_(amount); }
  void SetGauge(double value) const { set_gauge_(value); }
  void Unload() const { EXPECT_EQ(::dlclose(library_), 0); }

 private:
  template <typename Function>
  Function Find(const char* name) const {
    return reinterpret_cast<Function>(::dlsym(library_, name));
  }

  void* library_;
  decltype(&PluginCount) count_ = nullptr;
  decltype(&PluginSetGauge) set_gauge_ = nullptr;
};

size_t LinesOf(const char* path) {
  std::ifstream file(path);
  size_t count = 0;
  for (std::string line; std::getline(file, line);) {
    ++count;
  }
  return count;
}

class PluginTest : public WriterTest {};

TEST_F(PluginTest, ThreadsOlderThanTheLibraryCountInBlocksOfTheirOwn) {
  constexpr int kThreads = 4;
  constexpr int kAdds = 1000;
  ::setenv("TINE_MAX_SLOTS", "8", 1);
  Run([] {
    std::unique_ptr<Plugin> plugin;
    std::atomic<bool> is_loaded{false};
    std::atomic<int> waiting{0};
    std::atomic<int> finished{0};
    std::mutex mutex;
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&] {
        ++waiting;
        WaitUntil([&] { return is_loaded.load(); });
        for (int k = 0; k < kAdds; ++k) {
          plugin->Count(1);
        }
        --waiting;
        WaitUntil([&] { return waiting == 0; });
        {
          // Who met another's adds until now has its slot at the latest here.
          const std::lock_guard<std::mutex> lock(mutex);
          plugin->Count(kAdds);
        }
        ++finished;  // and nobody takes another's
        WaitUntil([&] { return finished == kThreads; });
      });
    }
    WaitUntil([&] { return waiting == kThreads; });
    plugin = std::make_unique<Plugin>(kPlugin);
    is_loaded = true;
    for (std::thread& thread : threads) {
      thread.join();
    }
  });
  const auto files = Read();
  ASSERT_EQ(files.size(), 1u);
  EXPECT_EQ(SumU64(files, "c_total"), 2u * kThreads * kAdds);
  EXPECT_EQ(files[0].blocks.size(), 1u + kThreads);
  // An add that meets another's counts in slot 0.
  EXPECT_LE(files[0].series.at("c_total").slot0[0], 1u * kThreads * kAdds);
}

// Threads count, end and fork after the library was unloaded, and exit runs
// what it left.
TEST_F(PluginTest, UnloadingWhileThreadsCountHarmsNobody) {
  Run(
      [this] {
        const Plugin plugin(kPlugin);
        plugin.Count(5);
        CountingThreads threads(4, [&] { plugin.Count(1); });
        plugin.Unload();
        std::thread([&] { plugin.Count(5); }).join();
        const pid_t child = ::fork();
        if (child == 0) {
          plugin.Count(100);
          ::_exit(0);
        }
        EXPECT_TRUE(IsSuccess(WaitFor(child)));
        const uint64_t steps = threads.Stop();
        EXPECT_EQ(SumU64(Read(), "c_total"), steps + 110);
      },
      Ending::kExit);
  int clean_count = 0;
  for (const MetricFileText& file : Read()) {
    clean_count += file.state == format::FileState::kCleanExit ? 1 : 0;
  }
  EXPECT_EQ(clean_count, 1);
}

// The thread's end calls a destructor that is no longer there.
TEST_F(PluginTest, UnloadingACopyThatIsNotPinnedCrashesTheHost) {
  if (kHasAsan || kHasTsan) {
    GTEST_SKIP() << "a sanitizer keeps libraries loaded";
  }
  const ChildOutcome outcome = RunInChild([] {
    const Plugin plugin(kUnpinnedPlugin);
    std::thread([&] {
      plugin.Count(1);
      plugin.Unload();
    }).join();
  });
  EXPECT_TRUE(outcome.WasKilledBy(SIGSEGV)) << outcome.Description();
}

TEST_F(PluginTest, ThousandLoadsAndUnloadsLeakNothing) {
  constexpr int kLoads = 1000;
  Run([this] {
    const auto load = [](int count) {
      for (int i = 0; i < count; ++i) {
        const Plugin plugin(kPlugin);
        plugin.Count(1);
        std::thread([&] { plugin.Count(1); }).join();
        plugin.Unload();
      }
    };
    load(10);
    const size_t mappings = LinesOf("/proc/self/maps");
    const int descriptor = ::dup(0);
    ::close(descriptor);
    load(kLoads - 10);
    if (!kHasAsan && !kHasTsan) {  // a sanitizer has mappings of its own
      EXPECT_EQ(LinesOf("/proc/self/maps"), mappings);
    }
    const int later_descriptor = ::dup(0);
    ::close(later_descriptor);
    EXPECT_EQ(later_descriptor, descriptor);
    EXPECT_EQ(SumU64(Read(), "c_total"), 2u * kLoads);
    EXPECT_EQ(NamesIn(dir_.path()).size(), 1u);
  });
}

class ManyCopiesTest : public WriterTest {
 protected:
  // Makes a child this way, which counts and ends well.
  template <typename Fork>
  static void CountInAChild(Fork fork, const std::function<void()>& count) {
    const pid_t child = fork();
    if (child == 0) {
      count();
      ::_exit(0);
    }
    const int status = WaitFor(child);
    EXPECT_TRUE(IsSuccess(status)) << EndingText(status);
  }
};

TEST_F(ManyCopiesTest, EachHasAFileAndTheSumsAreRight) {
  Run([this] {
    const Plugin first(kPlugin);
    const Plugin second(kOtherPlugin);
    const Counter own("c_total", "c");
    const auto count = [&] {
      first.Count(1);
      second.Count(1);
      own.Increment();
    };
    count();
    CountingThreads threads(4, count);
    for (int i = 0; i < 20; ++i) {
      CountInAChild(::fork, count);
    }
    const uint64_t steps = threads.Stop();
    const auto files = Read();
    EXPECT_EQ(files.size(), 3u * 21);
    EXPECT_EQ(SumU64(files, "c_total"), 3 * (1 + steps + 20));
    for (const MetricFileText& file : files) {
      EXPECT_TRUE(file.pid != static_cast<uint32_t>(::getpid()) ||
                  IsHeld(file.name));
    }
  });
}

TEST_F(ManyCopiesTest, ChildrenForkedByHandCountInAllOfThem) {
  TINE_SKIP_UNDER_TSAN("its runtime does not survive a raw fork");
  Run([] {
    const Plugin first(kPlugin);
    const Plugin second(kOtherPlugin);
    const Counter own("c_total", "c");
    const auto count = [&] {
      first.Count(1);
      second.Count(1);
      own.Increment();
    };
    count();
    for (int i = 0; i < 20; ++i) {
      CountInAChild(::_Fork, count);
    }
    EXPECT_EQ(own.Value(), 1u);
  });
  const auto files = Read();
  EXPECT_EQ(files.size(), 3u * 21);
  EXPECT_EQ(SumU64(files, "c_total"), 3u * 21);
}

// Two files of one process are two writers of one pid: the younger one's gauge
// is served.
TEST_F(ManyCopiesTest, CollectorServesTheSumAndOneGaugeOfThePid) {
  Run([this] {
    const Plugin first(kPlugin);
    const Plugin second(kOtherPlugin);
    first.Count(1);
    second.Count(2);
    first.SetGauge(10);
    second.SetGauge(20);
    const ServedNumbers numbers = ScrapeOnce(dir_.path()).numbers;
    EXPECT_EQ(numbers.size(), 2u);
    EXPECT_EQ(numbers.at("c_total{}"), 3);
    EXPECT_EQ(numbers.at("g{pid=" + std::to_string(::getpid()) + "}"), 20);
  });
}

}  // namespace
}  // namespace tine::testing
