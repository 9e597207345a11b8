// Collectors that fold all the time are killed at random moments, under writers
// that come, count and are killed. What the writers have noted in memory of
// their own is the truth.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>

#include "collector/collect_loop.h"
#include "tests/testing/child_process.h"
#include "tests/testing/one_shot_scrape.h"
#include "tests/testing/sanitizers.h"
#include "tests/testing/test_directory.h"
#include "tests/testing/test_effort.h"
#include "writer/tine.h"

namespace tine::collector {
namespace {

// Shared with all processes of the test.
struct Ledger {
  std::atomic<uint64_t> attempted{0};  // noted before an increment
  std::atomic<uint64_t> done{0};       // and after it
  std::atomic<uint64_t> scrapes{0};
  std::atomic<uint64_t> refusals{0};
  std::atomic<uint64_t> violations{0};
};

class FoldChurnTest : public ::testing::Test {
 protected:
  FoldChurnTest()
      : ledger_(new (::mmap(nullptr, sizeof(Ledger), PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0)) Ledger) {}
  ~FoldChurnTest() override {
    for (const pid_t writer : writers_) {
      Kill(writer);
    }
    ::munmap(ledger_, sizeof(Ledger));
  }

  static void Kill(pid_t pid) {
    if (pid > 0) {
      ::kill(pid, SIGKILL);
      ::waitpid(pid, nullptr, 0);
    }
  }

  pid_t StartWriter() const {
    return testing::StartChild([this] {
      ::setenv("TINE_DIR", directory_.path().c_str(), 1);
      const Counter counter("c_total", "Counted by a test.");
      for (;;) {
        ledger_->attempted.fetch_add(1);
        counter.Increment();
        ledger_->done.fetch_add(1);
        ::usleep(20);
      }
    });
  }

  // The oldest writer dies, another one comes.
  void ReplaceWriter() {
    pid_t& writer = writers_[next_++ % writers_.size()];
    Kill(writer);
    writer = StartWriter();
  }

  CollectorOptions Options(bool may_fold) const {
    CollectorOptions options;
    options.directory = directory_.path();
    options.folding.may_fold = may_fold;
    options.min_fold_distance_ms = 0;
    options.min_rescan_distance_ms = 1;
    return options;
  }

  // One look at what is served, between two looks at the ledger.
  void Check(Collector* collector, uint64_t* last) const {
    const uint64_t done = ledger_->done.load();
    testing::ServedNumbers numbers;
    try {
      numbers = testing::Scrape(collector).numbers;
    } catch (const std::runtime_error&) {
      // The archive changes faster than it can be read: no answer is none that
      // is wrong.
      ledger_->refusals.fetch_add(1);
      return;
    }
    const uint64_t attempted = ledger_->attempted.load();
    const auto it = numbers.find("c_total{}");
    const auto served =
        it == numbers.end() ? 0 : static_cast<uint64_t>(it->second);
    ledger_->scrapes.fetch_add(1);
    if (served < done || served > attempted || served < *last) {
      ledger_->violations.fetch_add(1);
      std::printf("served %llu, done %llu, attempted %llu, before %llu\n",
                  static_cast<unsigned long long>(served),
                  static_cast<unsigned long long>(done),
                  static_cast<unsigned long long>(attempted),
                  static_cast<unsigned long long>(*last));
      std::fflush(stdout);
    }
    *last = served;
  }

  // Folds, and serves what it checks, until it is killed.
  pid_t StartCollector() const {
    const uint64_t served_before = last_served_;
    return testing::StartChild([this, served_before] {
      Collector collector(Options(/*may_fold=*/true));
      collector.Start();
      uint64_t last = served_before;
      for (;;) {
        Check(&collector, &last);
      }
    });
  }

  pid_t StartCompacting() const {
    return testing::StartChild([this] {
      for (;;) {
        Collector(Options(/*may_fold=*/true)).FoldNow();
      }
    });
  }

  void CheckOnce() {
    Collector reader(Options(/*may_fold=*/false));
    Check(&reader, &last_served_);
  }

  void Run(int round_count, int collector_count, bool is_compacting) {
    const uint64_t seed = testing::TestSeed();
    std::mt19937_64 random(seed);
    for (int i = 0; i < round_count && ledger_->violations == 0; ++i) {
      std::array<pid_t, 3> folders{};
      for (int j = 0; j < collector_count; ++j) {
        folders.at(static_cast<size_t>(j)) = StartCollector();
      }
      if (is_compacting) {
        folders[2] = StartCompacting();
      }
      const uint64_t scrape_count = ledger_->scrapes.load();
      EXPECT_TRUE(testing::WaitUntil(
          [&] { return ledger_->scrapes.load() > scrape_count; }));
      ReplaceWriter();
      ReplaceWriter();
      ::usleep(static_cast<useconds_t>(random() % 10'000));
      CheckOnce();
      for (const pid_t folder : folders) {
        Kill(folder);
      }
      CheckOnce();
    }
    EXPECT_EQ(ledger_->violations.load(), 0u);
    for (pid_t& writer : writers_) {
      Kill(std::exchange(writer, 0));
    }
    Collector(Options(/*may_fold=*/true)).FoldNow();
    CheckOnce();
    Collector last(Options(/*may_fold=*/false));
    const auto result = testing::Scrape(&last);
    EXPECT_EQ(ledger_->violations.load(), 0u);
    EXPECT_EQ(result.statistics.files.dead_writers, 0u);
    std::printf(
        "%d rounds, %llu increments, %llu scrapes, %llu refused, archive "
        "generation %llu\n",
        round_count, static_cast<unsigned long long>(ledger_->done.load()),
        static_cast<unsigned long long>(ledger_->scrapes.load()),
        static_cast<unsigned long long>(ledger_->refusals.load()),
        static_cast<unsigned long long>(result.statistics.folding.generation));
    EXPECT_GE(result.statistics.folding.generation, 1u);
  }

  const testing::TestDirectory directory_;
  Ledger* const ledger_;
  std::array<pid_t, 4> writers_{};
  size_t next_ = 0;
  uint64_t last_served_ = 0;
};

TEST_F(FoldChurnTest, NothingIsLostOrDoubledWhereverACollectorIsKilled) {
  Run(testing::Rounds(testing::Scaled(100)), /*collector_count=*/1,
      /*is_compacting=*/false);
}

TEST_F(FoldChurnTest, TwoCollectorsAndACompactShareADirectory) {
  Run(testing::Rounds(testing::Scaled(40)), /*collector_count=*/2,
      /*is_compacting=*/true);
}

}  // namespace
}  // namespace tine::collector
