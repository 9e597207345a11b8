// The side of the audit that is audited.

#include <string>
#include <utility>

#include "collector/collect_loop.h"
#include "tools/audit.h"

namespace tine::tools {
namespace {

using collector::CollectorOptions;
using collector::CollectorStatistics;
using collector::FileReport;
using collector::MergedFamilies;
using collector::MergedFamily;
using collector::MergedSeries;

void TakeFamily(const MergedFamily& family, ServedSnapshot* served) {
  served->families[family.name] = {family.type, family.bounds};
  for (const MergedSeries& series : family.series) {
    if (!series.is_present) {
      continue;
    }
    AuditKey key;
    key.family = family.name;
    const StringListView strings = series.labels.strings();
    for (auto it = strings.begin(); it != strings.end(); ++it) {
      const std::string label(*it);
      ++it;
      key.labels[label] = std::string(*it);
    }
    AuditValue value;
    value.is_present = true;
    value.value = series.value;
    value.count =
        family.type == format::MetricType::kSummary ? series.count : 0;
    if (family.type == format::MetricType::kHistogram) {
      value.buckets = series.buckets;
    }
    served->created_wall_ns[key] = series.created_wall_ns;
    served->series.emplace(std::move(key), std::move(value));
  }
}

// Without limits: whether they are kept is not what is asked.
CollectorOptions MakeOptions(const std::string& directory,
                             const std::string& state_directory) {
  CollectorOptions options;
  options.directory = directory;
  options.folding.state_directory = state_directory;
  options.view_limits = {SIZE_MAX, SIZE_MAX};
  options.owner_limits = {SIZE_MAX, SIZE_MAX, SIZE_MAX,
                          SIZE_MAX, SIZE_MAX, SIZE_MAX};
  options.max_series_per_file = SIZE_MAX;
  return options;
}

}  // namespace

ServedSnapshot ServeOnce(const std::string& directory,
                         const std::string& state_directory) {
  collector::Collector reader(MakeOptions(directory, state_directory));
  ServedSnapshot served;
  reader.WithScrape([&](const MergedFamilies& families,
                        const CollectorStatistics& statistics) {
    served.generation = statistics.folding.generation;
    for (const MergedFamily* family : families) {
      TakeFamily(*family, &served);
    }
    for (const collector::FamilyConflict& conflict : statistics.conflicts) {
      served.conflicts.insert(conflict.family);
    }
  });
  for (const FileReport& report : reader.ReportFiles()) {
    if (report.liveness.empty()) {
      served.quarantined[report.name] = report.problem;
    } else {
      served.counted.insert(report.name);
    }
  }
  return served;
}

}  // namespace tine::tools
