// The records that only an archive has, read from the file.

#ifndef TINE_TOOLS_ARCHIVE_RECORDS_H_
#define TINE_TOOLS_ARCHIVE_RECORDS_H_

#include <string>
#include <vector>

#include "collector/archive_layout.h"
#include "tools/metric_file_reader.h"

namespace tine::tools {

// FOLDED, ORIGINS or KNOWN: the entries of one record. Empty when its list is
// longer than the record.
template <typename Entry>
std::vector<Entry> ReadArchiveList(const MetricFileReader& file,
                                   const RecordEntry& record) {
  format::ListRecord head;
  if (!file.ReadBytes(record.offset, sizeof(head),
                      reinterpret_cast<uint8_t*>(&head)) ||
      head.entry_count > (record.record_bytes - sizeof(head)) / sizeof(Entry)) {
    return {};
  }
  std::vector<Entry> entries(head.entry_count);
  if (!entries.empty() &&
      !file.ReadBytes(record.offset + sizeof(head),
                      entries.size() * sizeof(Entry),
                      reinterpret_cast<uint8_t*>(entries.data()))) {
    entries.clear();
  }
  return entries;
}

// The same of all records of that kind.
template <typename Entry>
std::vector<Entry> ReadArchiveLists(const MetricFileReader& file,
                                    format::RecordKind kind) {
  std::vector<Entry> entries;
  for (const RecordEntry& record : file.records()) {
    if (record.kind == static_cast<uint16_t>(kind)) {
      const auto more = ReadArchiveList<Entry>(file, record);
      entries.insert(entries.end(), more.begin(), more.end());
    }
  }
  return entries;
}

// The first record of an archive.
format::ArchiveRecord ReadArchiveHead(const MetricFileReader& file);

// What is wrong with an archive although all its records are sound; empty:
// nothing.
std::string ArchiveProblem(const MetricFileReader& file);

}  // namespace tine::tools

#endif  // TINE_TOOLS_ARCHIVE_RECORDS_H_
