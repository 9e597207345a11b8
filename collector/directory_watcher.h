// Follows one directory with inotify and says which names to look at. Knows
// nothing of metric files.

#ifndef TINE_COLLECTOR_DIRECTORY_WATCHER_H_
#define TINE_COLLECTOR_DIRECTORY_WATCHER_H_

#include <cstdint>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "common/unique_fd.h"

namespace tine::collector {

// What inotify says is a hint; what the directory holds is the truth. The user
// of this class looks at every name it is given, and lists the whole directory
// when it is told to, and every few seconds anyway. Not thread-safe, except
// that poll_fd() may be polled by another thread: it never changes once valid.
class DirectoryWatcher {
 public:
  enum class Mode {
    kMissing,   // there is no such directory, or it may not be used; see
                // problem()
    kWatching,  // inotify works
    kPolling,   // it does not: list the directory to learn anything
  };

  struct Changes {
    // Names that something happened to; the value says that a writable
    // description of that file was closed, which is what a writer's death looks
    // like.
    absl::flat_hash_map<std::string, bool> names;
    bool is_rescan_needed = false;
    uint64_t overflow_count = 0;
  };

  // `may_create`: as OpenMetricsDirectory has it.
  DirectoryWatcher(std::string path, bool may_create);

  // Opens the directory that the path now names, if that is not the one held,
  // and puts the watch on it before anybody lists it. Tries inotify again where
  // it failed before. True when another directory is held than before (or
  // none): forget its names, then list it.
  bool Refresh();

  // True while the path still names the directory that is held. False also
  // tells of a directory that was removed and made again, renamed, or mounted
  // over, of which inotify says nothing while we keep it open. Costs two
  // fstats.
  bool IsCurrent() const;

  // Takes what is in the queue now, never waits.
  Changes Drain();

  Mode mode() const { return mode_; }
  // For poll(); -1 when there is none.
  int poll_fd() const { return inotify_.get(); }
  // The directory, O_RDONLY; -1 when missing.
  int directory_fd() const { return directory_.get(); }
  const std::string& path() const { return path_; }
  // Why the mode is not kWatching, for people.
  const std::string& problem() const { return problem_; }

 private:
  void AddWatch();
  void RemoveWatch();
  void TakeEvent(const char* bytes, Changes* changes);

  const std::string path_;
  const bool may_create_;
  Mode mode_ = Mode::kMissing;
  UniqueFd directory_;
  // Made once and kept, whatever happens to the directory: another thread polls
  // it.
  UniqueFd inotify_;
  int watch_ = -1;
  std::string problem_;
};

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_DIRECTORY_WATCHER_H_
