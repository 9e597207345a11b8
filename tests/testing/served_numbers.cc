#include "tests/testing/served_numbers.h"

#include <cstdio>

#include "common/record_layout.h"

namespace tine::testing {
namespace {

using collector::LabelSet;
using collector::MergedFamily;
using collector::MergedSeries;
using format::MetricType;

std::string TextOf(const LabelSet& labels) {
  std::string text = "{";
  bool is_name = true;
  for (const std::string_view part : labels.strings()) {
    if (is_name && text.size() > 1) {
      text += ',';
    }
    text += part;
    text += is_name ? "=" : "";
    is_name = !is_name;
  }
  return text + "}";
}

std::string BoundText(const MergedFamily& family, size_t bucket) {
  if (bucket == family.bounds.size()) {
    return "[+Inf]";
  }
  char text[32];
  std::snprintf(text, sizeof(text), "[%.17g]", family.bounds[bucket]);
  return text;
}

void AddSeries(const MergedFamily& family, const MergedSeries& series,
               ServedNumbers* numbers) {
  const std::string labels = TextOf(series.labels);
  if (family.type == MetricType::kHistogram) {
    (*numbers)[family.name + "_sum" + labels] = series.value;
    for (size_t i = 0; i < series.buckets.size(); ++i) {
      (*numbers)[family.name + "_bucket" + labels + BoundText(family, i)] =
          static_cast<double>(series.buckets[i]);
    }
  } else if (family.type == MetricType::kSummary) {
    (*numbers)[family.name + "_sum" + labels] = series.value;
    (*numbers)[family.name + "_count" + labels] =
        static_cast<double>(series.count);
  } else {
    (*numbers)[family.name + labels] = series.value;
  }
}

}  // namespace

ServedNumbers NumbersOf(const collector::MergedFamilies& families) {
  ServedNumbers numbers;
  for (const MergedFamily* family : families) {
    for (const MergedSeries& series : family->series) {
      if (series.is_present) {
        AddSeries(*family, series, &numbers);
      }
    }
  }
  return numbers;
}

}  // namespace tine::testing
