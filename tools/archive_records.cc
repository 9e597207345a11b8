#include "tools/archive_records.h"

#include <algorithm>
#include <set>

#include "common/checksum.h"
#include "common/record_layout.h"

namespace tine::tools {

using format::OriginEntry;
using format::RecordKind;

format::ArchiveRecord ReadArchiveHead(const MetricFileReader& file) {
  format::ArchiveRecord head = {};
  file.ReadBytes(format::kHeaderBytes, sizeof(head),
                 reinterpret_cast<uint8_t*>(&head));
  return head;
}

std::string ArchiveProblem(const MetricFileReader& file) {
  constexpr uint64_t kBodyOffset =
      format::kHeaderBytes + sizeof(format::ArchiveRecord);
  const uint64_t used = file.dynamic().used;
  if (used != file.file_bytes()) {
    return "its length is not what it says at offset " +
           std::to_string(format::kHeaderDynamicOffset);
  }
  std::vector<uint8_t> body(used - kBodyOffset);
  if (!file.ReadBytes(kBodyOffset, body.size(), body.data()) ||
      Crc32(body.data(), body.size()) != ReadArchiveHead(file).body_checksum) {
    return "the checksum over all records is wrong at offset " +
           std::to_string(format::kHeaderBytes +
                          offsetof(format::ArchiveRecord, body_checksum));
  }
  std::set<uint32_t> first_cells;
  for (const SeriesEntry& series : file.series()) {
    first_cells.insert(series.first_cell);
  }
  const auto origins =
      ReadArchiveLists<OriginEntry>(file, RecordKind::kOrigins);
  const bool has_stray =
      std::any_of(origins.begin(), origins.end(), [&](const auto& origin) {
        return first_cells.count(origin.first_cell) == 0;
      });
  if (has_stray || origins.size() != first_cells.size()) {
    return "its origins are not those of its series";
  }
  return "";
}

}  // namespace tine::tools
