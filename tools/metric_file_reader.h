#ifndef TINE_TOOLS_METRIC_FILE_READER_H_
#define TINE_TOOLS_METRIC_FILE_READER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "collector/liveness.h"
#include "common/record_codec.h"
#include "common/record_layout.h"
#include "common/record_scanner.h"
#include "common/unique_fd.h"

namespace tine::tools {

struct FamilyEntry {
  format::MetricType type;
  format::ValueKind value_kind;
  format::GaugeMode gauge_mode;
  std::string name;
  std::string unit;
  std::string help;
  std::vector<std::string> label_names;
  std::vector<double> bounds;
  double time_to_live_s = 0;  // 0: for ever
  std::vector<std::string> state_names;
};

struct SeriesEntry {
  uint32_t family_number;
  uint32_t first_cell;
  uint32_t cell_count;
  uint64_t created_wall_ns;
  std::vector<std::string> label_values;
  bool is_removed = false;
};

struct RemovedEntry {
  size_t series_number;  // in series()
  uint64_t removed_wall_ns;
};

struct BlockEntry {
  uint64_t record_offset;
  uint32_t slot;
  uint32_t chunk;
};

struct RecordEntry {
  uint64_t offset;
  uint32_t record_bytes;
  uint16_t kind;
  size_t index;  // in families(), series(), removed() or blocks(), by kind
};

// The dynamic part of the header as it was at one time.
struct DynamicEntry {
  uint64_t used;
  uint32_t state;
  uint64_t dropped_series;
  uint64_t dropped_observations;
  uint64_t children_without_file;
};

// One metric file, opened and read once: everything that was published then.
// Reads by pread into memory of its own; trusts nothing in the file. Not
// thread-safe.
class MetricFileReader : private RecordVisitor {
 public:
  // `name` is taken from `directory_fd` (AT_FDCWD: from here). False: `error`
  // is why it could not be opened or read. Damage is no error.
  bool Open(int directory_fd, const std::string& name, std::string* error);

  // The first damage found, `kNone` if the file is sound.
  const Damage& damage() const { return damage_; }
  // False if the header is damaged: then there is nothing else to see.
  bool has_header() const { return header_.header != nullptr; }
  const FileHeaderView& header() const { return header_; }
  const DynamicEntry& dynamic() const { return dynamic_; }
  uint64_t file_bytes() const { return file_bytes_; }

  const std::vector<RecordEntry>& records() const { return records_; }
  const std::vector<FamilyEntry>& families() const { return families_; }
  const std::vector<SeriesEntry>& series() const { return series_; }
  const std::vector<RemovedEntry>& removed() const { return removed_; }
  const std::vector<BlockEntry>& blocks() const { return blocks_; }

  // Bytes of the file as they are now; false when not all of them are there.
  bool ReadBytes(uint64_t offset, size_t size_bytes, uint8_t* out) const;
  // Is it a collector's archive? By its first record.
  bool is_archive() const {
    return !records_.empty() &&
           records_[0].kind ==
               static_cast<uint16_t>(format::RecordKind::kArchive);
  }

  // Is the writer alive now, as the collector judges it? `header` must be
  // there.
  collector::Liveness ProbeLife() const;

  // The cells of a series, one row per slot, slot 0 first. Read now.
  std::vector<std::vector<uint64_t>> ReadCells(const SeriesEntry& series) const;

 private:
  void OnFamily(uint64_t offset, const FamilyView& family) override;
  void OnSeries(uint64_t offset, const SeriesView& series,
                uint32_t family_number) override;
  void OnCells(uint64_t offset, const CellsView& cells) override;
  void OnRemoved(uint64_t offset, const RemovedView& removed,
                 uint32_t cell_count) override;
  void OnUnknown(uint64_t offset, uint16_t kind,
                 uint32_t record_bytes) override;

  bool OpenRegular(int directory_fd, const std::string& name,
                   std::string* error);
  bool ReadHeader(std::string* error);
  bool ReadRecords(std::string* error);
  // All of it, or what is there before the end of the file.
  bool ReadAt(uint64_t offset, size_t size_bytes, uint8_t* out,
              size_t* read_bytes) const;
  void AddRecord(uint64_t offset, uint16_t kind, size_t index);

  UniqueFd fd_;
  uint64_t file_bytes_ = 0;
  std::unique_ptr<uint64_t[]> header_bytes_;
  FileHeaderView header_;
  DynamicEntry dynamic_ = {};
  Damage damage_;
  std::vector<RecordEntry> records_;
  std::vector<FamilyEntry> families_;
  std::vector<SeriesEntry> series_;
  std::unordered_map<uint32_t, size_t> series_by_cell_;
  std::vector<RemovedEntry> removed_;
  std::vector<BlockEntry> blocks_;
};

}  // namespace tine::tools

#endif  // TINE_TOOLS_METRIC_FILE_READER_H_
