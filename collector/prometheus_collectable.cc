#include "collector/prometheus_collectable.h"

#include <limits>
#include <string_view>
#include <utility>

#include "collector/collect_loop.h"
#include "common/exact_sum.h"
#include "common/metric_names.h"
#include "common/metrics_directory.h"

namespace tine::collector {
namespace {

using format::MetricType;

prometheus::MetricType ToPrometheusType(MetricType type) {
  switch (type) {
    case MetricType::kCounter:
      return prometheus::MetricType::Counter;
    case MetricType::kGauge:
    case MetricType::kUpDownCounter:
    case MetricType::kStateSet:
    case MetricType::kInfo:
      return prometheus::MetricType::Gauge;
    case MetricType::kHistogram:
      return prometheus::MetricType::Histogram;
    case MetricType::kSummary:
      return prometheus::MetricType::Summary;
    case MetricType::kNone:
      break;
  }
  return prometheus::MetricType::Untyped;
}

// TextSerializer writes help as it is: a line end in it would forge a line.
std::string EscapeHelp(std::string_view help) {
  std::string escaped;
  if (!IsValidUtf8(help)) {
    return escaped;
  }
  for (const char c : help) {
    if (c == '\n') {
      escaped += "\\n";
    } else if (c == '\\') {
      escaped += "\\\\";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

// False when Prometheus would refuse one of them.
bool ConvertLabels(const LabelSet& labels,
                   std::vector<prometheus::ClientMetric::Label>* converted) {
  converted->reserve(labels.pair_count());
  bool is_name = true;
  for (const std::string_view text : labels.strings()) {
    if (is_name) {
      if (!IsValidLabelName(text)) {
        return false;
      }
      converted->emplace_back().name = text;
    } else {
      if (!IsValidUtf8(text)) {
        return false;
      }
      converted->back().value = text;
    }
    is_name = !is_name;
  }
  return true;
}

void ConvertHistogram(const MergedFamily& family, const MergedSeries& series,
                      prometheus::ClientMetric* metric) {
  uint64_t cumulative = 0;
  bool saturated = false;
  for (size_t i = 0; i < series.buckets.size(); ++i) {
    cumulative = SaturatingAdd(cumulative, series.buckets[i], &saturated);
    prometheus::ClientMetric::Bucket bucket;
    bucket.cumulative_count = cumulative;
    bucket.upper_bound = i < family.bounds.size()
                             ? family.bounds[i]
                             : std::numeric_limits<double>::infinity();
    metric->histogram.bucket.push_back(bucket);
  }
  metric->histogram.sample_count = cumulative;
  metric->histogram.sample_sum = series.value;
}

void ConvertValue(const MergedFamily& family, const MergedSeries& series,
                  prometheus::ClientMetric* metric) {
  switch (family.type) {
    case MetricType::kCounter:
      metric->counter.value = series.value;
      break;
    case MetricType::kGauge:
    case MetricType::kUpDownCounter:
    case MetricType::kStateSet:
    case MetricType::kInfo:
      metric->gauge.value = series.value;
      break;
    case MetricType::kHistogram:
      ConvertHistogram(family, series, metric);
      break;
    case MetricType::kSummary:
      metric->summary.sample_count = series.count;
      metric->summary.sample_sum = series.value;
      break;
    case MetricType::kNone:
      metric->untyped.value = series.value;
  }
}

prometheus::MetricFamily ToPrometheusFamily(const MergedFamily& family) {
  prometheus::MetricFamily converted;
  converted.name = family.name;
  converted.help = EscapeHelp(family.help);
  converted.type = ToPrometheusType(family.type);
  converted.metric.reserve(family.series.size());
  for (const MergedSeries& series : family.series) {
    if (!series.is_present) {
      continue;
    }
    prometheus::ClientMetric metric;
    if (ConvertLabels(series.labels, &metric.label)) {
      ConvertValue(family, series, &metric);
      converted.metric.push_back(std::move(metric));
    }
  }
  return converted;
}

CollectorOptions MakeOptions(const std::string& directory) {
  CollectorOptions options;
  options.directory = ResolveMetricsDirectory(directory);
  return options;
}

}  // namespace

MergedCollectable::MergedCollectable(const std::string& directory)
    : collector_(std::make_unique<Collector>(MakeOptions(directory))) {}

MergedCollectable::~MergedCollectable() = default;

std::vector<prometheus::MetricFamily> MergedCollectable::Collect() const {
  std::vector<prometheus::MetricFamily> families;
  try {
    collector_->WithScrape(
        [&families](const MergedFamilies& merged, const CollectorStatistics&) {
          families = ToPrometheusFamilies(merged);
        });
  } catch (...) {
    // Out of memory, most likely. The next scrape may go better.
  }
  return families;
}

std::vector<prometheus::MetricFamily> ToPrometheusFamilies(
    const MergedFamilies& families) {
  std::vector<prometheus::MetricFamily> converted;
  converted.reserve(families.size());
  for (const MergedFamily* family : families) {
    if (!IsValidMetricName(family->name)) {
      continue;
    }
    prometheus::MetricFamily one = ToPrometheusFamily(*family);
    if (!one.metric.empty()) {
      converted.push_back(std::move(one));
    }
  }
  return converted;
}

}  // namespace tine::collector
