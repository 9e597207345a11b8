// All series of one family name, type and gauge mode, with the indexes of their
// sums.

#ifndef TINE_COLLECTOR_FAMILY_VARIANT_H_
#define TINE_COLLECTOR_FAMILY_VARIANT_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "collector/cell_sums.h"
#include "collector/merged_family.h"
#include "collector/series_budget.h"
#include "common/record_layout.h"

namespace tine::collector {

// Where a source adds the cells of one series.
struct SeriesTargets {
  uint32_t first_count = CellSums::kNobody;  // counter, summary: 1; histogram:
                                             // a bucket each and one for +Inf
  uint32_t value =
      CellSums::kNobody;  // f64 counter; sum of a histogram or summary
  uint32_t gauge = CellSums::kNobody;  // gauge, up-down counter
};

// Writers that agree on name, type and mode may still differ in what a cell
// means: u64 or f64, these buckets or those. Each such difference is a *part*
// with sums of its own; parts become one only when the numbers are served. So
// an index that was given to a source stays right for ever, whatever other
// sources turn up.
class FamilyVariant {
 public:
  FamilyVariant(format::MetricType type, format::GaugeMode mode);
  FamilyVariant(const FamilyVariant&) = delete;
  FamilyVariant& operator=(const FamilyVariant&) = delete;

  // The part with this kind and these bounds, made if need be. Nothing when
  // there would be too many parts or bounds: a writer of nonsense must not make
  // everybody's histograms grow.
  std::optional<uint32_t> FindOrAddPart(format::ValueKind kind,
                                        const double* bounds,
                                        size_t bound_count,
                                        SeriesBudget* budget);

  // Since when a source has which series; one that overflows is paid for from
  // another allowance of the budget.
  struct NewSeries {
    LabelSet labels;
    uint64_t created_wall_ns;
    bool is_overflow;
  };
  // Nothing when the series is new and `may_add` is false, or more than the
  // budget has.
  std::optional<SeriesTargets> FindOrAddSeries(uint32_t part, NewSeries added,
                                               bool may_add,
                                               SeriesBudget* budget,
                                               CellSums* sums);

  // What one part of one series is.
  struct PartOfSeries {
    const MergedSeries* series;
    format::ValueKind kind;
    const std::vector<double>* bounds;
    SeriesTargets targets;
  };
  void ForEachSeries(const std::function<void(const PartOfSeries&)>& use) const;

  // Lets go of series that nobody `uses`, and gives their sums back. Returns
  // how many. A part that no series has and that `parts` (bits by its index)
  // does not name may be another one from now on.
  using UsesTargets = std::function<bool(const SeriesTargets&)>;
  // An owner gets back what it has spent.
  using ReturnBudget =
      std::function<void(uint64_t owner, const ReturnedBudget& returned)>;
  size_t Sweep(const UsesTargets& uses, uint32_t parts,
               const ReturnBudget& give_back, CellSums* sums);

  // What is written above the series.
  void SetTexts(std::string_view name, std::string_view help,
                std::string_view unit);

  // Brings family() up to date: order, then numbers.
  void Fill(const CellSums& sums);
  bool HasSeries(std::string_view packed_labels) const {
    return index_.find(packed_labels) != index_.end();
  }
  // Until the next Fill, all samples of this series, if there is one.
  void ShowAsZero(std::string_view packed_labels);

  const MergedFamily& family() const { return family_; }
  format::MetricType type() const { return family_.type; }
  format::GaugeMode mode() const { return mode_; }
  size_t series_count() const { return family_.series.size(); }
  // True when writers came with different bounds.
  bool has_different_bounds() const { return part_bounds_differ_; }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr size_t kMaxParts = 32;  // bits of a u32
  static constexpr size_t kMaxMergedBounds = 2 * format::kMaxBounds;

  struct Part {
    format::ValueKind kind;
    std::vector<double> bounds;
    std::vector<uint32_t> merged_buckets;     // where its buckets go
    uint64_t owner = SeriesBudget::kNoOwner;  // who came with it first
    size_t new_bound_count = 0;               // bounds that nobody had before
    bool is_free = false;
  };
  // The sums that one part of a series has. The entry of a series' first part
  // has the series' index; those of further parts hang on it and are listed
  // behind.
  struct Entry {
    uint32_t position;  // in family_.series
    uint32_t part;
    SeriesTargets targets;
    uint32_t next_entry;
  };

  // The set holds indexes of entries_ and compares the label sets behind them.
  struct LabelsOf {
    const FamilyVariant* variant;
    std::string_view operator()(uint32_t entry) const {
      return variant->family_.series[variant->entries_[entry].position]
          .labels.packed();
    }
    std::string_view operator()(std::string_view packed) const {
      return packed;
    }
  };
  struct LabelsHash {
    using is_transparent = void;  // NOLINT(readability-identifier-naming)
    LabelsOf labels_of;
    template <typename T>
    size_t operator()(const T& key) const {
      return HashOf(labels_of(key));
    }
  };
  struct LabelsEqual {
    using is_transparent = void;  // NOLINT(readability-identifier-naming)
    LabelsOf labels_of;
    template <typename T, typename U>
    bool operator()(const T& a, const U& b) const {
      return labels_of(a) == labels_of(b);
    }
  };
  static size_t HashOf(std::string_view packed);

  bool MayAddPart(size_t merged_bound_count, const SeriesBudget& budget) const;
  // How much text each of a series' samples is.
  uint64_t SampleTextBytes(const LabelSet& labels) const;
  size_t SampleCount() const;
  SeriesTargets NewTargets(const Part& part, CellSums* sums) const;
  uint32_t AddEntry(uint32_t part, uint32_t position, CellSums* sums);
  std::vector<double> UnionOfPartBounds() const;
  void SetMergedBounds(std::vector<double> merged);
  void FreeTargets(const Entry& entry, CellSums* sums) const;
  void KeepEntries(const std::vector<bool>& is_kept,
                   const ReturnBudget& give_back, CellSums* sums);
  void SortSeries();
  void ClearUnknownStates(const CellSums& sums);
  void FindStateSets();
  void FillSeries(const Entry& entry, const CellSums& sums,
                  MergedSeries* series) const;

  const format::GaugeMode mode_;
  MergedFamily family_;
  std::vector<Part> parts_;
  std::vector<Entry> entries_;
  absl::flat_hash_set<uint32_t, LabelsHash, LabelsEqual> index_;
  size_t sorted_count_ = 0;  // series behind these are new and not in order yet
  bool part_bounds_differ_ = false;
  uint64_t sample_text_bytes_ = 0;  // one sample of each series
  // Of a state set: a number for each series, the same for the states of one
  // set; right for this layout.
  std::vector<uint32_t> state_sets_;
  uint64_t state_sets_layout_id_ = 0;
};

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_FAMILY_VARIANT_H_
