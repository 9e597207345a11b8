#include "collector/archived_series.h"

#include <algorithm>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "collector/file_source.h"
#include "collector/target_stamps.h"
#include "common/metric_names.h"

namespace tine::collector {
namespace {

// Which sums the files that stay add to, and which those that go.
struct Holders {
  TargetStamps staying;
  TargetStamps going;
};
Holders HoldersOf(const FileSet& files,
                  const std::vector<Folder::Verdict>& verdicts) {
  absl::flat_hash_set<const MetricFile*> foldable;
  for (const Folder::Verdict& verdict : verdicts) {
    if (verdict.obstacle.empty()) {
      foldable.insert(verdict.file);
    }
  }
  Holders holders;
  for (const auto& file : files.files()) {
    if (foldable.contains(file.get())) {
      file->source().Stamp(FileSource::Which::kLasting, 1, &holders.going);
    } else if (!file->is_quarantined()) {
      file->source().Stamp(FileSource::Which::kAll, 1, &holders.staying);
    }
  }
  return holders;
}

}  // namespace

std::vector<ArchivedSeries> FindArchivedSeries(
    const std::function<bool(std::string_view, const LabelSet&)>& matches,
    const std::vector<Folder::Verdict>& verdicts, const FileSet& files,
    const Archive& archive, const MergedView& view) {
  const Holders holders = HoldersOf(files, verdicts);
  std::vector<ArchivedSeries> found;
  absl::flat_hash_map<const MergedSeries*, size_t> indexes;
  absl::flat_hash_set<const MergedSeries*> of_the_dead;
  view.ForEachSeries([&](const MergedView::SeriesPart& part) {
    const MergedSeries* series = part.part.series;
    const std::string& family = view.group(part.group).name();
    auto it = indexes.find(series);
    if (it == indexes.end()) {
      if (!matches(family, series->labels)) {
        return;
      }
      it = indexes.emplace(series, found.size()).first;
      found.push_back({family, series, false, {}});
    }
    ArchivedSeries& archived = found[it->second];
    const SeriesTargets& targets = part.part.targets;
    archived.is_held |=
        !IsSetType(part.family->type()) && holders.staying.Of(targets) != 0;
    archived.parts.push_back(part);
    if (archive.stamps.Of(targets) != 0 || holders.going.Of(targets) != 0) {
      of_the_dead.insert(series);
    }
  });
  found.erase(std::remove_if(found.begin(), found.end(),
                             [&](const ArchivedSeries& archived) {
                               return !of_the_dead.contains(archived.series);
                             }),
              found.end());
  return found;
}

}  // namespace tine::collector
