// What a fold does with series that their writers have removed.

#ifndef TINE_COLLECTOR_REMOVAL_H_
#define TINE_COLLECTOR_REMOVAL_H_

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "collector/archive.h"
#include "collector/file_set.h"
#include "collector/merged_view.h"
#include "collector/target_stamps.h"

namespace tine::collector {

// A removed series' numbers move to the archive, with the note of how far a
// file has been taken from; from then on the file's cells of it count for
// nothing. Then, where no file has the series un-removed any more, it leaves
// the archive, with all that others have left of it: the last one who had it
// did not want it. Where one has, be it of a writer that is folded now, the
// number stays, so that the sum does not fall. It also stays where other users'
// writers are part of it: nobody can make go what others have left.
//
// For one fold. Not thread-safe.
class Removal {
 public:
  // `batch` are the files that are folded now; `archive` is as it was before.
  Removal(const FileSet& files, const std::vector<MetricFile*>& batch,
          const Archive& archive);

  // True when some series are to be taken, whether the archive changes or not.
  bool is_needed() const { return is_needed_; }
  // True when the archive changes.
  bool changes_archive() const { return changes_archive_; }

  // Takes, when the batch's numbers are in `next`. Returns what is to leave the
  // archive.
  std::vector<MergedView::SeriesPart> TakeInto(uint32_t now_s,
                                               const MergedView& view,
                                               Archive* next) const;

  // The archive is on disk, or has not changed.
  void Finish() const;

 private:
  // By whom, as Archive::OwnerStamp.
  using Removers = absl::flat_hash_map<const MergedSeries*, uint32_t>;
  using Held = absl::flat_hash_set<const MergedSeries*>;
  std::pair<Removers, Held> RemovedAndHeld(const MergedView& view,
                                           const Archive& next) const;
  void NoteFiles(uint32_t now_s, Archive* next) const;
  void KeepOpinions(const std::vector<MergedView::SeriesPart>& kept,
                    const MergedView& view, Archive* next) const;

  std::vector<MetricFile*> sources_;  // what can be taken from
  // Those of the files that stay, of whatever state.
  absl::flat_hash_set<FileUuid, UuidHash> present_;
  std::vector<const MetricFile*> folded_;
  TargetStamps removers_;  // as Archive::OwnerStamp
  TargetStamps held_;
  bool are_all_known_;  // all files that are in the directory
  bool has_removed_ = false;
  bool is_needed_ = false;
  bool changes_archive_ = false;
};

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_REMOVAL_H_
