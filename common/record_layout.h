// The bytes of a metric file, format version 1, as structs. FORMAT.md is the
// specification; this header restates it so that the compiler checks it. No
// functions with decisions, no I/O.
//
// Everything is little-endian and naturally aligned. Zero means "nothing here
// yet" in every enum and every cell. Persisted enum values are fixed and never
// reused.

#ifndef TINE_COMMON_RECORD_LAYOUT_H_
#define TINE_COMMON_RECORD_LAYOUT_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace tine::format {

#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error \
    "The metric file is little-endian and is written in place: this library needs a little-endian machine."
#endif

// "TINE\r\n\x1a\n": a transfer in text mode changes the line ends and so is
// noticed at once.
inline constexpr uint8_t kMagic[8] = {'T',  'I',  'N',  'E',
                                      '\r', '\n', 0x1a, '\n'};
inline constexpr uint32_t kEndianTag = 0x01020304;
inline constexpr uint16_t kVersionMajor = 1;
inline constexpr uint16_t kVersionMinor = 0;

// No flag is defined yet. A reader refuses a file with an incompatible flag
// that it does not know, and ignores compatible flags that it does not know.
inline constexpr uint32_t kKnownIncompatibleFlags = 0;

inline constexpr uint32_t kHeaderBytes = 4096;
inline constexpr uint32_t kHeaderChecksumOffset = 3964;
// 31 * 128: alone in its pair of cache lines.
inline constexpr uint32_t kHeaderDynamicOffset = 3968;
inline constexpr uint32_t kHeaderStringsOffset = 128;
inline constexpr uint32_t kHeaderStringsMaxBytes = 3832;  // up to offset 3960

inline constexpr uint32_t kRecordAlignment = 64;  // one cache line
// 4 KiB of cells: one page's worth.
inline constexpr uint32_t kCellsPerBlock = 512;
inline constexpr uint32_t kCellsRecordBytes =
    kRecordAlignment + 8 * kCellsPerBlock;
// The longest record of a kind that does not change (IsMutableKind): twice what
// 64 label values of 65535 bytes take. A reader needs a whole one in memory.
inline constexpr uint32_t kMaxParsedRecordBytes = 8 * 1024 * 1024;
// The most that a writer gives a file (address space and sparse size). A reader
// believes no file that is larger.
inline constexpr uint64_t kMaxFileBytes = 64 * 1024 * 1024;
// A histogram's cells (buckets, +Inf, sum) lie in one block.
inline constexpr uint32_t kMaxBounds = kCellsPerBlock - 2;
// A state set is one cell.
inline constexpr uint32_t kMaxStates = 64;

// Does the life lock hold on this file system? The writer tries it once before
// it gives the file its name.
enum class LifeLock : uint32_t { kUnknown = 0, kHolds = 1, kDoesNotHold = 2 };

enum class FileState : uint32_t { kUnknown = 0, kLive = 1, kCleanExit = 2 };

enum class RecordKind : uint16_t {
  kNone = 0,
  kFamily = 1,
  kSeries = 2,
  kRemoved = 3,
  // Of an archive alone:
  kArchive = 4,
  kFolded = 5,
  kOrigins = 6,
  kProcessLabels = 7,
  kKnown = 8,
  kTaken = 9,
  kCells = 0x8001,
};

// The kinds whose records change after they are published: the checksum covers
// their first 64 bytes only. A reader needs no knowledge of a kind to check it,
// so a flipped bit in `kind` cannot make a record pass for an unknown one.
inline constexpr uint16_t kMutableKindBit = 0x8000;
constexpr bool IsMutableKind(RecordKind kind) {
  return (static_cast<uint16_t>(kind) & kMutableKindBit) != 0;
}
static_assert(IsMutableKind(RecordKind::kCells));

enum class MetricType : uint8_t {
  kNone = 0,
  kCounter = 1,
  kGauge = 2,
  kHistogram = 3,
  kSummary = 4,
  kUpDownCounter = 5,  // add-only and summed like a counter, shown as a gauge
  kStateSet = 6,       // a bit for each named state, shown as gauges of 0 or 1
  kInfo = 7,           // a gauge of 1 that tells something by its labels
};

enum class ValueKind : uint8_t { kNone = 0, kU64 = 1, kF64 = 2, kI64 = 3 };

// How the values of several processes become one. The names are
// client_python's.
enum class GaugeMode : uint8_t {
  kNone = 0,
  kAll = 1,
  kLiveAll = 2,
  kSum = 3,
  kLiveSum = 4,
  kMin = 5,
  kLiveMin = 6,
  kMax = 7,
  kLiveMax = 8,
  kMostRecent = 9,
  kLiveMostRecent = 10,
};

// A gauge cell holds the bits of the double XOR this constant, so that a cell
// of zeroes means "never set". The constant is a signalling NaN that no
// arithmetic yields.
inline constexpr uint64_t kUnsetGaugeBits = 0x7FF454494E450000;

struct FileHeader {
  uint8_t magic[8];
  uint32_t endian_tag;
  uint16_t version_major;
  uint16_t version_minor;
  uint32_t header_bytes;
  uint32_t compatible_flags;
  uint32_t incompatible_flags;
  LifeLock life_lock;
  uint8_t uuid[16];     // the file's identity; also in its name
  uint8_t boot_id[16];  // /proc/sys/kernel/random/boot_id
  uint64_t pid_namespace;
  uint64_t time_namespace;
  // As the writer sees itself. For people: nothing is decided by it.
  uint32_t pid;
  uint32_t uid;
  uint64_t process_start_ticks;  // field 22 of /proc/self/stat
  uint64_t created_boot_ns;      // CLOCK_BOOTTIME
  uint64_t created_wall_ns;      // CLOCK_REALTIME
  // The size that the file was given; it never grows beyond.
  uint64_t reserve_bytes;
  uint32_t strings_bytes;  // used bytes of `strings`
  uint16_t process_label_count;
  uint16_t reserved0;
  // Each string is a u16 length and its bytes: executable name, worker id, then
  // process labels name, value, name, ...
  uint8_t strings[kHeaderStringsMaxBytes];
  uint32_t reserved1;
  uint32_t checksum;  // CRC-32 of the bytes before it
};
static_assert(offsetof(FileHeader, endian_tag) == 8);
static_assert(offsetof(FileHeader, version_major) == 12);
static_assert(offsetof(FileHeader, version_minor) == 14);
static_assert(offsetof(FileHeader, header_bytes) == 16);
static_assert(offsetof(FileHeader, compatible_flags) == 20);
static_assert(offsetof(FileHeader, incompatible_flags) == 24);
static_assert(offsetof(FileHeader, life_lock) == 28);
static_assert(offsetof(FileHeader, uuid) == 32);
static_assert(offsetof(FileHeader, boot_id) == 48);
static_assert(offsetof(FileHeader, pid_namespace) == 64);
static_assert(offsetof(FileHeader, time_namespace) == 72);
static_assert(offsetof(FileHeader, pid) == 80);
static_assert(offsetof(FileHeader, uid) == 84);
static_assert(offsetof(FileHeader, process_start_ticks) == 88);
static_assert(offsetof(FileHeader, created_boot_ns) == 96);
static_assert(offsetof(FileHeader, created_wall_ns) == 104);
static_assert(offsetof(FileHeader, reserve_bytes) == 112);
static_assert(offsetof(FileHeader, strings_bytes) == 120);
static_assert(offsetof(FileHeader, process_label_count) == 124);
static_assert(offsetof(FileHeader, strings) == kHeaderStringsOffset);
static_assert(offsetof(FileHeader, checksum) == kHeaderChecksumOffset);
static_assert(sizeof(FileHeader) == kHeaderDynamicOffset);

// The part of the header page that changes after the file has its name.
struct FileHeaderDynamic {
  std::atomic<uint64_t> used;  // bytes published, header included: where the
                               // next record will begin
  std::atomic<uint32_t> state;
  uint32_t reserved0;
  std::atomic<uint64_t> dropped_series;
  std::atomic<uint64_t> dropped_observations;
  std::atomic<uint64_t> children_without_file;  // written by forked children
                                                // too, with an atomic add
  uint8_t reserved1[88];
};
static_assert(offsetof(FileHeaderDynamic, state) == 8);
static_assert(offsetof(FileHeaderDynamic, dropped_series) == 16);
static_assert(offsetof(FileHeaderDynamic, dropped_observations) == 24);
static_assert(offsetof(FileHeaderDynamic, children_without_file) == 32);
static_assert(sizeof(FileHeaderDynamic) == 128);
static_assert(kHeaderDynamicOffset + sizeof(FileHeaderDynamic) == kHeaderBytes);
// In theory std::atomic may be larger than its value; then the file would not
// be what FORMAT.md says.
static_assert(sizeof(std::atomic<uint64_t>) == 8 &&
              std::atomic<uint64_t>::is_always_lock_free);
static_assert(sizeof(std::atomic<uint32_t>) == 4 &&
              std::atomic<uint32_t>::is_always_lock_free);

// What every record begins with.
struct RecordHeader {
  uint32_t record_bytes;  // multiple of 64, this header included
  RecordKind kind;
  uint16_t reserved;
  uint32_t checksum;  // CRC-32 of the record's immutable bytes, this field
                      // taken as zero
};
static_assert(offsetof(RecordHeader, kind) == 4);
static_assert(offsetof(RecordHeader, checksum) == 8);
static_assert(sizeof(RecordHeader) == 12);

struct FamilyRecord {
  RecordHeader header;
  MetricType type;
  ValueKind value_kind;
  GaugeMode gauge_mode;
  uint8_t state_count;  // of a state set
  uint16_t name_bytes;
  uint16_t unit_bytes;
  uint32_t help_bytes;
  uint16_t label_name_count;
  uint16_t bound_count;        // histogram: without +Inf; gauge, state set: 1
                               // if there is a time to live
  uint32_t label_names_bytes;  // with their length prefixes
  // Then: f64 bounds[bound_count], name, unit, help, label names and state
  // names (each a u16 length and its bytes), zeroes.
};
static_assert(offsetof(FamilyRecord, type) == 12);
static_assert(offsetof(FamilyRecord, value_kind) == 13);
static_assert(offsetof(FamilyRecord, gauge_mode) == 14);
static_assert(offsetof(FamilyRecord, state_count) == 15);
static_assert(offsetof(FamilyRecord, name_bytes) == 16);
static_assert(offsetof(FamilyRecord, unit_bytes) == 18);
static_assert(offsetof(FamilyRecord, help_bytes) == 20);
static_assert(offsetof(FamilyRecord, label_name_count) == 24);
static_assert(offsetof(FamilyRecord, bound_count) == 26);
static_assert(offsetof(FamilyRecord, label_names_bytes) == 28);
static_assert(sizeof(FamilyRecord) == 32);

struct SeriesRecord {
  RecordHeader header;
  uint32_t family_offset;  // of an earlier FAMILY record in this file
  uint64_t created_wall_ns;
  uint32_t first_cell;  // cell index; block k holds 512 * k .. 512 * k + 511
  uint16_t cell_count;  // all in one block
  uint16_t label_value_count;
  // Then: label values (each a u16 length and its bytes), zeroes.
};
static_assert(offsetof(SeriesRecord, family_offset) == 12);
static_assert(offsetof(SeriesRecord, created_wall_ns) == 16);
static_assert(offsetof(SeriesRecord, first_cell) == 24);
static_assert(offsetof(SeriesRecord, cell_count) == 28);
static_assert(offsetof(SeriesRecord, label_value_count) == 30);
static_assert(sizeof(SeriesRecord) == 32);

// The process no longer holds the series that begins at `first_cell`.
struct RemovedRecord {
  RecordHeader header;
  uint32_t first_cell;
  uint64_t removed_wall_ns;
  uint8_t reserved[40];
};
static_assert(offsetof(RemovedRecord, first_cell) == 12);
static_assert(offsetof(RemovedRecord, removed_wall_ns) == 16);
static_assert(sizeof(RemovedRecord) == kRecordAlignment);

struct CellsRecord {
  RecordHeader header;
  uint32_t slot;  // 0 is shared by all threads; any other belongs to one thread
                  // at a time
  uint32_t chunk;  // k
  uint8_t reserved[44];
  uint64_t cells[kCellsPerBlock];
};
static_assert(offsetof(CellsRecord, slot) == 12);
static_assert(offsetof(CellsRecord, chunk) == 16);
static_assert(offsetof(CellsRecord, cells) == kRecordAlignment);
static_assert(sizeof(CellsRecord) == kCellsRecordBytes);
static_assert(kCellsRecordBytes % kRecordAlignment == 0);

}  // namespace tine::format

#endif  // TINE_COMMON_RECORD_LAYOUT_H_
