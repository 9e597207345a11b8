// tine-compact: folds what dead writers have left, once.

#include <cerrno>
#include <chrono>
#include <cstring>
#include <exception>
#include <iostream>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "collector/collect_loop.h"
#include "collector/file_limit.h"
#include "collector/fold_request.h"
#include "common/metrics_directory.h"
#include "common/unique_fd.h"
#include "tools/compact_flags.h"
#include "tools/compact_report.h"

namespace tine::tools {
namespace {

using collector::Collector;
using collector::CollectorOptions;
using collector::CollectorStatistics;
using collector::FoldReport;
using collector::FoldRequest;
using collector::LabelSet;
using collector::LogLevel;
using std::chrono::steady_clock;

// A line a second.
class Progress {
 public:
  void operator()(std::string_view doing, size_t file_count) {
    const auto now = steady_clock::now();
    if (now - last_ >= std::chrono::seconds(1)) {
      last_ = now;
      std::cerr << "tine-compact: " << doing << ' ' << file_count << " files\n";
    }
  }

 private:
  steady_clock::time_point last_ = steady_clock::now();
};

FoldRequest MakeRequest(const CompactFlags& flags) {
  FoldRequest request;
  request.assumed_dead = flags.assumed_dead;
  request.purge_age_s = flags.purge_age_s;
  if (!flags.forget.empty()) {
    request.forgets = [&flags](std::string_view family,
                               const LabelSet& labels) {
      SeriesSelector::Labels pairs;
      const StringListView strings = labels.strings();
      for (auto it = strings.begin(); it != strings.end(); ++it) {
        const std::string_view name = *it;
        pairs.emplace_back(name, *++it);
      }
      for (const SeriesSelector& selector : flags.forget) {
        if (selector.Matches(family, pairs)) {
          return true;
        }
      }
      return false;
    };
  }
  return request;
}

// A reader says nothing of files: what it finds may be gone in a moment.
CollectorOptions MakeOptions(const CompactFlags& flags, bool may_fold) {
  CollectorOptions options;
  options.directory = ResolveMetricsDirectory(flags.directory);
  options.folding.state_directory = flags.state_directory;
  options.folding.may_fold = may_fold;
  // What goes because its time is over is for the collector to say, whose flags
  // are not known here.
  options.folding.expiry = {0, 0};
  // Nor is there a reason to leave files out: they are to go.
  options.owner_limits.max_files = SIZE_MAX;
  options.owner_limits.max_files_per_uid = SIZE_MAX;
  options.owner_limits.max_open_files = collector::MaxOpenMetricFiles();
  if (flags.shows_progress) {
    options.folding.on_progress = Progress();
  }
  if (may_fold) {
    options.log = [](LogLevel level, const std::string& message) {
      if (level >= LogLevel::kWarn) {
        CompactComplaint(message);
      }
    };
  }
  return options;
}

struct Look {
  FoldReport plan;
  CollectorStatistics statistics;
};

// As a collector that does not fold sees the directory. Throws what is wrong.
Look LookAround(const CompactFlags& flags, const FoldRequest& request) {
  Collector reader(MakeOptions(flags, /*may_fold=*/false));
  Look look;
  look.plan = reader.PlanFold(request);
  look.statistics = reader.statistics();
  if (!look.statistics.folding.problem.empty()) {
    throw std::runtime_error(look.statistics.folding.problem);
  }
  return look;
}

int DryRun(const CompactFlags& flags) {
  const Look look = LookAround(flags, MakeRequest(flags));
  const int exit_code = PrintPlan(flags, look.plan);
  std::cout << "there are\n";
  PrintFileStates(look.statistics);
  if (look.plan.is_collector_running) {
    std::cout << "a collector runs there and folds by itself\n";
    return exit_code == kCompactDone ? kCompactCollectorRuns : exit_code;
  }
  return exit_code;
}

int WaitForCollector(const CompactFlags& flags) {
  const auto deadline =
      steady_clock::now() + std::chrono::seconds(flags.wait_seconds);
  for (;;) {
    const FoldReport plan = LookAround(flags, FoldRequest()).plan;
    const size_t left_count = plan.foldable.size() + plan.leftovers.size();
    if (left_count == 0) {
      std::cout << "folded by the collector that runs there\n";
      return PrintBlocked(plan);
    }
    if (steady_clock::now() > deadline) {
      PrintBlocked(plan);
      return CompactComplaint(
          "the collector that runs there has not folded within " +
          std::to_string(flags.wait_seconds) +
          " s; files left: " + std::to_string(left_count));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
}

int LeaveToCollector(const CompactFlags& flags, int exit_code) {
  const bool needs_archive =
      !flags.forget.empty() || !flags.assumed_dead.empty();
  if (needs_archive) {
    CompactComplaint(
        "--forget and --assume-dead need the archive, which the collector that "
        "runs there has: stop it first");
  }
  if (flags.waits) {
    const int waited = WaitForCollector(flags);
    exit_code = waited != kCompactDone ? waited : exit_code;
    return exit_code == kCompactDone && needs_archive ? kCompactCollectorRuns
                                                      : exit_code;
  }
  std::cout << "a collector runs there and folds by itself; left for it:\n";
  PrintFileStates(LookAround(flags, FoldRequest()).statistics);
  return exit_code == kCompactDone ? kCompactCollectorRuns : exit_code;
}

int Fold(const CompactFlags& flags) {
  Collector folder(MakeOptions(flags, /*may_fold=*/true));
  const FoldReport report = folder.FoldNow(MakeRequest(flags));
  const CollectorStatistics statistics = folder.statistics();
  if (!statistics.folding.problem.empty()) {
    return kCompactFailed;  // it has been told
  }
  if (report.is_collector_running) {
    return LeaveToCollector(flags, PrintOutcome(flags, report));
  }
  std::cout << "folded " << statistics.folding.folded_files
            << " files of dead writers, removed "
            << statistics.folding.removed_temp_files
            << " temporary files; left:\n";
  PrintFileStates(LookAround(flags, FoldRequest()).statistics);
  return PrintOutcome(flags, report);
}

int Run(const CompactFlags& flags) {
  const std::string directory = ResolveMetricsDirectory(flags.directory);
  const char* problem = nullptr;
  const UniqueFd fd(OpenMetricsDirectory(directory.c_str(),
                                         /*may_create=*/false, &problem));
  if (!fd.valid()) {
    return CompactComplaint(
        directory + ": " +
        (problem != nullptr ? problem : std::strerror(errno)));
  }
  collector::RaiseFileLimit();
  return flags.is_dry_run ? DryRun(flags) : Fold(flags);
}

}  // namespace
}  // namespace tine::tools

int main(int argc, char** argv) {
  tine::tools::CompactFlags flags;
  const std::optional<int> exit_code =
      tine::tools::ParseCompactFlags(argc, argv, &flags);
  if (exit_code.has_value()) {
    return *exit_code;
  }
  try {
    return tine::tools::Run(flags);
  } catch (const std::exception& error) {
    return tine::tools::CompactComplaint(error.what());
  }
}
