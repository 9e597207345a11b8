#include "collector/family_group.h"

#include <algorithm>
#include <utility>

namespace tine::collector {

uint32_t FamilyGroup::FindOrAddVariant(format::MetricType type,
                                       format::GaugeMode mode) {
  for (uint32_t i = 0; i < variants_.size(); ++i) {
    if (variants_[i]->type() == type && variants_[i]->mode() == mode) {
      return i;
    }
  }
  variants_.push_back(std::make_unique<FamilyVariant>(type, mode));
  variants_.back()->SetTexts(name_, {}, {});
  return static_cast<uint32_t>(variants_.size() - 1);
}

std::optional<uint32_t> FamilyGroup::Declare(const FamilyView& family,
                                             SeriesBudget* budget) {
  const uint32_t variant = FindOrAddVariant(family.type, family.gauge_mode);
  auto place = static_cast<uint32_t>(declarations_.size());
  for (uint32_t i = 0; i < declarations_.size(); ++i) {
    const Declaration& known = declarations_[i];
    if (known.is_free) {
      place = i;
    } else if (known.variant == variant && known.help == family.help &&
               known.unit == family.unit) {
      return i;
    }
  }
  const uint64_t text_bytes =
      name_.size() + family.help.size() + family.unit.size();
  // The first one makes the group what it is and is never refused here.
  if (declaration_count_ != 0 &&
      (!budget->MayLengthen(declarations_, kMaxDeclarations) ||
       budget->text_bytes_left < text_bytes)) {
    return std::nullopt;
  }
  budget->SpendText(text_bytes);
  Declaration declaration;
  declaration.owner = budget->owner;
  declaration.variant = variant;
  declaration.help = std::string(family.help);
  declaration.unit = std::string(family.unit);
  declarations_.resize(std::max<size_t>(declarations_.size(), place + 1));
  declarations_[place] = std::move(declaration);
  if (++declaration_count_ == 1) {
    winner_ = place;
    variants_[variant]->SetTexts(name_, family.help, family.unit);
  }
  return place;
}

std::optional<uint32_t> FamilyGroup::KeepLabelNames(
    const StringListView& names, const SeriesBudget& budget) {
  const std::string_view packed(reinterpret_cast<const char*>(names.bytes()),
                                names.size_bytes());
  auto place = static_cast<uint32_t>(label_names_.size());
  for (uint32_t i = 0; i < label_names_.size(); ++i) {
    if (label_names_[i].is_free) {
      place = i;
    } else if (label_names_[i].packed == packed) {
      return i;
    }
  }
  if (!budget.MayLengthen(label_names_, kMaxLabelNameLists)) {
    return std::nullopt;
  }
  label_names_.resize(std::max<size_t>(label_names_.size(), place + 1));
  label_names_[place] = {std::string(packed), names.size(), budget.owner,
                         false};
  return place;
}

size_t FamilyGroup::Sweep(const Use& use,
                          const FamilyVariant::UsesTargets& uses,
                          const FamilyVariant::ReturnBudget& give_back,
                          CellSums* sums) {
  size_t removed_count = 0;
  for (size_t i = 0; i < variants_.size(); ++i) {
    const uint32_t parts = i < use.parts.size() ? use.parts[i] : 0;
    removed_count += variants_[i]->Sweep(uses, parts, give_back, sums);
  }
  for (size_t i = 0; i < declarations_.size(); ++i) {
    Declaration& declaration = declarations_[i];
    const bool is_free = (use.declarations >> i & 1) == 0;
    if (is_free && !declaration.is_free) {
      --declaration_count_;
      give_back(
          declaration.owner, /*is_overflow=*/false, 0,
          name_.size() + declaration.help.size() + declaration.unit.size());
    }
    declaration.is_free = is_free;
  }
  for (uint32_t i = 0; i < declarations_.size(); ++i) {
    if (declarations_[winner_].is_free && !declarations_[i].is_free) {
      winner_ = i;  // for now: the next ranking decides
      shown()->SetTexts(name_, declarations_[i].help, declarations_[i].unit);
    }
  }
  for (size_t i = 0; i < label_names_.size(); ++i) {
    label_names_[i].is_free = (use.label_names >> i & 1) == 0;
  }
  return removed_count;
}

StringListView FamilyGroup::label_names(uint32_t index) const {
  const LabelNames& names = label_names_[index];
  return StringListView(reinterpret_cast<const uint8_t*>(names.packed.data()),
                        names.packed.size(), names.count);
}

void FamilyGroup::BeginRanking() {
  for (Declaration& declaration : declarations_) {
    declaration.is_held = false;
  }
}

void FamilyGroup::Offer(uint32_t declaration, const SourceRank& rank) {
  Declaration& known = declarations_[declaration];
  if (!known.is_held || known.best_rank < rank) {
    known.best_rank = rank;
    known.is_held = true;
  }
}

bool FamilyGroup::EndRanking() {
  const FamilyVariant* shown_before = shown();
  uint32_t best = winner_;
  for (uint32_t i = 0; i < declarations_.size(); ++i) {
    const Declaration& candidate = declarations_[i];
    const Declaration& leader = declarations_[best];
    if (candidate.is_held &&
        (!leader.is_held || leader.best_rank < candidate.best_rank)) {
      best = i;
    }
  }
  winner_ = best;
  const Declaration& winner = declarations_[winner_];
  shown()->SetTexts(name_, winner.help, winner.unit);
  return shown() != shown_before;
}

std::vector<std::string_view> FamilyGroup::ConflictReasons() const {
  const Declaration& winner = declarations_[winner_];
  bool has_type = false;
  bool has_mode = false;
  bool has_help = false;
  bool has_unit = false;
  for (const Declaration& other : declarations_) {
    if (!other.is_held) {
      continue;
    }
    const FamilyVariant& variant = *variants_[other.variant];
    if (variant.type() != shown()->type()) {
      has_type = true;
    } else if (variant.mode() != shown()->mode()) {
      has_mode = true;
    }
    has_help |= other.help != winner.help;
    has_unit |= other.unit != winner.unit;
  }
  std::vector<std::string_view> reasons;
  if (has_type) reasons.push_back("type");
  if (has_mode) reasons.push_back("mode");
  if (has_help) reasons.push_back("help");
  if (has_unit) reasons.push_back("unit");
  if (shown()->has_different_bounds()) reasons.push_back("buckets");
  return reasons;
}

}  // namespace tine::collector
