#include "tests/writer/crash_scenarios.h"

#include <pthread.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <thread>

#include "common/record_layout.h"
#include "tests/testing/child_process.h"
#include "tests/testing/metric_file_sum.h"
#include "tests/writer/writer_test_base.h"
#include "writer/tine.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

namespace tine::testing {
namespace {

using Stage = SteppedProcess::Stage;

// Of a SERIES record with one label value.
std::string ValueForRecordOf(uint64_t record_bytes) {
  return std::string(record_bytes - 34, 'v');
}

// A counter family "d_total" whose first series leaves `left_bytes` of the
// file's first `file_bytes` unused. (Header, a chunk and the FAMILY come
// before.)
CounterFamily FillFile(uint64_t file_bytes, uint64_t left_bytes) {
  constexpr uint64_t kFamilyBytes = 64;
  const CounterFamily family("d_total", "d", {"l"});
  family.WithLabels(ValueForRecordOf(file_bytes - left_bytes -
                                     format::kHeaderBytes -
                                     format::kCellsRecordBytes - kFamilyBytes));
  return family;
}

std::string NameInFilledFile(uint64_t file_bytes, uint64_t left_bytes) {
  return "d_total{l=" +
         ValueForRecordOf(file_bytes - left_bytes - format::kHeaderBytes -
                          format::kCellsRecordBytes - 64) +
         "}";
}

// What `use` makes gets no file, and waits for one until Seal().
void WithoutAFile(const std::function<void()>& use) {
  rlimit limit = {};
  ::getrlimit(RLIMIT_FSIZE, &limit);
  const rlimit none = {0, limit.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &none);
  use();
  ::setrlimit(RLIMIT_FSIZE, &limit);
}

constexpr uint64_t kFirstRealBytes = 16 << 10;  // as the writer has it
constexpr uint64_t kSmallestFileBytes = 64 << 10;

// Another thread of the child, which does something when it is asked to. In
// memory shared with the child.
class Companion {
 public:
  static Companion* New() {
    void* shared = ::mmap(nullptr, sizeof(Companion), PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return shared == MAP_FAILED ? nullptr : new (shared) Companion();
  }
  static void Delete(Companion* companion) {
    ::munmap(companion, sizeof(Companion));
  }

  // For the child: starts the thread.
  void Start(const std::function<void()>& work) {
    std::thread([this, work] {
      for (;;) {
        ::sem_wait(&asked_);
        work();
        ::sem_post(&answered_);
      }
    }).detach();
  }

  // Returns when it is done.
  void Ask() {
    ::sem_post(&asked_);
    timespec deadline;
    ::clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += kDeadlineSeconds;
    ::sem_timedwait(&answered_, &deadline);
    ++asked_count_;
  }
  uint64_t asked_count() const { return asked_count_; }

  // A word of the child's memory that the test wants to see.
  std::atomic<const void*> shown_word{nullptr};

 private:
  Companion() {
    ::sem_init(&asked_, /*pshared=*/1, 0);
    ::sem_init(&answered_, /*pshared=*/1, 0);
  }

  sem_t asked_;
  sem_t answered_;
  uint64_t asked_count_ = 0;
};

std::shared_ptr<Companion> NewCompanion() {
  return {Companion::New(), Companion::Delete};
}

}  // namespace

// ---- Making a file and publishing records -----------------------------------

CrashScenario FirstCounterMakesTheFile() {
  return {"FirstCounterMakesTheFile",
          [](const Stage& stage) {
            stage.Begin();
            const Counter counter("c_total", "c");
            stage.End();
          },
          {{}, {{"c_total{}", 0}}}};
}

CrashScenario InitMakesTheFile() {
  return {"InitMakesTheFile",
          [](const Stage& stage) {
            InitOptions options;
            options.process_labels = {{"app", "web"}};
            stage.Begin();
            Init(options);
            stage.End();
          },
          {{}}};
}

CrashScenario FurtherFamily() {
  return {"FurtherFamily",
          [](const Stage& stage) {
            const Counter counter("c_total", "c");
            stage.Begin();
            const Counter further("d_total", "d");
            stage.End();
          },
          {{{"c_total{}", 0}}, {{"c_total{}", 0}, {"d_total{}", 0}}}};
}

CrashScenario FirstTouchOfASeries() {
  return {"FirstTouchOfASeries",
          [](const Stage& stage) {
            const Counter counter("c_total", "c");
            const CounterFamily family("d_total", "d", {"l"});
            stage.Begin();
            family.WithLabels("b").Increment(7);
            stage.End();
          },
          {{{"c_total{}", 0}},
           {{"c_total{}", 0}, {"d_total{l=b}", 0}},
           {{"c_total{}", 0}, {"d_total{l=b}", 7}}}};
}

// Everything that waits for a chunk is seen at once.
CrashScenario ChunkOfManySeries() {
  return {"ChunkOfManySeries",
          [](const Stage& stage) {
            WithoutAFile([] {
              const CounterFamily family("d_total", "d", {"l"});
              family.WithLabels("1");
              family.WithLabels("2");
              Histogram("h", "h", {1});
            });
            stage.Begin();
            Seal();
            stage.End();
          },
          {{},
           {{"d_total{l=1}", 0},
            {"d_total{l=2}", 0},
            {"h_bucket{}[1]", 0},
            {"h_bucket{}[+Inf]", 0},
            {"h_sum{}", 0}}}};
}

CrashScenario PrivateBlock() {
  return {"PrivateBlock",
          [](const Stage& stage) {
            const Counter counter("c_total", "c");
            stage.Begin();
            counter.Increment();
            stage.End();
          },
          {{{"c_total{}", 0}}, {{"c_total{}", 1}}}};
}

CrashScenario GrowthForASeries() {
  const std::string filler = NameInFilledFile(kFirstRealBytes, 64);
  return {"GrowthForASeries",
          [](const Stage& stage) {
            const CounterFamily family = FillFile(kFirstRealBytes, 64);
            stage.Begin();
            family.WithLabels("fits");
            family.WithLabels("grows");
            stage.End();
          },
          {{{filler, 0}},
           {{filler, 0}, {"d_total{l=fits}", 0}},
           {{filler, 0}, {"d_total{l=fits}", 0}, {"d_total{l=grows}", 0}}}};
}

CrashScenario GrowthForAPrivateBlock() {
  const std::string filler = NameInFilledFile(kFirstRealBytes, 64);
  return {"GrowthForAPrivateBlock",
          [](const Stage& stage) {
            const CounterFamily family = FillFile(kFirstRealBytes, 64);
            const Counter counter = family.WithLabels("fits");
            stage.Begin();
            counter.Increment(3);
            counter.Increment(4);
            stage.End();
          },
          {{{filler, 0}, {"d_total{l=fits}", 0}},
           {{filler, 0}, {"d_total{l=fits}", 3}},
           {{filler, 0}, {"d_total{l=fits}", 7}}}};
}

// There is no memory for the file's next page. Then the series waits in a new
// chunk, until Seal() tries again.
CrashScenario GrowthThatFails() {
  const std::string filler = NameInFilledFile(kFirstRealBytes, 0);
  CrashScenario scenario = {
      "GrowthThatFails",
      [](const Stage& stage) {
        const CounterFamily family = FillFile(kFirstRealBytes, 0);
        stage.Begin();
        family.WithLabels("waits").Increment();  // dropped, and counted
        Seal();
        stage.End();
      },
      {{{filler, 0}}, {{filler, 0}, {"d_total{l=waits}", 0}}}};
  const auto has_failed = std::make_shared<bool>(false);
  scenario.after_step = [has_failed](SteppedProcess* process) {
    *has_failed = *has_failed || process->FailSystemCall(
                                     SYS_madvise, MADV_POPULATE_WRITE, EFAULT);
    return false;
  };
  scenario.judge_end = [has_failed](const std::string&) {
    return *has_failed ? "" : "nothing was made to fail";
  };
  return scenario;
}

CrashScenario OverflowFile() {
  const std::string filler = NameInFilledFile(kSmallestFileBytes, 0);
  CrashScenario scenario = {"OverflowFile",
                            [](const Stage& stage) {
                              rlimit limit = {};
                              ::getrlimit(RLIMIT_FSIZE, &limit);
                              limit.rlim_cur = kSmallestFileBytes;
                              ::setrlimit(RLIMIT_FSIZE, &limit);
                              const CounterFamily family =
                                  FillFile(kSmallestFileBytes, 0);
                              stage.Begin();
                              family.WithLabels("b").Increment(3);
                              stage.End();
                            },
                            {{{filler, 0}},
                             {{filler, 0}, {"d_total{l=b}", 0}},
                             {{filler, 0}, {"d_total{l=b}", 3}}}};
  scenario.judge_end = [](const std::string& directory) {
    return ReadMetricFiles(directory).size() == 2 ? "" : "no second file";
  };
  return scenario;
}

// (A gauge, because its removal is served at once.)
CrashScenario RemovalAndANewSeries() {
  const auto served = [](double value) {
    return ServedNumbers{{"c_total{}", 0}, {"g{l=b}", value}};
  };
  return {"RemovalAndANewSeries",
          [](const Stage& stage) {
            const Counter counter("c_total", "c");
            const GaugeFamily family("g", "g", {"l"}, GaugeMode::kMax);
            family.WithLabels("b").Set(1);
            stage.Begin();
            family.Remove("b");
            family.WithLabels("b").Set(2);
            stage.End();
          },
          {served(1), {{"c_total{}", 0}}, served(2)}};
}

// ---- Changing cells ---------------------------------------------------------

CrashScenario CounterAdds() {
  const auto served = [](double c, double f, double u) {
    return ServedNumbers{{"c_total{}", c}, {"f_total{}", f}, {"u{}", u}};
  };
  return {"CounterAdds",
          [](const Stage& stage) {
            const Counter counter("c_total", "c");
            const DoubleCounter fractions("f_total", "f");
            const UpDownCounter both_ways("u", "u", GaugeMode::kSum);
            counter.Increment();
            fractions.Increment(0.5);
            both_ways.Increment();
            stage.Begin();
            counter.Increment(5);
            fractions.Increment(0.25);
            both_ways.Decrement();
            counter.Increment();
            stage.End();
          },
          {served(1, 0.5, 1), served(6, 0.5, 1), served(6, 0.75, 1),
           served(6, 0.75, 0), served(7, 0.75, 0)}};
}

// Without private blocks.
CrashScenario SharedAdds() {
  CrashScenario scenario = {"SharedAdds",
                            [](const Stage& stage) {
                              ::setenv("TINE_MAX_SLOTS", "0", 1);
                              const Counter counter("c_total", "c");
                              const Summary summary("s", "s");
                              stage.Begin();
                              counter.Increment(5);
                              summary.Observe(0.5);
                              stage.End();
                            },
                            {}};
  for (const auto& [c, count, sum] :
       {std::array{0.0, 0.0, 0.0}, std::array{5.0, 0.0, 0.0},
        std::array{5.0, 1.0, 0.0}, std::array{5.0, 1.0, 0.5}}) {
    scenario.states.push_back(
        {{"c_total{}", c}, {"s_count{}", count}, {"s_sum{}", sum}});
  }
  return scenario;
}

// First the bucket, then the sum.
CrashScenario Observations() {
  const auto served = [](double low, double high, double sum) {
    return ServedNumbers{
        {"h_bucket{}[1]", low}, {"h_bucket{}[+Inf]", high}, {"h_sum{}", sum}};
  };
  return {"Observations",
          [](const Stage& stage) {
            const Histogram histogram("h", "h", {1});
            stage.Begin();
            histogram.Observe(2);  // makes the private block
            histogram.Observe(0.5);
            stage.End();
          },
          {served(0, 0, 0), served(0, 1, 0), served(0, 1, 2), served(1, 1, 2),
           served(1, 1, 2.5)}};
}

CrashScenario GaugeChanges() {
  return {"GaugeChanges",
          [](const Stage& stage) {
            stage.Begin();
            const Gauge gauge("g", "g", GaugeMode::kMax);
            gauge.Set(1);
            gauge.Set(5);
            gauge.Add(2);
            stage.End();
          },
          {{}, {{"g{}", 1}}, {{"g{}", 5}}, {{"g{}", 7}}}};
}

// Another process set it last until the stage.
CrashScenario MostRecentGauge() {
  return {"MostRecentGauge",
          [](const Stage& stage) {
            const Gauge gauge("g", "g", GaugeMode::kMostRecent);
            gauge.Set(1);
            int ends[2];
            if (::pipe(ends) != 0) {
              std::abort();
            }
            if (::fork() == 0) {
              ::prctl(PR_SET_PDEATHSIG, SIGKILL);
              gauge.Set(2);
              ::close(ends[1]);
              for (;;) {
                ::pause();
              }
            }
            ::close(ends[1]);
            char nothing;
            [[maybe_unused]] const ssize_t end = ::read(ends[0], &nothing, 1);
            stage.Begin();
            gauge.Set(3);
            stage.End();
          },
          {{{"g{}", 2}}, {{"g{}", 3}}}};
}

// ---- Threads and forks ------------------------------------------------------

// Once another thread can find a block, what it puts there counts.
CrashScenario BlockUsedByAnotherThread() {
  const auto companion = NewCompanion();
  CrashScenario scenario = {"BlockUsedByAnotherThread",
                            [companion](const Stage& stage) {
                              Gauge gauge;
                              WithoutAFile([&] {
                                gauge = Gauge("g", "g", GaugeMode::kMax);
                                Counter("c_total", "c");
                              });
                              companion->Start([&] { gauge.Set(1); });
                              companion->shown_word.store(
                                  &internal::g_shared_table.load()->blocks[0]);
                              stage.Begin();
                              Seal();
                              stage.End();
                            },
                            {{}, {{"c_total{}", 0}}}};
  scenario.after_step = [companion](SteppedProcess* process) {
    if (companion->asked_count() != 0 ||
        process->WordAt(companion->shown_word.load()) == 0) {
      return false;
    }
    companion->Ask();
    return true;
  };
  scenario.judge_added = [companion](ServedNumbers* numbers) -> std::string {
    const bool is_shown = numbers->erase("g{}") != 0;
    return companion->asked_count() != 0 && !is_shown
               ? "what another thread has set is not there"
               : "";
  };
  scenario.judge_end = [companion](const std::string&) -> std::string {
    return companion->asked_count() != 0 ? "" : "nobody found the block";
  };
  return scenario;
}

// The thread gives its slot back, another one takes it at once, and what the
// first one counts still later goes elsewhere.
CrashScenario ThreadEnd() {
  const auto companion = NewCompanion();
  CrashScenario scenario = {"ThreadEnd",
                            [companion](const Stage& stage) {
                              ::setenv("TINE_MAX_SLOTS", "1", 1);
                              static Counter counter("c_total", "c");
                              static const Stage* the_stage = &stage;
                              const Counter other("other_total",
                                                  "of another thread");
                              // Keys' destructors run in the order in which the
                              // keys were made.
                              static pthread_key_t key;
                              ::pthread_key_create(&key, [](void*) {
                                counter.Increment(10);
                                the_stage->End();
                              });
                              companion->Start([&] { other.Increment(); });
                              std::thread([&] {
                                counter.Increment();
                                ::pthread_setspecific(key, &key);
                                stage.Begin();
                              }).join();
                              ::pause();
                            },
                            {{{"c_total{}", 1}}, {{"c_total{}", 11}}}};
  scenario.after_step = [companion, steps = 0](SteppedProcess*) mutable {
    if (++steps % 8 != 0) {
      return false;
    }
    companion->Ask();
    return true;
  };
  scenario.judge_added = [companion](ServedNumbers* numbers) -> std::string {
    const auto other = numbers->extract("other_total{}");
    const auto asked_count = static_cast<double>(companion->asked_count());
    return other.empty() || other.mapped() != asked_count
               ? "another thread's counts are not all there"
               : "";
  };
  scenario.judge_end = [](const std::string& directory) -> std::string {
    const auto series = ReadMetricFiles(directory).at(0).series;
    if (series.at("c_total").slot0.at(0) != 10) {
      return "the ending thread counts in a slot that it has given back";
    }
    const SeriesCells& other = series.at("other_total");
    return other.slot0.at(0) < other.u64.at(0)
               ? ""
               : "the slot was never taken by another thread";
  };
  return scenario;
}

namespace {

CrashScenario FirstTouchAfter(const char* name, pid_t (*make_child)()) {
  CrashScenario scenario = {
      name,
      [make_child](const Stage& stage) {
        const Counter counter("c_total", "c");
        const CounterFamily family("d_total", "d", {"l"});
        const Counter series = family.WithLabels("b");
        counter.Increment(1);
        series.Increment(2);
        // The parent's file would hide what the child's holds at zero.
        for (const std::string& file : GetWriterStatus().files) {
          ::unlink((GetWriterStatus().directory + "/" + file).c_str());
        }
        stage.Begin();
        if (make_child() == 0) {
          series.Increment(3);
          stage.End();
        }
        for (;;) {
          ::pause();
        }
      },
      {{},
       {{"c_total{}", 0}, {"d_total{l=b}", 0}},
       {{"c_total{}", 0}, {"d_total{l=b}", 3}}}};
  scenario.follows_fork = true;
  return scenario;
}

}  // namespace

CrashScenario ForkedChildsFirstTouch() {
  return FirstTouchAfter("ForkedChildsFirstTouch", [] { return ::fork(); });
}

CrashScenario RawForkedChildsFirstTouch() {
  return FirstTouchAfter("RawForkedChildsFirstTouch", [] {
    return static_cast<pid_t>(::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
  });
}

CrashScenario ForkBesideTheParentsFile() {
  CrashScenario scenario = {"ForkBesideTheParentsFile",
                            [](const Stage& stage) {
                              const Counter counter("c_total", "c");
                              counter.Increment(5);
                              stage.Begin();
                              if (::fork() == 0) {
                                counter.Increment(100);
                                stage.End();
                              }
                              for (;;) {
                                ::pause();
                              }
                            },
                            {{{"c_total{}", 5}}, {{"c_total{}", 105}}}};
  scenario.follows_fork = true;
  scenario.judge_end = [](const std::string& directory) {
    const auto files = ReadMetricFiles(directory);
    return files.size() == 2 &&
                   SumU64({files[0]}, "c_total") +
                           SumU64({files[1]}, "c_total") ==
                       105 &&
                   SumU64({files[0]}, "c_total") % 100 % 5 == 0
               ? ""
               : "not every process in its own file";
  };
  return scenario;
}

// ---- Lists ------------------------------------------------------------------

std::vector<CrashScenario> KillableCrashScenarios() {
  return {FirstCounterMakesTheFile(),
          FurtherFamily(),
          FirstTouchOfASeries(),
          PrivateBlock(),
          GrowthForASeries(),
          GrowthForAPrivateBlock(),
          RemovalAndANewSeries(),
          CounterAdds(),
          SharedAdds(),
          Observations()};
}

std::vector<CrashScenario> AllCrashScenarios() {
  std::vector<CrashScenario> scenarios = KillableCrashScenarios();
  for (CrashScenario& scenario :
       std::vector{InitMakesTheFile(), ChunkOfManySeries(), OverflowFile(),
                   GaugeChanges(), MostRecentGauge(), ForkedChildsFirstTouch(),
                   RawForkedChildsFirstTouch(), ForkBesideTheParentsFile()}) {
    scenarios.push_back(std::move(scenario));
  }
  if (!IsStore("pwrite")) {  // which has no private blocks
    scenarios.push_back(BlockUsedByAnotherThread());
    scenarios.push_back(ThreadEnd());
  }
  if (kCanFailSystemCalls) {
    scenarios.push_back(GrowthThatFails());
  }
  return scenarios;
}

}  // namespace tine::testing
