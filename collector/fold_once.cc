// The part of Collector that folds once, at an operator's word.

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "collector/archived_series.h"
#include "collector/collect_loop.h"
#include "collector/file_removal.h"
#include "collector/quarantine.h"
#include "common/metric_file_name.h"

namespace tine::collector {
namespace {

// Progress is told after so many files.
constexpr size_t kOpenBatch = 256;

// Somebody else folds every few seconds; reading takes less.
constexpr int kMaxReadAttempts = 10;

}  // namespace

FoldReport Collector::FoldNow(const FoldRequest& request) {
  const std::lock_guard<std::mutex> lock(mutex_);
  FoldReport report;
  for (bool has_more = true; has_more;) {
    PrepareFoldLocked(request, &report);
    const Folder::Outcome outcome = FoldLocked();
    // What a limit has left out may have a place now.
    const bool has_room =
        outcome.has_folded &&
        (files_->left_out_count() != 0 ||
         folder_.statistics().blocked.count("list_full") != 0);
    is_rescan_needed_ |= has_room;
    has_more = outcome.has_more || has_room;
  }
  report.is_collector_running = !folder_.holds_lock();
  ForgetLocked(request, /*is_plan=*/false, JudgeLocked(&report), &report);
  PurgeLocked(request, /*is_plan=*/false, &report);
  return report;
}

FoldReport Collector::PlanFold(const FoldRequest& request) {
  const std::lock_guard<std::mutex> lock(mutex_);
  FoldReport report;
  int attempts_left = kMaxReadAttempts;
  do {
    report = FoldReport();
    PrepareFoldLocked(request, &report);
    files_->ReadForFold();
  } while (watcher_.directory_fd() >= 0 && folder_.IsStale() &&
           --attempts_left > 0);
  report.is_collector_running = folder_.IsLockHeldByAnother();
  for (const TempFile& file : folder_.OldTempFiles(*files_)) {
    report.temp_files.push_back(file.name);
  }
  ForgetLocked(request, /*is_plan=*/true, JudgeLocked(&report), &report);
  PurgeLocked(request, /*is_plan=*/true, &report);
  return report;
}

// Brings everything up to date, and takes for dead what is to be.
void Collector::PrepareFoldLocked(const FoldRequest& request,
                                  FoldReport* report) {
  CatchUpLocked(NowMs(), /*may_rescan=*/true);
  size_t opened_count = 0;
  while (!files_->OpenPending(kOpenBatch)) {
    opened_count += kOpenBatch;
    if (options_.folding.on_progress) {
      options_.folding.on_progress("opened", opened_count);
    }
  }
  const bool is_first_time = report->assumed_dead.empty();
  for (const FileUuid& uuid : request.assumed_dead) {
    const std::string_view problem = AssumeDeadLocked(uuid);
    if (is_first_time) {  // later it may be folded
      report->assumed_dead.push_back({uuid, problem});
    }
  }
}

std::string_view Collector::AssumeDeadLocked(const FileUuid& uuid) {
  const std::string_view problem = files_->AssumeDead(uuid);
  if (problem != "unknown") {
    return problem;
  }
  for (const RefusedFile& refused : files_->RefusedFiles()) {
    const std::optional<MetricFileName> name =
        ParseMetricFileName(refused.name);
    if (name.has_value() && name->uuid == uuid) {
      return refused.reason;
    }
  }
  return folder_.archive().folded.contains(uuid) ? "folded" : problem;
}

std::vector<Folder::Verdict> Collector::JudgeLocked(FoldReport* report) const {
  std::vector<Folder::Verdict> verdicts = folder_.Judge(*files_);
  for (const Folder::Verdict& verdict : verdicts) {
    if (verdict.obstacle.empty()) {
      report->foldable.push_back(verdict.file->name());
    } else {
      report->blocked.push_back({verdict.file->name(), verdict.obstacle});
    }
  }
  for (const auto& [name, leftover] : files_->leftovers()) {
    if (leftover.is_kept) {
      continue;
    }
    const auto folded = folder_.archive().folded.find(leftover.uuid);
    if (folded == folder_.archive().folded.end() ||
        MayRemove(files_->directory_fd(), folded->second.owner_uid)) {
      report->leftovers.push_back(name);
    } else {
      report->blocked.push_back({name, "no_right_to_remove"});
    }
  }
  return verdicts;
}

void Collector::ForgetLocked(const FoldRequest& request, bool is_plan,
                             const std::vector<Folder::Verdict>& verdicts,
                             FoldReport* report) {
  if (!request.forgets) {
    return;
  }
  SeriesParts forgotten;
  for (const ArchivedSeries& series : FindArchivedSeries(
           request.forgets, verdicts, *files_, folder_.archive(), *view_)) {
    report->series.push_back(
        {std::string(series.family), series.series->labels, series.is_held});
    if (!series.is_held) {
      forgotten.insert(forgotten.end(), series.parts.begin(),
                       series.parts.end());
    }
  }
  if (!files_->IsComplete()) {
    report->forget_problem =
        "some metric files cannot be opened, so nobody knows which series they "
        "hold";
  } else if (report->is_collector_running) {
    report->forget_problem =
        "the collector that runs there has the archive: stop it first";
  }
  if (is_plan || !report->forget_problem.empty() || forgotten.empty()) {
    return;
  }
  if (folder_.ForgetSeries(forgotten, files_.get(), *view_)) {
    files_->Sweep();
  } else {
    report->forget_problem = folder_.statistics().problem;
  }
}

void Collector::PurgeLocked(const FoldRequest& request, bool is_plan,
                            FoldReport* report) {
  if (!request.purge_age_s.has_value()) {
    return;
  }
  for (const QuarantinedFile& file : ListQuarantined(*files_)) {
    if (file.age_s < *request.purge_age_s) {
      continue;
    }
    if (!file.obstacle.empty()) {
      report->unpurged.push_back({file.name, file.obstacle});
    } else if (is_plan || RemoveQuarantined(file, files_.get())) {
      report->purged.push_back({file.name, file.reason});
    } else {
      report->unpurged.push_back({file.name, "cannot_remove"});
    }
  }
}

}  // namespace tine::collector
