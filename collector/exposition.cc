#include "collector/exposition.h"

#include <chrono>

#include "collector/own_families.h"
#include "collector/process_statistics.h"
#include "collector/self_metrics.h"

namespace tine::collector {

std::string Exposition::Render() {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point start = Clock::now();
  SelfReport report;
  if (has_self_metrics_) {
    report.process = ReadProcessStatistics();
    report.last_scrape_seconds = last_render_seconds_;
  }
  std::string text;
  collector_->WithScrape(
      [&](const MergedFamilies& merged, const CollectorStatistics& statistics) {
        OwnFamilies own;
        if (has_self_metrics_) {
          report.statistics = &statistics;
          AddSelfMetrics(report, merged, &own);
        }
        encoder_.Encode(filter_->Apply(own.MergeWith(merged)), &text);
      });
  last_render_seconds_ =
      std::chrono::duration<double>(Clock::now() - start).count();
  return text;
}

}  // namespace tine::collector
