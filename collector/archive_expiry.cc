#include "collector/archive_expiry.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "common/metric_names.h"

namespace tine::collector {
namespace {

// Process labels like a version or a pod's name make series that nobody will
// ever add to again.
constexpr uint32_t kOrphanTtlS = 24 * 3600;

// How many plain counts a series has.
size_t CountsOf(const MergedView::SeriesPart& part) {
  if (part.part.targets.first_count == CellSums::kNobody) {
    return 0;
  }
  return part.family->type() == format::MetricType::kHistogram
             ? part.part.bounds->size() + 1
             : 1;
}

using LabelPair = std::pair<std::string_view, std::string_view>;

std::vector<LabelPair> PairsOf(const StringListView& strings) {
  std::vector<LabelPair> pairs;
  pairs.reserve(strings.size() / 2);
  for (auto it = strings.begin(); it != strings.end(); ++it) {
    const std::string_view name = *it;
    ++it;
    pairs.emplace_back(name, *it);
  }
  return pairs;
}

bool Contains(const std::vector<LabelPair>& pairs, const LabelPair& pair) {
  return std::find(pairs.begin(), pairs.end(), pair) != pairs.end();
}

// The process labels of the writers that live.
class LiveLabels {
 public:
  explicit LiveLabels(const FileSet& files) {
    absl::flat_hash_set<std::string_view> known;
    for (const auto& file : files.files()) {
      if (file->is_quarantined() || file->liveness() == Liveness::kDead ||
          !known.insert(file->writer().packed_process_labels).second) {
        continue;
      }
      lists_.push_back(PairsOf(file->writer().process_labels()));
      pairs_.insert(lists_.back().begin(), lists_.back().end());
    }
  }

  // Has one writer all of them?
  bool Have(const std::vector<LabelPair>& labels) const {
    const auto is_live = [this](const LabelPair& pair) {
      return pairs_.contains(pair);
    };
    const auto has_all = [&labels](const std::vector<LabelPair>& list) {
      return std::all_of(
          labels.begin(), labels.end(),
          [&list](const LabelPair& pair) { return Contains(list, pair); });
    };
    return std::all_of(labels.begin(), labels.end(), is_live) &&
           std::any_of(lists_.begin(), lists_.end(), has_all);
  }

 private:
  std::vector<std::vector<LabelPair>> lists_;  // each once
  absl::flat_hash_set<LabelPair> pairs_;       // of any of them
};

class Expiry {
 public:
  Expiry(const Archive& archive, const FileSet& files, const ExpiryTimes& times,
         uint32_t now_s)
      : archive_(archive),
        times_(times),
        now_s_(now_s),
        in_use_(files.TargetsInUse()),
        live_labels_(files) {}

  // As if it were all that there is of its series.
  bool IsExpired(const MergedView::SeriesPart& part) const {
    const uint32_t folded_at_s = archive_.stamps.Of(part.part.targets);
    if (folded_at_s == 0 || now_s_ <= folded_at_s) {
      return false;
    }
    const uint32_t age_s = now_s_ - folded_at_s;
    if (IsSetType(part.family->type())) {
      return times_.gauge_ttl_s != 0 && age_s > times_.gauge_ttl_s;
    }
    return times_.ttl_s != 0 && !IsInUse(part) &&
           (age_s > times_.ttl_s || (age_s > kOrphanTtlS && IsOrphan(part)));
  }

  // Is there anything of it, anywhere?
  bool IsHeld(const MergedView::SeriesPart& part) const {
    return IsInUse(part) || archive_.stamps.Of(part.part.targets) != 0;
  }

 private:
  bool IsInUse(const MergedView::SeriesPart& part) const {
    return in_use_.Of(part.part.targets) != 0;
  }

  bool IsOrphan(const MergedView::SeriesPart& part) const {
    const uint32_t number = archive_.process_labels.Of(part.part.targets);
    if (number == 0) {
      return false;
    }
    // Some may have lost against labels of the family's own, and an overflow
    // series has none of them.
    const std::vector<LabelPair> own =
        PairsOf(part.part.series->labels.strings());
    std::vector<LabelPair> carried =
        PairsOf(archive_.process_label_lists.list(number));
    carried.erase(std::remove_if(carried.begin(), carried.end(),
                                 [&own](const LabelPair& pair) {
                                   return !Contains(own, pair);
                                 }),
                  carried.end());
    return !carried.empty() && !live_labels_.Have(carried);
  }

  const Archive& archive_;
  const ExpiryTimes times_;
  const uint32_t now_s_;
  const TargetStamps in_use_;
  const LiveLabels live_labels_;
};

}  // namespace

SeriesParts ExpiredSeries(const Archive& archive, const FileSet& files,
                          const MergedView& view, const ExpiryTimes& times,
                          uint32_t now_s) {
  const Expiry expiry(archive, files, times, now_s);
  SeriesParts expired;
  absl::flat_hash_set<const MergedSeries*> touched;
  view.ForEachSeries([&](const MergedView::SeriesPart& part) {
    if (expiry.IsExpired(part)) {
      expired.push_back(part);
      touched.insert(part.part.series);
    }
  });
  if (expired.empty()) {
    return expired;
  }
  // A series goes whole or not at all: writers with other buckets, say, have
  // other parts of it, and the sum of all is what is served. (Gauges are not
  // added up like that.)
  absl::flat_hash_set<const MergedSeries*> kept;
  view.ForEachSeries([&](const MergedView::SeriesPart& part) {
    if (!IsSetType(part.family->type()) && touched.contains(part.part.series) &&
        !expiry.IsExpired(part) && expiry.IsHeld(part)) {
      kept.insert(part.part.series);
    }
  });
  expired.erase(std::remove_if(expired.begin(), expired.end(),
                               [&kept](const MergedView::SeriesPart& part) {
                                 return kept.contains(part.part.series);
                               }),
                expired.end());
  return expired;
}

SeriesParts AbsentGauges(const Archive& archive, const MergedView& view) {
  SeriesParts absent;
  view.ForEachSeries([&](const MergedView::SeriesPart& part) {
    const SeriesTargets& targets = part.part.targets;
    if (targets.gauge != CellSums::kNobody && archive.stamps.Of(targets) != 0 &&
        !archive.sums.gauge(targets.gauge).is_present()) {
      absent.push_back(part);
    }
  });
  return absent;
}

void DropFromArchive(const SeriesParts& expired, Archive* archive) {
  for (const MergedView::SeriesPart& part : expired) {
    const SeriesTargets& targets = part.part.targets;
    const size_t count_count = CountsOf(part);
    for (size_t i = 0; i < count_count; ++i) {
      archive->sums.counts()[targets.first_count + i] = 0;
    }
    archive->sums.value(targets.value) = ExactSum();
    archive->sums.gauge(targets.gauge).Reset();
    archive->stamps.Set(targets, count_count, 0);
    archive->owners.Set(targets, count_count, 0);
    archive->process_labels.Set(targets, count_count, 0);
  }
}

void DropIdleOpinions(const MergedView& view, Archive* archive) {
  absl::flat_hash_set<std::pair<uint32_t, uint32_t>> variants;
  absl::flat_hash_set<uint32_t> lists;
  view.ForEachSeries([&](const MergedView::SeriesPart& part) {
    if (archive->stamps.Of(part.part.targets) != 0) {
      variants.insert({part.group, part.variant});
      lists.insert(archive->process_labels.Of(part.part.targets));
    }
  });
  archive->process_label_lists.Keep(lists);
  for (auto it = archive->declarations.begin();
       it != archive->declarations.end();) {
    const auto current = it++;
    const uint32_t variant =
        view.group(current->first).declarations()[current->second].variant;
    if (!variants.contains({current->first, variant})) {
      archive->declarations.erase(current);
    }
  }
}

void TakeServedTexts(const MergedView& view, Archive* archive) {
  absl::flat_hash_set<std::pair<uint32_t, uint32_t>> opinions;
  for (const auto& [group, opinion] : archive->declarations) {
    const auto& declarations = view.group(group).declarations();
    const uint32_t served = view.group(group).winner();
    const bool is_served =
        declarations[opinion].variant == declarations[served].variant;
    opinions.emplace(group, is_served ? served : opinion);
  }
  archive->declarations = std::move(opinions);
}

}  // namespace tine::collector
