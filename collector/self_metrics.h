// The collector's own metrics: tine_* and process_*.

#ifndef TINE_COLLECTOR_SELF_METRICS_H_
#define TINE_COLLECTOR_SELF_METRICS_H_

#include "collector/collect_loop.h"
#include "collector/merged_family.h"
#include "collector/own_families.h"
#include "collector/process_statistics.h"

namespace tine::collector {

// What one scrape reports of the collector itself.
struct SelfReport {
  const CollectorStatistics* statistics = nullptr;
  ProcessStatistics process;
  // Of the scrape before this one, rendering included; negative: there was
  // none.
  double last_scrape_seconds = -1;
};

// Fills `own` from `report`. A family of `merged` that has the name of one of
// ours will be hidden by it, which is reported like any other conflict: as
// tine_family_conflicts{reason="reserved_name"}.
void AddSelfMetrics(const SelfReport& report, const MergedFamilies& merged,
                    OwnFamilies* own);

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_SELF_METRICS_H_
