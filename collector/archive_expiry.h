// What the archive lets go of, and when.

#ifndef TINE_COLLECTOR_ARCHIVE_EXPIRY_H_
#define TINE_COLLECTOR_ARCHIVE_EXPIRY_H_

#include <cstdint>
#include <vector>

#include "collector/archive.h"
#include "collector/file_set.h"
#include "collector/merged_view.h"

namespace tine::collector {

struct ExpiryTimes {
  // Of a counter, up-down counter, histogram or summary that no file has, since
  // the last fold into it. One day at most when it carries process labels that
  // no live writer has: those tell a deployment or a host that is gone. 0: for
  // ever, whatever it carries.
  uint32_t ttl_s = 30 * 24 * 3600;
  // Of what dead writers left of a gauge, whoever has it too; 0: for ever.
  uint32_t gauge_ttl_s = 3600;
};

using SeriesParts = std::vector<MergedView::SeriesPart>;

// Series of the archive whose time is over at `now_s` (Unix time), with all
// their parts; valid until the view changes. `files` are all there is.
SeriesParts ExpiredSeries(const Archive& archive, const FileSet& files,
                          const MergedView& view, const ExpiryTimes& times,
                          uint32_t now_s);

// Gauges of the archive that were too old, by their time to live, when it was
// made: nothing is left of them.
SeriesParts AbsentGauges(const Archive& archive, const MergedView& view);

// Takes them out of the archive: once the view was swept, one that comes back
// begins at 0, as a new series.
void DropFromArchive(const SeriesParts& expired, Archive* archive);

// Opinions about families of which nothing is in the archive go: those whose
// series have expired, and those of writers that had no lasting numbers in
// them. Lists of process labels likewise.
void DropIdleOpinions(const MergedView& view, Archive* archive);

// Where the archive's numbers are served with another help or unit than the
// dead had, the archive takes that over: a new version's text would else be a
// conflict for as long as the series lasts.
void TakeServedTexts(const MergedView& view, Archive* archive);

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_ARCHIVE_EXPIRY_H_
