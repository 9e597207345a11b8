// What a file source does with values that are set: states, and times to live.

#include <algorithm>

#include "collector/file_source.h"
#include "common/clock.h"
#include "common/metric_names.h"

namespace tine::collector {
namespace {

// `strings` and `text` behind them, in `packed`.
StringListView WithOneMore(const StringListView& strings, std::string_view text,
                           std::string* packed) {
  packed->assign(reinterpret_cast<const char*>(strings.bytes()),
                 strings.size_bytes());
  packed->resize(packed->size() + 2 + text.size());
  auto* bytes = reinterpret_cast<uint8_t*>(packed->data());
  AppendString(bytes + strings.size_bytes(), text);
  return StringListView(bytes, packed->size(), strings.size() + 1);
}

}  // namespace

// ---- State sets -------------------------------------------------------------

void FileSource::NoteStateNames(const FamilyView& family) {
  std::vector<std::string>& states =
      state_names_[static_cast<uint32_t>(families_.size())];
  for (const std::string_view state : family.state_names) {
    states.emplace_back(state);
  }
}

FamilyView FileSource::WithStateLabel(const FamilyView& family,
                                      std::string* label_names) {
  FamilyView declared = family;
  declared.value_kind = format::ValueKind::kF64;
  declared.label_names =
      WithOneMore(family.label_names, family.name, label_names);
  return declared;
}

void FileSource::DeclareStates(const NewSeries& series,
                               const Removal* removal) {
  const Family& family = families_[series.family_number];
  if (family.is_refused) {
    refused_series_count_ += removal == nullptr ? 1 : 0;
    return;
  }
  const bool is_live_mode = IsLiveMode(family.gauge_mode);
  const bool is_recent = IsMostRecentMode(family.gauge_mode);
  const size_t first_special = specials_.size();
  std::string packed;
  uint8_t bit = 0;
  for (const std::string& state : state_names_[series.family_number]) {
    const StringListView values = WithOneMore(ValuesOf(series), state, &packed);
    if (removal != nullptr) {
      NoteRemovedState(FindRemovedGauge(series, values), *removal);
      continue;
    }
    const std::optional<SeriesTargets> targets = FindPlace(series, values);
    if (targets.has_value()) {
      AddSpecial(is_recent ? SpecialKind::kRecentState : SpecialKind::kState,
                 series.first_cell, targets->gauge, is_live_mode, bit);
    }
    refused_series_count_ += targets.has_value() ? 0 : 1;
    ++bit;
  }
  if (specials_.size() != first_special) {
    has_live_mode_series_ |= is_live_mode;
    has_times_ |= is_recent;
    AddSetTime(family, series.first_cell + series.cell_count - 1,
               first_special);
  }
}

// One for each state that the view has, the last, however often a hostile
// writer adds and removes it.
void FileSource::NoteRemovedState(const SeriesTargets& targets,
                                  const Removal& removal) {
  if (targets.gauge == CellSums::kNobody) {
    return;
  }
  Removal& noted = new_state_removals_[targets.gauge];
  if (noted.end_offset < removal.end_offset) {
    noted = removal;
    noted.targets = targets;
  }
}

// ---- Times to live ----------------------------------------------------------

// For those from `first_special` on, which are one series'.
void FileSource::AddSetTime(const Family& family, uint32_t last_cell,
                            size_t first_special) {
  if (family.time_to_live_ns == 0) {
    return;
  }
  for (size_t i = first_special; i < specials_.size(); ++i) {
    specials_[i].set_time_distance = static_cast<uint8_t>(specials_.size() - i);
  }
  AddSpecial(SpecialKind::kSetTime, last_cell, CellSums::kNobody, false);
  specials_.back().extra = family.time_to_live_ns;
  has_times_ = true;
  has_times_to_live_ = true;
}

// Of a file without times to live it is no matter.
FileSource::Clocks FileSource::ReadClocks() const {
  if (!has_times_to_live_) {
    return {};
  }
  return {NowNs(CLOCK_BOOTTIME), NowNs(CLOCK_REALTIME)};
}

bool FileSource::IsSet(const SpecialCell& special, const Clocks& now,
                       double* value, uint64_t* expires_wall_ns) const {
  *expires_wall_ns = 0;
  if (special.kind == SpecialKind::kState ||
      special.kind == SpecialKind::kRecentState) {
    *value = static_cast<double>(special.value);
    if (special.kind == SpecialKind::kRecentState && special.extra == 0) {
      return false;
    }
  } else if (!DecodeGaugeCell(special.value, value)) {
    return false;
  }
  if (special.set_time_distance == 0) {
    return true;
  }
  const SpecialCell& set_time = *(&special + special.set_time_distance);
  if (set_time.value == 0) {
    return false;
  }
  // Where the boot clock is another one, the wall clock tells how old the file
  // is, and the boot clock how old it was then.
  uint64_t now_ns = now.boot_ns;
  if (!options_.is_boot_clock_shared) {
    now_ns = now.wall_ns - writer_->created_wall_ns + writer_->created_boot_ns;
  }
  const auto age_ns = static_cast<int64_t>(now_ns - set_time.value);
  const uint64_t left_ns =
      set_time.extra - static_cast<uint64_t>(std::max<int64_t>(age_ns, 0));
  *expires_wall_ns = now.wall_ns + left_ns;
  return age_ns < static_cast<int64_t>(set_time.extra);
}

}  // namespace tine::collector
