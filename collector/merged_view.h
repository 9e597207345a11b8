// All sources of numbers become one exposition: same family name and same
// labels, one series. Knows no files: whatever has families, series and numbers
// can be a source.

#ifndef TINE_COLLECTOR_MERGED_VIEW_H_
#define TINE_COLLECTOR_MERGED_VIEW_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "collector/cell_sums.h"
#include "collector/family_group.h"
#include "collector/family_variant.h"
#include "collector/merged_family.h"
#include "collector/newborn_series.h"
#include "collector/series_budget.h"
#include "common/record_codec.h"

namespace tine::collector {

// What a source keeps of each of its families.
struct FamilyHandle {
  uint32_t group;
  uint32_t declaration;
  uint32_t part;
  uint32_t label_names;
};

struct FamilyConflict {
  std::string family;
  // Among sources: type, mode, help, unit, buckets. With another family's
  // sample names: name_clash.
  std::string_view reason;
};

// A source declares its families and series once and gets indexes that stay
// right. For each scrape then: BeginSums(), with what the dead have left; every
// source adds its numbers to
// sums(); Finish(). When has_conflicts() and who lives or what is declared has
// changed, the sources are ranked before Finish(). Not thread-safe.
class MergedView {
 public:
  struct Limits {
    size_t max_series = 1'000'000;
    size_t max_families = 100'000;
  };

  explicit MergedView(const Limits& limits) : limits_(limits) {}
  MergedView(const MergedView&) = delete;
  MergedView& operator=(const MergedView&) = delete;

  // Nothing when the view is full or the budget used up.
  std::optional<FamilyHandle> Declare(const FamilyView& family,
                                      SeriesBudget* budget);
  StringListView label_names(const FamilyHandle& family) const {
    return groups_[family.group]->label_names(family.label_names);
  }
  // `created_wall_ns`: since when the source has the series.
  std::optional<SeriesTargets> FindOrAddSeries(const FamilyHandle& family,
                                               LabelSet labels,
                                               uint64_t created_wall_ns,
                                               SeriesBudget* budget);
  // The place of what FindOrAddSeries refuses and that can be added up;
  // `labels` are those of the family's overflow series. Nothing when there are
  // too many of those, too: as many as there may be families, in the view and
  // for an owner.
  std::optional<SeriesTargets> FindOrAddOverflow(const FamilyHandle& family,
                                                 LabelSet labels,
                                                 uint64_t created_wall_ns,
                                                 SeriesBudget* budget);

  // All series that were ever declared, whether they are served or not; one
  // call for each part of one. `group` is that of its families' handles.
  struct SeriesPart {
    uint32_t group;
    uint32_t variant;  // within the group
    const FamilyVariant* family;
    FamilyVariant::PartOfSeries part;
  };
  void ForEachSeries(const std::function<void(const SeriesPart&)>& use) const;
  const FamilyGroup& group(uint32_t index) const { return *groups_[index]; }

  // Sweeping: BeginSweep, Use for each family that a source or the archive
  // still has, EndSweep, which lets go of the rest, and of series whose sums
  // nobody `uses`. Handles and targets in use stay right; others may be given
  // out again. Then the sources are to be ranked.
  void BeginSweep();
  void Use(const FamilyHandle& family);
  void UseDeclaration(uint32_t group, uint32_t declaration);
  void EndSweep(const FamilyVariant::UsesTargets& uses,
                const FamilyVariant::ReturnBudget& give_back);

  bool has_conflicts() const { return conflict_count_ > 0; }
  void BeginRanking();
  void Offer(const FamilyHandle& family, const SourceRank& rank);
  // Opinions, as group and declaration, that only dead writers are known to
  // have held.
  void OfferOfTheDead(
      const absl::flat_hash_set<std::pair<uint32_t, uint32_t>>& declarations);
  void EndRanking();

  void BeginSums(const CellSums& base, uint64_t now_wall_ns) {
    sums_.ResetTo(base, now_wall_ns);
  }
  CellSums& sums() { return sums_; }
  const CellSums& sums() const { return sums_; }

  // Valid until the next call of Finish, Declare or FindOrAddSeries.
  const MergedFamilies& Finish();

  // The view has all that there is: from now on, counters, histograms and
  // summaries that are new to it are newborn for `duration_ms`.
  void BeginBirths(uint64_t now_wall_ns, uint32_t duration_ms) {
    newborn_.emplace(now_wall_ns, duration_ms);
  }
  bool has_begun_births() const { return newborn_.has_value(); }
  // In what Finish() has returned.
  void ShowNewbornAsZero(uint64_t now_ms) {
    if (newborn_.has_value()) {
      newborn_->ShowAsZero(now_ms);
    }
  }

  // In force, by family name.
  std::vector<FamilyConflict> Conflicts() const;
  size_t series_count() const { return series_count_; }
  // Families that were not taken in because there were too many, or too many
  // opinions about one.
  uint64_t refused_family_count() const { return refused_family_count_; }

 private:
  std::optional<SeriesTargets> FindOrAdd(const FamilyHandle& family,
                                         FamilyVariant::NewSeries added,
                                         bool may_add, SeriesBudget* budget);
  FamilyGroup* FindOrAddGroup(std::string_view name, SeriesBudget* budget,
                              uint32_t* index);
  void ChooseShown();
  bool ClashesWithShown(const FamilyGroup& group) const;

  const Limits limits_;
  std::vector<FamilyGroup::Use> uses_;  // by group, during a sweep
  CellSums sums_;
  std::vector<std::unique_ptr<FamilyGroup>> groups_;
  absl::flat_hash_map<std::string, uint32_t> group_indexes_;  // by name
  std::vector<uint32_t> free_groups_;  // nobody's, to be used again
  size_t conflict_count_ = 0;          // groups with more than one opinion
  size_t series_count_ = 0;            // of all variants, shown or not
  size_t overflow_series_count_ = 0;   // of these
  uint64_t refused_family_count_ = 0;
  std::optional<NewbornSeries> newborn_;

  // Which families are served; made anew when is_choice_stale_.
  bool is_choice_stale_ = true;
  std::vector<FamilyVariant*> shown_;  // sorted by name
  std::vector<std::string> name_clashes_;
  absl::flat_hash_map<std::string, format::MetricType> shown_types_;
  MergedFamilies families_;
};

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_MERGED_VIEW_H_
