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

uint8_t* AppendStrings(uint8_t* at, const StringListView& strings) {
  return AppendBytes(
      at, std::string_view(reinterpret_cast<const char*>(strings.bytes()),
                           strings.size_bytes()));
}

std::string_view TakeBytes(const uint8_t** at, size_t size_bytes) {
  const std::string_view text(reinterpret_cast<const char*>(*at), size_bytes);
  *at += size_bytes;
  return text;
}

bool AreTypeAndKindPossible(const FamilyRecord& record) {
  const bool has_mode = record.gauge_mode != GaugeMode::kNone;
  if (record.state_count > format::kMaxStates ||
      (record.state_count != 0 && record.type != MetricType::kStateSet)) {
    return false;
  }
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
    case MetricType::kStateSet:
      return IsStateSetMode(record.gauge_mode) &&
             record.value_kind ==
                 (record.state_count != 0 ? ValueKind::kU64 : ValueKind::kF64);
    case MetricType::kInfo:
      return record.gauge_mode == GaugeMode::kLiveMax &&
             record.value_kind == ValueKind::kF64;
    case MetricType::kHistogram:
    case MetricType::kSummary:
      return !has_mode && record.value_kind == ValueKind::kF64;
    case MetricType::kNone:
      break;
  }
  return false;
}

bool MayHaveTimeToLive(MetricType type) {
  return type == MetricType::kGauge || type == MetricType::kStateSet;
}

bool IsBoundCountPossible(const FamilyRecord& record) {
  if (record.type == MetricType::kHistogram) {
    return record.bound_count <= format::kMaxBounds;
  }
  return record.bound_count <= (MayHaveTimeToLive(record.type) ? 1 : 0);
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

// A state is the value of a label that is called like the family. (In the
// archive, which has no list of states, it is one of the label names.)
bool IsStateSetName(std::string_view name, const StringListView& label_names,
                    size_t state_count) {
  for (const std::string_view label : label_names) {
    if (label == name && state_count != 0) {
      return false;
    }
  }
  return IsValidLabelName(name) && !IsReservedLabelName(name);
}

// How many of the `available_bytes` at `bytes` the first `count` strings take,
// into `*size_bytes`. False when they do not fit.
bool FindEndOfStrings(const uint8_t* bytes, size_t available_bytes,
                      size_t count, size_t* size_bytes) {
  size_t at = 0;
  for (size_t i = 0; i < count; ++i) {
    if (available_bytes - at < 2) {
      return false;
    }
    uint16_t length;
    std::memcpy(&length, bytes + at, sizeof(length));
    at += 2;
    if (available_bytes - at < length) {
      return false;
    }
    at += length;
  }
  *size_bytes = at;
  return true;
}

// Not empty, UTF-8, no two alike.
bool AreStateNamesValid(const StringListView& names) {
  for (auto it = names.begin(); it != names.end(); ++it) {
    if ((*it).empty() || (*it).size() > kMaxStateBytes || !IsValidUtf8(*it)) {
      return false;
    }
    for (auto earlier = names.begin(); earlier != it; ++earlier) {
      if (*earlier == *it) {
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
  size_t used_bytes = 0;
  return FindEndOfStrings(bytes, size_bytes, count, &used_bytes) &&
         used_bytes == size_bytes;
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

uint32_t CellCountOf(MetricType type, GaugeMode mode, size_t bound_count,
                     bool has_time_to_live) noexcept {
  switch (type) {
    case MetricType::kCounter:
    case MetricType::kUpDownCounter:
      return 1;
    case MetricType::kGauge:
    case MetricType::kStateSet:
    case MetricType::kInfo:
      return 1 + (IsMostRecentMode(mode) ? 1 : 0) + (has_time_to_live ? 1 : 0);
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
  const size_t number_count =
      family.bound_count + (family.time_to_live_s != 0 ? 1 : 0);
  return RoundUpToRecord(sizeof(FamilyRecord) + sizeof(double) * number_count +
                         family.name.size() + family.unit.size() +
                         family.help.size() + family.label_names.size_bytes() +
                         family.state_names.size_bytes());
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
  record.state_count = static_cast<uint8_t>(family.state_names.size());
  const bool has_time_to_live = family.time_to_live_s != 0;
  const double* bounds =
      has_time_to_live ? &family.time_to_live_s : family.bounds;
  record.bound_count =
      static_cast<uint16_t>(has_time_to_live ? 1 : family.bound_count);
  record.label_names_bytes =
      static_cast<uint32_t>(family.label_names.size_bytes());
  std::memcpy(out, &record, sizeof(record));
  uint8_t* at = out + sizeof(record);
  for (size_t i = 0; i < record.bound_count; ++i) {
    std::memcpy(at, &bounds[i], sizeof(double));
    at += sizeof(double);
  }
  at = AppendBytes(at, family.name);
  at = AppendBytes(at, family.unit);
  at = AppendBytes(at, family.help);
  at = AppendStrings(at, family.label_names);
  AppendStrings(at, family.state_names);
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
  if (content_bytes > record_bytes || record.help_bytes > kMaxHelpBytes ||
      record.unit_bytes > kMaxUnitBytes ||
      record.label_name_count > kMaxLabelCount ||
      !AreTypeAndKindPossible(record) || !IsBoundCountPossible(record)) {
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
  const size_t left_bytes =
      record_bytes - static_cast<size_t>(at - bytes) - record.label_names_bytes;
  size_t states_bytes = 0;
  if (!AreBoundsPossible(family->bounds, family->bound_count) ||
      !StringListView::IsWellFormed(at, record.label_names_bytes,
                                    record.label_name_count) ||
      !FindEndOfStrings(at + record.label_names_bytes, left_bytes,
                        record.state_count, &states_bytes)) {
    return DamageReason::kRecordFields;
  }
  family->label_names =
      StringListView(at, record.label_names_bytes, record.label_name_count);
  family->state_names = StringListView(at + record.label_names_bytes,
                                       states_bytes, record.state_count);
  family->time_to_live_s = 0;
  if (record.type != MetricType::kHistogram && family->bound_count != 0) {
    family->time_to_live_s = family->bounds[0];
    family->bound_count = 0;
    if (!(family->time_to_live_s > 0)) {
      return DamageReason::kRecordFields;
    }
  }
  const bool is_state_set = record.type == MetricType::kStateSet;
  if (!IsValidMetricName(family->name) ||
      !AreLabelNamesValid(family->label_names, /*step=*/1) ||
      (is_state_set && !IsStateSetName(family->name, family->label_names,
                                       record.state_count))) {
    return DamageReason::kInvalidName;
  }
  if (!IsValidUtf8(family->unit) || !IsValidUtf8(family->help) ||
      !AreStateNamesValid(family->state_names)) {
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
  if (!FindEndOfStrings(at, record_bytes - sizeof(SeriesRecord),
                        record.label_value_count, &values_bytes)) {
    return DamageReason::kRecordFields;
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
