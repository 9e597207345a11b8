// Merged families for tests, made by hand.

#ifndef TINE_TESTS_COLLECTOR_FAMILY_BUILDER_H_
#define TINE_TESTS_COLLECTOR_FAMILY_BUILDER_H_

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "collector/merged_family.h"
#include "common/record_codec.h"

namespace tine::collector {

using Labels = std::map<std::string, std::string>;

// Packed as LabelSet wants it: sorted, no empty value.
inline LabelSet MakeLabelSet(const Labels& labels) {
  std::string packed;
  size_t pair_count = 0;
  for (const auto& [name, value] : labels) {
    if (value.empty()) {
      continue;
    }
    for (const std::string* text : {&name, &value}) {
      const size_t begin = packed.size();
      packed.resize(begin + 2 + text->size());
      AppendString(reinterpret_cast<uint8_t*>(packed.data() + begin), *text);
    }
    ++pair_count;
  }
  return LabelSet(std::move(packed), pair_count);
}

// Owns families and hands them out as a scrape would.
class FamilyBuilder {
 public:
  // The new family is the one that Add() works on.
  FamilyBuilder& Family(const std::string& name, format::MetricType type,
                        const std::string& help = "",
                        std::vector<double> bounds = {}) {
    MergedFamily& family = families_.emplace_back();
    family.name = name;
    family.type = type;
    family.help = help;
    family.bounds = std::move(bounds);
    family.layout_id = ++last_layout_id_;
    return *this;
  }

  // A counter or a gauge.
  FamilyBuilder& Add(const Labels& labels, double value) {
    return AddSeries(labels, value);
  }
  FamilyBuilder& AddSummary(const Labels& labels, double sum, uint64_t count) {
    AddSeries(labels, sum);
    last_series().count = count;
    return *this;
  }
  FamilyBuilder& AddHistogram(const Labels& labels, double sum,
                              std::vector<uint64_t> buckets) {
    AddSeries(labels, sum);
    last_series().buckets = std::move(buckets);
    return *this;
  }

  MergedFamily& family(size_t index) { return families_[index]; }
  MergedSeries& last_series() { return families_.back().series.back(); }
  // As a view does when a family's layout changes.
  void Touch(size_t index) { families_[index].layout_id = ++last_layout_id_; }

  MergedFamilies Get() const {
    MergedFamilies result;
    for (const MergedFamily& family : families_) {
      result.push_back(&family);
    }
    std::sort(result.begin(), result.end(),
              [](const MergedFamily* a, const MergedFamily* b) {
                return a->name < b->name;
              });
    return result;
  }

 private:
  FamilyBuilder& AddSeries(const Labels& labels, double value) {
    MergedSeries& series = families_.back().series.emplace_back();
    series.labels = MakeLabelSet(labels);
    series.is_present = true;
    series.value = value;
    return *this;
  }

  std::deque<MergedFamily> families_;  // addresses stay
  uint64_t last_layout_id_ = 0;
};

}  // namespace tine::collector

#endif  // TINE_TESTS_COLLECTOR_FAMILY_BUILDER_H_
