#include "collector/family_variant.h"

#include <algorithm>
#include <atomic>
#include <numeric>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/hash/hash.h"
#include "absl/strings/string_view.h"
#include "collector/bucket_union.h"
#include "common/metric_names.h"

namespace tine::collector {
namespace {

using format::MetricType;
using format::ValueKind;

// What a sample's line has beside its name and labels: quotes, `le`, a number.
constexpr uint64_t kLineBytes = 40;

// False, and nothing spent, when that is more than the budget has.
bool TrySpend(bool is_overflow, uint64_t text_bytes, SeriesBudget* budget) {
  size_t* series_left =
      is_overflow ? &budget->overflow_series_left : &budget->series_left;
  uint64_t* text_bytes_left = is_overflow ? &budget->overflow_text_bytes_left
                                          : &budget->text_bytes_left;
  if (*series_left == 0 || *text_bytes_left < text_bytes) {
    return false;
  }
  --*series_left;
  *text_bytes_left -= text_bytes;
  return true;
}

// Never the same twice in one process, whoever asks.
uint64_t NextLayoutId() {
  static std::atomic<uint64_t> last_id{0};
  return last_id.fetch_add(1, std::memory_order_relaxed) + 1;
}

}  // namespace

FamilyVariant::FamilyVariant(MetricType type, format::GaugeMode mode)
    : mode_(mode),
      index_(0, LabelsHash{LabelsOf{this}}, LabelsEqual{LabelsOf{this}}) {
  family_.type = type;
  family_.layout_id = NextLayoutId();
}

// Seeded anew in each process: a writer that chooses its label values cannot
// choose where they collide.
size_t FamilyVariant::HashOf(std::string_view packed) {
  return absl::Hash<absl::string_view>()(
      absl::string_view(packed.data(), packed.size()));
}

std::optional<uint32_t> FamilyVariant::FindOrAddPart(ValueKind kind,
                                                     const double* bounds,
                                                     size_t bound_count,
                                                     SeriesBudget* budget) {
  std::vector<double> own_bounds(bounds, bounds + bound_count);
  auto place = static_cast<uint32_t>(parts_.size());
  for (uint32_t i = 0; i < parts_.size(); ++i) {
    if (parts_[i].is_free) {
      place = i;
    } else if (parts_[i].kind == kind && parts_[i].bounds == own_bounds) {
      return i;
    }
  }
  std::vector<double> merged = UnionOfBounds(family_.bounds, own_bounds);
  if (!MayAddPart(merged.size(), *budget)) {
    return std::nullopt;
  }
  const size_t new_bound_count = merged.size() - family_.bounds.size();
  // Every series gets these buckets too, whoever it belongs to.
  budget->SpendText(new_bound_count * sample_text_bytes_);
  parts_.resize(std::max<size_t>(parts_.size(), place + 1));
  parts_[place] = {kind,          std::move(own_bounds), {},
                   budget->owner, new_bound_count,       false};
  if (family_.type == MetricType::kHistogram) {
    SetMergedBounds(std::move(merged));
  }
  return place;
}

std::vector<double> FamilyVariant::UnionOfPartBounds() const {
  std::vector<double> merged;
  for (const Part& part : parts_) {
    merged = part.is_free ? merged : UnionOfBounds(merged, part.bounds);
  }
  return merged;
}

bool FamilyVariant::MayAddPart(size_t merged_bound_count,
                               const SeriesBudget& budget) const {
  const size_t new_bound_count = merged_bound_count - family_.bounds.size();
  size_t own_bound_count = new_bound_count;
  for (const Part& part : parts_) {
    own_bound_count +=
        !part.is_free && part.owner == budget.owner ? part.new_bound_count : 0;
  }
  return budget.MayLengthen(parts_, kMaxParts) &&
         merged_bound_count <= kMaxMergedBounds &&
         (budget.owner == SeriesBudget::kNoOwner ||
          own_bound_count <= kMaxMergedBounds / 2) &&
         new_bound_count * sample_text_bytes_ <= budget.text_bytes_left;
}

uint64_t FamilyVariant::SampleTextBytes(const LabelSet& labels) const {
  return family_.name.size() + labels.packed().size() + kLineBytes;
}

size_t FamilyVariant::SampleCount() const {
  switch (family_.type) {
    case MetricType::kHistogram:
      return family_.bounds.size() + 3;  // +Inf, sum, count
    case MetricType::kSummary:
      return 2;
    default:
      return 1;
  }
}

void FamilyVariant::SetMergedBounds(std::vector<double> merged) {
  part_bounds_differ_ = false;
  for (Part& part : parts_) {
    if (!part.is_free) {
      // The union of one list is that list.
      part_bounds_differ_ |= part.bounds != merged;
      part.merged_buckets = MergedBucketIndexes(part.bounds, merged);
    }
  }
  family_.bounds = std::move(merged);
  family_.layout_id = NextLayoutId();
  for (MergedSeries& series : family_.series) {
    series.buckets.resize(family_.bounds.size() + 1);
  }
}

std::optional<SeriesTargets> FamilyVariant::FindOrAddSeries(
    uint32_t part, NewSeries added, bool may_add, SeriesBudget* budget,
    CellSums* sums) {
  const auto it = index_.find(std::string_view(added.labels.packed()));
  if (it == index_.end()) {
    const uint64_t sample_bytes = SampleTextBytes(added.labels);
    if (!may_add ||
        !TrySpend(added.is_overflow, SampleCount() * sample_bytes, budget)) {
      return std::nullopt;
    }
    sample_text_bytes_ += sample_bytes;
    MergedSeries series;
    series.labels = std::move(added.labels);
    series.created_wall_ns = added.created_wall_ns;
    series.is_overflow = added.is_overflow;
    series.owner = budget->owner;
    if (family_.type == MetricType::kHistogram) {
      series.buckets.resize(family_.bounds.size() + 1);
    }
    family_.series.push_back(std::move(series));
    const uint32_t entry =
        AddEntry(part, static_cast<uint32_t>(family_.series.size() - 1), sums);
    index_.insert(entry);
    return entries_[entry].targets;
  }
  uint32_t at = *it;
  MergedSeries& known = family_.series[entries_[at].position];
  if (!known.was_served) {
    known.created_wall_ns =
        std::min(known.created_wall_ns, added.created_wall_ns);
  }
  for (; entries_[at].part != part; at = entries_[at].next_entry) {
    if (entries_[at].next_entry == kNone) {
      const uint32_t entry = AddEntry(part, entries_[at].position, sums);
      entries_[at].next_entry = entry;
      return entries_[entry].targets;
    }
  }
  return entries_[at].targets;
}

void FamilyVariant::ForEachSeries(
    const std::function<void(const PartOfSeries&)>& use) const {
  for (const Entry& entry : entries_) {
    use({&family_.series[entry.position], parts_[entry.part].kind,
         &parts_[entry.part].bounds, entry.targets});
  }
}

uint32_t FamilyVariant::AddEntry(uint32_t part, uint32_t position,
                                 CellSums* sums) {
  entries_.push_back({position, part, NewTargets(parts_[part], sums), kNone});
  return static_cast<uint32_t>(entries_.size() - 1);
}

SeriesTargets FamilyVariant::NewTargets(const Part& part,
                                        CellSums* sums) const {
  SeriesTargets targets;
  switch (family_.type) {
    case MetricType::kCounter:
      if (part.kind == ValueKind::kU64) {
        targets.first_count = sums->NewCounts(1);
      } else {
        targets.value = sums->NewValue();
      }
      break;
    case MetricType::kGauge:
    case MetricType::kUpDownCounter:
    case MetricType::kStateSet:
    case MetricType::kInfo:
      targets.gauge = sums->NewGauge(mode_);
      break;
    case MetricType::kHistogram:
      targets.first_count = sums->NewCounts(part.bounds.size() + 1);
      targets.value = sums->NewValue();
      break;
    case MetricType::kSummary:
      targets.first_count = sums->NewCounts(1);
      targets.value = sums->NewValue();
      break;
    case MetricType::kNone:
      break;
  }
  return targets;
}

// ---- Letting go -------------------------------------------------------------

void FamilyVariant::FreeTargets(const Entry& entry, CellSums* sums) const {
  const SeriesTargets& targets = entry.targets;
  if (targets.first_count != CellSums::kNobody) {
    sums->FreeCounts(targets.first_count,
                     family_.type == MetricType::kHistogram
                         ? parts_[entry.part].bounds.size() + 1
                         : 1);
  }
  if (targets.value != CellSums::kNobody) {
    sums->FreeValue(targets.value);
  }
  if (targets.gauge != CellSums::kNobody) {
    sums->FreeGauge(targets.gauge);
  }
}

// `is_kept`: by a series' position.
void FamilyVariant::KeepEntries(const std::vector<bool>& is_kept,
                                const ReturnBudget& give_back, CellSums* sums) {
  std::vector<uint32_t> new_positions(is_kept.size());
  std::vector<MergedSeries> series;
  size_t sorted_count = 0;
  for (size_t i = 0; i < is_kept.size(); ++i) {
    if (is_kept[i]) {
      new_positions[i] = static_cast<uint32_t>(series.size());
      series.push_back(std::move(family_.series[i]));
      sorted_count += i < sorted_count_ ? 1 : 0;
    } else {
      const MergedSeries& gone = family_.series[i];
      const uint64_t sample_bytes = SampleTextBytes(gone.labels);
      sample_text_bytes_ -= sample_bytes;
      give_back(gone.owner,
                {0, 1, SampleCount() * sample_bytes, gone.is_overflow});
    }
  }
  std::vector<uint32_t> new_entries(entries_.size(), kNone);
  std::vector<Entry> entries;
  for (size_t i = 0; i < entries_.size(); ++i) {
    if (is_kept[entries_[i].position]) {
      new_entries[i] = static_cast<uint32_t>(entries.size());
      entries.push_back(entries_[i]);
      entries.back().position = new_positions[entries_[i].position];
    } else {
      FreeTargets(entries_[i], sums);
    }
  }
  // A chain is kept whole or not at all, its first entry before the others.
  std::vector<bool> is_first(entries.size(), true);
  for (Entry& entry : entries) {
    if (entry.next_entry != kNone) {
      entry.next_entry = new_entries[entry.next_entry];
      is_first[entry.next_entry] = false;
    }
  }
  index_.clear();
  family_.series = std::move(series);
  entries_ = std::move(entries);
  for (uint32_t i = 0; i < entries_.size(); ++i) {
    if (is_first[i]) {
      index_.insert(i);
    }
  }
  sorted_count_ = sorted_count;
  family_.layout_id = NextLayoutId();
}

size_t FamilyVariant::Sweep(const UsesTargets& uses, uint32_t parts,
                            const ReturnBudget& give_back, CellSums* sums) {
  std::vector<bool> is_kept(family_.series.size());
  for (const Entry& entry : entries_) {
    if (!is_kept[entry.position] && uses(entry.targets)) {
      is_kept[entry.position] = true;
    }
  }
  const size_t count_before = family_.series.size();
  if (std::find(is_kept.begin(), is_kept.end(), false) != is_kept.end()) {
    KeepEntries(is_kept, give_back, sums);
  }
  for (const Entry& entry : entries_) {
    parts |= uint32_t{1} << entry.part;
  }
  bool has_new_free_part = false;
  for (uint32_t i = 0; i < parts_.size(); ++i) {
    const bool is_free = (parts >> i & 1) == 0;
    has_new_free_part |= is_free && !parts_[i].is_free;
    parts_[i].is_free = is_free;
  }
  if (has_new_free_part && family_.type == MetricType::kHistogram) {
    SetMergedBounds(UnionOfPartBounds());
  }
  return count_before - family_.series.size();
}

void FamilyVariant::SetTexts(std::string_view name, std::string_view help,
                             std::string_view unit) {
  if (family_.name == name && family_.help == help && family_.unit == unit) {
    return;
  }
  family_.name = std::string(name);
  family_.help = std::string(help);
  family_.unit = std::string(unit);
  family_.layout_id = NextLayoutId();
}

void FamilyVariant::SortSeries() {
  if (sorted_count_ == family_.series.size()) {
    return;
  }
  // Sort the order, not the series: their places are known to the entries.
  std::vector<uint32_t> order(family_.series.size());
  std::iota(order.begin(), order.end(), 0);
  const auto is_before = [this](uint32_t a, uint32_t b) {
    return family_.series[a].labels < family_.series[b].labels;
  };
  const auto middle = order.begin() + static_cast<ptrdiff_t>(sorted_count_);
  std::sort(middle, order.end(), is_before);
  std::inplace_merge(order.begin(), middle, order.end(), is_before);

  std::vector<MergedSeries> sorted;
  sorted.reserve(order.size());
  std::vector<uint32_t> new_positions(order.size());
  for (const uint32_t old_position : order) {
    new_positions[old_position] = static_cast<uint32_t>(sorted.size());
    sorted.push_back(std::move(family_.series[old_position]));
  }
  family_.series = std::move(sorted);
  for (Entry& entry : entries_) {
    entry.position = new_positions[entry.position];
  }
  sorted_count_ = family_.series.size();
  family_.layout_id = NextLayoutId();
}

void FamilyVariant::Fill(const CellSums& sums) {
  SortSeries();
  if (family_.type == MetricType::kCounter && parts_.size() == 1 &&
      parts_[0].kind == ValueKind::kU64) {
    // The case that must be fast: a million counters.
    for (const Entry& entry : entries_) {
      MergedSeries& series = family_.series[entry.position];
      series.is_present = true;
      series.was_served = true;
      series.value = static_cast<double>(sums.count(entry.targets.first_count));
    }
    return;
  }
  // A chained entry comes behind its series' first one, so the first one clears
  // and the others add.
  for (MergedSeries& series : family_.series) {
    series.is_present = false;
  }
  for (const Entry& entry : entries_) {
    MergedSeries& series = family_.series[entry.position];
    FillSeries(entry, sums, &series);
    series.was_served |= series.is_present;
  }
  if (family_.type == MetricType::kStateSet && HasOneWinner(mode_)) {
    ClearUnknownStates(sums);
  }
}

// Writers with other lists of states may have won in some states each. But the
// one that wins has all its states, and those that it does not know are false.
void FamilyVariant::ClearUnknownStates(const CellSums& sums) {
  if (state_sets_layout_id_ != family_.layout_id) {
    FindStateSets();
    state_sets_layout_id_ = family_.layout_id;
  }
  std::vector<const GaugeMerge*> winners(family_.series.size());
  for (const Entry& entry : entries_) {
    const GaugeMerge& gauge = sums.gauge(entry.targets.gauge);
    const GaugeMerge*& winner = winners[state_sets_[entry.position]];
    if (gauge.is_present() && (winner == nullptr || gauge.Beats(*winner))) {
      winner = &gauge;
    }
  }
  for (const Entry& entry : entries_) {
    const GaugeMerge* winner = winners[state_sets_[entry.position]];
    if (winner != nullptr && winner->Beats(sums.gauge(entry.targets.gauge))) {
      family_.series[entry.position].value = 0;
    }
  }
}

// Sets differ in their labels besides the state.
void FamilyVariant::FindStateSets() {
  absl::flat_hash_map<std::string, uint32_t> numbers;
  state_sets_.clear();
  for (const MergedSeries& series : family_.series) {
    std::string labels;
    bool is_name = true;
    bool is_state = false;
    for (const std::string_view text : series.labels.strings()) {
      is_state = is_name ? text == family_.name : is_state;
      if (!is_state) {
        labels.append(text).push_back('\0');
      }
      is_name = !is_name;
    }
    state_sets_.push_back(
        numbers
            .emplace(std::move(labels), static_cast<uint32_t>(numbers.size()))
            .first->second);
  }
}

void FamilyVariant::ShowAsZero(std::string_view packed_labels) {
  const auto it = index_.find(packed_labels);
  if (it == index_.end()) {
    return;
  }
  MergedSeries& series = family_.series[entries_[*it].position];
  series.value = 0;
  series.count = 0;
  std::fill(series.buckets.begin(), series.buckets.end(), 0);
}

void FamilyVariant::FillSeries(const Entry& entry, const CellSums& sums,
                               MergedSeries* series) const {
  const SeriesTargets& targets = entry.targets;
  if (targets.gauge != CellSums::kNobody) {
    const GaugeMerge& gauge = sums.gauge(targets.gauge);
    series->is_present = gauge.is_present();
    series->value = gauge.value();
    return;
  }
  if (series->is_present) {
    return;  // a further part of a series that is filled already
  }
  series->is_present = true;
  series->count = 0;
  std::fill(series->buckets.begin(), series->buckets.end(), 0);
  ExactSum value;
  uint64_t integers = 0;
  bool saturated = false;
  for (uint32_t at = static_cast<uint32_t>(&entry - entries_.data());
       at != kNone; at = entries_[at].next_entry) {
    const SeriesTargets& own = entries_[at].targets;
    value.Add(sums.value(own.value));
    if (family_.type == MetricType::kHistogram) {
      const Part& part = parts_[entries_[at].part];
      for (size_t i = 0; i < part.merged_buckets.size(); ++i) {
        uint64_t& bucket = series->buckets[part.merged_buckets[i]];
        bucket = SaturatingAdd(
            bucket, sums.count(own.first_count + static_cast<uint32_t>(i)),
            &saturated);
      }
    } else {
      integers =
          SaturatingAdd(integers, sums.count(own.first_count), &saturated);
    }
  }
  if (family_.type == MetricType::kSummary) {
    series->count = integers;
  } else if (family_.type == MetricType::kCounter) {
    // Two halves of 32 bits, each exact as a double.
    value.Add(static_cast<double>(integers >> 32) * 4294967296.0);
    value.Add(static_cast<double>(integers & 0xFFFFFFFF));
  }
  series->value = value.value();
}

}  // namespace tine::collector
