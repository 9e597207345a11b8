#include "common/record_codec.h"

#include <cmath>

#include "common/checksum.h"
#include "common/metric_names.h"

namespace tine {
namespace {

using format::CellsRecord;
using format::FamilyRecord;
using format::FileHeader;
using format::GaugeMode;
using format::MetricType;
using format::RecordHeader;
using format::RecordKind;
using format::RemovedRecord;
using format::SeriesRecord;
using format::ValueKind;

constexpr size_t RoundUpToRecord(size_t bytes) {
  return (bytes + format::kRecordAlignment - 1) &
         ~static_cast<size_t>(format::kRecordAlignment - 1);
}

// The checksum of the first `immutable_bytes` of a record, its checksum field
// taken as zero.
uint32_t RecordChecksum(const uint8_t* record, size_t immutable_bytes) {
  constexpr size_t kField = offsetof(RecordHeader, checksum);
  constexpr uint8_t kZeroes[4] = {};
  uint32_t crc = Crc32(record, kField);
  crc = Crc32(kZeroes, sizeof(kZeroes), crc);
  return Crc32(record + kField + 4, immutable_bytes - kField - 4, crc);
}

// A private copy of a record's fixed part. The copy also makes the read aligned
// and typed.
template <typename Record>
Record CopyOf(const uint8_t* bytes) {
  Record record;
  std::memcpy(static_cast<void*>(&record), bytes, sizeof(record));
  return record;
}

uint8_t* AppendBytes(uint8_t* at, std::string_view text) {
  if (!text.empty()) {
    std::memcpy(at, text.data(), text.size());
  }
  return at + text.size();
}

std::string_view TakeBytes(const uint8_t** at, size_t size_bytes) {
  const std::string_view text(reinterpret_cast<const char*>(*at), size_bytes);
  *at += size_bytes;
  return text;
}

bool AreTypeAndKindPossible(const FamilyRecord& record) {
  const bool has_mode = record.gauge_mode != GaugeMode::kNone;
  switch (record.type) {
    case MetricType::kCounter:
      return !has_mode && (record.value_kind == ValueKind::kU64 ||
                           record.value_kind == ValueKind::kF64);
    case MetricType::kGauge:
      return has_mode && !GaugeModeName(record.gauge_mode).empty() &&
             record.value_kind == ValueKind::kF64;
    case MetricType::kUpDownCounter:
      return (record.gauge_mode == GaugeMode::kSum ||
              record.gauge_mode == GaugeMode::kLiveSum) &&
             record.value_kind == ValueKind::kI64;
    case MetricType::kHistogram:
    case MetricType::kSummary:
      return !has_mode && record.value_kind == ValueKind::kF64;
    case MetricType::kNone:
      break;
  }
  return false;
}

bool AreBoundsPossible(const double* bounds, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    if (!std::isfinite(bounds[i]) || (i > 0 && !(bounds[i - 1] < bounds[i]))) {
      return false;
    }
  }
  return true;
}

// Valid, not reserved, no two alike. `step` is 1 for a list of names, 2 for
// name, value, name, value.
bool AreLabelNamesValid(const StringListView& names, size_t step) {
  size_t index = 0;
  for (auto it = names.begin(); it != names.end(); ++it, ++index) {
    if (index % step != 0) {
      continue;
    }
    if (!IsValidLabelName(*it) || IsReservedLabelName(*it)) {
      return false;
    }
    size_t earlier_index = 0;
    for (auto earlier = names.begin(); earlier != it;
         ++earlier, ++earlier_index) {
      if (earlier_index % step == 0 && *earlier == *it) {
        return false;
      }
    }
  }
  return true;
}

bool AreValuesUtf8(const StringListView& values) {
  for (const std::string_view value : values) {
    if (!IsValidUtf8(value)) {
      return false;
    }
  }
  return true;
}

}  // namespace

std::string_view DamageReasonName(DamageReason reason) noexcept {
  switch (reason) {
    case DamageReason::kNone:
      return "none";
    case DamageReason::kShortHeader:
      return "short_header";
    case DamageReason::kBadMagic:
      return "bad_magic";
    case DamageReason::kWrongEndian:
      return "wrong_endian";
    case DamageReason::kUnknownVersion:
      return "unknown_version";
    case DamageReason::kIncompatibleFlag:
      return "incompatible_flag";
    case DamageReason::kHeaderChecksum:
      return "header_checksum";
    case DamageReason::kHeaderFields:
      return "header_fields";
    case DamageReason::kUsedOutOfRange:
      return "used_out_of_range";
    case DamageReason::kRecordLength:
      return "record_length";
    case DamageReason::kRecordChecksum:
      return "record_checksum";
    case DamageReason::kRecordFields:
      return "record_fields";
    case DamageReason::kFamilyReference:
      return "family_reference";
    case DamageReason::kCellRange:
      return "cell_range";
    case DamageReason::kDuplicateBlock:
      return "duplicate_block";
    case DamageReason::kInvalidName:
      return "invalid_name";
    case DamageReason::kInvalidText:
      return "invalid_text";
  }
  return "unknown";
}

bool StringListView::IsWellFormed(const uint8_t* bytes, size_t size_bytes,
                                  size_t count) noexcept {
  size_t at = 0;
  for (size_t i = 0; i < count; ++i) {
    if (size_bytes - at < 2) {
      return false;
    }
    uint16_t length;
    std::memcpy(&length, bytes + at, sizeof(length));
    at += 2;
    if (size_bytes - at < length) {
      return false;
    }
    at += length;
  }
  return at == size_bytes;
}

uint8_t* AppendString(uint8_t* at, std::string_view text) noexcept {
  const auto length = static_cast<uint16_t>(text.size());
  std::memcpy(at, &length, sizeof(length));
  return AppendBytes(at + sizeof(length), text);
}

void SealFileHeader(FileHeader* header) noexcept {
  std::memcpy(header->magic, format::kMagic, sizeof(header->magic));
  header->endian_tag = format::kEndianTag;
  header->version_major = format::kVersionMajor;
  header->version_minor = format::kVersionMinor;
  header->header_bytes = format::kHeaderBytes;
  header->checksum = Crc32(header, format::kHeaderChecksumOffset);
}

DamageReason DecodeFileHeaderUntrusted(const uint8_t* bytes, size_t size_bytes,
                                       FileHeaderView* view) noexcept {
  if (size_bytes < format::kHeaderBytes) {
    return DamageReason::kShortHeader;
  }
  const auto* header = reinterpret_cast<const FileHeader*>(bytes);
  if (std::memcmp(header->magic, format::kMagic, sizeof(header->magic)) != 0) {
    return DamageReason::kBadMagic;
  }
  if (header->endian_tag != format::kEndianTag) {
    return DamageReason::kWrongEndian;
  }
  if (header->version_major != format::kVersionMajor) {
    return DamageReason::kUnknownVersion;
  }
  if ((header->incompatible_flags & ~format::kKnownIncompatibleFlags) != 0) {
    return DamageReason::kIncompatibleFlag;
  }
  if (Crc32(bytes, format::kHeaderChecksumOffset) != header->checksum) {
    return DamageReason::kHeaderChecksum;
  }
  // Two strings come before the labels.
  const size_t string_count = 2 + 2 * size_t{header->process_label_count};
  if (header->header_bytes != format::kHeaderBytes ||
      header->strings_bytes > format::kHeaderStringsMaxBytes ||
      header->process_label_count > kMaxLabelCount ||
      !StringListView::IsWellFormed(header->strings, header->strings_bytes,
                                    string_count)) {
    return DamageReason::kHeaderFields;
  }
  const StringListView strings(header->strings, header->strings_bytes,
                               string_count);
  auto it = strings.begin();
  view->header = header;
  view->executable = *it;
  ++it;
  view->worker_id = *it;
  ++it;
  const auto* labels_at = reinterpret_cast<const uint8_t*>(
      view->worker_id.data() + view->worker_id.size());
  view->process_labels = StringListView(
      labels_at,
      header->strings_bytes - static_cast<size_t>(labels_at - header->strings),
      string_count - 2);
  if (!AreLabelNamesValid(view->process_labels, /*step=*/2)) {
    return DamageReason::kInvalidName;
  }
  if (!IsValidUtf8(view->executable) || !IsValidUtf8(view->worker_id) ||
      !AreValuesUtf8(view->process_labels)) {
    return DamageReason::kInvalidText;
  }
  return DamageReason::kNone;
}

uint32_t CellCountOf(MetricType type, GaugeMode mode,
                     size_t bound_count) noexcept {
  switch (type) {
    case MetricType::kCounter:
    case MetricType::kUpDownCounter:
      return 1;
    case MetricType::kGauge:
      return IsMostRecentMode(mode) ? 2 : 1;
    case MetricType::kHistogram:
      return static_cast<uint32_t>(bound_count) + 2;
    case MetricType::kSummary:
      return 2;
    case MetricType::kNone:
      break;
  }
  return 0;
}

size_t EncodedFamilyBytes(const FamilyView& family) noexcept {
  return RoundUpToRecord(sizeof(FamilyRecord) +
                         sizeof(double) * family.bound_count +
                         family.name.size() + family.unit.size() +
                         family.help.size() + family.label_names.size_bytes());
}

size_t EncodedSeriesBytes(const SeriesView& series) noexcept {
  return RoundUpToRecord(sizeof(SeriesRecord) +
                         series.label_values.size_bytes());
}

void EncodeFamily(const FamilyView& family, uint8_t* out) noexcept {
  const size_t record_bytes = EncodedFamilyBytes(family);
  FamilyRecord record{};
  record.header.record_bytes = static_cast<uint32_t>(record_bytes);
  record.header.kind = RecordKind::kFamily;
  record.type = family.type;
  record.value_kind = family.value_kind;
  record.gauge_mode = family.gauge_mode;
  record.name_bytes = static_cast<uint16_t>(family.name.size());
  record.unit_bytes = static_cast<uint16_t>(family.unit.size());
  record.help_bytes = static_cast<uint32_t>(family.help.size());
  record.label_name_count = static_cast<uint16_t>(family.label_names.size());
  record.bound_count = static_cast<uint16_t>(family.bound_count);
  record.label_names_bytes =
      static_cast<uint32_t>(family.label_names.size_bytes());
  std::memcpy(out, &record, sizeof(record));
  uint8_t* at = out + sizeof(record);
  for (size_t i = 0; i < family.bound_count; ++i) {
    std::memcpy(at, &family.bounds[i], sizeof(double));
    at += sizeof(double);
  }
  at = AppendBytes(at, family.name);
  at = AppendBytes(at, family.unit);
  at = AppendBytes(at, family.help);
  AppendBytes(at, std::string_view(
                      reinterpret_cast<const char*>(family.label_names.bytes()),
                      family.label_names.size_bytes()));
  const uint32_t checksum = RecordChecksum(out, record_bytes);
  std::memcpy(out + offsetof(RecordHeader, checksum), &checksum, 4);
}

void EncodeSeries(const SeriesView& series, uint8_t* out) noexcept {
  const size_t record_bytes = EncodedSeriesBytes(series);
  SeriesRecord record{};
  record.header.record_bytes = static_cast<uint32_t>(record_bytes);
  record.header.kind = RecordKind::kSeries;
  record.family_offset = series.family_offset;
  record.created_wall_ns = series.created_wall_ns;
  record.first_cell = series.first_cell;
  record.cell_count = static_cast<uint16_t>(series.cell_count);
  record.label_value_count = static_cast<uint16_t>(series.label_values.size());
  std::memcpy(out, &record, sizeof(record));
  AppendBytes(out + sizeof(record),
              std::string_view(
                  reinterpret_cast<const char*>(series.label_values.bytes()),
                  series.label_values.size_bytes()));
  const uint32_t checksum = RecordChecksum(out, record_bytes);
  std::memcpy(out + offsetof(RecordHeader, checksum), &checksum, 4);
}

void EncodeRemoved(const RemovedView& removed, uint8_t* out) noexcept {
  RemovedRecord record{};
  record.header.record_bytes = sizeof(record);
  record.header.kind = RecordKind::kRemoved;
  record.first_cell = removed.first_cell;
  record.removed_wall_ns = removed.removed_wall_ns;
  std::memcpy(out, &record, sizeof(record));
  const uint32_t checksum = RecordChecksum(out, sizeof(record));
  std::memcpy(out + offsetof(RecordHeader, checksum), &checksum, 4);
}

void EncodeCellsHeader(const CellsView& cells, uint8_t* out) noexcept {
  const uint32_t record_bytes = format::kCellsRecordBytes;
  const RecordKind kind = RecordKind::kCells;
  std::memset(out, 0, format::kRecordAlignment);
  std::memcpy(out + offsetof(RecordHeader, record_bytes), &record_bytes, 4);
  std::memcpy(out + offsetof(RecordHeader, kind), &kind, 2);
  std::memcpy(out + offsetof(CellsRecord, slot), &cells.slot, 4);
  std::memcpy(out + offsetof(CellsRecord, chunk), &cells.chunk, 4);
  const uint32_t checksum = RecordChecksum(out, format::kRecordAlignment);
  std::memcpy(out + offsetof(RecordHeader, checksum), &checksum, 4);
}

DamageReason DecodeRecordHeaderUntrusted(const uint8_t* bytes,
                                         uint64_t available_bytes,
                                         uint32_t* record_bytes,
                                         RecordKind* kind) noexcept {
  const auto header = CopyOf<RecordHeader>(bytes);
  if (header.record_bytes < format::kRecordAlignment ||
      header.record_bytes % format::kRecordAlignment != 0 ||
      header.record_bytes > available_bytes ||
      (header.kind == RecordKind::kCells &&
       header.record_bytes != format::kCellsRecordBytes) ||
      (!format::IsMutableKind(header.kind) &&
       header.record_bytes > format::kMaxParsedRecordBytes)) {
    return DamageReason::kRecordLength;
  }
  *record_bytes = header.record_bytes;
  *kind = header.kind;
  return DamageReason::kNone;
}

DamageReason CheckRecordUntrusted(const uint8_t* bytes) noexcept {
  const auto header = CopyOf<RecordHeader>(bytes);
  const size_t covered_bytes = format::IsMutableKind(header.kind)
                                   ? size_t{format::kRecordAlignment}
                                   : size_t{header.record_bytes};
  return RecordChecksum(bytes, covered_bytes) == header.checksum
             ? DamageReason::kNone
             : DamageReason::kRecordChecksum;
}

DamageReason DecodeFamilyUntrusted(const uint8_t* bytes,
                                   FamilyView* family) noexcept {
  const auto record = CopyOf<FamilyRecord>(bytes);
  const size_t record_bytes = record.header.record_bytes;
  if (CheckRecordUntrusted(bytes) != DamageReason::kNone) {
    return DamageReason::kRecordChecksum;
  }
  const uint64_t content_bytes =
      sizeof(FamilyRecord) + sizeof(double) * uint64_t{record.bound_count} +
      record.name_bytes + record.unit_bytes + uint64_t{record.help_bytes} +
      uint64_t{record.label_names_bytes};
  if (content_bytes > record_bytes || record.bound_count > format::kMaxBounds ||
      record.help_bytes > kMaxHelpBytes || record.unit_bytes > kMaxUnitBytes ||
      record.label_name_count > kMaxLabelCount ||
      !AreTypeAndKindPossible(record) ||
      (record.bound_count != 0 && record.type != MetricType::kHistogram)) {
    return DamageReason::kRecordFields;
  }
  const uint8_t* at = bytes + sizeof(FamilyRecord);
  family->bounds = reinterpret_cast<const double*>(at);
  family->bound_count = record.bound_count;
  at += sizeof(double) * record.bound_count;
  family->type = record.type;
  family->value_kind = record.value_kind;
  family->gauge_mode = record.gauge_mode;
  family->name = TakeBytes(&at, record.name_bytes);
  family->unit = TakeBytes(&at, record.unit_bytes);
  family->help = TakeBytes(&at, record.help_bytes);
  if (!AreBoundsPossible(family->bounds, family->bound_count) ||
      !StringListView::IsWellFormed(at, record.label_names_bytes,
                                    record.label_name_count)) {
    return DamageReason::kRecordFields;
  }
  family->label_names =
      StringListView(at, record.label_names_bytes, record.label_name_count);
  if (!IsValidMetricName(family->name) ||
      !AreLabelNamesValid(family->label_names, /*step=*/1)) {
    return DamageReason::kInvalidName;
  }
  if (!IsValidUtf8(family->unit) || !IsValidUtf8(family->help)) {
    return DamageReason::kInvalidText;
  }
  return DamageReason::kNone;
}

DamageReason DecodeSeriesUntrusted(const uint8_t* bytes,
                                   SeriesView* series) noexcept {
  const auto record = CopyOf<SeriesRecord>(bytes);
  const size_t record_bytes = record.header.record_bytes;
  if (CheckRecordUntrusted(bytes) != DamageReason::kNone) {
    return DamageReason::kRecordChecksum;
  }
  const uint8_t* at = bytes + sizeof(SeriesRecord);
  // The list's end is not stored: it is found by walking the lengths.
  size_t values_bytes = 0;
  const size_t room_bytes = record_bytes - sizeof(SeriesRecord);
  for (size_t i = 0; i < record.label_value_count; ++i) {
    if (room_bytes - values_bytes < 2) {
      return DamageReason::kRecordFields;
    }
    uint16_t length;
    std::memcpy(&length, at + values_bytes, sizeof(length));
    values_bytes += 2;
    if (room_bytes - values_bytes < length) {
      return DamageReason::kRecordFields;
    }
    values_bytes += length;
  }
  series->family_offset = record.family_offset;
  series->created_wall_ns = record.created_wall_ns;
  series->first_cell = record.first_cell;
  series->cell_count = record.cell_count;
  series->label_values =
      StringListView(at, values_bytes, record.label_value_count);
  if (record.label_value_count > kMaxLabelCount || record.cell_count == 0 ||
      record.cell_count > format::kCellsPerBlock) {
    return DamageReason::kRecordFields;
  }
  if (!AreValuesUtf8(series->label_values)) {
    return DamageReason::kInvalidText;
  }
  return DamageReason::kNone;
}

DamageReason DecodeRemovedUntrusted(const uint8_t* bytes,
                                    RemovedView* removed) noexcept {
  if (CheckRecordUntrusted(bytes) != DamageReason::kNone) {
    return DamageReason::kRecordChecksum;
  }
  const auto record = CopyOf<RemovedRecord>(bytes);
  removed->first_cell = record.first_cell;
  removed->removed_wall_ns = record.removed_wall_ns;
  return DamageReason::kNone;
}

DamageReason DecodeCellsUntrusted(const uint8_t* bytes,
                                  CellsView* cells) noexcept {
  if (CheckRecordUntrusted(bytes) != DamageReason::kNone) {
    return DamageReason::kRecordChecksum;
  }
  std::memcpy(&cells->slot, bytes + offsetof(CellsRecord, slot), 4);
  std::memcpy(&cells->chunk, bytes + offsetof(CellsRecord, chunk), 4);
  return DamageReason::kNone;
}

}  // namespace tine
