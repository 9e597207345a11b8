// Folding: what dead writers have left goes into the archive, and their files
// go away, exactly once.

#ifndef TINE_COLLECTOR_FOLDER_H_
#define TINE_COLLECTOR_FOLDER_H_

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "collector/archive.h"
#include "collector/archive_expiry.h"
#include "collector/archive_store.h"
#include "collector/file_set.h"
#include "collector/merged_view.h"
#include "collector/removal.h"

namespace tine::collector {

struct FolderStatistics {
  bool holds_lock = false;
  uint64_t generation = 0;
  size_t archive_bytes = 0;
  size_t archive_series = 0;
  size_t archive_listed_files = 0;  // folded, and perhaps not removed yet
  uint64_t folds = 0;               // writes of the archive
  uint64_t folded_files = 0;
  uint64_t removed_temp_files = 0;
  uint64_t failed_folds = 0;
  uint64_t expired_series = 0;
  uint64_t dropped_series = 0;  // refused gauges that went with their files
  double fold_seconds = 0;      // all folds together
  bool has_reserve = false;
  uint64_t moved_squatters = 0;
  size_t waiting_files = 0;  // that can be folded and are not yet
  // Dead files that cannot be folded, by reason, as of the last attempt.
  std::map<std::string_view, size_t> blocked;
  // Times that counters fell because something was lost, by reason:
  // archive_damaged, archive_replaced; files_removed counts the files.
  std::map<std::string_view, uint64_t> resets;
  std::string problem;  // for people; empty: all is well
};

// A file that some writer did not live to name.
struct TempFile {
  std::string name;
  uint64_t inode;
};

// The archive in memory, and on disk. One process may fold in a directory: the
// one that holds the lock. Everybody else reads.
//
// The order of a fold is what makes it exact. Files of dead writers are read to
// the end; the archive with their numbers *and with the list of these files* is
// written beside the old one and renamed over it; then the files are removed;
// and they leave the list with the next write after that. Killed anywhere, the
// numbers are in the files or in the archive, and who starts next knows which.
//
// Not thread-safe.
class Folder {
 public:
  struct Options {
    // Empty: ".collector" in the metrics directory.
    std::string state_directory;
    // False: reads the archive and never writes anything.
    bool may_fold = false;
    // How long the archive keeps what.
    ExpiryTimes expiry;
    // Unix time in seconds; another clock for tests.
    std::function<uint32_t()> now_s = [] {
      return static_cast<uint32_t>(::time(nullptr));
    };
    // How many files the list of the folded may have that are still there, or
    // may come back.
    size_t max_folded_files = 200'000;
    // Told of long work as it goes on: what is being done, and to how many
    // files so far. Empty: nobody.
    std::function<void(std::string_view doing, size_t file_count)> on_progress;
    LogSink log;
  };

  explicit Folder(Options options) : options_(std::move(options)) {}

  // The metrics directory to work for from now on, or still; cheap when it is
  // the same.
  void Attach(int metrics_directory_fd);

  // True when the archive on disk is not the one in memory: then everything is
  // to be read anew, Load() first. Never again once the lock is held, but for
  // what a fold finds out.
  bool IsStale();

  // Reads the archive into a new view. On an error (told in the statistics)
  // nothing may be served: it would be a part.
  absl::Status Load(MergedView* view);

  struct Outcome {
    bool has_folded = false;  // something left the view: it may be swept
    bool has_more = false;    // that could be folded at once
  };
  // Folds what can be folded now, at most kMaxBatch files.
  Outcome Fold(FileSet* files, const MergedView& view);

  // `files` are complete: whatever is there has been seen. Finds out what has
  // gone, since the archive was written, without having been folded.
  void NoteLostFiles(const FileSet& files);

  // Writes which files count now, unless the archive says so already.
  void WriteKnownFiles(FileSet* files, const MergedView& view);

  // Removes temporary files that dead writers have left.
  void RemoveTempFiles(const FileSet& files);

  // The files of dead writers, and why they cannot be folded; empty: they can.
  // Like all of these, changes nothing and needs no lock. `files` have been
  // read, the dead ones to the end.
  struct Verdict {
    MetricFile* file;
    std::string_view obstacle;
    bool is_there;  // under its name, still
  };
  std::vector<Verdict> Judge(const FileSet& files) const;
  // Temporary files that RemoveTempFiles removes.
  std::vector<TempFile> OldTempFiles(const FileSet& files) const;

  // Drops series of the view from the archive. True when that is done: then the
  // view may be swept.
  bool ForgetSeries(const SeriesParts& series, FileSet* files,
                    const MergedView& view);

  // Does a process that is not this one hold the lock?
  bool IsLockHeldByAnother() const {
    return store_ != nullptr && store_->IsLockHeldByAnother();
  }
  bool holds_lock() const { return store_ != nullptr && store_->holds_lock(); }
  const Archive& archive() const { return archive_; }
  const FolderStatistics& statistics() const { return statistics_; }

 private:
  // One archive write is for so many; a scrape may have to wait for it.
  static constexpr size_t kMaxBatch = 4096;

  using Foldable = Verdict;

  void Log(LogLevel level, const std::string& message) const;
  void NoteProblem(const std::string& problem);
  void NoteReset(std::string_view reason);
  void NoteArchive();
  uint32_t NowS() const { return options_.now_s(); }
  // Why the file cannot be folded; empty if it can.
  std::string_view Obstacle(const FileSet& files, Foldable* foldable) const;
  void TellProgress(std::string_view doing, size_t file_count) const;
  std::vector<Foldable> ChooseBatch(const FileSet& files);
  static std::vector<MetricFile*> FilesOf(const std::vector<Foldable>& batch);
  bool IsDiskAsRemembered();
  // Somebody has removed it.
  bool IsArchiveGone() const;
  bool AreKnownFilesStale(const FileSet& files) const;
  Archive NextArchive(const std::vector<Foldable>& batch,
                      const SeriesParts& expired, const Removal& removal,
                      const FileSet& files, const MergedView& view) const;
  bool WriteArchive(const std::vector<Foldable>& batch,
                    const SeriesParts& expired, const Removal& removal,
                    FileSet* files, const MergedView& view);
  // Series of the archive whose time is over.
  SeriesParts FindExpired(const FileSet& files, const MergedView& view);
  // Those on the list that are not in the directory any more.
  std::vector<FileUuid> GoneFiles(const FileSet& files) const;
  void RemoveFolded(FileSet* files);

  const Options options_;
  std::unique_ptr<ArchiveStore> store_;
  Archive archive_;
  absl::Status attach_status_;
  uint32_t expiry_checked_s_ = 0;
  // As of the last write: FileSet::admitted_count() and Unix time.
  uint64_t known_admitted_count_ = 0;
  uint32_t written_s_ = 0;
  bool has_noted_lost_ = false;
  bool is_loaded_ = false;
  FolderStatistics statistics_;
};

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_FOLDER_H_
