// Folding: what dead writers have left goes into the archive, and their files
// go away, exactly once.

#ifndef TINE_COLLECTOR_FOLDER_H_
#define TINE_COLLECTOR_FOLDER_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "collector/archive.h"
#include "collector/archive_store.h"
#include "collector/file_set.h"
#include "collector/merged_view.h"

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
  double fold_seconds = 0;  // all folds together
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
    // How long the archive keeps a counter, histogram or summary that no live
    // writer has and that no dead one has added to since; 0: for ever.
    uint32_t ttl_s = 30 * 24 * 3600;
    // How long it keeps a gauge that no dead writer has left since; 0: for
    // ever.
    uint32_t gauge_ttl_s = 3600;
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

  bool holds_lock() const { return store_ != nullptr && store_->holds_lock(); }
  const Archive& archive() const { return archive_; }
  const FolderStatistics& statistics() const { return statistics_; }

 private:
  // One archive write is for so many; a scrape may have to wait for it.
  static constexpr size_t kMaxBatch = 4096;

  struct Foldable {
    MetricFile* file;
    bool is_there;  // under its name, still
  };

  using SeriesParts = std::vector<MergedView::SeriesPart>;

  void Log(LogLevel level, const std::string& message) const;
  void NoteProblem(const std::string& problem);
  void NoteReset(std::string_view reason);
  void NoteArchive();
  // Why the file cannot be folded; empty if it can.
  std::string_view Obstacle(const FileSet& files, Foldable* foldable) const;
  std::vector<Foldable> ChooseBatch(const FileSet& files);
  bool IsDiskAsRemembered();
  // Somebody has removed it.
  bool IsArchiveGone() const;
  bool AreKnownFilesStale(const FileSet& files) const;
  Archive NextArchive(const std::vector<Foldable>& batch,
                      const SeriesParts& expired, const FileSet& files,
                      const MergedView& view) const;
  bool WriteArchive(const std::vector<Foldable>& batch,
                    const SeriesParts& expired, FileSet* files,
                    const MergedView& view);
  // Series of the archive whose time is over.
  SeriesParts ExpiredSeries(const FileSet& files, const MergedView& view);
  static void Forget(const SeriesParts& expired, const MergedView& view,
                     Archive* archive);
  void DropGoneFiles(const FileSet& files, uint32_t now_s,
                     Archive* archive) const;
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
