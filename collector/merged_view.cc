#include "collector/merged_view.h"

#include <algorithm>
#include <utility>

namespace tine::collector {
namespace {

using format::MetricType;

// The names that a histogram's or a summary's samples get.
struct SampleSuffix {
  std::string_view text;
  bool is_of_summary;
};
constexpr SampleSuffix kSampleSuffixes[] = {
    {"_bucket", false}, {"_count", true}, {"_sum", true}};

bool EndsWith(std::string_view text, std::string_view end) {
  return text.size() >= end.size() &&
         text.substr(text.size() - end.size()) == end;
}

}  // namespace

FamilyGroup* MergedView::FindOrAddGroup(std::string_view name,
                                        SeriesBudget* budget, uint32_t* index) {
  std::string key(name);
  const auto it = group_indexes_.find(key);
  if (it != group_indexes_.end()) {
    *index = it->second;
    return groups_[*index].get();
  }
  if (group_indexes_.size() >= limits_.max_families ||
      budget->families_left == 0 || budget->text_bytes_left == 0) {
    return nullptr;
  }
  --budget->families_left;
  if (free_groups_.empty()) {
    *index = static_cast<uint32_t>(groups_.size());
    groups_.emplace_back();
  } else {
    *index = free_groups_.back();
    free_groups_.pop_back();
  }
  groups_[*index] = std::make_unique<FamilyGroup>(key, budget->owner);
  group_indexes_.emplace(std::move(key), *index);
  return groups_[*index].get();
}

std::optional<FamilyHandle> MergedView::Declare(const FamilyView& family,
                                                SeriesBudget* budget) {
  FamilyHandle handle = {};
  FamilyGroup* group = FindOrAddGroup(family.name, budget, &handle.group);
  if (group == nullptr) {
    ++refused_family_count_;
    return std::nullopt;
  }
  const bool had_conflict = group->has_conflict();
  const std::optional<uint32_t> declaration = group->Declare(family, budget);
  conflict_count_ += group->has_conflict() && !had_conflict ? 1 : 0;
  const std::optional<uint32_t> names =
      group->KeepLabelNames(family.label_names, *budget);
  std::optional<uint32_t> part;
  if (declaration.has_value()) {
    part = group->variant(group->declarations()[*declaration].variant)
               ->FindOrAddPart(family.value_kind, family.bounds,
                               family.bound_count, budget);
  }
  if (!names.has_value() || !part.has_value()) {
    ++refused_family_count_;
    return std::nullopt;
  }
  handle.declaration = *declaration;
  handle.part = *part;
  handle.label_names = *names;
  return handle;
}

std::optional<SeriesTargets> MergedView::FindOrAddSeries(
    const FamilyHandle& family, LabelSet labels, uint64_t created_wall_ns,
    SeriesBudget* budget) {
  const bool may_add =
      series_count_ - overflow_series_count_ < limits_.max_series ||
      budget->is_of_archive;
  return FindOrAdd(family, {std::move(labels), created_wall_ns, false}, may_add,
                   budget);
}

std::optional<SeriesTargets> MergedView::FindOrAddOverflow(
    const FamilyHandle& family, LabelSet labels, uint64_t created_wall_ns,
    SeriesBudget* budget) {
  const size_t count_before = series_count_;
  const std::optional<SeriesTargets> targets =
      FindOrAdd(family, {std::move(labels), created_wall_ns, true},
                overflow_series_count_ < limits_.max_families, budget);
  overflow_series_count_ += series_count_ - count_before;
  return targets;
}

std::optional<SeriesTargets> MergedView::FindOrAdd(
    const FamilyHandle& family, FamilyVariant::NewSeries added, bool may_add,
    SeriesBudget* budget) {
  FamilyGroup& group = *groups_[family.group];
  FamilyVariant* variant =
      group.variant(group.declarations()[family.declaration].variant);
  const size_t count_before = variant->series_count();
  const std::optional<SeriesTargets> targets = variant->FindOrAddSeries(
      family.part, std::move(added), may_add, budget, &sums_);
  if (variant->series_count() != count_before) {
    ++series_count_;
    if (newborn_.has_value()) {
      newborn_->Add(variant);
    }
  }
  // A family is served from its first series on.
  is_choice_stale_ |= count_before == 0;
  return targets;
}

void MergedView::ForEachSeries(
    const std::function<void(const SeriesPart&)>& use) const {
  for (uint32_t i = 0; i < groups_.size(); ++i) {
    for (uint32_t j = 0; j < groups_[i]->variant_count(); ++j) {
      const FamilyVariant* family = groups_[i]->variant(j);
      family->ForEachSeries([&](const FamilyVariant::PartOfSeries& part) {
        use({i, j, family, part});
      });
    }
  }
}

void MergedView::BeginSweep() { uses_.assign(groups_.size(), {}); }

void MergedView::Use(const FamilyHandle& family) {
  UseDeclaration(family.group, family.declaration);
  FamilyGroup::Use& use = uses_[family.group];
  use.label_names |= uint64_t{1} << family.label_names;
  const uint32_t variant =
      groups_[family.group]->declarations()[family.declaration].variant;
  use.parts.resize(std::max<size_t>(use.parts.size(), variant + 1));
  use.parts[variant] |= uint32_t{1} << family.part;
}

void MergedView::UseDeclaration(uint32_t group, uint32_t declaration) {
  uses_[group].declarations |= uint64_t{1} << declaration;
}

void MergedView::EndSweep(const FamilyVariant::UsesTargets& uses,
                          const FamilyVariant::ReturnBudget& give_back) {
  conflict_count_ = 0;
  const auto count_and_give_back = [&](uint64_t owner,
                                       const ReturnedBudget& returned) {
    overflow_series_count_ -= returned.is_overflow ? returned.series : 0;
    give_back(owner, returned);
  };
  for (uint32_t i = 0; i < groups_.size(); ++i) {
    const FamilyGroup& group = *groups_[i];
    series_count_ -=
        groups_[i]->Sweep(uses_[i], uses, count_and_give_back, &sums_);
    conflict_count_ += group.has_conflict() ? 1 : 0;
    const auto it = group_indexes_.find(group.name());
    if (group.is_empty() && it != group_indexes_.end() && it->second == i) {
      group_indexes_.erase(it);
      free_groups_.push_back(i);
      give_back(group.owner(), {1, 0, 0});
    }
  }
  if (newborn_.has_value()) {
    newborn_->ForgetGone();  // their families may be gone too
  }
  uses_.clear();
  is_choice_stale_ = true;
}

void MergedView::BeginRanking() {
  for (const auto& group : groups_) {
    group->BeginRanking();
  }
}

void MergedView::Offer(const FamilyHandle& family, const SourceRank& rank) {
  groups_[family.group]->Offer(family.declaration, rank);
}

void MergedView::OfferOfTheDead(
    const absl::flat_hash_set<std::pair<uint32_t, uint32_t>>& declarations) {
  for (const auto& [group, declaration] : declarations) {
    groups_[group]->Offer(declaration, SourceRank());
  }
}

void MergedView::EndRanking() {
  for (const auto& group : groups_) {
    if (group->has_conflict()) {
      is_choice_stale_ |= group->EndRanking();
    }
  }
}

const MergedFamilies& MergedView::Finish() {
  if (is_choice_stale_) {
    ChooseShown();
    is_choice_stale_ = false;
  }
  for (FamilyVariant* variant : shown_) {
    variant->Fill(sums_);
  }
  return families_;
}

void MergedView::ChooseShown() {
  std::vector<FamilyGroup*> groups;
  groups.reserve(groups_.size());
  for (const auto& group : groups_) {
    if (group->shown()->series_count() != 0) {
      groups.push_back(group.get());
    }
  }
  std::sort(groups.begin(), groups.end(),
            [](const FamilyGroup* a, const FamilyGroup* b) {
              return a->name() < b->name();
            });
  shown_.clear();
  shown_types_.clear();
  families_.clear();
  name_clashes_.clear();
  // A name sorts behind every name that it begins with, so whoever could clash
  // with it has been decided on.
  for (FamilyGroup* group : groups) {
    if (ClashesWithShown(*group)) {
      name_clashes_.push_back(group->name());
      continue;
    }
    shown_.push_back(group->shown());
    shown_types_[group->name()] = group->shown()->type();
    families_.push_back(&group->shown()->family());
  }
}

bool MergedView::ClashesWithShown(const FamilyGroup& group) const {
  for (const SampleSuffix& suffix : kSampleSuffixes) {
    if (!EndsWith(group.name(), suffix.text)) {
      continue;
    }
    const auto it = shown_types_.find(
        group.name().substr(0, group.name().size() - suffix.text.size()));
    if (it != shown_types_.end() &&
        (it->second == MetricType::kHistogram ||
         (it->second == MetricType::kSummary && suffix.is_of_summary))) {
      return true;
    }
  }
  return false;
}

std::vector<FamilyConflict> MergedView::Conflicts() const {
  std::vector<FamilyConflict> conflicts;
  for (const auto& group : groups_) {
    if (!group->has_conflict() && !group->shown()->has_different_bounds()) {
      continue;
    }
    for (const std::string_view reason : group->ConflictReasons()) {
      conflicts.push_back({group->name(), reason});
    }
  }
  for (const std::string& name : name_clashes_) {
    conflicts.push_back({name, "name_clash"});
  }
  std::sort(conflicts.begin(), conflicts.end(),
            [](const FamilyConflict& a, const FamilyConflict& b) {
              return a.family != b.family ? a.family < b.family
                                          : a.reason < b.reason;
            });
  return conflicts;
}

}  // namespace tine::collector
