#ifndef TINE_TESTS_COMMON_SCANNED_FILE_H_
#define TINE_TESTS_COMMON_SCANNED_FILE_H_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "common/record_scanner.h"

namespace tine::testing {

// Writes down what it is told: one line for each record, beginning with its
// offset.
class RecordingVisitor : public RecordVisitor {
 public:
  void OnFamily(uint64_t offset, const FamilyView& family) override {
    std::string line = At(offset) + "family " + std::string(family.name);
    for (const std::string_view name : family.label_names) {
      line += " " + std::string(name);
    }
    for (size_t i = 0; i < family.bound_count; ++i) {
      line += " " + std::to_string(family.bounds[i]);
    }
    lines.push_back(line + " " + std::string(family.help));
  }
  void OnSeries(uint64_t offset, const SeriesView& series,
                uint32_t family_number) override {
    std::string line = At(offset) + "series of " +
                       std::to_string(family_number) + " cells " +
                       std::to_string(series.first_cell) + "+" +
                       std::to_string(series.cell_count);
    for (const std::string_view value : series.label_values) {
      line += " '" + std::string(value) + "'";
    }
    lines.push_back(line);
  }
  void OnCells(uint64_t offset, const CellsView& cells) override {
    lines.push_back(At(offset) + "cells slot " + std::to_string(cells.slot) +
                    " chunk " + std::to_string(cells.chunk));
  }
  void OnRemoved(uint64_t offset, const RemovedView& removed,
                 uint32_t cell_count) override {
    lines.push_back(At(offset) + "removed cells " +
                    std::to_string(removed.first_cell) + "+" +
                    std::to_string(cell_count));
  }
  void OnUnknown(uint64_t offset, uint16_t kind,
                 uint32_t record_bytes) override {
    lines.push_back(At(offset) + "unknown " + std::to_string(kind) + " bytes " +
                    std::to_string(record_bytes));
  }

  std::vector<std::string> lines;

 private:
  static std::string At(uint64_t offset) {
    return std::to_string(offset) + ": ";
  }
};

struct ScannedFile {
  std::vector<std::string> lines;
  Damage damage;
};

// Brings the scanner pieces of `piece_bytes`, or as many as it wants if that is
// more, each in an allocation of its own size so that a sanitizer sees every
// byte too far.
inline void ScanInPieces(const std::vector<uint8_t>& bytes, size_t piece_bytes,
                         RecordScanner* scanner, RecordVisitor* visitor) {
  while (scanner->WantsBytes()) {
    const uint64_t from = scanner->next_offset();
    const size_t size = std::min<size_t>(
        std::max(piece_bytes, scanner->wanted_bytes()), bytes.size() - from);
    const std::vector<uint8_t> piece(bytes.begin() + from,
                                     bytes.begin() + from + size);
    scanner->Scan(piece.data(), piece.size(), visitor);
  }
}

// Header and records of a whole file, as a reader goes about it.
inline ScannedFile ScanFile(const std::vector<uint8_t>& bytes,
                            size_t piece_bytes = 1 << 16) {
  ScannedFile result;
  FileHeaderView header;
  result.damage.reason =
      DecodeFileHeaderUntrusted(bytes.data(), bytes.size(), &header);
  if (result.damage.reason != DamageReason::kNone) {
    return result;
  }
  uint64_t used;
  std::memcpy(&used, bytes.data() + format::kHeaderDynamicOffset, sizeof(used));
  RecordScanner scanner;
  RecordingVisitor visitor;
  if (scanner.SetUsedUntrusted(used, bytes.size())) {
    ScanInPieces(bytes, piece_bytes, &scanner, &visitor);
  }
  result.lines = visitor.lines;
  result.damage = scanner.damage();
  return result;
}

}  // namespace tine::testing

#endif  // TINE_TESTS_COMMON_SCANNED_FILE_H_
