// The core of the collector behind one lock: watches the directory, follows its
// files, answers scrapes.

#ifndef TINE_COLLECTOR_COLLECT_LOOP_H_
#define TINE_COLLECTOR_COLLECT_LOOP_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "collector/directory_watcher.h"
#include "collector/file_set.h"
#include "collector/fold_request.h"
#include "collector/folder.h"
#include "collector/liveness.h"
#include "collector/merged_family.h"
#include "collector/merged_view.h"
#include "collector/owner_accounts.h"
#include "common/unique_fd.h"

namespace tine::collector {

// What the collector knows of itself; for its own metrics and its status page.
struct CollectorStatistics {
  FileSetStatistics files;
  FolderStatistics folding;
  std::vector<FamilyConflict> conflicts;  // in force
  size_t series_count = 0;
  uint64_t refused_families = 0;
  uint64_t scrapes = 0;
  double last_scrape_seconds = 0;
  uint64_t rescans = 0;
  uint64_t overflows = 0;             // of the inotify queue
  bool is_polling = false;            // inotify does not work
  bool is_directory_missing = false;  // or may not be used
  std::string directory_problem;      // for people; empty: all is well
};

// One file, for the status page.
struct FileReport {
  std::string name;
  std::string_view state;
  std::string_view liveness;  // empty for a quarantined one
  std::string_view problem;
  uint64_t problem_offset = 0;
  uint64_t used_bytes = 0;
  size_t series_count = 0;
  uint32_t owner_uid = 0;
  uint32_t pid = 0;
  std::string executable;
  std::string worker_id;
  std::vector<std::pair<std::string, std::string>> process_labels;
};

struct CollectorOptions {
  std::string directory;
  // As OpenMetricsDirectory has it.
  bool may_create_directory = false;
  MergedView::Limits view_limits;
  OwnerLimits owner_limits;
  uint64_t max_file_bytes = 64 << 20;
  size_t max_series_per_file = 100'000;
  LogSink log;
  // What dead writers leave. (`log` is that above.) Folding needs Start(), or
  // FoldNow().
  Folder::Options folding;
  // A fold writes the whole archive: no more often than this, and for at most a
  // tenth of a CPU, unless files have piled up.
  uint32_t min_fold_distance_ms = 2'000;
  // For how long a new counter, histogram or summary is served as 0; 0: not at
  // all.
  uint32_t birth_at_zero_ms = 0;
  // Nothing: this process's.
  std::optional<HostIdentity> host;
  // inotify is a hint; so now and then everything is looked at.
  uint32_t rescan_interval_ms = 10'000;
  // The thread lists the directory no more often than this, whatever inotify
  // says. (A scrape does when it must.)
  uint32_t min_rescan_distance_ms = 1'000;
  // How long is_ready() waits for files that cannot be opened.
  uint32_t max_start_ms = 10'000;
};

// Without Start() everything happens inside WithScrape: for one-shot use, and
// inside other programs. All functions may be called by any thread.
class Collector {
 public:
  explicit Collector(CollectorOptions options);
  // Stops.
  ~Collector();
  Collector(const Collector&) = delete;
  Collector& operator=(const Collector&) = delete;

  // Starts the thread that keeps the inotify queue empty, learns of deaths, and
  // opens new files before a scrape asks.
  void Start();
  // Ends it. WithScrape goes on working.
  void Stop();

  // Calls `use` with all that was published before this call. What it is given
  // is valid until it returns; other scrapes wait meanwhile. `use` must not
  // call the collector. Throws std::runtime_error when what dead writers left
  // cannot be read: without it the answer would be a part.
  using ScrapeUser =
      std::function<void(const MergedFamilies&, const CollectorStatistics&)>;
  void WithScrape(const ScrapeUser& use);

  // Folds all that can be folded now, and does what else is asked. For one-shot
  // use, without Start(). Whether another process holds the lock, in which case
  // files are at most purged, is in the report.
  FoldReport FoldNow(const FoldRequest& request = {});
  // What FoldNow() would do. Changes nothing; meant for a collector that may
  // not fold.
  FoldReport PlanFold(const FoldRequest& request);

  // False after the start until every file was read or judged once (at most
  // max_start_ms), so that a restart never serves a part. Does not wait for the
  // lock. Once true, it stays so.
  bool is_ready() const;

  CollectorStatistics statistics() const;
  std::vector<FileReport> ReportFiles() const;

 private:
  // A file whose writer may have died, by an event that comes before its lock
  // is free.
  struct Hint {
    uint64_t due_ms = 0;
    bool is_last = false;
  };

  static uint64_t NowMs();  // of a clock that never stops or goes back
  void Run();
  // How long the thread may sleep.
  int WaitMsLocked(uint64_t now_ms) const;
  void WorkLocked(uint64_t now_ms);
  // Takes the watch's news. `may_rescan`: list the directory if that is needed.
  // False, and nothing done, when the archive cannot be read.
  bool CatchUpLocked(uint64_t now_ms, bool may_rescan);
  void CheckDirectoryLocked();
  // Makes sure that the archive in memory is the one on disk; where it is not,
  // begins anew with it. False when it cannot be read.
  bool SyncArchiveLocked();
  void RescanLocked(uint64_t now_ms);
  Folder::Outcome FoldLocked();
  // When the thread may fold again after one that took so much of a CPU.
  void PlanFoldLocked(uint64_t cpu_ms, const Folder::Outcome& outcome);

  // Parts of FoldNow() and PlanFold(), in fold_once.cc.
  void PrepareFoldLocked(const FoldRequest& request, FoldReport* report);
  std::string_view AssumeDeadLocked(const FileUuid& uuid);
  std::vector<Folder::Verdict> JudgeLocked(FoldReport* report) const;
  void ForgetLocked(const FoldRequest& request, bool is_plan,
                    const std::vector<Folder::Verdict>& verdicts,
                    FoldReport* report);
  void PurgeLocked(const FoldRequest& request, bool is_plan,
                   FoldReport* report);

  // One attempt at a scrape; false when somebody has folded meanwhile.
  bool TryScrapeLocked(uint64_t now_ms);
  void ProbeHintsLocked(uint64_t now_ms, bool is_scrape);
  void NoteReadinessLocked(uint64_t now_ms);
  void BeginBirthsLocked();
  CollectorStatistics StatisticsLocked() const;

  const CollectorOptions options_;
  const uint64_t start_ms_;

  mutable std::mutex mutex_;
  // Guarded by mutex_ from here on.
  DirectoryWatcher watcher_;
  Folder folder_;
  // Made anew when another process has changed the archive.
  std::unique_ptr<MergedView> view_;
  std::unique_ptr<FileSet> files_;
  absl::flat_hash_map<std::string, Hint> hints_;  // by name
  bool is_rescan_needed_ = true;
  uint64_t last_rescan_ms_ = 0;
  uint64_t last_directory_check_ms_ = 0;
  uint64_t next_fold_ms_ = 0;
  bool has_fold_backlog_ = false;
  // Folding may make room for files that were left out.
  bool may_fold_make_room_ = true;
  uint64_t scrape_count_ = 0;
  uint64_t rescan_count_ = 0;
  uint64_t overflow_count_ = 0;
  double last_scrape_seconds_ = 0;
  // Up to here.

  std::atomic<bool> is_ready_{false};
  std::mutex thread_mutex_;  // guards thread_
  std::thread thread_;
  UniqueFd stop_event_;
};

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_COLLECT_LOOP_H_
