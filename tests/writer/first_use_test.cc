// When a file is made, and that nothing else is left in the host.

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/writer/writer_test_base.h"
#include "writer/tine.h"

namespace tine::testing {
namespace {

class FirstUseTest : public WriterTest {
 protected:
  size_t FileCount() const { return NamesIn(dir_.path()).size(); }
};

TEST_F(FirstUseTest, LoadingTheLibraryMakesNoFile) {
  Run([this] {
    const Counter nothing;
    nothing.Increment();
    EXPECT_FALSE(nothing.is_valid());
    EXPECT_EQ(nothing.Value(), 0u);
    EXPECT_TRUE(GetWriterStatus().is_enabled);
    EXPECT_EQ(GetWriterStatus().directory, dir_.path());
    EXPECT_EQ(FileCount(), 0u);
  });
}

TEST_F(FirstUseTest, LabelledFamiliesMakeNoFileUntilASeriesIsMade) {
  Run([this] {
    const CounterFamily counters("c_total", "c", {"l"});
    const GaugeFamily gauges("g", "g", {"l"}, GaugeMode::kSum);
    const HistogramFamily histograms("h", "h", {"l"}, {1});
    const SummaryFamily summaries("s", "s", {"l"});
    EXPECT_EQ(FileCount(), 0u);
    counters.WithLabels("x");
    EXPECT_EQ(FileCount(), 1u);
    EXPECT_EQ(SumU64(Read(), "c_total{x}"), 0u);
    EXPECT_EQ(FilesWith(Read(), "c_total{x}"), 1u);
  });
}

TEST_F(FirstUseTest, CounterWithoutLabelsIsThereAtOnceAsZero) {
  Run([this] {
    const Counter counter("c_total", "c");
    EXPECT_EQ(FilesWith(Read(), "c_total"), 1u);
    EXPECT_EQ(SumU64(Read(), "c_total"), 0u);
  });
}

TEST_F(FirstUseTest, InitMakesTheFile) {
  Run([this] {
    EXPECT_TRUE(Init().ok());
    EXPECT_EQ(FileCount(), 1u);
    EXPECT_EQ(GetWriterStatus().files, NamesIn(dir_.path()));
  });
}

TEST_F(FirstUseTest, AfterForkMakesTheChildsFile) {
  Run([this] {
    EXPECT_TRUE(AfterFork().ok()) << "nothing to do before the first metric";
    const Counter counter("c_total", "c");
    const pid_t pid = StartChild([] { EXPECT_TRUE(AfterFork().ok()); });
    EXPECT_TRUE(IsSuccess(WaitFor(pid)));
    EXPECT_TRUE(AfterFork().ok());
    EXPECT_EQ(FileCount(), 2u);
  });
}

TEST_F(FirstUseTest, UnsetGaugeIsPublishedAsUnset) {
  Run([this] {
    const Gauge gauge("g", "g", GaugeMode::kMin);
    double value = 0;
    EXPECT_FALSE(gauge.Value(&value));
    EXPECT_FALSE(Read().at(0).series.at("g").GaugeValue(&value));
    gauge.Set(0);
    EXPECT_TRUE(Read().at(0).series.at("g").GaugeValue(&value));
    EXPECT_EQ(value, 0);
  });
}

TEST_F(FirstUseTest, DisabledWriterMakesNothingAndIsSafe) {
  ::setenv("TINE_DISABLE", "1", 1);
  const ChildOutcome outcome = Run(
      [] {
        const Counter counter("c_total", "c");
        const DoubleCounter refused("bad name", "");
        const Gauge gauge("g", "g", GaugeMode::kMax);
        const Histogram histogram("h", "h", {1});
        const Summary summary("s", "s");
        const CounterFamily family("f_total", "f", {"l"});
        EXPECT_TRUE(Init().ok());
        counter.Increment();
        refused.Increment(1);
        gauge.Set(1);
        gauge.Add(1);
        histogram.Observe(1);
        summary.Observe(1);
        family.WithLabels("x").Increment();
        family.With({{"l", "x"}}).Increment();
        double value;
        EXPECT_FALSE(gauge.Value(&value));
        EXPECT_EQ(counter.Value(), 0u);
        EXPECT_EQ(histogram.Count(), 0u);
        EXPECT_TRUE(counter.status().ok());
        EXPECT_TRUE(AfterFork().ok());
        Seal();
        EXPECT_FALSE(GetWriterStatus().is_enabled);
        const pid_t pid = StartChild([&] { counter.Increment(); });
        EXPECT_TRUE(IsSuccess(WaitFor(pid)));
      },
      Ending::kExit);
  EXPECT_EQ(FileCount(), 0u);
  EXPECT_EQ(LineCount(outcome.stderr_text), 0) << outcome.stderr_text;
}

TEST_F(FirstUseTest, DisableIsOffAtZeroAndEmpty) {
  for (const char* value : {"0", ""}) {
    ::setenv("TINE_DISABLE", value, 1);
    Run([] { EXPECT_TRUE(GetWriterStatus().is_enabled); });
  }
}

TEST_F(FirstUseTest, LeavesNoDescriptorAndNoThread) {
  TINE_SKIP_UNDER_TSAN("it has a thread of its own");
  Run([] {
    const auto descriptors = NamesIn("/proc/self/fd");
    const auto threads = NamesIn("/proc/self/task");
    const Counter counter("c_total", "c");
    const CounterFamily family("d_total", "d", {"l"});
    for (int i = 0; i < 2000; ++i) {
      family.WithLabels(std::to_string(i)).Increment();
    }
    EXPECT_EQ(NamesIn("/proc/self/fd").size(), descriptors.size());
    EXPECT_EQ(NamesIn("/proc/self/task"), threads);
    const pid_t pid = StartChild([&] {
      counter.Increment();
      EXPECT_EQ(NamesIn("/proc/self/fd").size(), descriptors.size());
      EXPECT_EQ(NamesIn("/proc/self/task").size(), 1u);
    });
    EXPECT_TRUE(IsSuccess(WaitFor(pid)));
  });
}

TEST_F(FirstUseTest, FileIsReadableByItsGroupAndWritableByItsOwnerOnly) {
  ::umask(0777);
  Run([] { const Counter counter("c_total", "c"); });
  ::umask(022);
  struct stat info {};
  ASSERT_EQ(::stat(dir_.At(NamesIn(dir_.path()).at(0)).c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0640u);
  EXPECT_EQ(info.st_nlink, 1u);
}

TEST_F(FirstUseTest, SmallProgramTakesLittleMemory) {
  Run([this] {
    const CounterFamily family("c_total", "c", {"l"});
    for (int i = 0; i < 100; ++i) {
      family.WithLabels(std::to_string(i)).Increment();
    }
    struct stat info {};
    ::stat(dir_.At(NamesIn(dir_.path()).at(0)).c_str(), &info);
    EXPECT_LE(info.st_blocks * 512, 24 << 10);
    EXPECT_EQ(GetWriterStatus().file_bytes,
              static_cast<uint64_t>(info.st_blocks) * 512);
  });
}

TEST_F(FirstUseTest, HeaderSaysWhoWrites) {
  Run([this] {
    const Counter counter("c_total", "c");
    const MetricFileText file = Read().at(0);
    EXPECT_EQ(file.pid, static_cast<uint32_t>(::getpid()));
    EXPECT_EQ(file.uid, ::geteuid());
    EXPECT_EQ(file.executable, "first_use_test");
    EXPECT_EQ(file.life_lock, format::LifeLock::kHolds);
    EXPECT_EQ(file.state, format::FileState::kLive);
    EXPECT_EQ(file.name.find(std::to_string(::getpid()) + "."), 0u);
  });
}

}  // namespace
}  // namespace tine::testing
