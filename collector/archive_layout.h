// The records that only an archive has, as structs; see "The archive" in
// common/FORMAT.md.

#ifndef TINE_COLLECTOR_ARCHIVE_LAYOUT_H_
#define TINE_COLLECTOR_ARCHIVE_LAYOUT_H_

#include <cstddef>
#include <cstdint>

#include "common/record_layout.h"

namespace tine::format {

// The first record.
struct ArchiveRecord {
  RecordHeader header;
  // CRC-32 of everything from the end of this record to `used`, cells included.
  uint32_t body_checksum;
  uint64_t generation;
  uint8_t lineage[16];
  uint64_t written_wall_ns;
  uint64_t lost_file_count;  // known files that were gone, so far
  uint64_t reset_wall_ns;    // when one was last; 0: never
};
static_assert(offsetof(ArchiveRecord, body_checksum) == 12);
static_assert(offsetof(ArchiveRecord, generation) == 16);
static_assert(offsetof(ArchiveRecord, lineage) == 24);
static_assert(offsetof(ArchiveRecord, written_wall_ns) == 40);
static_assert(offsetof(ArchiveRecord, lost_file_count) == 48);
static_assert(offsetof(ArchiveRecord, reset_wall_ns) == 56);
static_assert(sizeof(ArchiveRecord) == 64);

// What FOLDED, ORIGINS, PROCESS_LABELS, KNOWN and TAKEN records begin with;
// `entry_count` entries follow.
struct ListRecord {
  RecordHeader header;
  uint32_t entry_count;
};
static_assert(sizeof(ListRecord) == 16);

// Of FOLDED and of TAKEN.
struct FoldedEntry {
  uint8_t uuid[16];
  uint64_t inode;
  uint64_t birth_ns;
  uint32_t owner_uid;
  uint32_t flags;         // see below
  uint32_t folded_at_s;   // Unix time
  uint32_t taken_before;  // of TAKEN: an offset in the file
};
static_assert(offsetof(FoldedEntry, taken_before) == 44);
static_assert(sizeof(FoldedEntry) == 48);
inline constexpr uint32_t kFoldedIsKept = 1;       // it is damaged
inline constexpr uint32_t kFoldedHasVanished = 2;  // a stranger took it away

struct OriginEntry {
  uint32_t first_cell;
  uint32_t folded_at_s;             // Unix time of the last fold into it
  uint64_t writer_created_wall_ns;  // of a gauge: whose value it is
  uint8_t writer_uuid[16];
  uint32_t owner_uid;  // of the files that it comes from
  uint32_t flags;      // see below
  // Of a gauge with a time to live: when it is too old to be served.
  uint64_t expires_wall_ns;
};
static_assert(offsetof(OriginEntry, owner_uid) == 32);
static_assert(offsetof(OriginEntry, expires_wall_ns) == 40);
static_assert(sizeof(OriginEntry) == 48);
inline constexpr uint32_t kOriginHasSeveralOwners = 1;

struct KnownEntry {
  uint8_t uuid[16];
};
static_assert(sizeof(KnownEntry) == 16);

// Of a series that carries process labels.
struct ProcessLabelsEntry {
  uint32_t first_cell;
  uint32_t reserved;
  uint64_t labels;  // bit i: the label i of the SERIES is one
};
static_assert(sizeof(ProcessLabelsEntry) == 16);

// Of one record; more entries need more records.
inline constexpr uint32_t kMaxListEntries = 100'000;

}  // namespace tine::format

#endif  // TINE_COLLECTOR_ARCHIVE_LAYOUT_H_
