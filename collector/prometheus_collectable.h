// For programs that have a prometheus::Exposer already: the merged metrics of a
// metrics directory as one more Collectable.
//
//   auto merged =
//       std::make_shared<tine::collector::MergedCollectable>("/run/tine");
//   prometheus::Exposer exposer("127.0.0.1:9974");
//   exposer.RegisterCollectable(merged);  // the exposer keeps a weak reference
//
// The only file with prometheus-cpp. Works with its versions 1.0 and later.

#ifndef TINE_COLLECTOR_PROMETHEUS_COLLECTABLE_H_
#define TINE_COLLECTOR_PROMETHEUS_COLLECTABLE_H_

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <memory>
#include <string>
#include <vector>

#include "collector/merged_family.h"

namespace tine::collector {

class Collector;

// Reads and merges the metric files at each Collect(); folds and removes
// nothing, so any number of these may look at one directory, beside a
// tine-collector too.
//
// Threads: Collect() may be called from several at once; they take turns.
// Fork: make it after the fork; a child must not use its parent's.
// Errors: the constructor does not touch the directory and fails only for want
// of memory. A directory that is missing or unusable is an empty answer and is
// tried again by the next Collect(); a damaged file is left out from its first
// damaged record on.
class MergedCollectable : public prometheus::Collectable {
 public:
  // Empty: $TINE_DIR, else /run/tine if that exists, else /dev/shm/tine-<uid>.
  explicit MergedCollectable(const std::string& directory = "");
  ~MergedCollectable() override;
  MergedCollectable(const MergedCollectable&) = delete;
  MergedCollectable& operator=(const MergedCollectable&) = delete;

  // Families sorted by name. Never throws, because an exception in here would
  // end the Exposer's process: what went wrong leaves an empty answer.
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  std::unique_ptr<Collector> collector_;
};

// The families in prometheus-cpp's model; series that are not present are left
// out, and families without any. Counts and buckets beyond 2^53 lose digits
// there, as a MetricFamily keeps numbers as double. prometheus-cpp writes names
// and help as they are, so this makes them safe: a backslash and a line end in
// help are escaped already, help that is not UTF-8 is dropped, and so are
// families and series whose names or label values Prometheus would refuse.
std::vector<prometheus::MetricFamily> ToPrometheusFamilies(
    const MergedFamilies& families);

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_PROMETHEUS_COLLECTABLE_H_
