// What a file source does with series that the writer has removed.

#include <algorithm>

#include "collector/file_source.h"

namespace tine::collector {
namespace {

bool IsAnything(const SeriesTargets& targets) {
  return targets.first_count != CellSums::kNobody ||
         targets.value != CellSums::kNobody ||
         targets.gauge != CellSums::kNobody;
}

}  // namespace

void FileSource::OnRemoved(uint64_t offset, const RemovedView& removed,
                           uint32_t cell_count) {
  Removal removal = {};
  removal.first_cell = removed.first_cell;
  removal.cell_count = cell_count;
  removal.end_offset = static_cast<uint32_t>(offset) + format::kRecordAlignment;
  new_removals_.push_back(removal);
}

// Several of a state set; none of what is served nowhere.
std::vector<SeriesTargets> FileSource::TargetsOf(const Removal& removal) const {
  std::vector<SeriesTargets> found;
  // Plain counts come first, the one cell that is none behind them.
  SeriesTargets targets;
  targets.first_count = targets_[IndexOf(removal.first_cell)];
  auto special = std::lower_bound(
      specials_.begin(), specials_.end(), removal.first_cell,
      [](const SpecialCell& a, uint32_t cell) { return a.cell < cell; });
  for (; special != specials_.end() &&
         special->cell < removal.first_cell + removal.cell_count;
       ++special) {
    if (special->kind == SpecialKind::kF64Count ||
        special->kind == SpecialKind::kF64Sum) {
      targets.value = special->target;
    } else if (special->target != CellSums::kNobody) {
      found.emplace_back().gauge = special->target;
    }
  }
  if (IsAnything(targets)) {
    found.push_back(targets);
  }
  return found;
}

// After the cells were laid out, before spans are packed.
void FileSource::NoteNewRemovals() {
  std::vector<Removal> gone;
  for (const auto& [gauge, removal] : new_state_removals_) {
    new_removals_.push_back(removal);
  }
  for (Removal& removal : new_removals_) {
    std::vector<SeriesTargets> targets = {removal.targets};
    if (removal.targets.gauge == CellSums::kNobody) {
      targets = TargetsOf(removal);
    }
    const bool is_taken = removal.end_offset <= taken_before_;
    bool is_gone = is_taken;
    for (const SeriesTargets& one : targets) {
      removal.targets = one;
      is_gone |= removal.targets.gauge != CellSums::kNobody;
      if (!is_taken) {
        removals_.push_back(removal);
      }
    }
    if (is_gone) {
      gone.push_back(removal);
    }
    removed_before_ = std::max(removed_before_, removal.end_offset);
  }
  std::vector<Removal>().swap(new_removals_);
  absl::flat_hash_map<uint32_t, Removal>().swap(new_state_removals_);
  std::stable_sort(removals_.begin(), removals_.end(),
                   [](const Removal& a, const Removal& b) {
                     return a.end_offset < b.end_offset;
                   });
  LetGo(gone);
}

// The same.
void FileSource::LetGo(const std::vector<Removal>& removals) {
  if (removals.empty()) {
    return;
  }
  std::vector<bool> is_gone(cells_.size());
  for (const Removal& removal : removals) {
    // What counts in an overflow series was not counted as one.
    for (const SeriesTargets& targets : TargetsOf(removal)) {
      series_count_ -= overflow_targets_.contains(KeyOf(targets)) ? 0 : 1;
    }
    const size_t first = IndexOf(removal.first_cell);
    for (size_t i = first; i < first + removal.cell_count; ++i) {
      is_gone[i] = true;
      targets_[i] = CellSums::kNobody;
      cells_[i] = 0;
    }
  }
  specials_.erase(std::remove_if(specials_.begin(), specials_.end(),
                                 [&](const SpecialCell& special) {
                                   return is_gone[IndexOf(special.cell)];
                                 }),
                  specials_.end());
}

std::vector<FileSource::Removal> FileSource::SettledRemovals() const {
  std::vector<Removal> settled;
  for (const Removal& removal : removals_) {
    if (removal.end_offset <= settled_before_) {
      settled.push_back(removal);
    }
  }
  return settled;
}

bool FileSource::HasRemovalsFor(const TargetStamps& archived) const {
  for (const Removal& removal : SettledRemovals()) {
    if (removal.targets.gauge == CellSums::kNobody ||
        archived.Of(removal.targets) != 0) {
      return true;
    }
  }
  return false;
}

void FileSource::StampRemoved(uint32_t owner, TargetStamps* owners) const {
  for (const Removal& removal : SettledRemovals()) {
    owners->Join(removal.targets, 1, owner);
  }
}

void FileSource::StampHeld(TargetStamps* stamps) const {
  std::vector<bool> is_removed(cells_.size());
  for (const Removal& removal : SettledRemovals()) {
    const size_t first = IndexOf(removal.first_cell);
    for (size_t i = first; i < first + removal.cell_count; ++i) {
      is_removed[i] = true;
    }
  }
  for (const Span& span : spans_) {
    for (uint32_t i = 0; i < span.count; ++i) {
      if (!is_removed[span.first_cell + i]) {
        stamps->SetCounts(span.first_target + i, 1, 1);
      }
    }
  }
  for (size_t i = 0; i < targets_.size(); ++i) {
    if (!is_removed[i]) {
      stamps->SetCounts(targets_[i], 1, 1);
    }
  }
  for (const SpecialCell& special : specials_) {
    if (is_removed[IndexOf(special.cell)]) {
      continue;
    }
    if (special.kind == SpecialKind::kF64Count ||
        special.kind == SpecialKind::kF64Sum) {
      stamps->SetValue(special.target, 1);
    } else {
      stamps->SetGauge(special.target, 1);
    }
  }
}

void FileSource::TakeRemovedInto(uint32_t now_s, uint32_t owner, CellSums* sums,
                                 TargetStamps* stamps,
                                 TargetStamps* owners) const {
  for (const Removal& removal : SettledRemovals()) {
    const SeriesTargets& targets = removal.targets;
    if (targets.gauge != CellSums::kNobody) {
      continue;  // it counts for nothing already
    }
    const bool has_value = targets.value != CellSums::kNobody;
    const size_t count_count = removal.cell_count - (has_value ? 1 : 0);
    if (count_count != 0) {
      AddSaturating(cells_.data() + IndexOf(removal.first_cell), count_count,
                    sums->counts() + targets.first_count);
    }
    if (has_value) {
      const uint32_t cell = removal.first_cell + removal.cell_count - 1;
      const auto special = std::lower_bound(
          specials_.begin(), specials_.end(), cell,
          [](const SpecialCell& a, uint32_t value) { return a.cell < value; });
      sums->value(targets.value).Add(SumOf(*special));
    }
    stamps->Set(targets, count_count, now_s);
    owners->Join(targets, count_count, owner);
  }
}

void FileSource::ForgetRemoved() {
  UnpackSpans();
  LetGo(SettledRemovals());
  IndexSpecials();
  ListHoles();
  PackSpans();
  removals_.erase(std::remove_if(removals_.begin(), removals_.end(),
                                 [this](const Removal& removal) {
                                   return removal.end_offset <= settled_before_;
                                 }),
                  removals_.end());
  taken_before_ = settled_before_;
}

}  // namespace tine::collector
