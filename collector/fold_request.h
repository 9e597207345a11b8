// What an operator asks of a collector that folds once, and what comes of it.

#ifndef TINE_COLLECTOR_FOLD_REQUEST_H_
#define TINE_COLLECTOR_FOLD_REQUEST_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "collector/merged_family.h"
#include "common/metric_file_name.h"

namespace tine::collector {

// Beyond folding what can be folded: nothing by default.
struct FoldRequest {
  // Series that the archive is to drop. Those that some file in the directory
  // still adds to stay: their sum would fall. (A gauge's may fall.) Empty:
  // none.
  std::function<bool(std::string_view family, const LabelSet& labels)> forgets;
  // Files whose writers count as dead though nothing proves it. A file whose
  // life lock is held is refused.
  std::vector<FileUuid> assumed_dead;
  // Remove the dead files of which nothing is used any more and that have not
  // been changed for so long: quarantined ones, and damaged ones that were
  // folded.
  std::optional<uint64_t> purge_age_s;
};

// What was done, or (a plan) what would be.
struct FoldReport {
  struct File {
    std::string name;
    // Why it stays (blocked), or why nothing of it is used (purged).
    std::string_view reason;
  };
  struct Series {
    std::string family;
    LabelSet labels;
    bool is_held = false;  // so it stays
  };
  struct AssumedDead {
    FileUuid uuid;
    // Empty: its file counts as dead. "unknown": there is no such file;
    // "lock_held": its writer lives; "folded": it is in the archive already;
    // else why the file is quarantined.
    std::string_view problem;
  };

  // Another process holds the folding lock.
  bool is_collector_running = false;
  // Of dead writers, as of the end; a plan: that would be folded.
  std::vector<std::string> foldable;
  std::vector<File> blocked;
  // Folded already, only not yet removed.
  std::vector<std::string> leftovers;
  // Temporary files that would be removed.
  std::vector<std::string> temp_files;
  std::vector<AssumedDead> assumed_dead;
  std::vector<Series> series;  // that the selectors match
  // Why nothing was forgotten; empty: what is not held was.
  std::string forget_problem;
  // Old enough, dead, and gone (a plan: would be).
  std::vector<File> purged;
  // What is quarantined and stays, and why it cannot be removed. (Not: that it
  // is too young.)
  std::vector<File> unpurged;
};

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_FOLD_REQUEST_H_
