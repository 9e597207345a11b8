// The metric files of one directory, by name and by identity.

#ifndef TINE_COLLECTOR_FILE_SET_H_
#define TINE_COLLECTOR_FILE_SET_H_

#include <sys/stat.h>

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "collector/archive.h"
#include "collector/log_line.h"
#include "collector/merged_view.h"
#include "collector/metric_file.h"
#include "collector/owner_accounts.h"

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
  uint64_t saturated_sums = 0;  // in the last scrape
  uint64_t dropped_series = 0;  // by the writers of the files that are there
  uint64_t dropped_observations = 0;
  uint64_t children_without_file = 0;
  ReadCounters reads;
};

// A file of which nothing is used.
struct RefusedFile {
  std::string name;
  std::string_view reason;
  uint64_t offset = 0;
  uint32_t owner_uid = 0;
};

// A file is identified by device, inode and header, never by its name. A file
// that once added to the sum stays in it: one that is unlinked by a stranger
// keeps its last good numbers. Each user has a limited number of places, which
// names that are refused take too: beyond it, names are looked at in each
// rescan and not kept. Not thread-safe.
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
  bool Rescan();

  // Something happened to `name`: looks at it. `may_be_dead`: its writer
  // perhaps has just died. True when it may have and its lock is still held, or
  // it has not been opened: the kernel tells of the death before it frees the
  // lock, so ask again soon.
  bool Look(const std::string& name, bool may_be_dead);

  // Opens files set aside, at most `max_count`. True when none is left.
  bool OpenPending(size_t max_count);
  size_t pending_count() const { return pending_.size(); }
  // Is everything followed or refused that is in the directory?
  bool IsComplete() const {
    return has_listed_ && pending_.empty() && left_out_count_ == 0 &&
           unopened_count() == 0;
  }
  // Names that were left out at the last rescan, for want of a place.
  size_t left_out_count() const { return left_out_count_; }
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
  // Stamps all sums that some file adds to, with 1.
  TargetStamps TargetsInUse() const;
  // Lets the view forget what neither a file nor the archive has any more.
  void Sweep();
  // Lets go of files whose numbers the archive has now.
  void ForgetFolded(const std::vector<MetricFile*>& folded);
  // Files of dead writers that the archive has already, by name; they count
  // for nothing here.
  struct Leftover {
    FileUuid uuid;
    uint64_t inode = 0;
    bool is_kept = false;
    uint64_t rescan = 0;  // the last one that has listed it
  };
  const absl::flat_hash_map<std::string, Leftover>& leftovers() const {
    return leftovers_;
  }
  // They have been removed.
  void ForgetLeftover(const std::string& name) { leftovers_.erase(name); }
  // Names of temporary files at the last rescan.
  const std::vector<std::string>& temp_files() const { return temp_files_; }
  int directory_fd() const { return directory_fd_; }
  FileSystemKind directory_kind() const { return context_.directory_kind; }
  // Reads files of dead writers to the end, and those with removed series that
  // are to be taken.
  void ReadForFold();

  // Files that could not be opened at the last attempt.
  size_t unopened_count() const { return CountOf(NameState::kUnopened); }
  FileSetStatistics statistics() const;
  // Those that are followed.
  const std::vector<std::unique_ptr<MetricFile>>& files() const {
    return files_;
  }
  std::vector<RefusedFile> RefusedFiles() const;

 private:
  enum class NameState : uint8_t { kPending, kUnopened, kRefused, kFollowed };
  // A name in the directory that has its owner's place.
  struct Name {
    NameState state = NameState::kPending;
    // Refused: something has happened to it since.
    bool is_changed = false;
    uint8_t early_retry_count = 0;
    OwnerAccount* account = nullptr;
    MetricFile* file = nullptr;  // followed
    // Refused: which file that was, and where it is damaged.
    uint64_t device = 0;
    uint64_t inode = 0;
    uint64_t change_ns = 0;
    uint64_t offset = 0;
    // What has been counted and logged: a file is looked at again and again,
    // and told of once. Refused: why.
    std::string_view noted;
    uint64_t rescan = 0;  // the last one that has listed it
  };
  using Names = absl::flat_hash_map<std::string, Name>;

  bool LookAtName(const std::string& name, struct stat* info);
  void SetAside(const std::string& name, const struct stat& info);
  void TakeListed(const std::string& name, uint64_t inode);
  bool LookAgain(Names::iterator it, const struct stat& info, bool may_be_dead);
  void Forget(Names::iterator it);
  void SetState(Name* name, NameState state);
  size_t CountOf(NameState state) const {
    return name_counts_[static_cast<size_t>(state)];
  }

  bool IsLeftover(const std::string& name, MetricFile* file);
  void Open(const std::string& name);
  void NoteUnopened(Names::iterator it, std::string_view reason);
  bool ChangeOwner(Name* name, uint32_t uid);
  bool Recognize(Names::iterator it, const FileFacts& facts);
  void Admit(Names::iterator it, std::unique_ptr<MetricFile> admitted);
  // Reads the final numbers of dead writers' files that came since the last
  // scrape, which frees their descriptors. False when there is none.
  bool CloseTheDead();
  void Refuse(Names::iterator it, const FileFacts& facts,
              std::string_view reason, uint64_t offset);
  void SettleUuid(MetricFile* file);
  bool IsCopyOf(const MetricFile& file, const MetricFile& other) const;
  void Evict(MetricFile* file);
  void ForgetUuid(const MetricFile& file);

  void Update(MetricFile* file);
  void Abandon(MetricFile* file);
  void RemoveQuarantined();
  void NoteProblem(const MetricFile& file);
  void NoteProblem(const std::string& name, OwnerAccount* account,
                   std::string_view noun, std::string_view reason,
                   uint64_t offset);
  uint64_t CountWorkerIdClashes() const;
  void Log(LogLevel level, OwnerAccount* account, const std::string& message);

  const Options options_;
  MergedView* const view_;
  const Archive* const archive_;
  const LivenessProbe probe_;
  MetricFileContext context_;
  OwnerAccounts accounts_;
  int directory_fd_ = -1;

  std::vector<std::unique_ptr<MetricFile>> files_;  // followed
  Names names_;
  std::array<size_t, 4> name_counts_{};  // by NameState
  // Followed. Those of different owners are no duplicates.
  std::unordered_multimap<FileUuid, MetricFile*, UuidHash> by_uuid_;
  absl::flat_hash_set<std::string> pending_;
  uint64_t rescan_ = 0;
  bool has_listed_ = false;  // since the directory was set
  uint64_t admitted_count_ = 0;
  // Who lives or what is declared has changed since the view last ranked its
  // sources.
  bool is_ranking_stale_ = true;
  bool has_unread_dead_ = false;
  bool has_quarantined_ = false;  // files_ still has some
  absl::flat_hash_map<std::string, Leftover> leftovers_;
  // What a set before this one has told of, by name.
  absl::flat_hash_map<std::string, std::string_view> told_;
  std::vector<std::string> temp_files_;  // at the last rescan
  uint64_t left_out_count_ = 0;
  uint64_t look_count_ = 0;
  uint64_t unlogged_count_ = 0;
  uint64_t saturated_sum_count_ = 0;
  uint64_t worker_id_clash_count_ = 0;
  std::map<std::string_view, uint64_t> problems_;
  std::map<std::string_view, uint64_t> open_failures_;
};

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_FILE_SET_H_
