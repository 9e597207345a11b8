// One metric file as a source of the merged view: where each of its cells goes,
// and the last good number of each.

#ifndef TINE_COLLECTOR_FILE_SOURCE_H_
#define TINE_COLLECTOR_FILE_SOURCE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "collector/aligned_buffer.h"
#include "collector/merged_view.h"
#include "collector/metric_file_reader.h"
#include "collector/series_budget.h"
#include "collector/series_key.h"
#include "collector/target_stamps.h"
#include "common/exact_sum.h"
#include "common/record_scanner.h"

namespace tine::collector {

// What reading one file needs for a moment; shared by all files.
struct ReadScratch {
  struct FreshValue {
    uint64_t value = 0;
    uint64_t extra = 0;
  };
  AlignedBuffer bytes;
  std::vector<FreshValue> specials;    // by index of the source's special cells
  std::vector<uint64_t*> chunk_cells;  // into `bytes`, by dense chunk number
};

// Keeps 8 bytes a cell (its last good number), 4 more where neighbours in the
// file are not neighbours in the view, and 32 for each cell that is not a plain
// count. Label values and names are not kept: the indexes that the view gave
// for them stay right. Not thread-safe.
class FileSource : public RecordVisitor {
 public:
  struct Options {
    // The value of the label `pid` on gauges that show each process.
    std::string pid_label;
    size_t max_series = 100'000;
    // Of the file's owner; lives longer. Nothing: without limits.
    SeriesBudget* budget = nullptr;
    // Then series in live modes are not even noted.
    bool is_writer_dead = false;
    // REMOVED records that begin below this offset are done with: their series
    // count for nothing.
    uint32_t taken_before = 0;
    // The writer's boot clock shows the same time as ours.
    bool is_boot_clock_shared = false;
  };

  // `view` and `writer` live longer.
  FileSource(MergedView* view, const WriterIdentity* writer, Options options);

  // RecordVisitor. Series come with dense cell indexes (see CellBlock). After a
  // round of them, FinishScan.
  void OnFamily(uint64_t offset, const FamilyView& family) override;
  void OnSeries(uint64_t offset, const SeriesView& series,
                uint32_t family_number) override;
  void OnCells(uint64_t offset, const CellsView& cells) override;
  void OnRemoved(uint64_t offset, const RemovedView& removed,
                 uint32_t cell_count) override;
  void FinishScan(const std::vector<uint32_t>& chunk_cell_counts);

  // Reads all cells and, if they are possible, keeps them as the last good
  // ones. False: the numbers of the time before stay; a counter that fell
  // freezes the reader.
  bool ReadNumbers(MetricFileReader* reader, ReadScratch* scratch);

  // Adds the last good numbers to the view's sums. `rank` outlives the scrape.
  // Returns how many sums have come to the top of what they can hold.
  size_t AddTo(CellSums* sums, const WriterRank& rank) const;

  // Tells the view which of the opinions in conflict this source holds.
  void OfferDeclarations(const SourceRank& rank) const;
  void ForEachFamily(const std::function<void(const FamilyHandle&)>& use) const;

  // Stamps the sums that this source adds to: all of them, or those that hold
  // something of it even when its writer is dead.
  enum class Which { kAll, kLasting };
  void Stamp(Which which, uint32_t stamp, TargetStamps* stamps) const;
  // Joins `owner` to those of the sums that hold something of it.
  void JoinOwner(uint32_t owner, TargetStamps* owners) const;

  // Series that the writer has removed, until they are taken. A gauge counts
  // for nothing at once. Anything else goes on counting until it is taken: then
  // the archive has its numbers, and it counts for nothing here. What is known
  // to be removed but was not read since is not yet *settled*, and stays.
  bool has_removals() const { return !removals_.empty(); }
  bool has_settled_removals() const {
    return !removals_.empty() &&
           removals_.front().end_offset <= settled_before_;
  }
  // Would taking them change an archive with these stamps?
  bool HasRemovalsFor(const TargetStamps& archived) const;
  // REMOVED records that begin below this offset are settled, or taken; 0:
  // there are none.
  uint32_t settled_before() const { return settled_before_; }
  // Joins `owner` to those of the sums of which something is removed.
  void StampRemoved(uint32_t owner, TargetStamps* owners) const;
  // As Stamp(kAll), with 1, but for what is removed and settled.
  void StampHeld(TargetStamps* stamps) const;
  void TakeRemovedInto(uint32_t now_s, uint32_t owner, CellSums* sums,
                       TargetStamps* stamps, TargetStamps* owners) const;
  // They have been taken.
  void ForgetRemoved();

  // Numbers that count for nothing once the writer is dead: such a file must be
  // probed before each scrape.
  bool has_live_mode_series() const { return has_live_mode_series_; }
  size_t series_count() const { return series_count_; }
  // Anything that counts, in a place of its own or not.
  bool has_series() const {
    return series_count_ + overflowed_series_count_ != 0;
  }
  // The most labels that a series of it can have.
  size_t max_label_count() const { return max_label_count_; }
  bool has_families() const { return !families_.empty(); }
  // Series that were left out: over a limit, or of a family that was refused.
  size_t refused_series_count() const { return refused_series_count_; }
  // Series over a limit whose numbers go to their families' overflow series.
  size_t overflowed_series_count() const { return overflowed_series_count_; }
  // Some of those left out can be added up: with this file, counts would be
  // lost.
  bool has_refused_counts() const { return has_refused_counts_; }
  // Labels that lost against another of the same name, counted once for each
  // family.
  size_t label_clash_count() const { return label_clash_count_; }
  // Sums over slots that have come to the top, in the last read.
  size_t saturated_slot_count() const { return saturated_slot_count_; }
  // The last good timestamp of the first cell that is not a plain count.
  uint64_t FirstTimestampForTesting() const { return specials_.at(0).extra; }

 private:
  enum class SpecialKind : uint8_t {
    kF64Count,     // f64 counter: never falls
    kF64Sum,       // sum of observations: may fall
    kUpDownCount,  // i64
    kGauge,
    kRecentGauge,  // the timestamp is in the next cell
    kState,        // a bit of a state set's cell, as 0 or 1
    kRecentState,  // likewise
    kSetTime,      // by the boot clock; nobody's sum
  };
  // A cell that is not a plain u64 count. (Cells of plain counts go through
  // loops that know no kinds.)
  struct SpecialCell {
    uint32_t cell;  // dense index
    uint32_t target;
    // Last good: bits of a double, of an i64, a gauge cell, a bit, or a time.
    uint64_t value = 0;
    // Low part of an ExactSum, as bits; or wall-clock nanoseconds; of kSetTime
    // how many nanoseconds the value may live.
    uint64_t extra = 0;
    SpecialKind kind;
    bool is_live_mode;
    uint8_t bit;  // of a state
    // Its kSetTime is so many places behind it; 0: it may live for ever.
    uint8_t set_time_distance;
  };
  static_assert(format::kMaxStates <= UINT8_MAX);
  struct Family {
    FamilyHandle handle;
    format::MetricType type;
    format::ValueKind value_kind;
    format::GaugeMode gauge_mode;
    bool is_refused;
    uint64_t time_to_live_ns;  // 0: for ever
  };
  // Now, by both clocks.
  struct Clocks {
    uint64_t boot_ns;
    uint64_t wall_ns;
  };
  // A SERIES of this scan, kept until its end: it may be removed there already.
  struct NewSeries {
    uint32_t family_number;
    uint32_t first_cell;  // dense index
    uint32_t cell_count;
    uint64_t created_wall_ns;
    size_t values_offset;  // in new_values_
    size_t values_bytes;
    size_t value_count;
  };
  struct Removal {
    uint32_t first_cell;  // dense index
    uint32_t cell_count;
    uint32_t end_offset;  // of the record
    SeriesTargets targets;
  };
  // Consecutive cells whose sums are consecutive too. Indexes as in cells_.
  struct Span {
    uint32_t first_cell;
    uint32_t first_target;
    uint32_t count;
  };
  // Cells of a chunk that are no plain counts, or nobody's; they are blanked
  // after each read.
  struct Hole {
    uint16_t first_in_chunk;
    uint16_t count;
  };
  // Where a chunk's share of each list begins; it ends where the next chunk's
  // begins.
  struct Chunk {
    uint32_t first_cell = 0;  // in cells_
    uint32_t first_special = 0;
    uint32_t first_hole = 0;
  };
  // Plain counts of a new series.
  struct NewCounts {
    uint32_t cell;  // dense index
    uint32_t count;
    uint32_t first_target;
  };

  // What a family's series need while records come in.
  struct FamilyScan {
    SeriesKeyBuilder builder;
    std::optional<SeriesTargets> overflow;  // known once one was needed
  };

  using TargetsKey = std::tuple<uint32_t, uint32_t, uint32_t>;
  static TargetsKey KeyOf(const SeriesTargets& targets) {
    return {targets.first_count, targets.value, targets.gauge};
  }

  FamilyScan* ScanOf(uint32_t family_number);
  StringListView ValuesOf(const NewSeries& series) const;
  SeriesTargets FindRemovedGauge(const NewSeries& series,
                                 const StringListView& values);
  std::optional<SeriesTargets> FindPlace(const NewSeries& series,
                                         const StringListView& values);
  // Parts for states and times to live, in file_source_states.cc. To the view
  // each state is a gauge, with one label more, whose names are in
  // `*label_names`.
  static FamilyView WithStateLabel(const FamilyView& family,
                                   std::string* label_names);
  void NoteStateNames(const FamilyView& family);
  void DeclareStates(const NewSeries& series, const Removal* removal);
  void NoteRemovedState(const SeriesTargets& targets, const Removal& removal);
  // The label `pid` of a family's series; empty: it has none.
  std::string_view PidLabelOf(format::GaugeMode mode) const;
  void AddSpecial(SpecialKind kind, uint32_t cell, uint32_t target,
                  bool is_live_mode, uint8_t bit = 0);
  void AddSetTime(const Family& family, uint32_t last_cell,
                  size_t first_special);
  void AddCells(const Family& family, uint32_t first_cell, uint32_t cell_count,
                const SeriesTargets& targets);
  void DeclareNewSeries();
  void DeclareSeries(const NewSeries& series, Removal* removal);
  void LayOutCells(const std::vector<uint32_t>& chunk_cell_counts);
  void IndexSpecials();
  size_t IndexOf(uint32_t cell) const {
    return chunks_[cell / format::kCellsPerBlock].first_cell +
           cell % format::kCellsPerBlock;
  }
  void NoteNewRemovals();
  // Calls `counts` with a first target and a number of them, the others with a
  // target.
  template <typename Counts, typename Value, typename Gauge>
  void ForEachTarget(Which which, const Counts& counts, const Value& value,
                     const Gauge& gauge) const;
  static ExactSum SumOf(const SpecialCell& special);
  // False when nobody has set it, or its time is over. `*expires_wall_ns`: when
  // that will be; 0: never.
  bool IsSet(const SpecialCell& special, const Clocks& now, double* value,
             uint64_t* expires_wall_ns) const;
  Clocks ReadClocks() const;
  std::vector<SeriesTargets> TargetsOf(const Removal& removal) const;
  void LetGo(const std::vector<Removal>& removals);
  std::vector<Removal> SettledRemovals() const;
  void UnpackSpans();
  void PackSpans();
  void ListHoles();

  void TakeBlocks(const std::vector<CellBlock>& blocks, ReadScratch* scratch);
  void TakeSpecials(const CellBlock& block, const uint64_t* cells,
                    ReadScratch* scratch) const;
  bool TakeTimes(MetricFileReader* reader, ReadScratch* scratch) const;
  // The dense index of a cell whose sum over slots is less than the last good
  // one, if there is such a cell.
  std::optional<uint32_t> FindFallenCell(const ReadScratch& scratch) const;
  void Keep(const ReadScratch& scratch);
  void AddSpecialsTo(CellSums* sums, const WriterRank& rank) const;

  MergedView* const view_;
  const WriterIdentity* const writer_;
  const Options options_;
  SeriesBudget unlimited_;
  SeriesBudget* const budget_;
  std::vector<Family> families_;  // by the scanner's family number
  // By family number: made at a family's first series, gone in FinishScan.
  absl::flat_hash_map<uint32_t, std::unique_ptr<FamilyScan>> scans_;
  // Of state sets, by family number.
  absl::flat_hash_map<uint32_t, std::vector<std::string>> state_names_;

  // Last good counts. A chunk has as many here as series own, not 512.
  std::vector<uint64_t> cells_;
  // Where they go: either targets_ (one for each) or, if that is shorter,
  // spans_.
  std::vector<uint32_t> targets_;
  std::vector<Span> spans_;
  std::vector<SpecialCell> specials_;  // sorted by cell
  std::vector<Hole> holes_;
  std::vector<Chunk> chunks_;  // and one more, for the ends
  std::vector<NewCounts> new_counts_;
  // Of this scan.
  std::vector<NewSeries> new_series_;
  std::string new_values_;
  std::vector<Removal> new_removals_;
  absl::flat_hash_map<uint32_t, Removal> new_state_removals_;  // by gauge

  std::vector<Removal> removals_;  // not taken yet, in the file's order
  uint32_t taken_before_;
  uint32_t removed_before_;  // where the last REMOVED record seen ends
  uint32_t settled_before_;
  size_t saturated_slot_count_ = 0;  // in the last read

  size_t series_count_ = 0;  // with places of their own
  // Of this file's families that have had to use one.
  absl::flat_hash_set<TargetsKey> overflow_targets_;
  size_t overflowed_series_count_ = 0;
  size_t refused_series_count_ = 0;
  size_t label_clash_count_ = 0;
  size_t max_label_count_ = 0;
  bool has_refused_counts_ = false;
  bool has_live_mode_series_ = false;
  bool has_times_ = false;  // in cells of their own
  bool has_times_to_live_ = false;
};

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_FILE_SOURCE_H_
