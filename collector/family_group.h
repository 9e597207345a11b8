// One family name, and what the writers say about it.

#ifndef TINE_COLLECTOR_FAMILY_GROUP_H_
#define TINE_COLLECTOR_FAMILY_GROUP_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "collector/family_variant.h"
#include "collector/series_budget.h"
#include "collector/writer_identity.h"
#include "common/record_codec.h"

namespace tine::collector {

// Which source decides what a family is: among the living the file that was
// born last, by the file system's word and never by a header's; the dead come
// after all living. The uuid only makes it certain.
struct SourceRank {
  bool is_live = false;
  uint64_t birth_ns = 0;
  FileUuid uuid;

  friend bool operator<(const SourceRank& a, const SourceRank& b) {
    if (a.is_live != b.is_live) {
      return b.is_live;
    }
    if (a.birth_ns != b.birth_ns) {
      return a.birth_ns < b.birth_ns;
    }
    return a.uuid < b.uuid;
  }
};

class FamilyGroup {
 public:
  // `owner`: whose file came with it first.
  explicit FamilyGroup(std::string name,
                       uint64_t owner = SeriesBudget::kNoOwner)
      : name_(std::move(name)), owner_(owner) {}

  // One opinion: type, mode, help and unit together. Two of them are a
  // conflict.
  struct Declaration {
    uint32_t variant = 0;
    std::string help;
    std::string unit;
    uint64_t owner = SeriesBudget::kNoOwner;  // who came with it first
    SourceRank best_rank;                     // of the sources that hold it
    bool is_held = false;                     // by any source
    bool is_free = false;                     // may become another opinion
  };

  // Finds or makes the opinion that `family` states. Nothing when there are too
  // many already, or its text is more than the budget has.
  std::optional<uint32_t> Declare(const FamilyView& family,
                                  SeriesBudget* budget);

  // Finds or keeps a list of label names; returns its index. (Not part of the
  // opinion: label sets may differ freely.) Nothing when there are too many
  // already.
  std::optional<uint32_t> KeepLabelNames(const StringListView& names,
                                         const SeriesBudget& budget);
  // Stays right as long as the group lives.
  StringListView label_names(uint32_t index) const;

  // What of a group is in use, as bits by index.
  struct Use {
    uint64_t declarations = 0;
    uint64_t label_names = 0;
    std::vector<uint32_t> parts;  // by variant
  };
  // Lets go of what nobody uses. Returns how many series went.
  size_t Sweep(const Use& use, const FamilyVariant::UsesTargets& uses,
               const FamilyVariant::ReturnBudget& give_back, CellSums* sums);

  // Ranking: Begin, Offer for each source and declaration, End. End chooses the
  // winner and gives its texts to its variant. True when another variant is
  // shown than before.
  void BeginRanking();
  void Offer(uint32_t declaration, const SourceRank& rank);
  bool EndRanking();

  bool has_conflict() const { return declaration_count_ > 1; }
  // The reasons in force, from the winner's point of view: type, mode, help,
  // unit, buckets.
  std::vector<std::string_view> ConflictReasons() const;

  const std::string& name() const { return name_; }
  uint64_t owner() const { return owner_; }
  // Nobody declares it any more.
  bool is_empty() const { return declaration_count_ == 0; }
  const std::vector<Declaration>& declarations() const { return declarations_; }
  uint32_t winner() const { return winner_; }  // among declarations()
  size_t variant_count() const { return variants_.size(); }
  FamilyVariant* variant(uint32_t index) { return variants_[index].get(); }
  const FamilyVariant* variant(uint32_t index) const {
    return variants_[index].get();
  }
  FamilyVariant* shown() {
    return variants_[declarations_[winner_].variant].get();
  }
  const FamilyVariant* shown() const {
    return variants_[declarations_[winner_].variant].get();
  }

 private:
  // Both lists are searched one by one, and one writer can make them long.
  static constexpr size_t kMaxDeclarations = 64;  // bits of a u64
  static constexpr size_t kMaxLabelNameLists = 64;

  struct LabelNames {
    std::string packed;
    size_t count;
    uint64_t owner;
    bool is_free = false;
  };
  uint32_t FindOrAddVariant(format::MetricType type, format::GaugeMode mode);

  const std::string name_;
  const uint64_t owner_;
  std::vector<Declaration> declarations_;
  size_t declaration_count_ = 0;  // without free ones
  std::vector<std::unique_ptr<FamilyVariant>> variants_;
  std::deque<LabelNames> label_names_;  // views of them stay right as it grows
  uint32_t winner_ = 0;                 // among declarations_
};

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_FAMILY_GROUP_H_
