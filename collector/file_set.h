// The metric files of one directory, by name and by identity.

#ifndef TINE_COLLECTOR_FILE_SET_H_
#define TINE_COLLECTOR_FILE_SET_H_

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "collector/log_line.h"
#include "collector/merged_view.h"
#include "collector/metric_file.h"

namespace tine::collector {

// Where the core says what its operator should know. Called with the core's
// lock held.
using LogSink = std::function<void(LogLevel, const std::string&)>;

// How many of what, now and since the start.
struct FileSetStatistics {
  std::array<uint64_t, kFileStateCount> files_by_state{};  // by FileState
  uint64_t live_writers = 0;  // in whatever state their files are
  uint64_t dead_writers = 0;
  uint64_t unopened_files =
      0;                    // could not be opened; tried again at each rescan
  uint64_t temp_files = 0;  // at the last rescan
  // Since the start, by reason: damage found, files quarantined; and open
  // attempts that failed and may go well later.
  std::map<std::string_view, uint64_t> problems;
  std::map<std::string_view, uint64_t> open_failures;
  uint64_t worker_id_clashes =
      0;  // live writers whose worker id another live process has too
  uint64_t label_clashes = 0;
  uint64_t refused_series = 0;
  uint64_t saturated_sums = 0;  // in the last scrape
  uint64_t dropped_series = 0;  // by the writers of the files that are there
  uint64_t dropped_observations = 0;
  uint64_t children_without_file = 0;
  ReadCounters reads;
};

// A file is identified by device, inode and header, never by its name. A file
// that once added to the sum stays in it: one that is unlinked by a stranger
// keeps its last good numbers. Not thread-safe.
class FileSet {
 public:
  struct Options {
    HostIdentity host;
    uint64_t max_file_bytes = 64 << 20;
    size_t max_series_per_file = 100'000;
    LogSink log;
  };

  // `view` lives longer.
  FileSet(Options options, MergedView* view);
  FileSet(const FileSet&) = delete;
  FileSet& operator=(const FileSet&) = delete;

  // The directory to look in from now on; -1 for none. The names of the one
  // before are gone.
  void SetDirectory(int directory_fd);

  // Lists the directory: files that are new are set aside for OpenPending,
  // names that are gone noted. False when it cannot be listed now.
  bool Rescan();

  // Something happened to `name`: looks at it. `may_be_dead`: its writer
  // perhaps has just died. True when it may have and its lock is still held:
  // the kernel tells of the death before it frees the lock, so ask again soon.
  bool Look(const std::string& name, bool may_be_dead);

  // Opens files set aside, at most `max_count`. True when none is left.
  bool OpenPending(size_t max_count);
  size_t pending_count() const { return pending_.size(); }

  // Asks again for the lock of a file. False when there is nothing more to ask.
  bool ProbeAgain(const std::string& name);
  // Asks for the locks of all files.
  void ProbeAll();

  // Reads what is new, adds everything to the view and lets it choose between
  // opinions. Files whose dead writers count for nothing in some family are
  // probed first. The view can Finish() then.
  void AddAll();

  // Files that could not be opened at the last attempt.
  size_t unopened_count() const { return unopened_.size(); }
  FileSetStatistics statistics() const;
  const std::vector<std::unique_ptr<MetricFile>>& files() const {
    return files_;
  }

 private:
  struct UuidHash {
    size_t operator()(const FileUuid& uuid) const;
  };

  void SetAside(const std::string& name);
  void Open(const std::string& name);
  bool IsOriginal(const MetricFile& file, const MetricFile& known) const;
  void Admit(std::unique_ptr<MetricFile> admitted);
  // Reads the final numbers of dead writers' files that came since the last
  // scrape, which frees their descriptors. False when there is none.
  bool CloseTheDead();
  void ForgetName(const std::string& name);
  void NoteProblem(const MetricFile& file);
  void Remove(const MetricFile* file);
  void Update(MetricFile* file);
  uint64_t CountWorkerIdClashes() const;
  void Log(LogLevel level, const std::string& message) const;

  const Options options_;
  MergedView* const view_;
  const LivenessProbe probe_;
  MetricFileContext context_;
  int directory_fd_ = -1;

  std::vector<std::unique_ptr<MetricFile>> files_;
  absl::flat_hash_map<std::string, MetricFile*> by_name_;
  absl::flat_hash_map<FileUuid, MetricFile*, UuidHash>
      by_uuid_;  // without quarantined ones
  absl::flat_hash_set<std::string> pending_;
  absl::flat_hash_map<std::string, std::string_view> unopened_;  // name, reason
  // What has been logged and counted, by name: a file is looked at again and
  // again, and told of once.
  absl::flat_hash_map<std::string, std::string_view> noted_problems_;
  // Who lives or what is declared has changed since the view last ranked its
  // sources.
  bool is_ranking_stale_ = true;
  bool has_unread_dead_ = false;
  uint64_t temp_file_count_ = 0;
  uint64_t saturated_sum_count_ = 0;
  uint64_t worker_id_clash_count_ = 0;
  std::map<std::string_view, uint64_t> problems_;
  std::map<std::string_view, uint64_t> open_failures_;
};

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_FILE_SET_H_
