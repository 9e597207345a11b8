#include "tests/model/program_run.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <exception>
#include <memory>
#include <utility>

#include "collector/collect_loop.h"
#include "common/clock.h"
#include "tests/model/model.h"
#include "tests/model/writer_processes.h"
#include "tests/testing/child_process.h"
#include "tests/testing/test_directory.h"

namespace tine::model {
namespace {

using collector::Collector;
using collector::MergedFamily;
using collector::MergedSeries;
using format::MetricType;

constexpr uint32_t kAgeS = 2 * 3600;

std::string LabelsOf(const MergedSeries& series) {
  Labels labels;
  const auto strings = series.labels.strings();
  for (auto it = strings.begin(); it != strings.end(); ++it) {
    const std::string name(*it);
    ++it;
    labels[name] = std::string(*it);
  }
  return LabelsText(labels);
}

std::string TypeOf(const MergedFamily& family) {
  switch (family.type) {
    case MetricType::kCounter:
      return "counter";
    case MetricType::kGauge:
    case MetricType::kUpDownCounter:
      return "gauge";
    case MetricType::kHistogram:
      return "histogram";
    case MetricType::kSummary:
      return "summary";
    case MetricType::kStateSet:
      return "stateset";
    case MetricType::kInfo:
      return "info";
    case MetricType::kNone:
      break;
  }
  return "none";
}

ServedFamily Copy(const MergedFamily& family) {
  ServedFamily served;
  served.type = TypeOf(family);
  served.help = family.help;
  served.bounds = family.bounds;
  for (const MergedSeries& series : family.series) {
    if (!series.is_present) {
      continue;
    }
    ServedSeries& copy = served.series[LabelsOf(series)];
    copy.value = series.value;
    copy.count = family.type == MetricType::kSummary ? series.count : 0;
    uint64_t count = 0;
    for (const uint64_t bucket : series.buckets) {
      copy.cumulative.push_back(count += bucket);
    }
  }
  return served;
}

Served Scrape(Collector* collector) {
  Served served;
  collector->WithScrape([&served](const auto& families, const auto&) {
    for (const MergedFamily* family : families) {
      served[family->name] = Copy(*family);
    }
  });
  return served;
}

// When the file system says that the file was born.
uint64_t BirthOf(const std::string& path) {
  struct statx info {};
  if (::statx(AT_FDCWD, path.c_str(), 0, STATX_BTIME, &info) != 0) {
    return 0;
  }
  return static_cast<uint64_t>(info.stx_btime.tv_sec) * 1'000'000'000 +
         info.stx_btime.tv_nsec;
}

class ProgramRun {
 public:
  ProgramRun()
      : processes_(directory_.path()),
        folder_(NewCollector(/*may_fold=*/true)),
        reader_(NewCollector(/*may_fold=*/false)) {}

  std::string Do(const Step& step);
  std::string CompareAnew() const;

 private:
  std::unique_ptr<Collector> NewCollector(bool may_fold) const;
  std::string DoReal(const Step& step);
  std::string NoteFacts(int process);
  std::string Compare(Collector* collector, const char* whose) const;

  const testing::TestDirectory directory_;
  Model model_;
  WriterProcesses processes_;
  uint32_t aged_s_ = 0;
  std::unique_ptr<Collector> folder_;
  std::unique_ptr<Collector> reader_;
};

std::unique_ptr<Collector> ProgramRun::NewCollector(bool may_fold) const {
  collector::CollectorOptions options;
  options.directory = directory_.path();
  options.folding.may_fold = may_fold;
  options.folding.now_s = [this] {
    return static_cast<uint32_t>(::time(nullptr)) + aged_s_;
  };
  options.rescan_interval_ms = 3'600'000;
  return std::make_unique<Collector>(std::move(options));
}

std::string ProgramRun::DoReal(const Step& step) {
  if (step.process() >= 0) {
    return processes_.Do(step);
  }
  if (step.verb() == "fold") {
    folder_->FoldNow();
  } else if (step.verb() == "restart") {
    folder_.reset();
    folder_ = NewCollector(/*may_fold=*/true);
  } else if (step.verb() == "age") {
    aged_s_ += kAgeS;
  } else if (step.verb() == "tick") {
    // File systems read this clock.
    const uint64_t before = NowNs(CLOCK_REALTIME_COARSE);
    testing::WaitUntil(
        [before] { return NowNs(CLOCK_REALTIME_COARSE) != before; });
  }
  return "ok";
}

std::string ProgramRun::NoteFacts(int process) {
  const std::string& file = processes_.file(process);
  model_.SetPid(process, std::to_string(processes_.pid(process)));
  if (!file.empty()) {
    model_.SetBirth(process, BirthOf(directory_.At(file)));
  }
  return model_.HasFile(process) == !file.empty()
             ? ""
             : "  process " + std::to_string(process) + " has " +
                   (file.empty() ? "no file" : "a file") + "\n";
}

std::string ProgramRun::Compare(Collector* collector, const char* whose) const {
  std::string difference;
  try {
    difference = model_.Difference(Scrape(collector));
  } catch (const std::exception& error) {
    difference = std::string("  ") + error.what() + "\n";
  }
  return difference.empty() ? "" : std::string(whose) + ":\n" + difference;
}

std::string ProgramRun::CompareAnew() const {
  return Compare(NewCollector(/*may_fold=*/false).get(), "a new reader");
}

std::string ProgramRun::Do(const Step& step) {
  if (!model_.Accepts(step)) {
    return "";
  }
  const std::string real = DoReal(step);
  const std::string expected = model_.Do(step);
  if (real != expected) {
    return "  answered \"" + real + "\", not \"" + expected + "\"\n";
  }
  std::string difference;
  const bool has_child = step.verb() == "fork" || step.verb() == "clone";
  if (step.process() >= 0 && step.verb() != "kill" && step.verb() != "exit") {
    difference = NoteFacts(has_child ? step.child() : step.process());
  }
  difference += Compare(folder_.get(), "the collector");
  difference += Compare(reader_.get(), "the reader beside it");
  return difference + (step.verb() == "fold" ? CompareAnew() : "");
}

}  // namespace

std::string RunProgram(const Program& program) {
  ProgramRun run;
  uint64_t last_ns = NowNs(CLOCK_REALTIME);
  for (size_t i = 0; i < program.size(); ++i) {
    const std::string difference = run.Do(program[i]);
    const uint64_t now_ns = NowNs(CLOCK_REALTIME);
    if (now_ns < last_ns) {
      return "";  // somebody has set the clock: nothing is the most recent
    }
    last_ns = now_ns;
    if (!difference.empty()) {
      return "after step " + std::to_string(i + 1) + ", \"" +
             program[i].text() + "\", " + difference;
    }
  }
  const std::string difference = run.CompareAnew();
  return difference.empty() ? "" : "at the end, " + difference;
}

Program Shrink(const Program& program) {
  Program shortest = program;
  for (size_t size = std::max<size_t>(program.size() / 2, 1); size > 0;) {
    bool is_shorter = false;
    for (size_t first = 0; first < shortest.size();) {
      Program candidate = shortest;
      const auto begin = candidate.begin() + static_cast<ptrdiff_t>(first);
      candidate.erase(begin, begin + static_cast<ptrdiff_t>(std::min(
                                         size, candidate.size() - first)));
      if (RunProgram(candidate).empty()) {
        first += size;
      } else {
        shortest = std::move(candidate);
        is_shorter = true;
      }
    }
    size = is_shorter && size == 1 ? 1 : size / 2;
  }
  return shortest;
}

}  // namespace tine::model
