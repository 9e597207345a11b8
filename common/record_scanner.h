// Walks the published records of one metric file, oldest first, and reports
// damage with its offset and reason. Knows what records may say about each
// other; does no I/O: the caller brings the bytes in pieces.

#ifndef TINE_COMMON_RECORD_SCANNER_H_
#define TINE_COMMON_RECORD_SCANNER_H_

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <unordered_set>

#include "common/record_codec.h"

namespace tine {

struct Damage {
  DamageReason reason = DamageReason::kNone;
  uint64_t offset =
      0;  // of the first damaged byte's record, or of the header field
};

// Told of each sound record in file order. The views die with the call.
class RecordVisitor {
 public:
  virtual ~RecordVisitor() = default;
  // Families are numbered 0, 1, 2, ... in the order of these calls.
  virtual void OnFamily(uint64_t offset, const FamilyView& family) = 0;
  virtual void OnSeries(uint64_t offset, const SeriesView& series,
                        uint32_t family_number) = 0;
  virtual void OnCells(uint64_t offset, const CellsView& cells) = 0;
  // Of a series that OnSeries told of, once. `cell_count` is the series'.
  virtual void OnRemoved(uint64_t /*offset*/, const RemovedView& /*removed*/,
                         uint32_t /*cell_count*/) {}
  // A record of a kind that this version does not know; it was skipped.
  virtual void OnUnknown(uint64_t /*offset*/, uint16_t /*kind*/,
                         uint32_t /*record_bytes*/) {}
};

// One scanner follows one file for as long as the file is read. Resumable: what
// was published since is scanned by the next call, and no record is ever parsed
// twice. Damage is for good: the records before it stay valid, nothing after it
// is looked at again. Any bytes may come: no crash, no hang; work is bounded by
// bytes / 64 records. Not thread-safe.
class RecordScanner {
 public:
  RecordScanner() = default;

  // Checks `used`, a copy of the header's field, against the file's size and
  // against the value of the call before. Call it before each round of Scan.
  // False is damage.
  bool SetUsedUntrusted(uint64_t used, uint64_t file_bytes);

  // True while published bytes are left to scan.
  bool WantsBytes() const {
    return damage_.reason == DamageReason::kNone && next_offset_ < used_;
  }
  // Where the next Scan's bytes must begin, and how many it needs to make
  // progress (never more than there are).
  uint64_t next_offset() const { return next_offset_; }
  size_t wanted_bytes() const { return wanted_bytes_; }

  // `bytes` is a private, 8-byte aligned copy of the file from next_offset()
  // on. Takes all whole records in it.
  void Scan(const uint8_t* bytes, size_t size_bytes, RecordVisitor* visitor);

  const Damage& damage() const { return damage_; }
  uint64_t used() const { return used_; }
  // Records taken so far, unknown kinds included: the measure of work done.
  uint64_t record_count() const { return record_count_; }

 private:
  struct Family {
    uint32_t number;
    uint32_t cell_count;
    uint32_t label_count;
  };
  // Cells of a chunk.
  struct Chunk {
    std::bitset<format::kCellsPerBlock> is_owned;
    std::bitset<format::kCellsPerBlock> is_first;  // of a series
    std::bitset<format::kCellsPerBlock>
        is_removed;  // the series it is first of
  };
  static constexpr size_t kMinimumBytes = format::kRecordAlignment;

  DamageReason TakeRecord(const uint8_t* record, format::RecordKind kind,
                          uint32_t record_bytes, RecordVisitor* visitor);
  DamageReason TakeFamily(const uint8_t* record, RecordVisitor* visitor);
  DamageReason TakeSeries(const uint8_t* record, RecordVisitor* visitor);
  DamageReason TakeCells(const uint8_t* record, RecordVisitor* visitor);
  DamageReason TakeRemoved(const uint8_t* record, RecordVisitor* visitor);
  // False when the cells have no slot 0 block or belong to another series.
  bool TakeCellRange(uint32_t first_cell, uint32_t cell_count);

  uint64_t used_ = format::kHeaderBytes;
  uint64_t next_offset_ = format::kHeaderBytes;
  size_t wanted_bytes_ = kMinimumBytes;
  uint64_t record_count_ = 0;
  Damage damage_;
  std::unordered_map<uint32_t, Family> families_;  // by offset
  // By number. An entry exists once the chunk's slot 0 block does.
  std::unordered_map<uint32_t, Chunk> chunks_;
  // (chunk << 32 | slot) of each block seen.
  std::unordered_set<uint64_t> blocks_;
};

}  // namespace tine

#endif  // TINE_COMMON_RECORD_SCANNER_H_
