#include "collector/file_source.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

#include "common/metric_names.h"
#include "common/record_codec.h"

namespace tine::collector {
namespace {

using format::kCellsPerBlock;
using format::MetricType;
using format::ValueKind;

// A sum over slots of doubles that never fall may seem to fall by the rounding
// of its last bit.
constexpr double kRoundingSlack = 1e-12;

uint64_t ToNs(double seconds) {
  constexpr double kLongestS = 1e9;  // three decades
  const auto ns = static_cast<uint64_t>(std::min(seconds, kLongestS) * 1e9);
  return ns == 0 && seconds > 0 ? 1 : ns;
}

// (Assigning an empty list or clear() would keep it.)
template <typename T>
void FreeMemory(std::vector<T>* values) {
  std::vector<T>().swap(*values);
}

}  // namespace

FileSource::FileSource(MergedView* view, const WriterIdentity* writer,
                       Options options)
    : view_(view),
      writer_(writer),
      options_(std::move(options)),
      budget_(options_.budget != nullptr ? options_.budget : &unlimited_),
      taken_before_(options_.taken_before),
      removed_before_(taken_before_),
      settled_before_(taken_before_) {
  chunks_.resize(1);
}

// ---- Records ----------------------------------------------------------------

void FileSource::OnFamily(uint64_t /*offset*/, const FamilyView& family) {
  Family known = {};
  known.type = family.type;
  known.value_kind = family.value_kind;
  known.gauge_mode = family.gauge_mode;
  known.time_to_live_ns = ToNs(family.time_to_live_s);
  FamilyView declared = family;
  std::string label_names;
  if (family.type == MetricType::kStateSet) {
    declared = WithStateLabel(family, &label_names);
  }
  const std::optional<FamilyHandle> handle = view_->Declare(declared, budget_);
  known.is_refused = !handle.has_value();
  if (handle.has_value()) {
    known.handle = *handle;
    if (family.type == MetricType::kStateSet) {
      NoteStateNames(family);
    }
    const size_t label_count = declared.label_names.size() +
                               writer_->process_label_count +
                               (IsAllMode(family.gauge_mode) ? 1 : 0);
    max_label_count_ = std::max(max_label_count_, label_count);
    label_clash_count_ +=
        SeriesKeyBuilder(declared.label_names, writer_->process_labels(),
                         PidLabelOf(family.gauge_mode))
            .clash_count();
  }
  families_.push_back(known);
}

void FileSource::OnSeries(uint64_t /*offset*/, const SeriesView& series,
                          uint32_t family_number) {
  // The values alone, not the labels that they become: those may be many times
  // longer, and are limited when they are declared.
  const StringListView& values = series.label_values;
  new_series_.push_back({family_number, series.first_cell, series.cell_count,
                         series.created_wall_ns, new_values_.size(),
                         values.size_bytes(), values.size()});
  new_values_.append(reinterpret_cast<const char*>(values.bytes()),
                     values.size_bytes());
}

void FileSource::DeclareNewSeries() {
  absl::flat_hash_map<uint32_t, Removal*> removed;  // by first cell
  for (Removal& removal : new_removals_) {
    removed.emplace(removal.first_cell, &removal);
  }
  for (const NewSeries& series : new_series_) {
    const auto it = removed.find(series.first_cell);
    DeclareSeries(series, it == removed.end() ? nullptr : it->second);
  }
  scans_.clear();
  FreeMemory(&new_series_);
  std::string().swap(new_values_);
}

// `removal`: it was removed in the same scan.
void FileSource::DeclareSeries(const NewSeries& series, Removal* removal) {
  const Family& family = families_[series.family_number];
  if ((options_.is_writer_dead && IsLiveMode(family.gauge_mode)) ||
      (removal != nullptr && removal->end_offset <= taken_before_)) {
    return;
  }
  if (family.type == MetricType::kStateSet) {
    DeclareStates(series, removal);
    return;
  }
  const bool is_gone =
      removal != nullptr &&
      (IsSetType(family.type) || family.type == MetricType::kUpDownCounter);
  if (is_gone) {
    removal->targets = FindRemovedGauge(series, ValuesOf(series));
    return;
  }
  std::optional<SeriesTargets> targets;
  if (!family.is_refused) {
    targets = FindPlace(series, ValuesOf(series));
  }
  if (!targets.has_value()) {
    ++refused_series_count_;
    // (A live mode leaves nothing to lose.)
    has_refused_counts_ |=
        !IsSetType(family.type) && !IsLiveMode(family.gauge_mode);
    return;
  }
  has_live_mode_series_ |= IsLiveMode(family.gauge_mode);
  AddCells(family, series.first_cell, series.cell_count, *targets);
}

FileSource::FamilyScan* FileSource::ScanOf(uint32_t family_number) {
  std::unique_ptr<FamilyScan>& scan = scans_[family_number];
  if (scan == nullptr) {
    const Family& family = families_[family_number];
    scan = std::make_unique<FamilyScan>(
        FamilyScan{SeriesKeyBuilder(view_->label_names(family.handle),
                                    writer_->process_labels(),
                                    PidLabelOf(family.gauge_mode)),
                   std::nullopt});
  }
  return scan.get();
}

StringListView FileSource::ValuesOf(const NewSeries& series) const {
  return StringListView(reinterpret_cast<const uint8_t*>(new_values_.data()) +
                            series.values_offset,
                        series.values_bytes, series.value_count);
}

// What is gone is not made for this, but the archive may have it.
SeriesTargets FileSource::FindRemovedGauge(const NewSeries& series,
                                           const StringListView& values) {
  const Family& family = families_[series.family_number];
  if (family.is_refused) {
    return {};
  }
  SeriesBudget nothing;
  nothing.series_left = 0;
  nothing.overflow_series_left = 0;
  return view_
      ->FindOrAddSeries(family.handle,
                        ScanOf(series.family_number)->builder.Build(values),
                        series.created_wall_ns, &nothing)
      .value_or(SeriesTargets());
}

// What has no place of its own and can be added up goes to its family's
// overflow series, so that the sum over the family stays true. Then several
// series of this file share the sums.
std::optional<SeriesTargets> FileSource::FindPlace(
    const NewSeries& series, const StringListView& values) {
  const Family& family = families_[series.family_number];
  FamilyScan* scan = ScanOf(series.family_number);
  std::optional<SeriesTargets> targets;
  if (series_count_ < options_.max_series) {
    targets = view_->FindOrAddSeries(family.handle, scan->builder.Build(values),
                                     series.created_wall_ns, budget_);
  }
  series_count_ += targets.has_value() ? 1 : 0;
  if (targets.has_value() || IsSetType(family.type)) {
    return targets;
  }
  if (!scan->overflow.has_value()) {
    scan->overflow =
        view_->FindOrAddOverflow(family.handle, scan->builder.BuildOverflow(),
                                 series.created_wall_ns, budget_);
  }
  if (scan->overflow.has_value()) {
    ++overflowed_series_count_;
    overflow_targets_.insert(KeyOf(*scan->overflow));
  }
  return scan->overflow;
}

std::string_view FileSource::PidLabelOf(format::GaugeMode mode) const {
  return IsAllMode(mode) ? std::string_view(options_.pid_label)
                         : std::string_view();
}

void FileSource::OnCells(uint64_t /*offset*/, const CellsView& /*cells*/) {
  // The reader keeps them.
}

void FileSource::AddCells(const Family& family, uint32_t first_cell,
                          uint32_t cell_count, const SeriesTargets& targets) {
  const bool is_live_mode = IsLiveMode(family.gauge_mode);
  switch (family.type) {
    case MetricType::kCounter:
      if (family.value_kind == ValueKind::kU64) {
        new_counts_.push_back({first_cell, 1, targets.first_count});
      } else {
        AddSpecial(SpecialKind::kF64Count, first_cell, targets.value, false);
      }
      break;
    case MetricType::kHistogram:
    case MetricType::kSummary:
      new_counts_.push_back({first_cell, cell_count - 1, targets.first_count});
      AddSpecial(SpecialKind::kF64Sum, first_cell + cell_count - 1,
                 targets.value, false);
      break;
    case MetricType::kUpDownCounter:
      AddSpecial(SpecialKind::kUpDownCount, first_cell, targets.gauge,
                 is_live_mode);
      break;
    case MetricType::kGauge:
    case MetricType::kInfo: {
      const bool is_recent = IsMostRecentMode(family.gauge_mode);
      AddSpecial(is_recent ? SpecialKind::kRecentGauge : SpecialKind::kGauge,
                 first_cell, targets.gauge, is_live_mode);
      has_times_ |= is_recent;
      AddSetTime(family, first_cell + cell_count - 1, specials_.size() - 1);
      break;
    }
    case MetricType::kStateSet:  // DeclareStates
    case MetricType::kNone:
      break;
  }
}

void FileSource::AddSpecial(SpecialKind kind, uint32_t cell, uint32_t target,
                            bool is_live_mode, uint8_t bit) {
  SpecialCell special = {};
  special.cell = cell;
  special.target = target;
  special.kind = kind;
  special.is_live_mode = is_live_mode;
  special.bit = bit;
  specials_.push_back(special);
}

void FileSource::FinishScan(const std::vector<uint32_t>& chunk_cell_counts) {
  DeclareNewSeries();
  UnpackSpans();
  LayOutCells(chunk_cell_counts);
  for (const NewCounts& added : new_counts_) {
    const uint32_t first = chunks_[added.cell / kCellsPerBlock].first_cell +
                           added.cell % kCellsPerBlock;
    for (uint32_t i = 0; i < added.count; ++i) {
      targets_[first + i] = added.first_target + i;
    }
  }
  FreeMemory(&new_counts_);
  // (Stable: the states of a set have one cell, and stay in their order.)
  std::stable_sort(specials_.begin(), specials_.end(),
                   [](const SpecialCell& a, const SpecialCell& b) {
                     return a.cell < b.cell;
                   });
  NoteNewRemovals();
  IndexSpecials();
  ListHoles();
  PackSpans();
}

void FileSource::IndexSpecials() {
  size_t special = 0;
  for (size_t chunk = 0; chunk < chunks_.size(); ++chunk) {
    while (special < specials_.size() &&
           specials_[special].cell / kCellsPerBlock < chunk) {
      ++special;
    }
    chunks_[chunk].first_special = static_cast<uint32_t>(special);
  }
}

void FileSource::LayOutCells(const std::vector<uint32_t>& chunk_cell_counts) {
  std::vector<Chunk> chunks(chunk_cell_counts.size() + 1);
  uint32_t cell_count = 0;
  for (size_t i = 0; i < chunk_cell_counts.size(); ++i) {
    chunks[i].first_cell = cell_count;
    cell_count += chunk_cell_counts[i];
  }
  chunks.back().first_cell = cell_count;
  std::vector<uint64_t> cells(cell_count);
  std::vector<uint32_t> targets(cell_count, CellSums::kNobody);
  for (size_t i = 0; i + 1 < chunks_.size(); ++i) {
    const uint32_t first = chunks_[i].first_cell;
    const uint32_t end = chunks_[i + 1].first_cell;
    std::copy(cells_.begin() + first, cells_.begin() + end,
              cells.begin() + chunks[i].first_cell);
    std::copy(targets_.begin() + first, targets_.begin() + end,
              targets.begin() + chunks[i].first_cell);
  }
  chunks_ = std::move(chunks);
  cells_ = std::move(cells);
  targets_ = std::move(targets);
}

void FileSource::ListHoles() {
  holes_.clear();
  for (size_t chunk = 0; chunk + 1 < chunks_.size(); ++chunk) {
    chunks_[chunk].first_hole = static_cast<uint32_t>(holes_.size());
    const uint32_t first = chunks_[chunk].first_cell;
    const uint32_t end = chunks_[chunk + 1].first_cell;
    for (uint32_t i = first; i < end; ++i) {
      if (targets_[i] != CellSums::kNobody) {
        continue;
      }
      if (i == first || targets_[i - 1] != CellSums::kNobody) {
        holes_.push_back({static_cast<uint16_t>(i - first), 0});
      }
      ++holes_.back().count;
    }
  }
  chunks_.back().first_hole = static_cast<uint32_t>(holes_.size());
  holes_.shrink_to_fit();
}

void FileSource::UnpackSpans() {
  if (!targets_.empty()) {
    return;
  }
  targets_.assign(cells_.size(), CellSums::kNobody);
  for (const Span& span : spans_) {
    for (uint32_t i = 0; i < span.count; ++i) {
      targets_[span.first_cell + i] = span.first_target + i;
    }
  }
  FreeMemory(&spans_);
}

void FileSource::PackSpans() {
  // Below this, a span costs more time than its cells cost one by one.
  constexpr size_t kMinCellsPerSpan = 8;
  const size_t max_spans = targets_.size() / kMinCellsPerSpan + 1;
  std::vector<Span> spans;
  for (uint32_t i = 0; i < targets_.size(); ++i) {
    if (targets_[i] == CellSums::kNobody) {
      continue;
    }
    if (!spans.empty() && spans.back().first_cell + spans.back().count == i &&
        spans.back().first_target + spans.back().count == targets_[i]) {
      ++spans.back().count;
      continue;
    }
    if (spans.size() == max_spans) {
      return;
    }
    spans.push_back({i, targets_[i], 1});
  }
  spans.shrink_to_fit();
  spans_ = std::move(spans);
  FreeMemory(&targets_);
}

// ---- Numbers ----------------------------------------------------------------

bool FileSource::ReadNumbers(MetricFileReader* reader, ReadScratch* scratch) {
  if (!reader->ReadCells(&scratch->bytes)) {
    return false;
  }
  scratch->specials.assign(specials_.size(), {});
  scratch->chunk_cells.assign(chunks_.size() - 1, nullptr);
  if (has_times_ && !TakeTimes(reader, scratch)) {
    return false;
  }
  TakeBlocks(reader->blocks(), scratch);
  const std::optional<uint32_t> fallen = FindFallenCell(*scratch);
  if (fallen.has_value()) {
    reader->Freeze("counter_fell", reader->OffsetOfCell(*fallen));
    return false;
  }
  Keep(*scratch);
  settled_before_ = removed_before_;
  return true;
}

// The writer stores a value before its timestamp. So the timestamp is taken
// from the first read of a block and the value from a second one: a value is
// then at least as new as the time it is given.
bool FileSource::TakeTimes(MetricFileReader* reader,
                           ReadScratch* scratch) const {
  for (const CellBlock& block : reader->blocks()) {
    if (block.slot != 0) {
      continue;
    }
    bool has_timestamps = false;
    const auto* cells = reinterpret_cast<const uint64_t*>(
        scratch->bytes.data() + block.buffer_offset);
    for (uint32_t i = chunks_[block.chunk].first_special;
         i < chunks_[block.chunk + 1].first_special; ++i) {
      const uint32_t cell = specials_[i].cell % kCellsPerBlock;
      if (specials_[i].kind == SpecialKind::kRecentGauge ||
          specials_[i].kind == SpecialKind::kRecentState) {
        scratch->specials[i].extra = cells[cell + 1];
        has_timestamps = true;
      } else if (specials_[i].kind == SpecialKind::kSetTime) {
        scratch->specials[i].value = cells[cell];
        has_timestamps = true;
      }
    }
    std::atomic_thread_fence(std::memory_order_acquire);
    if (has_timestamps && !reader->ReadCellsAgain(block, &scratch->bytes)) {
      return false;
    }
  }
  return true;
}

void FileSource::TakeBlocks(const std::vector<CellBlock>& blocks,
                            ReadScratch* scratch) {
  saturated_slot_count_ = 0;
  for (const CellBlock& block : blocks) {
    auto* cells = reinterpret_cast<uint64_t*>(scratch->bytes.data() +
                                              block.buffer_offset);
    TakeSpecials(block, cells, scratch);
    const Chunk& chunk = chunks_[block.chunk];
    const Chunk& next = chunks_[block.chunk + 1];
    for (uint32_t i = chunk.first_hole; i < next.first_hole; ++i) {
      std::fill_n(cells + holes_[i].first_in_chunk, holes_[i].count, 0);
    }
    uint64_t*& sum = scratch->chunk_cells[block.chunk];
    if (sum == nullptr) {
      sum = cells;  // slot 0: its block comes first, the scanner sees to that
    } else {
      saturated_slot_count_ +=
          AddSaturating(cells, next.first_cell - chunk.first_cell, sum);
    }
  }
}

void FileSource::TakeSpecials(const CellBlock& block, const uint64_t* cells,
                              ReadScratch* scratch) const {
  for (uint32_t i = chunks_[block.chunk].first_special;
       i < chunks_[block.chunk + 1].first_special; ++i) {
    const uint64_t cell = cells[specials_[i].cell % kCellsPerBlock];
    ReadScratch::FreshValue& fresh = scratch->specials[i];
    switch (specials_[i].kind) {
      case SpecialKind::kF64Count:
      case SpecialKind::kF64Sum: {
        ExactSum sum(DecodeF64Cell(fresh.value), DecodeF64Cell(fresh.extra));
        sum.Add(DecodeF64Cell(cell));
        fresh.value = EncodeF64Cell(sum.high());
        fresh.extra = EncodeF64Cell(sum.low());
        break;
      }
      case SpecialKind::kUpDownCount:
        fresh.value += cell;  // two's complement
        break;
      case SpecialKind::kGauge:
      case SpecialKind::kRecentGauge:
        if (block.slot == 0) {
          fresh.value = cell;
        }
        break;
      case SpecialKind::kState:
      case SpecialKind::kRecentState:
        if (block.slot == 0) {
          fresh.value = cell >> specials_[i].bit & 1;
        }
        break;
      case SpecialKind::kSetTime:
        break;  // TakeTimes
    }
  }
}

std::optional<uint32_t> FileSource::FindFallenCell(
    const ReadScratch& scratch) const {
  for (uint32_t chunk = 0; chunk + 1 < chunks_.size(); ++chunk) {
    const uint32_t first = chunks_[chunk].first_cell;
    const uint32_t count = chunks_[chunk + 1].first_cell - first;
    const uint64_t* cells = scratch.chunk_cells[chunk];
    if (!HasFallen(cells, cells_.data() + first, count)) {
      continue;
    }
    uint32_t i = 0;
    while (cells[i] >= cells_[first + i]) {
      ++i;
    }
    return chunk * kCellsPerBlock + i;
  }
  for (size_t i = 0; i < specials_.size(); ++i) {
    if (specials_[i].kind != SpecialKind::kF64Count) {
      continue;
    }
    const double before = DecodeF64Cell(specials_[i].value);
    const double now = DecodeF64Cell(scratch.specials[i].value);
    // Written so that NaN fails.
    if (!(now >= before || now >= before - before * kRoundingSlack)) {
      return specials_[i].cell;
    }
  }
  return std::nullopt;
}

void FileSource::Keep(const ReadScratch& scratch) {
  for (size_t i = 0; i + 1 < chunks_.size(); ++i) {
    const uint32_t first = chunks_[i].first_cell;
    const uint32_t count = chunks_[i + 1].first_cell - first;
    // (Not memcpy: a chunk without cells may have no memory.)
    std::copy_n(scratch.chunk_cells[i], count, cells_.begin() + first);
  }
  for (size_t i = 0; i < specials_.size(); ++i) {
    const ReadScratch::FreshValue& fresh = scratch.specials[i];
    // What is within the slack is no damage, but is not served either: one unit
    // less in the last place is a reset to whoever reads it.
    if (specials_[i].kind == SpecialKind::kF64Count &&
        DecodeF64Cell(fresh.value) < DecodeF64Cell(specials_[i].value)) {
      continue;
    }
    specials_[i].value = fresh.value;
    if (specials_[i].kind != SpecialKind::kSetTime) {
      specials_[i].extra = fresh.extra;
    }
  }
}

size_t FileSource::AddTo(CellSums* sums, const WriterRank& rank) const {
  size_t saturated_count = 0;
  for (const Span& span : spans_) {
    saturated_count +=
        AddSaturating(cells_.data() + span.first_cell, span.count,
                      sums->counts() + span.first_target);
  }
  if (!targets_.empty()) {
    saturated_count += AddSaturatingTo(targets_.data(), cells_.data(),
                                       targets_.size(), sums->counts());
  }
  AddSpecialsTo(sums, rank);
  return saturated_count;
}

ExactSum FileSource::SumOf(const SpecialCell& special) {
  return ExactSum(DecodeF64Cell(special.value), DecodeF64Cell(special.extra));
}

void FileSource::AddSpecialsTo(CellSums* sums, const WriterRank& rank) const {
  const Clocks now = ReadClocks();
  for (const SpecialCell& special : specials_) {
    if (special.is_live_mode && !rank.is_live) {
      continue;
    }
    switch (special.kind) {
      case SpecialKind::kF64Count:
      case SpecialKind::kF64Sum:
        sums->value(special.target).Add(SumOf(special));
        break;
      case SpecialKind::kUpDownCount:
        sums->gauge(special.target)
            .AddCount(static_cast<int64_t>(special.value));
        break;
      case SpecialKind::kGauge:
      case SpecialKind::kRecentGauge:
      case SpecialKind::kState:
      case SpecialKind::kRecentState: {
        double value;
        uint64_t expires_wall_ns;
        if (IsSet(special, now, &value, &expires_wall_ns)) {
          sums->gauge(special.target)
              .Add(value, special.extra, rank, expires_wall_ns);
        }
        break;
      }
      case SpecialKind::kSetTime:
        break;
    }
  }
}

void FileSource::OfferDeclarations(const SourceRank& rank) const {
  ForEachFamily(
      [&](const FamilyHandle& family) { view_->Offer(family, rank); });
}

void FileSource::ForEachFamily(
    const std::function<void(const FamilyHandle&)>& use) const {
  for (const Family& family : families_) {
    if (!family.is_refused) {
      use(family.handle);
    }
  }
}

template <typename Counts, typename Value, typename Gauge>
void FileSource::ForEachTarget(Which which, const Counts& counts,
                               const Value& value, const Gauge& gauge) const {
  for (const Span& span : spans_) {
    counts(span.first_target, span.count);
  }
  for (const uint32_t target : targets_) {
    counts(target, 1);
  }
  const Clocks now = ReadClocks();
  for (const SpecialCell& special : specials_) {
    if (special.kind == SpecialKind::kF64Count ||
        special.kind == SpecialKind::kF64Sum) {
      value(special.target);
      continue;
    }
    // A gauge that was never set leaves nothing.
    double ignored;
    uint64_t ignored_ns;
    const bool is_set = special.kind == SpecialKind::kUpDownCount ||
                        IsSet(special, now, &ignored, &ignored_ns);
    if (which == Which::kAll || (is_set && !special.is_live_mode)) {
      gauge(special.target);
    }
  }
}

void FileSource::Stamp(Which which, uint32_t stamp,
                       TargetStamps* stamps) const {
  ForEachTarget(
      which,
      [&](uint32_t first, size_t count) {
        stamps->SetCounts(first, count, stamp);
      },
      [&](uint32_t target) { stamps->SetValue(target, stamp); },
      [&](uint32_t target) { stamps->SetGauge(target, stamp); });
}

void FileSource::JoinOwner(uint32_t owner, TargetStamps* owners) const {
  ForEachTarget(
      Which::kLasting,
      [&](uint32_t first, size_t count) {
        owners->JoinCounts(first, count, owner);
      },
      [&](uint32_t target) { owners->JoinValue(target, owner); },
      [&](uint32_t target) { owners->JoinGauge(target, owner); });
}

}  // namespace tine::collector
