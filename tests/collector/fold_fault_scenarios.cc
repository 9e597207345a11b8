#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <new>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/collector/fold_bench.h"
#include "tests/collector/fold_scenarios.h"
#include "tests/testing/test_effort.h"
#include "tests/writer/system_call_tracer.h"

namespace tine::collector {
namespace {

using testing::PlannedFailure;
using testing::Stage;
using testing::SystemCall;
using testing::TraceResult;
using StateOn = FoldBench::StateOn;

// Memory that the C++ library does not get ends a process, and that is as good
// as a kill; a closed descriptor is closed whatever it says.
bool IsOfMemoryOrClose(const SystemCall& call) {
  static const std::set<uint64_t> numbers = {
      SYS_brk,      SYS_mmap,    SYS_munmap, SYS_mremap,
      SYS_mprotect, SYS_madvise, SYS_close};
  return numbers.count(call.number) != 0;
}

// In memory that the test and its children share.
class SharedStage {
 public:
  SharedStage()
      : stage_(new (::mmap(nullptr, sizeof(*stage_), PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_ANONYMOUS, -1, 0))
                   std::atomic<Stage>(Stage::kUntouched)) {}
  ~SharedStage() { ::munmap(stage_, sizeof(*stage_)); }
  SharedStage(const SharedStage&) = delete;
  SharedStage& operator=(const SharedStage&) = delete;
  std::atomic<Stage>* get() const { return stage_; }

 private:
  std::atomic<Stage>* const stage_;
};

bool ServesEverything(Collector* collector) {
  return FoldBench::ServedBy(collector) == FoldBench::Everything();
}

// How far apart slow rescans are. With each of them, what could not be opened
// is tried again.
constexpr uint32_t kNeverMs = 3'600'000;
constexpr uint32_t kAlwaysMs = 0;

// Folds with the failure; then the same collector serves, folds, and serves.
TraceResult FoldWith(const FoldBench& bench, const PlannedFailure& failure,
                     int fold_count, uint32_t rescan_interval_ms) {
  const SharedStage stage;
  return testing::RunTraced(
      [&] {
        auto collector = bench.NewFolder(rescan_interval_ms);
        testing::SetStage(stage.get(), Stage::kAction);
        for (int i = 0; i < fold_count; ++i) {
          collector->FoldNow();
        }
        stage.get()->store(Stage::kUntouched);
        const bool is_right = ServesEverything(collector.get());
        // One that finds that it must read anew, and one that folds.
        collector->FoldNow();
        collector->FoldNow();
        ::_exit((is_right ? 0 : 1) +
                (ServesEverything(collector.get()) ? 0 : 2));
      },
      stage.get(), failure);
}

void ExpectEverything(const FoldBench& bench) {
  EXPECT_EQ(bench.ServedOnce(), FoldBench::Everything());
  bench.NewFolder()->FoldNow();
  EXPECT_EQ(bench.ServedOnce(), FoldBench::Everything());
  EXPECT_EQ(bench.MetricFiles().size(), 1u);  // the damaged one
}

std::vector<SystemCall> CallsOfAFold(StateOn state_on,
                                     uint32_t rescan_interval_ms) {
  const FoldBench bench(state_on);
  bench.LeaveEverything();
  const TraceResult sound = FoldWith(bench, {}, 1, rescan_interval_ms);
  EXPECT_EQ(sound.wait_status, 0);
  return sound.action_calls;
}

// True when there was such a call.
bool FailOne(StateOn state_on, const PlannedFailure& failure,
             uint32_t rescan_interval_ms) {
  const FoldBench bench(state_on);
  bench.LeaveEverything();
  const TraceResult result = FoldWith(bench, failure, 1, rescan_interval_ms);
  EXPECT_FALSE(result.has_timed_out);
  if (result.failed_calls.empty()) {
    return false;
  }
  SCOPED_TRACE(result.failed_calls[0].Text() + " fails with " +
               std::to_string(failure.error_number));
  if (!IsOfMemoryOrClose(result.failed_calls[0])) {
    EXPECT_EQ(result.wait_status, 0);
  }
  ExpectEverything(bench);
  return true;
}

void FailEachCall(StateOn state_on) {
  const auto call_count =
      static_cast<int>(CallsOfAFold(state_on, kAlwaysMs).size());
  ASSERT_GT(call_count, 50);
  const std::vector<int> errors = {EIO, ENOSPC, EMFILE, ENOMEM, EACCES};
  // In an ordinary run each call fails with one of the errors, in turn.
  const size_t error_count = testing::Rounds(1) == 1 ? 1 : errors.size();
  int failure_count = 0;
  for (int call = 1; call <= call_count && !::testing::Test::HasFailure();
       ++call) {
    for (size_t i = 0; i < error_count; ++i) {
      PlannedFailure failure;
      failure.call = call;
      failure.error_number =
          errors[(i + static_cast<size_t>(call)) % errors.size()];
      failure_count += FailOne(state_on, failure, kAlwaysMs) ? 1 : 0;
    }
  }
  std::printf("%d calls, %d failures\n", call_count, failure_count);
}

void EachCallFails() { FailEachCall(StateOn::kMemory); }
void EachCallFailsOnADisk() { FailEachCall(StateOn::kDisk); }

// The directory's listing is cut short.
void ListingFails() {
  const std::vector<SystemCall> calls =
      CallsOfAFold(StateOn::kMemory, kNeverMs);
  for (size_t i = 0; i < calls.size(); ++i) {
    if (calls[i].number == SYS_getdents64) {
      PlannedFailure failure;
      failure.call = static_cast<int>(i) + 1;
      failure.error_number = EIO;
      EXPECT_TRUE(FailOne(StateOn::kMemory, failure, kNeverMs));
    }
  }
}

// The name of the archive is not made to last, by whoever folds and by whoever
// finds it there.
void ArchiveDoesNotLast() {
  const std::vector<SystemCall> calls = CallsOfAFold(StateOn::kDisk, kNeverMs);
  PlannedFailure failure;
  failure.error_number = EIO;
  failure.lasts = true;
  bool has_content = false;
  for (size_t i = 0; i < calls.size() && failure.call == 0; ++i) {
    if (calls[i].number == SYS_fsync && std::exchange(has_content, true)) {
      failure.call = static_cast<int>(i) + 1;
    }
  }
  ASSERT_NE(failure.call, 0);
  const FoldBench bench(StateOn::kDisk);
  bench.LeaveEverything();
  const size_t before = bench.MetricFiles().size();
  const SharedStage stage;
  const TraceResult result = testing::RunTraced(
      [&] {
        auto collector = bench.NewFolder();
        testing::SetStage(stage.get(), Stage::kAction);
        for (int i = 0; i < 3; ++i) {
          collector->FoldNow();
        }
        stage.get()->store(Stage::kUntouched);
        ::_exit(ServesEverything(collector.get()) ? 0 : 1);
      },
      stage.get(), failure);
  EXPECT_EQ(result.wait_status, 0);
  EXPECT_GT(result.failed_calls.size(), 1u);
  EXPECT_EQ(bench.MetricFiles().size(), before);
  ExpectEverything(bench);
}

std::string WhyNotOnADisk() {
  return testing::WhyNotTraced() + FoldBench::WhyNoDisk();
}

}  // namespace

std::vector<FoldScenario> FoldFaultScenarios() {
  return {
      {"EachCallFails", EachCallFails, testing::WhyNotTraced},
      {"EachCallFailsOnADisk", EachCallFailsOnADisk, WhyNotOnADisk},
      {"ListingFails", ListingFails, testing::WhyNotTraced},
      {"ArchiveDoesNotLast", ArchiveDoesNotLast, WhyNotOnADisk},
  };
}

}  // namespace tine::collector
