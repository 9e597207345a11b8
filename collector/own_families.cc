#include "collector/own_families.h"

#include <algorithm>
#include <atomic>
#include <iterator>

#include "common/record_codec.h"

namespace tine::collector {
namespace {

// Layout ids of ours and of the merged view's families are never of the same
// family: ours hides the other. The top bit keeps them apart all the same.
uint64_t NextLayoutId() {
  static std::atomic<uint64_t> last_id{uint64_t{1} << 63};
  return last_id.fetch_add(1, std::memory_order_relaxed) + 1;
}

LabelSet PackLabels(const OwnFamilies::Labels& labels) {
  std::string packed;
  size_t pair_count = 0;
  for (const auto& [name, value] : labels) {
    if (value.empty()) {
      continue;  // equals an absent label
    }
    size_t at = packed.size();
    packed.resize(at + 2 + name.size() + 2 + value.size());
    uint8_t* end = reinterpret_cast<uint8_t*>(packed.data()) + at;
    end = AppendString(end, name);
    AppendString(end, value);
    ++pair_count;
  }
  return LabelSet(std::move(packed), pair_count);
}

bool HasSmallerName(const MergedFamily* a, const MergedFamily* b) {
  return a->name < b->name;
}

}  // namespace

void OwnFamilies::Add(std::string_view name, std::string_view help,
                      format::MetricType type, double value,
                      const Labels& labels) {
  auto found = families_.find(name);
  if (found == families_.end()) {
    found = families_.emplace(std::string(name), MergedFamily()).first;
    found->second.name = name;
    found->second.help = help;
    found->second.type = type;
  }
  MergedSeries& series = found->second.series.emplace_back();
  series.labels = PackLabels(labels);
  series.is_present = true;
  series.value = value;
}

MergedFamilies OwnFamilies::MergeWith(const MergedFamilies& others) {
  MergedFamilies own;
  for (auto& [name, family] : families_) {
    std::sort(family.series.begin(), family.series.end(),
              [](const MergedSeries& a, const MergedSeries& b) {
                return a.labels < b.labels;
              });
    family.layout_id = NextLayoutId();
    own.push_back(&family);
  }
  MergedFamilies result;
  result.reserve(own.size() + others.size());
  // Of equal ones set_union takes the first range's.
  std::set_union(own.begin(), own.end(), others.begin(), others.end(),
                 std::back_inserter(result), &HasSmallerName);
  return result;
}

}  // namespace tine::collector
