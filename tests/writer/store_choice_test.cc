// Which store a process counts in, and the two that make no file.

#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "common/record_layout.h"
#include "tests/writer/counting_threads.h"
#include "tests/writer/writer_test_base.h"
#include "writer/tine.h"

namespace tine::testing {
namespace {

class StoreChoiceTest : public WriterTest {
 protected:
  void SetUp() override {
    WriterTest::SetUp();
    ::unsetenv("TINE_STORE");
  }
  void ExpectStore(const char* word, Store option, Store expected) {
    SCOPED_TRACE(word);
    ::setenv("TINE_STORE", word, 1);
    Run([&] {
      InitOptions options;
      options.store = option;
      EXPECT_TRUE(Init(options).ok());
      Counter("c_total", "c").Increment();
      EXPECT_EQ(GetWriterStatus().store, expected);
      EXPECT_EQ(GetWriterStatus().is_enabled, expected != Store::kNone);
      const bool has_file =
          expected == Store::kMapped || expected == Store::kWritten;
      EXPECT_EQ(NamesIn(dir_.path()).size(), has_file ? 1u : 0u);
    });
    for (const MetricFileText& file : Read()) {
      EXPECT_EQ(SumU64({file}, "c_total"), 1u);
      ::unlink(dir_.At(file.name).c_str());
    }
  }
};

TEST_F(StoreChoiceTest, EnvironmentChooses) {
  ExpectStore("", Store::kDefault, Store::kMapped);
  ExpectStore("mmap", Store::kDefault, Store::kMapped);
  ExpectStore("pwrite", Store::kDefault, Store::kWritten);
  ExpectStore("memory", Store::kDefault, Store::kMemory);
  ExpectStore("none", Store::kDefault, Store::kNone);
}

TEST_F(StoreChoiceTest, ProgramWinsOverTheEnvironment) {
  ExpectStore("pwrite", Store::kMapped, Store::kMapped);
  ExpectStore("none", Store::kMapped, Store::kMapped);
  ExpectStore("mmap", Store::kWritten, Store::kWritten);
  ExpectStore("", Store::kMemory, Store::kMemory);
  ExpectStore("pwrite", Store::kNone, Store::kNone);
}

TEST_F(StoreChoiceTest, DisablingWinsOverAnyStore) {
  ::setenv("TINE_DISABLE", "1", 1);
  ExpectStore("mmap", Store::kWritten, Store::kNone);
}

// Families from before main() are there when the program chooses.
TEST_F(StoreChoiceTest, ProgramChoosesAfterFamiliesWithLabelsAreThere) {
  for (const Store store :
       {Store::kMapped, Store::kWritten, Store::kMemory, Store::kNone}) {
    Run([this, store] {
      const CounterFamily family("d_total", "d", {"l"});
      const GaugeFamily gauges("g", "g", {"l"}, GaugeMode::kMax);
      InitOptions options;
      options.store = store;
      EXPECT_TRUE(Init(options).ok());
      const Counter counter = family.WithLabels("x");
      const Gauge gauge = gauges.WithLabels("x");
      counter.Increment(3);
      gauge.Set(2);
      double value = 0;
      EXPECT_EQ(counter.Value(), store == Store::kNone ? 0u : 3u);
      EXPECT_EQ(gauge.Value(&value), store != Store::kNone);
      EXPECT_EQ(GetWriterStatus().store, store);
      for (const std::string& name : NamesIn(dir_.path())) {
        EXPECT_EQ(SumU64(Read(), "d_total{x}"), 3u);
        ::unlink(dir_.At(name).c_str());
      }
    });
  }
}

TEST_F(StoreChoiceTest, ProcessWithAFileKeepsItsStore) {
  Run([] {
    const Counter counter("c_total", "c");
    InitOptions options;
    options.store = Store::kMemory;
    EXPECT_EQ(Init(options).code(), ErrorCode::kAlreadyStarted);
    EXPECT_EQ(GetWriterStatus().store, Store::kMapped);
  });
}

TEST_F(StoreChoiceTest, UnknownWordIsToldAndTheDefaultIsTaken) {
  ::setenv("TINE_STORE", "disk", 1);
  const ChildOutcome outcome = Run([] {
    const Counter counter("c_total", "c");
    counter.Increment();
    EXPECT_EQ(GetWriterStatus().store, Store::kMapped);
    EXPECT_EQ(GetWriterStatus().last_error,
              "TINE_STORE is ignored: it must be mmap, pwrite, memory or none");
  });
  EXPECT_EQ(outcome.stderr_text,
            "tine: TINE_STORE=disk is ignored: it must be mmap, pwrite, memory "
            "or none\n");
  EXPECT_EQ(SumU64(Read(), "c_total"), 1u);
}

TEST_F(StoreChoiceTest, NoneNeedsNoDirectoryAndSaysNothing) {
  ::setenv("TINE_STORE", "none", 1);
  ::setenv("TINE_DIR", "/nowhere/at/all", 1);
  const ChildOutcome outcome = Run([] {
    const CounterFamily family("d_total", "d", {"l"});
    const Histogram histogram("h", "h", {1});
    const Gauge gauge("g", "g", GaugeMode::kMostRecent);
    const Counter counter = family.WithLabels("x");
    EXPECT_TRUE(family.status().ok());
    EXPECT_TRUE(counter.status().ok());
    counter.Increment();
    histogram.Observe(1);
    gauge.Set(1);
    gauge.Add(1);
    EXPECT_FALSE(family.Remove("x"));
    EXPECT_TRUE(AfterFork().ok());
    Seal();
    EXPECT_EQ(counter.Value(), 0u);
    EXPECT_EQ(histogram.Count(), 0u);
    EXPECT_EQ(GetWriterStatus().last_error, "");
    EXPECT_EQ(GetWriterStatus().dropped_observations, 0u);
    EXPECT_EQ(GetWriterStatus().file_bytes, 0u);
    EXPECT_TRUE(GetMetricFileBytes().empty());
  });
  EXPECT_EQ(outcome.stderr_text, "");
}

TEST_F(StoreChoiceTest, MemoryNeedsNoDirectoryAndHoldsTheFilesBytes) {
  ::setenv("TINE_STORE", "memory", 1);
  ::setenv("TINE_DIR", "/nowhere/at/all", 1);
  const ChildOutcome outcome = Run([this] {
    EXPECT_TRUE(GetMetricFileBytes().empty());
    const Counter counter("c_total", "c");
    const CounterFamily family("d_total", "d", {"l"});
    const Gauge gauge("g", "g", GaugeMode::kMax);
    gauge.Set(4);
    CountingThreads threads(4, [&] { counter.Increment(); });
    for (int i = 0; i < 2000; ++i) {  // grows
      family.WithLabels(std::to_string(i)).Increment();
    }
    const uint64_t steps = threads.Stop();
    EXPECT_TRUE(GetWriterStatus().files.empty());
    EXPECT_GT(GetWriterStatus().file_bytes, 0u);
    const std::vector<std::string> files = GetMetricFileBytes();
    ASSERT_EQ(files.size(), 1u);
    SaveMemoryStore();
    const auto texts = Read();
    ASSERT_EQ(texts.size(), 1u);
    EXPECT_EQ(SumU64(texts, "c_total"), steps);
    EXPECT_EQ(texts[0].series.size(), 2002u);
    EXPECT_EQ(SumU64(texts, "d_total{1999}"), 1u);
    double value = 0;
    EXPECT_TRUE(texts[0].series.at("g").GaugeValue(&value));
    EXPECT_EQ(value, 4);
  });
  EXPECT_EQ(outcome.stderr_text, "");
}

TEST_F(StoreChoiceTest, ChildrenInMemoryCountFromZero) {
  ::setenv("TINE_STORE", "memory", 1);
  Run([] {
    const Counter counter("c_total", "c");
    const Gauge gauge("g", "g", GaugeMode::kMax);
    counter.Increment(5);
    gauge.Set(1);
    const pid_t pid = StartChild([&] {
      double value = 0;
      EXPECT_EQ(counter.Value(), 0u);
      EXPECT_FALSE(gauge.Value(&value));
      counter.Increment();
      EXPECT_EQ(counter.Value(), 1u);
      EXPECT_EQ(GetMetricFileBytes().size(), 1u);
    });
    EXPECT_TRUE(IsSuccess(WaitFor(pid)));
    EXPECT_EQ(counter.Value(), 5u);
    double value = 0;
    EXPECT_TRUE(gauge.Value(&value));
  });
}

}  // namespace
}  // namespace tine::testing
