#include <unistd.h>

#include <string>

#include "tests/writer/writer_test_base.h"
#include "writer/tine.h"

namespace tine::testing {
namespace {

class ProcessLabelsTest : public WriterTest {
 protected:
  std::string Labels() const { return Read().at(0).process_labels; }
};

TEST_F(ProcessLabelsTest, ComeFromTheEnvironment) {
  ::setenv("TINE_PROCESS_LABELS", "app=web,zone=b=c,empty=", 1);
  ::setenv("TINE_WORKER_ID", "worker 7", 1);
  Run([this] {
    const Counter counter("c_total", "c");
    EXPECT_EQ(Labels(), "app=web,zone=b=c,empty=");
    EXPECT_EQ(Read().at(0).worker_id, "worker 7");
  });
}

TEST_F(ProcessLabelsTest, ComeFromInitWhichWinsOverTheEnvironment) {
  ::setenv("TINE_PROCESS_LABELS", "app=web,zone=b", 1);
  ::setenv("TINE_WORKER_ID", "7", 1);
  Run([this] {
    InitOptions options;
    options.process_labels = {{"app", "db"}, {"rack", "9"}};
    options.worker_id = "8";
    const Status status = Init(options);
    EXPECT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(Labels(), "zone=b,app=db,rack=9");
    EXPECT_EQ(Read().at(0).worker_id, "8");
  });
}

TEST_F(ProcessLabelsTest, InitNamesTheDirectory) {
  const TestDirectory other;
  Run([&] {
    InitOptions options;
    options.directory = other.path();
    EXPECT_TRUE(Init(options).ok());
    Counter("c_total", "c").Increment();
    EXPECT_EQ(GetWriterStatus().directory, other.path());
  });
  EXPECT_EQ(SumU64(ReadMetricFiles(other.path()), "c_total"), 1u);
  EXPECT_EQ(NamesIn(dir_.path()).size(), 0u);
}

TEST_F(ProcessLabelsTest, BadOnesAreRefusedByInitAndNothingIsChanged) {
  Run([this] {
    for (const char* name : {"le", "quantile", "__x", "", "a-b", "9", "\xff"}) {
      InitOptions options;
      options.process_labels = {{"good", "1"}, {name, "v"}};
      EXPECT_EQ(Init(options).code(), ErrorCode::kInvalidLabel) << name;
    }
    InitOptions options;
    options.process_labels = {{"a", "\xff"}};
    EXPECT_EQ(Init(options).code(), ErrorCode::kInvalidLabel);
    options.process_labels = {};
    options.worker_id = "\xff";
    EXPECT_EQ(Init(options).code(), ErrorCode::kInvalidLabel);
    const std::string long_text(3000, 'x');
    options.worker_id = long_text;
    EXPECT_EQ(Init(options).code(), ErrorCode::kInvalidLabel);
    options.worker_id = {};
    options.process_labels = {{"a", long_text}};
    EXPECT_EQ(Init(options).code(), ErrorCode::kInvalidLabel);
    EXPECT_EQ(NamesIn(dir_.path()).size(), 0u);
    EXPECT_TRUE(Init().ok());
    EXPECT_EQ(Labels(), "");
  });
}

TEST_F(ProcessLabelsTest, BadEnvironmentIsToldAndIgnored) {
  for (const char* text : {"app", "le=1", "a=1,=2", "__a=b", "a=\xff"}) {
    ::setenv("TINE_PROCESS_LABELS", text, 1);
    const ChildOutcome outcome = Run([this] {
      const Counter counter("c_total", "c");
      EXPECT_EQ(Labels(), "");
      ::unlink(dir_.At(NamesIn(dir_.path()).at(0)).c_str());
    });
    EXPECT_EQ(LineCount(outcome.stderr_text), 1) << outcome.stderr_text;
  }
}

TEST_F(ProcessLabelsTest, BadWorkerIdDoesNotTakeTheLabelsWithIt) {
  ::setenv("TINE_WORKER_ID", "\xff", 1);
  ::setenv("TINE_PROCESS_LABELS", "app=web", 1);
  Run([this] {
    const Counter counter("c_total", "c");
    EXPECT_EQ(Labels(), "app=web");
    EXPECT_EQ(Read().at(0).worker_id, "");
  });
}

TEST_F(ProcessLabelsTest, FamilyMayNotUseALabelThatInitSet) {
  Run([] {
    InitOptions options;
    options.process_labels = {{"app", "db"}};
    EXPECT_TRUE(Init(options).ok());
    EXPECT_EQ(CounterFamily("c_total", "c", {"app"}).status().code(),
              ErrorCode::kInvalidLabel);
    EXPECT_TRUE(CounterFamily("d_total", "d", {"zone"}).status().ok());
  });
}

TEST_F(ProcessLabelsTest, InitMayNotUseALabelThatAFamilyHas) {
  Run([this] {
    const CounterFamily family("c_total", "c", {"app"});
    InitOptions options;
    options.process_labels = {{"app", "db"}};
    EXPECT_EQ(Init(options).code(), ErrorCode::kInvalidLabel);
    EXPECT_EQ(NamesIn(dir_.path()).size(), 0u);
  });
}

TEST_F(ProcessLabelsTest, FamilyMayUseALabelOfTheEnvironment) {
  ::setenv("TINE_PROCESS_LABELS", "app=web", 1);
  Run([this] {
    const CounterFamily family("c_total", "c", {"app"});
    family.WithLabels("own").Increment();
    EXPECT_EQ(SumU64(Read(), "c_total{own}"), 1u);
    EXPECT_EQ(Labels(), "app=web");
  });
}

TEST_F(ProcessLabelsTest, JobAndInstanceAreTakenWithAWarning) {
  const ChildOutcome outcome = Run([this] {
    InitOptions options;
    options.process_labels = {{"job", "a"}, {"instance", "b"}};
    EXPECT_TRUE(Init(options).ok());
    EXPECT_EQ(Labels(), "job=a,instance=b");
  });
  EXPECT_EQ(LineCount(outcome.stderr_text), 2) << outcome.stderr_text;
}

TEST_F(ProcessLabelsTest, InitAfterTheStartChangesNothing) {
  Run([this] {
    InitOptions options;
    options.process_labels = {{"app", "one"}};
    EXPECT_TRUE(Init(options).ok());
    options.process_labels = {{"app", "two"}};
    EXPECT_EQ(Init(options).code(), ErrorCode::kAlreadyStarted);
    EXPECT_EQ(Labels(), "app=one");
    EXPECT_EQ(NamesIn(dir_.path()).size(), 1u);
  });
  Run([] {
    const Counter counter("c_total", "c");
    EXPECT_EQ(Init().code(), ErrorCode::kAlreadyStarted);
  });
}

TEST_F(ProcessLabelsTest, ChildInheritsThemAndMayChangeThemBeforeItCounts) {
  Run([this] {
    const Counter counter("c_total", "c");
    const pid_t pid = StartChild([&] {
      InitOptions options;
      options.process_labels = {{"worker", "1"}};
      EXPECT_TRUE(Init(options).ok());
      counter.Increment();
      const pid_t grandchild = StartChild([&] { counter.Increment(10); });
      EXPECT_TRUE(IsSuccess(WaitFor(grandchild)));
    });
    EXPECT_TRUE(IsSuccess(WaitFor(pid)));
    for (const MetricFileText& file : Read()) {
      const uint64_t value = SumU64({file}, "c_total");
      EXPECT_EQ(file.process_labels, value == 0 ? "" : "worker=1");
    }
    EXPECT_EQ(SumU64(Read(), "c_total"), 11u);
  });
}

}  // namespace
}  // namespace tine::testing
