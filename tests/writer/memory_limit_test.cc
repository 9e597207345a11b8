// What a writer takes of its host's memory: resident, locked, dumped, charged;
// and what it does where the host may have none.

#include <fcntl.h>
#include <grp.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "common/unique_fd.h"
#include "tests/writer/naive_file.h"
#include "tests/writer/run_mutant.h"
#include "tests/writer/writer_test_base.h"
#include "writer/tine.h"

namespace tine::testing {
namespace {

constexpr uint64_t kKiB = 1 << 10;
constexpr uint64_t kMiB = 1 << 20;

class MemoryLimitTest : public WriterTest {
 protected:
  void SetUp() override {
    WriterTest::SetUp();
    ::setenv("TINE_LOG", "off", 1);
  }

  static void SetLimit(__rlimit_resource resource, rlim_t soft) {
    rlimit limit{};
    ::getrlimit(resource, &limit);
    limit.rlim_cur = soft;
    limit.rlim_max = std::max(limit.rlim_max, soft);
    ASSERT_EQ(::setrlimit(resource, &limit), 0);
  }

  // Memory behind all metric files.
  uint64_t AllocatedBytes() const {
    uint64_t bytes = 0;
    for (const std::string& name : NamesIn(dir_.path())) {
      struct stat info {};
      ::stat(dir_.At(name).c_str(), &info);
      bytes += static_cast<uint64_t>(info.st_blocks) * 512;
    }
    return bytes;
  }

  // Sums a field of /proc/self/smaps, in bytes, over the mappings of files in
  // the metrics directory.
  uint64_t MappedBytes(const std::string& field) const {
    std::ifstream smaps("/proc/self/smaps");
    uint64_t bytes = 0;
    bool is_ours = false;
    for (std::string line; std::getline(smaps, line);) {
      const bool is_field = line.find(": ") < line.find(' ') + 2 &&
                            line.find('-') > line.find(':');
      if (!is_field) {
        is_ours = line.find(dir_.path()) != std::string::npos;
      } else if (is_ours && line.rfind(field + ":", 0) == 0) {
        bytes +=
            std::strtoull(line.c_str() + field.size() + 1, nullptr, 10) * kKiB;
      }
    }
    return bytes;
  }

  void CountInHundredSeries() const {
    const CounterFamily family("c_total", "c", {"l"});
    for (int i = 0; i < 100; ++i) {
      family.WithLabels(std::to_string(i)).Increment();
    }
    EXPECT_EQ(Read().at(0).series.size(), 100u);
  }
};

// ---- Resident ----

TEST_F(MemoryLimitTest, OneThreadAndHundredCountersTakeTwentyFourKiB) {
  Run([this] {
    CountInHundredSeries();
    EXPECT_LE(AllocatedBytes(), 24 * kKiB);
    EXPECT_EQ(AllocatedBytes(), GetWriterStatus().file_bytes);
    std::cout << "1 thread, 100 counters: " << AllocatedBytes() / kKiB
              << " KiB\n";
  });
}

// A file grows by whole pages, and by an eighth where that is more.
TEST_F(MemoryLimitTest, FurtherThreadTakesAsMuchAsItsCells) {
  constexpr int kThreads = 32;
  ::setenv("TINE_MAX_SLOTS", "64", 1);
  Run([this] {
    CountInHundredSeries();
    const uint64_t before_bytes = AllocatedBytes();
    const Counter counter =
        CounterFamily("c_total", "c", {"l"}).WithLabels("7");
    std::vector<std::thread> threads;
    std::atomic<int> turn{0};
    for (int i = 0; i < kThreads; ++i) {
      // One after the other, and none ends before the last has begun, so that
      // each gets a slot and a block of its own.
      threads.emplace_back([&, i] {
        EXPECT_TRUE(WaitUntil([&] { return turn >= i; }));
        counter.Increment();
        ++turn;
        EXPECT_TRUE(WaitUntil([&] { return turn == kThreads; }));
      });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
    const uint64_t used_bytes = Read().at(0).used;
    const uint64_t more_bytes = AllocatedBytes() - before_bytes;
    std::cout << kThreads << " more threads: " << more_bytes / kKiB << " KiB\n";
    EXPECT_EQ(Read().at(0).blocks.size(), kThreads + 2u);
    EXPECT_LE(AllocatedBytes(), used_bytes + used_bytes / 8 + 4 * kKiB);
    EXPECT_LE(more_bytes, kThreads * (4 * kKiB + 64) * 9 / 8 + 4 * kKiB);
  });
}

// ---- Locked ----

bool CanLockAll() {
  return IsSuccess(WaitFor(StartChild(
      [] { ::_exit(::mlockall(MCL_CURRENT | MCL_FUTURE) == 0 ? 0 : 1); })));
}

struct LockCase {
  const char* name;
  int flags;
  bool is_before;  // the file is made
};

// A reserve that mlockall() made real would be 16 MiB of memory per process.
TEST_F(MemoryLimitTest, MlockallMakesNoReserveReal) {
  if (kHasAsan || kHasTsan) {
    GTEST_SKIP() << "sanitizers make mlockall() do nothing";
  }
  if (!CanLockAll()) {
    GTEST_SKIP() << "this process may not lock all its memory";
  }
  const int all = MCL_CURRENT | MCL_FUTURE;
  const std::vector<LockCase> cases = {
      {"before", all, true},
      {"after", all, false},
      {"before, on fault", all | MCL_ONFAULT, true},
      {"after, on fault", all | MCL_ONFAULT, false},
  };
  for (const LockCase& item : cases) {
    const auto scenario = [&] {
      if (item.is_before) {
        ASSERT_EQ(::mlockall(item.flags), 0);
      }
      CountInHundredSeries();
      if (!item.is_before) {
        ASSERT_EQ(::mlockall(item.flags), 0);
      }
      CounterFamily more("d_total", "d", {"l"});
      for (int i = 0; i < 2000; ++i) {
        more.WithLabels(std::to_string(i)).Increment();
      }
      EXPECT_EQ(AllocatedBytes(), GetWriterStatus().file_bytes);
      EXPECT_LT(AllocatedBytes(), 512 * kKiB);
      EXPECT_LE(MappedBytes("Rss"), AllocatedBytes());
      EXPECT_LE(MappedBytes("Locked"), AllocatedBytes());
      EXPECT_GT(MappedBytes("Locked"), 0u);  // it is locked
      EXPECT_GE(MappedBytes("Size"), 16 * kMiB);
      std::filesystem::remove(dir_.At(NamesIn(dir_.path()).at(0)));
    };
    SCOPED_TRACE(item.name);
    Run(scenario);
    const ChildOutcome control = RunMutant("reserve_is_touchable", scenario);
    const bool is_on_fault = (item.flags & MCL_ONFAULT) != 0;
    EXPECT_TRUE(control.HasExited(is_on_fault ? 0 : 1))
        << control.Description();
  }
}

// The reserve counts as locked, so where little may be locked there is no file.
TEST_F(MemoryLimitTest, LockLimitBelowTheReserveDropsAndCounts) {
  if (kHasAsan || kHasTsan) {
    GTEST_SKIP() << "sanitizers map much themselves";
  }
  dir_.SetMode(03777);
  const auto become_limited = [](rlim_t bytes) {
    SetLimit(RLIMIT_MEMLOCK, bytes);
    if (::geteuid() == 0) {
      ASSERT_EQ(::setgroups(0, nullptr), 0);
      ASSERT_EQ(::setresgid(65534, 65534, 65534), 0);
      ASSERT_EQ(::setresuid(65534, 65534, 65534), 0);
    }
    ASSERT_EQ(::mlockall(MCL_FUTURE), 0);
  };
  Run([&] {
    become_limited(8 * kMiB);
    const Counter counter("c_total", "c");
    counter.Increment();
    EXPECT_EQ(GetWriterStatus().dropped_observations, 1u);
    EXPECT_NE(GetWriterStatus().last_error.find("Resource temporarily"),
              std::string::npos)
        << GetWriterStatus().last_error;
    EXPECT_TRUE(NamesIn(dir_.path()).empty());
  });
  ::setenv("TINE_MAX_BYTES", "1048576", 1);  // which is what to do
  Run([&] {
    become_limited(8 * kMiB);
    Counter("c_total", "c").Increment();
    EXPECT_EQ(GetWriterStatus().dropped_observations, 0u);
  });
  ::unsetenv("TINE_MAX_BYTES");
  Run([&] {
    become_limited(4 * kKiB);
    Counter("c_total", "c").Increment();
    EXPECT_FALSE(GetWriterStatus().is_enabled);
  });
  // The limit is felt at all.
  Run([&] {
    become_limited(8 * kMiB);
    const NaiveFile file(dir_.path(), 16 * kMiB);
    EXPECT_EQ(file.map_errno(), EAGAIN);
  });
}

// ---- Not there ----

// How counting twice with `more_bytes` of address space left ended: an exit
// code.
enum HowItEnded : int { kWrong = 1, kCounted = 10, kDropped = 11, kOff = 12 };

class AddressSpaceTest : public MemoryLimitTest {
 protected:
  void SetUp() override {
    MemoryLimitTest::SetUp();
    if (kHasAsan || kHasTsan) {
      GTEST_SKIP() << "sanitizers take terabytes of address space";
    }
  }

  // Calls `visit` for a range from nothing to enough.
  template <typename Visit>
  static void ForEachSize(const Visit& visit) {
    for (uint64_t more_bytes = 0; more_bytes <= 8 * kMiB;
         more_bytes += more_bytes < 512 * kKiB ? 16 * kKiB : 512 * kKiB) {
      visit(more_bytes);
    }
  }

  void CountTwiceWith(uint64_t more_bytes) const {
    std::ifstream statm("/proc/self/statm");
    uint64_t pages = 0;
    statm >> pages;
    SetLimit(RLIMIT_AS, pages * 4096 + more_bytes);
    const Counter counter("c_total", "c");
    const CounterFamily family("d_total", "d", {"l"});
    counter.Increment();
    family.WithLabels("x").Increment();
    SetLimit(RLIMIT_AS, RLIM_INFINITY);
    const WriterStatus status = GetWriterStatus();
    const auto files = Read();
    const uint64_t sum = SumU64(files, "c_total") + SumU64(files, "d_total{x}");
    for (const MetricFileText& file : files) {
      ::unlink(dir_.At(file.name).c_str());
    }
    // A metric that found no memory when it was registered counts nothing and
    // says so.
    const bool is_told = !counter.status().ok() || !status.is_enabled;
    EXPECT_TRUE(is_told || sum + status.dropped_observations == 2)
        << sum << " + " << status.dropped_observations;
    ::_exit(HasFailure()                       ? kWrong
            : sum == 2                         ? kCounted
            : status.dropped_observations != 0 ? kDropped
                                               : kOff);
  }
};

TEST_F(AddressSpaceTest, TinyOnesDropAndCount) {
  std::map<int, int> counts;
  ForEachSize([&](uint64_t more_bytes) {
    const ChildOutcome outcome =
        RunInChild([&] { CountTwiceWith(more_bytes); });
    for (const int ending : {kCounted, kDropped, kOff}) {
      counts[ending] += outcome.HasExited(ending) ? 1 : 0;
    }
    EXPECT_TRUE(outcome.HasExited(kCounted) || outcome.HasExited(kDropped) ||
                outcome.HasExited(kOff))
        << more_bytes << ": " << outcome.Description();
  });
  std::cout << counts[kOff] << " times off, " << counts[kDropped]
            << " times dropped, " << counts[kCounted] << " times counted\n";
  EXPECT_GT(counts[kDropped], 0);
  EXPECT_GT(counts[kCounted], 0);
}

TEST_F(AddressSpaceTest, WriterThatDoesNotLookDies) {
  int death_count = 0;
  ForEachSize([&](uint64_t more_bytes) {
    const ChildOutcome outcome = RunMutant("failed_mapping_not_seen",
                                           [&] { CountTwiceWith(more_bytes); });
    death_count += outcome.WasKilledBy(SIGSEGV) ? 1 : 0;
    for (const std::string& name : NamesIn(dir_.path())) {
      ::unlink(dir_.At(name).c_str());
    }
  });
  EXPECT_GT(death_count, 0);
}

}  // namespace
}  // namespace tine::testing
