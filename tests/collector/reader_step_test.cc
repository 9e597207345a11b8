// The reader's order: between any two of its system calls the writer counts,
// publishes or dies. Reading is by system calls alone, so no other points
// matter. Mistakes in the order must be seen.

#include <sys/mman.h>

#include <cstdio>
#include <cstring>
#include <functional>
#include <string>

#include "gtest/gtest.h"
#include "tests/testing/followed_directory.h"
#include "tests/testing/metric_file_builder.h"
#include "tests/testing/mutant.h"
#include "tests/testing/stepped_process.h"
#include "tests/testing/test_directory.h"

namespace tine::testing {
namespace {

struct Seen {
  double counter[2];  // in the stepped scrape, and in one after it
  double gauge[2];
  uint64_t problems;
};

class ReaderStepTest : public ::testing::Test {
 protected:
  void TearDown() override { SetMutant(nullptr); }

  static void Take(FollowedDirectory* directory, int scrape, Seen* seen) {
    FollowedDirectory::Answer answer = directory->Read();
    seen->counter[scrape] = answer.numbers["c_total{}"];
    seen->gauge[scrape] = answer.numbers["g{}"];
    for (const auto& [reason, count] : answer.statistics.problems) {
      seen->problems += count;
    }
  }

  // One run for each point of a warm scrape. Returns how many ended wrong.
  int CountWrongEnds(
      const std::function<void(MetricFileBuilder*)>& advance,
      const std::function<bool(const Seen&)>& is_right = [](const Seen&) {
        return true;
      }) {
    auto* seen =
        static_cast<Seen*>(::mmap(nullptr, sizeof(Seen), PROT_READ | PROT_WRITE,
                                  MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    int wrong = 0;
    int points = 0;
    for (bool is_in_time = true; is_in_time; ++points) {
      std::memset(seen, 0, sizeof(Seen));
      const TestDirectory directory;
      MetricFileBuilder other(directory.path());
      MetricFileBuilder writer(directory.path());
      for (MetricFileBuilder* file : {&other, &writer}) {
        file->HoldLifeLock();
        gauge_ = file->AddSeries(
            file->AddFamily(GaugeFamily("g", format::GaugeMode::kMostRecent)));
        file->SetRecent(gauge_, file == &other ? 2 : 1,
                        file == &other ? 200 : 100);
      }
      counter_ = writer.AddCounter("c_total", 1);
      SteppedProcess reader([&](const SteppedProcess::Stage& stage) {
        FollowedDirectory followed(directory.path());
        followed.Read();
        stage.Begin();
        Take(&followed, 0, seen);
        stage.End();
        Take(&followed, 1, seen);
      });
      for (int i = 0; i < points && reader.is_in_stage(); ++i) {
        reader.StepToSystemCall();
      }
      is_in_time = reader.is_in_stage();
      advance(&writer);
      reader.Release(0);
      wrong += is_right(*seen) ? 0 : 1;
    }
    std::printf("%d points, %d wrong\n", points, wrong);
    EXPECT_GT(points, 10);
    ::munmap(seen, sizeof(Seen));
    return wrong;
  }

  int CountWrongDeaths() {
    return CountWrongEnds(
        [this](MetricFileBuilder* writer) {
          writer->AddU64(counter_, 4);
          writer->UnlockWithoutClosing();
        },
        [](const Seen& seen) {
          return seen.problems == 0 && seen.counter[0] >= 1 &&
                 seen.counter[1] == 5;
        });
  }
  int CountWrongSets() {
    return CountWrongEnds(
        [this](MetricFileBuilder* writer) {
          writer->SetRecent(gauge_, 3, 300);
        },
        [](const Seen& seen) {
          return seen.problems == 0 && seen.gauge[0] != 1 && seen.gauge[1] == 3;
        });
  }
  int CountWrongSeries() {
    return CountWrongEnds(
        [](MetricFileBuilder* writer) { writer->AddCounter("d_total", 7); },
        [](const Seen& seen) {
          return seen.problems == 0 && seen.counter[1] == 1;
        });
  }
  int CountWrongShrinks() {
    return CountWrongEnds(
        [](MetricFileBuilder* writer) { writer->SetUsed(8256); },
        [](const Seen& seen) {
          return seen.problems != 0 && seen.counter[1] == 1;
        });
  }

  uint32_t gauge_ = 0;
  uint32_t counter_ = 0;
};

TEST_F(ReaderStepTest, NothingIsWrongWhereverTheWriterAdvances) {
  EXPECT_EQ(CountWrongDeaths(), 0);
  EXPECT_EQ(CountWrongSets(), 0);
  EXPECT_EQ(CountWrongSeries(), 0);
  EXPECT_EQ(CountWrongShrinks(), 0);
}

TEST_F(ReaderStepTest, ProbeAfterTheReadMissesTheLastCounts) {
  SetMutant("probe_after_read");
  EXPECT_GT(CountWrongDeaths(), 0);
}

TEST_F(ReaderStepTest, DeathWithoutAFinalReadMissesTheLastCounts) {
  SetMutant("death_is_final_at_once");
  EXPECT_GT(CountWrongDeaths(), 0);
}

TEST_F(ReaderStepTest, ValueReadBeforeItsTimeWinsWronglyOverAnother) {
  SetMutant("value_before_its_time");
  EXPECT_GT(CountWrongSets(), 0);
}

TEST_F(ReaderStepTest, PayloadReadBeforeUsedIsSeenAsDamage) {
  SetMutant("payload_before_used");
  EXPECT_GT(CountWrongSeries(), 0);
}

TEST_F(ReaderStepTest, UsedThatShrinksMustBeNoticed) {
  SetMutant("used_shrink_believed");
  EXPECT_GT(CountWrongShrinks(), 0);
}

}  // namespace
}  // namespace tine::testing
