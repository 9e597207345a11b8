// The text that is served: merged families, filtered, with the collector's own.

#ifndef TINE_COLLECTOR_EXPOSITION_H_
#define TINE_COLLECTOR_EXPOSITION_H_

#include <string>

#include "collector/collect_loop.h"
#include "collector/series_filter.h"
#include "collector/text_encoder.h"

namespace tine::collector {

// Not thread-safe: SharedRender sees to it that one render runs at a time.
class Exposition {
 public:
  // Both must outlive it. `has_self_metrics`: tine_* and process_* too.
  Exposition(Collector* collector, const SeriesFilter* filter,
             bool has_self_metrics)
      : collector_(collector),
        filter_(filter),
        has_self_metrics_(has_self_metrics) {}

  // Everything that was published before this call, text 0.0.4.
  std::string Render();

 private:
  Collector* const collector_;
  const SeriesFilter* const filter_;
  const bool has_self_metrics_;
  TextEncoder encoder_;
  double last_render_seconds_ = -1;  // none yet
};

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_EXPOSITION_H_
