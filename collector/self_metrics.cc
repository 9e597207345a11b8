#include "collector/self_metrics.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "collector/build_info.h"
#include "common/record_codec.h"
#include "version.h"

namespace tine::collector {
namespace {

constexpr std::string_view kConflicts = "tine_family_conflicts";

double Number(uint64_t count) { return static_cast<double>(count); }

void AddBuildInfo(OwnFamilies* own) {
  own->AddGauge("tine_build_info",
                "What runs here: always 1, the labels say the rest.", 1,
                {{"compiler", kCompiler}, {"version", kVersion}});
}

void AddFiles(const FileSetStatistics& files, OwnFamilies* own) {
  constexpr std::string_view kWriters = "tine_writers";
  constexpr std::string_view kWritersHelp =
      "Writers whose files are followed, by whether they live.";
  own->AddGauge(kWriters, kWritersHelp, Number(files.live_writers),
                {{"state", "live"}});
  own->AddGauge(kWriters, kWritersHelp, Number(files.dead_writers),
                {{"state", "dead"}});
  for (size_t i = 0; i < files.files_by_state.size(); ++i) {
    own->AddGauge("tine_files", "Metric files that are followed, by state.",
                  Number(files.files_by_state[i]),
                  {{"state", FileStateName(static_cast<FileState>(i))}});
  }
  own->AddGauge("tine_unopened_files",
                "Metric files that could not be opened; tried again.",
                Number(files.unopened_files));
  own->AddGauge("tine_temp_files",
                "Temporary files of writers at the last rescan.",
                Number(files.temp_files));
  own->AddGauge("tine_left_out_files",
                "Metric files at the last rescan that are not followed: their "
                "owner has too many, or all together.",
                Number(files.left_out_files));
  own->AddCounter("tine_unlogged_problems_total",
                  "Lines about metric files that were not logged: too many.",
                  Number(files.unlogged_problems));
}

// All reasons that bytes can have are there from the start, so that increase()
// sees the first.
void AddDamage(const FileSetStatistics& files, OwnFamilies* own) {
  std::map<std::string_view, uint64_t> counts;
  for (int i = 1; i <= static_cast<int>(DamageReason::kInvalidText); ++i) {
    counts[DamageReasonName(static_cast<DamageReason>(i))] = 0;
  }
  for (const auto& [reason, count] : files.problems) {
    counts[reason] = count;
  }
  for (const auto& [reason, count] : counts) {
    own->AddCounter("tine_damage_total",
                    "Metric files found damaged or quarantined, by reason.",
                    Number(count), {{"reason", reason}});
  }
  for (const auto& [reason, count] : files.open_failures) {
    own->AddCounter("tine_open_failures_total",
                    "Attempts to open a metric file that failed, by reason.",
                    Number(count), {{"reason", reason}});
  }
}

// What writers could not do. Gauges: a file that goes takes its numbers along.
void AddDrops(const FileSetStatistics& files, OwnFamilies* own) {
  own->AddGauge("tine_dropped_series",
                "Series that writers could not make, over the files followed.",
                Number(files.dropped_series));
  own->AddGauge(
      "tine_dropped_observations",
      "Observations that writers could not count, over the files followed.",
      Number(files.dropped_observations));
  own->AddGauge("tine_children_without_file",
                "Forked children that could not make a file, as their parents "
                "report it.",
                Number(files.children_without_file));
}

void AddMerge(const CollectorStatistics& statistics, OwnFamilies* own) {
  const FileSetStatistics& files = statistics.files;
  own->AddGauge("tine_series", "Merged series.",
                Number(statistics.series_count));
  own->AddGauge("tine_refused_series",
                "Series of metric files left out: gauges over a limit, and all "
                "of families that were refused.",
                Number(files.refused_series));
  own->AddGauge("tine_overflowed_series",
                "Series of metric files over a limit, whose numbers are in "
                "their families' overflow series.",
                Number(files.overflowed_series));
  own->AddCounter("tine_refused_families_total",
                  "Families left out because there were too many.",
                  Number(statistics.refused_families));
  own->AddGauge("tine_saturated_sums",
                "Sums of the last scrape that stopped at 2^64 - 1.",
                Number(files.saturated_sums));
  own->AddGauge("tine_label_clashes",
                "Labels that hid another of the same name.",
                Number(files.label_clashes));
  own->AddGauge("tine_worker_id_clashes",
                "Live writers that share a worker id with a newer one.",
                Number(files.worker_id_clashes));
}

// Reasons are few and known, but for those of a file that cannot be opened.
void AddFolding(const FolderStatistics& folding, OwnFamilies* own) {
  own->AddGauge("tine_folding", "1 while this collector is the one that folds.",
                folding.holds_lock ? 1 : 0);
  own->AddGauge("tine_archive_generation",
                "Writes of the archive since it was begun.",
                Number(folding.generation));
  own->AddGauge("tine_archive_bytes", "Size of the archive.",
                Number(folding.archive_bytes));
  own->AddGauge("tine_archive_series", "Series that the archive has.",
                Number(folding.archive_series));
  own->AddGauge("tine_archive_listed_files",
                "Folded files that the archive still lists, because they may "
                "not be removed yet.",
                Number(folding.archive_listed_files));
  own->AddGauge("tine_fold_waiting_files",
                "Files of dead writers that the last fold has left for the "
                "next.",
                Number(folding.waiting_files));
  own->AddGauge("tine_archive_reserve",
                "1 while memory is set aside for the next archive.",
                folding.has_reserve ? 1 : 0);
  own->AddCounter("tine_folds_total", "Writes of the archive.",
                  Number(folding.folds));
  own->AddCounter("tine_failed_folds_total",
                  "Archives that could not be written.",
                  Number(folding.failed_folds));
  own->AddCounter("tine_fold_seconds_total", "Time spent folding.",
                  folding.fold_seconds);
  own->AddCounter("tine_folded_files_total",
                  "Files of dead writers that went into the archive.",
                  Number(folding.folded_files));
  own->AddCounter("tine_expired_series_total",
                  "Series that the archive has let go of.",
                  Number(folding.expired_series));
  own->AddCounter("tine_dropped_gauges_total",
                  "Gauges over a limit that went with their folded files.",
                  Number(folding.dropped_series));
  own->AddCounter("tine_removed_temp_files_total",
                  "Temporary files of dead writers that were removed.",
                  Number(folding.removed_temp_files));
  own->AddCounter("tine_moved_squatters_total",
                  "Times that somebody else had the state directory's name.",
                  Number(folding.moved_squatters));
  for (const auto& [reason, count] : folding.blocked) {
    own->AddGauge("tine_unfoldable_files",
                  "Files of dead writers that cannot be folded, by reason.",
                  Number(count), {{"reason", reason}});
  }
  std::map<std::string_view, uint64_t> resets = {
      {"archive_damaged", 0}, {"archive_replaced", 0}, {"files_removed", 0}};
  for (const auto& [reason, count] : folding.resets) {
    resets[reason] = count;
  }
  for (const auto& [reason, count] : resets) {
    own->AddCounter("tine_counter_resets_total",
                    "Times that counters fell because something was lost; for "
                    "files_removed, the files.",
                    Number(count), {{"reason", reason}});
  }
}

void AddReading(const CollectorStatistics& statistics, OwnFamilies* own) {
  const ReadCounters& reads = statistics.files.reads;
  own->AddCounter("tine_records_parsed_total",
                  "Records of metric files that were parsed.",
                  Number(reads.record_count));
  own->AddCounter("tine_read_bytes_total", "Bytes read from metric files.",
                  Number(reads.byte_count));
  own->AddCounter("tine_read_calls_total",
                  "System calls that read from metric files.",
                  Number(reads.system_call_count));
  own->AddCounter("tine_rescans_total", "Listings of the metrics directory.",
                  Number(statistics.rescans));
  own->AddCounter("tine_watch_overflows_total",
                  "Overflows of the inotify queue; each leads to a rescan.",
                  Number(statistics.overflows));
  own->AddGauge("tine_polling",
                "1 while inotify does not work and the directory is listed "
                "instead.",
                statistics.is_polling ? 1 : 0);
  own->AddGauge("tine_directory_present",
                "1 while the metrics directory exists and may be used.",
                statistics.is_directory_missing ? 0 : 1);
}

void AddProcess(const ProcessStatistics& process, OwnFamilies* own) {
  if (process.cpu_seconds) {
    own->AddCounter("process_cpu_seconds_total",
                    "User and system CPU time of the collector in seconds.",
                    *process.cpu_seconds);
  }
  const auto add = [own](std::string_view name, std::string_view help,
                         const std::optional<double>& value) {
    if (value) {
      own->AddGauge(name, help, *value);
    }
  };
  add("process_start_time_seconds",
      "When the collector started, in seconds since 1970.",
      process.start_time_seconds);
  add("process_resident_memory_bytes", "Resident memory of the collector.",
      process.resident_memory_bytes);
  add("process_virtual_memory_bytes", "Virtual memory of the collector.",
      process.virtual_memory_bytes);
  add("process_open_fds", "Open file descriptors of the collector.",
      process.open_fds);
  add("process_max_fds", "File descriptors that the collector may have open.",
      process.max_fds);
}

// Last: by now every other name of ours is known.
void AddConflicts(const std::vector<FamilyConflict>& conflicts,
                  const MergedFamilies& merged, OwnFamilies* own) {
  constexpr std::string_view kHelp =
      "1 while opinions about a family differ, by what about.";
  for (const FamilyConflict& conflict : conflicts) {
    own->AddGauge(kConflicts, kHelp, 1,
                  {{"family", conflict.family}, {"reason", conflict.reason}});
  }
  for (const MergedFamily* family : merged) {
    if (own->Has(family->name) || family->name == kConflicts) {
      own->AddGauge(kConflicts, kHelp, 1,
                    {{"family", family->name}, {"reason", "reserved_name"}});
    }
  }
}

}  // namespace

void AddSelfMetrics(const SelfReport& report, const MergedFamilies& merged,
                    OwnFamilies* own) {
  const CollectorStatistics& statistics = *report.statistics;
  AddBuildInfo(own);
  AddFiles(statistics.files, own);
  AddDamage(statistics.files, own);
  AddDrops(statistics.files, own);
  AddMerge(statistics, own);
  AddFolding(statistics.folding, own);
  AddReading(statistics, own);
  AddProcess(report.process, own);
  if (report.last_scrape_seconds >= 0) {
    own->AddGauge("tine_scrape_duration_seconds",
                  "How long the scrape before this one took.",
                  report.last_scrape_seconds);
  }
  AddConflicts(statistics.conflicts, merged, own);
}

}  // namespace tine::collector
