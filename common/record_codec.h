// Bytes to records and back. The only code that turns bytes into the structs of
// record_layout.h. Pure functions: no I/O, no allocation, async-signal-safe.

#ifndef TINE_COMMON_RECORD_CODEC_H_
#define TINE_COMMON_RECORD_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "common/metric_file_name.h"
#include "common/record_layout.h"

namespace tine {

// Why bytes are not what they should be. The names (DamageReasonName) are the
// values of a label `reason`: keep them.
enum class DamageReason {
  kNone = 0,
  kShortHeader,       // less than 4096 bytes
  kBadMagic,          // not a metric file, or one that went through a text-mode
                      // transfer
  kWrongEndian,       // written by a big-endian machine
  kUnknownVersion,    // another major version
  kIncompatibleFlag,  // a feature that this reader does not know
  kHeaderChecksum,
  kHeaderFields,    // checksum right, content impossible
  kUsedOutOfRange,  // `used` is no multiple of 64, below 4096 or beyond the
                    // file
  kRecordLength,    // zero, no multiple of 64, or beyond `used`
  kRecordChecksum,
  kRecordFields,     // checksum right, content impossible
  kFamilyReference,  // a SERIES that names no earlier FAMILY
  kCellRange,        // a SERIES without its slot 0 block, or on another's cells
  kDuplicateBlock,   // a second CELLS for one slot and chunk
  kInvalidName,      // a metric or label name that Prometheus would refuse
  kInvalidText,      // help, unit or a label value is not UTF-8
};
std::string_view DamageReasonName(DamageReason reason) noexcept;

// Strings that lie one after the other, each behind its u16 length. A view: the
// bytes belong to somebody else.
class StringListView {
 public:
  StringListView() = default;
  // `bytes` must be well-formed: `count` strings in exactly `size_bytes` (see
  // IsWellFormed).
  StringListView(const uint8_t* bytes, size_t size_bytes, size_t count)
      : bytes_(bytes), size_bytes_(size_bytes), count_(count) {}

  static bool IsWellFormed(const uint8_t* bytes, size_t size_bytes,
                           size_t count) noexcept;

  class Iterator {
   public:
    explicit Iterator(const uint8_t* at) : at_(at) {}
    std::string_view operator*() const {
      return {reinterpret_cast<const char*>(at_ + 2), Length()};
    }
    Iterator& operator++() {
      at_ += 2 + Length();
      return *this;
    }
    bool operator!=(const Iterator& other) const { return at_ != other.at_; }

   private:
    size_t Length() const {
      uint16_t length;
      std::memcpy(&length, at_, sizeof(length));
      return length;
    }
    const uint8_t* at_;
  };
  Iterator begin() const { return Iterator(bytes_); }
  Iterator end() const { return Iterator(bytes_ + size_bytes_); }
  size_t size() const { return count_; }
  const uint8_t* bytes() const { return bytes_; }
  size_t size_bytes() const { return size_bytes_; }

 private:
  const uint8_t* bytes_ = nullptr;
  size_t size_bytes_ = 0;
  size_t count_ = 0;
};

// Appends one string in the form that StringListView reads. `text` is at most
// 65535 bytes; there is room for 2 + text.size() bytes at `at`. Returns where
// the next one goes.
uint8_t* AppendString(uint8_t* at, std::string_view text) noexcept;

// ---- Header -----------------------------------------------------------------

struct FileHeaderView {
  const format::FileHeader* header = nullptr;
  std::string_view executable;
  std::string_view worker_id;     // empty: none
  StringListView process_labels;  // name, value, name, value, ...
  FileUuid uuid() const {
    FileUuid result;
    std::memcpy(result.bytes, header->uuid, sizeof(result.bytes));
    return result;
  }
};

// Fills in magic, versions and checksum; everything else is the caller's.
void SealFileHeader(format::FileHeader* header) noexcept;

// `bytes` is the caller's private copy of a file's first bytes (never a
// mapping: it must not change between check and use), 8-byte aligned; `view`
// points into it.
DamageReason DecodeFileHeaderUntrusted(const uint8_t* bytes, size_t size_bytes,
                                       FileHeaderView* view) noexcept;

// ---- Records ----------------------------------------------------------------

struct FamilyView {
  format::MetricType type = format::MetricType::kNone;
  format::ValueKind value_kind = format::ValueKind::kNone;
  format::GaugeMode gauge_mode = format::GaugeMode::kNone;
  std::string_view name;
  std::string_view unit;
  std::string_view help;
  StringListView label_names;
  const double* bounds = nullptr;  // strictly ascending, finite; 8-byte aligned
  size_t bound_count = 0;
  // Of a gauge or state set, in seconds; 0: for ever.
  double time_to_live_s = 0;
  StringListView state_names;  // of a state set
};

struct SeriesView {
  uint32_t family_offset = 0;
  uint32_t first_cell = 0;
  uint32_t cell_count = 0;
  uint64_t created_wall_ns = 0;
  StringListView label_values;
};

struct RemovedView {
  uint32_t first_cell = 0;  // of the series
  uint64_t removed_wall_ns = 0;
};

struct CellsView {
  uint32_t slot = 0;
  uint32_t chunk = 0;
};

// Cells that a series of this family has: counter and up-down counter 1; what
// is set 1 (and in the mostrecent modes one for the wall clock, and with a time
// to live one for the boot clock, in nanoseconds); histogram bounds + 2
// (buckets, +Inf, sum); summary 2 (count, sum).
uint32_t CellCountOf(format::MetricType type, format::GaugeMode mode,
                     size_t bound_count,
                     bool has_time_to_live = false) noexcept;

// Sizes are multiples of 64.
size_t EncodedFamilyBytes(const FamilyView& family) noexcept;
size_t EncodedSeriesBytes(const SeriesView& series) noexcept;

// `out` is zeroed memory of the encoded size, 64-byte aligned. Nothing is
// published by encoding.
void EncodeFamily(const FamilyView& family, uint8_t* out) noexcept;
void EncodeSeries(const SeriesView& series, uint8_t* out) noexcept;
void EncodeRemoved(const RemovedView& removed, uint8_t* out) noexcept;
// Writes the first 64 bytes; the cells after them stay as they are.
void EncodeCellsHeader(const CellsView& cells, uint8_t* out) noexcept;

// The length and kind of the record at `bytes` (at least 12 readable ones),
// checked against `available_bytes`, the distance to `used`.
DamageReason DecodeRecordHeaderUntrusted(const uint8_t* bytes,
                                         uint64_t available_bytes,
                                         uint32_t* record_bytes,
                                         format::RecordKind* kind) noexcept;

// `bytes`, here and below, is a private, 8-byte aligned copy of the whole
// record (of a mutable kind: its first 64 bytes), whose header has passed
// DecodeRecordHeaderUntrusted. This checks the checksum alone, of any kind; the
// others do it too. The views point into `bytes`.
DamageReason CheckRecordUntrusted(const uint8_t* bytes) noexcept;
DamageReason DecodeFamilyUntrusted(const uint8_t* bytes,
                                   FamilyView* family) noexcept;
DamageReason DecodeSeriesUntrusted(const uint8_t* bytes,
                                   SeriesView* series) noexcept;
DamageReason DecodeRemovedUntrusted(const uint8_t* bytes,
                                    RemovedView* removed) noexcept;
DamageReason DecodeCellsUntrusted(const uint8_t* bytes,
                                  CellsView* cells) noexcept;

// ---- Cells that are no integers ---------------------------------------------

// Of sums and f64 counters.
inline uint64_t EncodeF64Cell(double value) noexcept {
  uint64_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}
inline double DecodeF64Cell(uint64_t cell) noexcept {
  double value;
  std::memcpy(&value, &cell, sizeof(value));
  return value;
}

inline uint64_t EncodeGaugeCell(double value) noexcept {
  return EncodeF64Cell(value) ^ format::kUnsetGaugeBits;
}

// False when the cell was never set.
inline bool DecodeGaugeCell(uint64_t cell, double* value) noexcept {
  *value = DecodeF64Cell(cell ^ format::kUnsetGaugeBits);
  return cell != 0;
}

}  // namespace tine

#endif  // TINE_COMMON_RECORD_CODEC_H_
