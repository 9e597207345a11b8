#include "common/record_scanner.h"

#include <algorithm>

namespace tine {

using format::kCellsPerBlock;
using format::RecordKind;

bool RecordScanner::SetUsedUntrusted(uint64_t used, uint64_t file_bytes) {
  if (damage_.reason != DamageReason::kNone) {
    return false;
  }
  if (used < used_ || used > file_bytes ||
      used % format::kRecordAlignment != 0) {
    damage_ = {DamageReason::kUsedOutOfRange, format::kHeaderDynamicOffset};
    return false;
  }
  used_ = used;
  return true;
}

void RecordScanner::Scan(const uint8_t* bytes, size_t size_bytes,
                         RecordVisitor* visitor) {
  size_t at = 0;
  while (WantsBytes()) {
    const size_t left_bytes = size_bytes - at;
    wanted_bytes_ = kMinimumBytes;
    if (left_bytes < kMinimumBytes) {
      return;
    }
    uint32_t record_bytes = 0;
    RecordKind kind = RecordKind::kNone;
    DamageReason reason = DecodeRecordHeaderUntrusted(
        bytes + at, used_ - next_offset_, &record_bytes, &kind);
    if (reason == DamageReason::kNone) {
      const bool is_body_needed = !format::IsMutableKind(kind);
      if (is_body_needed && left_bytes < record_bytes) {
        wanted_bytes_ = record_bytes;
        return;
      }
      reason = TakeRecord(bytes + at, kind, record_bytes, visitor);
    }
    if (reason != DamageReason::kNone) {
      damage_ = {reason, next_offset_};
      return;
    }
    ++record_count_;
    next_offset_ += record_bytes;
    // The body of a record of a mutable kind may reach beyond `bytes`: the next
    // call begins behind it.
    at += std::min<size_t>(record_bytes, left_bytes);
  }
}

DamageReason RecordScanner::TakeRecord(const uint8_t* record, RecordKind kind,
                                       uint32_t record_bytes,
                                       RecordVisitor* visitor) {
  switch (kind) {
    case RecordKind::kFamily:
      return TakeFamily(record, visitor);
    case RecordKind::kSeries:
      return TakeSeries(record, visitor);
    case RecordKind::kCells:
      return TakeCells(record, visitor);
    case RecordKind::kRemoved:
      return TakeRemoved(record, visitor);
    case RecordKind::kNone:
      return DamageReason::kRecordFields;
    case RecordKind::kArchive:
    case RecordKind::kFolded:
    case RecordKind::kOrigins:
    case RecordKind::kProcessLabels:
    case RecordKind::kKnown:
    case RecordKind::kTaken:
      break;
  }
  const DamageReason reason = CheckRecordUntrusted(record);
  if (reason == DamageReason::kNone) {
    visitor->OnUnknown(next_offset_, static_cast<uint16_t>(kind), record_bytes);
  }
  return reason;
}

DamageReason RecordScanner::TakeFamily(const uint8_t* record,
                                       RecordVisitor* visitor) {
  FamilyView family;
  const DamageReason reason = DecodeFamilyUntrusted(record, &family);
  if (reason != DamageReason::kNone) {
    return reason;
  }
  if (next_offset_ > UINT32_MAX) {
    return DamageReason::kRecordFields;
  }
  const auto number = static_cast<uint32_t>(families_.size());
  families_[static_cast<uint32_t>(next_offset_)] = {
      number,
      CellCountOf(family.type, family.gauge_mode, family.bound_count,
                  family.time_to_live_s != 0),
      static_cast<uint32_t>(family.label_names.size())};
  visitor->OnFamily(next_offset_, family);
  return DamageReason::kNone;
}

DamageReason RecordScanner::TakeSeries(const uint8_t* record,
                                       RecordVisitor* visitor) {
  SeriesView series;
  const DamageReason reason = DecodeSeriesUntrusted(record, &series);
  if (reason != DamageReason::kNone) {
    return reason;
  }
  const auto it = families_.find(series.family_offset);
  if (it == families_.end()) {
    return DamageReason::kFamilyReference;
  }
  const Family& family = it->second;
  if (series.cell_count != family.cell_count ||
      series.label_values.size() != family.label_count) {
    return DamageReason::kRecordFields;
  }
  if (!TakeCellRange(series.first_cell, series.cell_count)) {
    return DamageReason::kCellRange;
  }
  visitor->OnSeries(next_offset_, series, family.number);
  return DamageReason::kNone;
}

DamageReason RecordScanner::TakeCells(const uint8_t* record,
                                      RecordVisitor* visitor) {
  CellsView cells;
  const DamageReason reason = DecodeCellsUntrusted(record, &cells);
  if (reason != DamageReason::kNone) {
    return reason;
  }
  const uint64_t key = (uint64_t{cells.chunk} << 32) | cells.slot;
  if (!blocks_.insert(key).second) {
    return DamageReason::kDuplicateBlock;
  }
  if (cells.slot == 0) {
    chunks_.emplace(cells.chunk, Chunk());
  } else if (chunks_.count(cells.chunk) == 0) {
    return DamageReason::kCellRange;
  }
  visitor->OnCells(next_offset_, cells);
  return DamageReason::kNone;
}

DamageReason RecordScanner::TakeRemoved(const uint8_t* record,
                                        RecordVisitor* visitor) {
  RemovedView removed;
  const DamageReason reason = DecodeRemovedUntrusted(record, &removed);
  if (reason != DamageReason::kNone) {
    return reason;
  }
  const uint32_t first = removed.first_cell % kCellsPerBlock;
  const auto it = chunks_.find(removed.first_cell / kCellsPerBlock);
  if (it == chunks_.end() || !it->second.is_first[first] ||
      it->second.is_removed[first]) {
    return DamageReason::kRecordFields;
  }
  Chunk& chunk = it->second;
  chunk.is_removed[first] = true;
  uint32_t end = first + 1;
  while (end < kCellsPerBlock && chunk.is_owned[end] && !chunk.is_first[end]) {
    ++end;
  }
  visitor->OnRemoved(next_offset_, removed, end - first);
  return DamageReason::kNone;
}

bool RecordScanner::TakeCellRange(uint32_t first_cell, uint32_t cell_count) {
  const uint32_t first = first_cell % kCellsPerBlock;
  const auto it = chunks_.find(first_cell / kCellsPerBlock);
  if (it == chunks_.end() || first + cell_count > kCellsPerBlock) {
    return false;
  }
  Chunk& chunk = it->second;
  for (uint32_t i = first; i < first + cell_count; ++i) {
    if (chunk.is_owned[i]) {
      return false;
    }
    chunk.is_owned[i] = true;
  }
  chunk.is_first[first] = true;
  return true;
}

}  // namespace tine
