// The metric files of one directory: which are followed, and what they add up
// to.

#ifndef TINE_COLLECTOR_FILE_SET_H_
#define TINE_COLLECTOR_FILE_SET_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "collector/archive.h"
#include "collector/directory_names.h"
#include "collector/file_opener.h"
#include "collector/files_by_uuid.h"
#include "collector/liveness.h"
#include "collector/merged_view.h"
#include "collector/metric_file.h"
#include "collector/metric_file_reader.h"
#include "collector/open_files.h"
#include "collector/owner_accounts.h"
#include "collector/problem_log.h"
#include "collector/target_stamps.h"
#include "common/metrics_directory.h"

namespace tine::collector {

// How many of what, now and since the start.
struct FileSetStatistics {
  std::array<uint64_t, kFileStateCount> files_by_state{};  // by FileState
  uint64_t live_writers = 0;  // in whatever state their files are
  uint64_t dead_writers = 0;
  uint64_t unopened_files =
      0;                    // could not be opened; tried again at each rescan
  uint64_t temp_files = 0;  // at the last rescan
  uint64_t left_out_files = 0;     // at the last rescan: over a limit
  uint64_t look_calls = 0;         // system calls that look at a name
  uint64_t unlogged_problems = 0;  // over the limit of lines
  // Since the start, by reason: damage found, files quarantined; and open
  // attempts that failed and may go well later.
  std::map<std::string_view, uint64_t> problems;
  std::map<std::string_view, uint64_t> open_failures;
  uint64_t worker_id_clashes =
      0;  // live writers whose worker id another live process has too
  uint64_t label_clashes = 0;
  uint64_t refused_series = 0;
  uint64_t overflowed_series = 0;
  uint64_t saturated_sums = 0;  // in the last scrape
  uint64_t dropped_series = 0;  // by the writers of the files that are there
  uint64_t dropped_observations = 0;
  uint64_t children_without_file = 0;
  ReadCounters reads;
  // For want of descriptors files are closed and opened again: how often.
  uint64_t reopens = 0;
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
    OwnerLimits limits;
    LogSink log;
  };

  // `view` and `archive` live longer. The archive has the view's indexes, and
  // changes between calls.
  FileSet(Options options, MergedView* view, const Archive* archive);
  FileSet(const FileSet&) = delete;
  FileSet& operator=(const FileSet&) = delete;

  // Takes over what another set has counted and told: it is replaced by this
  // one.
  void TakeHistoryOf(const FileSet& other);

  // The directory to look in from now on; -1 for none. The names of the one
  // before are gone.
  void SetDirectory(int directory_fd);

  // Lists the directory: files that are new are set aside for OpenPending,
  // names that are gone noted. False when it cannot be listed now.
  bool Rescan() { return names_.Rescan(); }

  // Something happened to `name`: looks at it. `may_be_dead`: its writer
  // perhaps has just died. True when it may have and its lock is still held, or
  // it has not been opened: the kernel tells of the death before it frees the
  // lock, so ask again soon.
  bool Look(const std::string& name, bool may_be_dead) {
    return names_.Look(name, may_be_dead);
  }

  // Opens files set aside, at most `max_count`. True when none is left.
  bool OpenPending(size_t max_count);
  // False: something could not be seen; a rescan is needed.
  bool has_listed() const { return names_.has_listed(); }
  size_t pending_count() const { return names_.pending_count(); }
  // Is everything followed or refused that is in the directory?
  bool IsComplete() const {
    return names_.has_listed() && pending_count() == 0 &&
           left_out_count() == 0 && unopened_count() == 0;
  }
  // Names that were left out at the last rescan, for want of a place.
  size_t left_out_count() const { return names_.left_out_count(); }
  // Files that have been followed so far: while this stays, no new one came.
  uint64_t admitted_count() const { return admitted_count_; }

  // Asks again for the lock of a file. False when there is nothing more to ask.
  bool ProbeAgain(const std::string& name);
  // Asks for the locks of all files.
  void ProbeAll();

  // Reads what is new, adds everything to the view and lets it choose between
  // opinions. Files whose dead writers count for nothing in some family are
  // probed first. The view can Finish() then.
  void AddAll();

  // Files whose numbers will never change again, and are proved not to: what
  // can be folded.
  std::vector<MetricFile*> FinalFiles() const;
  // Its writer counts as dead from now on, though nothing proves it. Empty, or
  // why not: "lock_held", "unknown" when no file that is followed has the uuid.
  // (Files of several owners may have it, and are all taken for dead.)
  std::string_view AssumeDead(const FileUuid& uuid);
  // Stamps all sums that some file adds to, with 1.
  TargetStamps TargetsInUse() const;
  // Lets the view forget what neither a file nor the archive has any more.
  void Sweep();
  // Lets go of files whose numbers the archive has now.
  void ForgetFolded(const std::vector<MetricFile*>& folded);
  // Files of dead writers that the archive has already, by name; they count
  // for nothing here.
  const absl::flat_hash_map<std::string, Leftover>& leftovers() const {
    return names_.leftovers();
  }
  // They have been removed.
  void ForgetLeftover(const std::string& name) { names_.ForgetLeftover(name); }
  // Names of temporary files at the last rescan.
  const std::vector<std::string>& temp_files() const {
    return names_.temp_files();
  }
  int directory_fd() const { return names_.directory_fd(); }
  FileSystemKind directory_kind() const { return context_.directory_kind; }
  // Reads files of dead writers to the end, and those with removed series that
  // are to be taken.
  void ReadForFold();

  // Files that could not be opened at the last attempt.
  size_t unopened_count() const { return names_.CountOf(NameState::kUnopened); }
  FileSetStatistics statistics() const;
  // Those that are followed.
  const std::vector<std::unique_ptr<MetricFile>>& files() const {
    return files_;
  }
  std::vector<RefusedFile> RefusedFiles() const {
    return names_.RefusedFiles();
  }

 private:
  using Entry = DirectoryNames::Entry;

  void Open(Entry* entry);
  bool IsLeftover(const std::string& name, MetricFile* file);
  bool Recognize(Entry* entry, OpenedFile* opened);
  void Admit(Entry* entry, std::unique_ptr<MetricFile> admitted);
  void SettleUuid(MetricFile* file);
  void Evict(MetricFile* file);

  OpenedFile OpenMakingRoom(const std::string& name, uint32_t owner_uid,
                            uint64_t max_file_bytes);
  // Gives a file that was closed its descriptor back. One that cannot have it
  // stays closed: now, or because it has vanished.
  void Reopen(MetricFile* file);
  void Probe(MetricFile* file);
  void Update(MetricFile* file);
  void NoteSeriesLimit(const MetricFile& file);
  void Abandon(MetricFile* file);
  void RemoveQuarantined();
  void NoteDamage(const MetricFile& file);
  uint64_t CountWorkerIdClashes() const;

  const Options options_;
  MergedView* const view_;
  const Archive* const archive_;
  const LivenessProbe probe_;
  MetricFileContext context_;
  OwnerAccounts accounts_;
  ProblemLog log_;
  DirectoryNames names_;
  OpenFiles open_files_;
  FilesByUuid by_uuid_;
  std::vector<std::unique_ptr<MetricFile>> files_;  // followed
  uint64_t admitted_count_ = 0;
  bool has_quarantined_ = false;  // files_ still has some
  uint64_t saturated_sum_count_ = 0;
  uint64_t worker_id_clash_count_ = 0;
  uint64_t reopen_count_ = 0;
};

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_FILE_SET_H_
