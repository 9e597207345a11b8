// Series that dead writers have left, as an operator chooses them.

#ifndef TINE_COLLECTOR_ARCHIVED_SERIES_H_
#define TINE_COLLECTOR_ARCHIVED_SERIES_H_

#include <functional>
#include <string_view>
#include <vector>

#include "collector/archive.h"
#include "collector/file_set.h"
#include "collector/folder.h"
#include "collector/merged_family.h"
#include "collector/merged_view.h"

namespace tine::collector {

// Valid as long as the view's series stay where they are.
struct ArchivedSeries {
  std::string_view family;
  const MergedSeries* series;
  // A file that stays adds to it. (A gauge is never held: its value may fall.)
  bool is_held = false;
  // All of them are served as one sum.
  std::vector<MergedView::SeriesPart> parts;
};

// Series of the archive, or of files that a fold would bring there (by
// `verdicts` on all of `files`), that `matches` chooses.
std::vector<ArchivedSeries> FindArchivedSeries(
    const std::function<bool(std::string_view, const LabelSet&)>& matches,
    const std::vector<Folder::Verdict>& verdicts, const FileSet& files,
    const Archive& archive, const MergedView& view);

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_ARCHIVED_SERIES_H_
