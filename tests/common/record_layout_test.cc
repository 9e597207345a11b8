// The layout of FORMAT.md, declared a second time by hand.

#include "common/record_layout.h"

#include <cstddef>

#include "gtest/gtest.h"

namespace tine::format {
namespace {

struct Field {
  const char* name;
  size_t offset;
  size_t size_bytes;
  size_t offset_in_format;
  size_t size_in_format;
};

#define FIELD(type, field, offset, size) \
  { #field, offsetof(type, field), sizeof(type::field), offset, size }

// Each field where FORMAT.md has it, and no gap before or between.
template <size_t count>
void ExpectLayout(const Field (&fields)[count], size_t end) {
  size_t next = fields[0].offset;
  for (const Field& field : fields) {
    EXPECT_EQ(field.offset, field.offset_in_format) << field.name;
    EXPECT_EQ(field.size_bytes, field.size_in_format) << field.name;
    EXPECT_EQ(field.offset, next) << field.name;
    next = field.offset + field.size_bytes;
  }
  EXPECT_EQ(next, end);
}

TEST(RecordLayoutTest, StaticHeaderIsAsInFormat) {
  ExpectLayout({FIELD(FileHeader, magic, 0, 8),
                FIELD(FileHeader, endian_tag, 8, 4),
                FIELD(FileHeader, version_major, 12, 2),
                FIELD(FileHeader, version_minor, 14, 2),
                FIELD(FileHeader, header_bytes, 16, 4),
                FIELD(FileHeader, compatible_flags, 20, 4),
                FIELD(FileHeader, incompatible_flags, 24, 4),
                FIELD(FileHeader, life_lock, 28, 4),
                FIELD(FileHeader, uuid, 32, 16),
                FIELD(FileHeader, boot_id, 48, 16),
                FIELD(FileHeader, pid_namespace, 64, 8),
                FIELD(FileHeader, time_namespace, 72, 8),
                FIELD(FileHeader, pid, 80, 4),
                FIELD(FileHeader, uid, 84, 4),
                FIELD(FileHeader, process_start_ticks, 88, 8),
                FIELD(FileHeader, created_boot_ns, 96, 8),
                FIELD(FileHeader, created_wall_ns, 104, 8),
                FIELD(FileHeader, reserve_bytes, 112, 8),
                FIELD(FileHeader, strings_bytes, 120, 4),
                FIELD(FileHeader, process_label_count, 124, 2),
                FIELD(FileHeader, reserved0, 126, 2),
                FIELD(FileHeader, strings, 128, 3832),
                FIELD(FileHeader, reserved1, 3960, 4),
                FIELD(FileHeader, checksum, 3964, 4)},
               3968);
}

TEST(RecordLayoutTest, DynamicHeaderIsAsInFormat) {
  ExpectLayout({FIELD(FileHeaderDynamic, used, 3968 - 3968, 8),
                FIELD(FileHeaderDynamic, state, 3976 - 3968, 4),
                FIELD(FileHeaderDynamic, reserved0, 3980 - 3968, 4),
                FIELD(FileHeaderDynamic, dropped_series, 3984 - 3968, 8),
                FIELD(FileHeaderDynamic, dropped_observations, 3992 - 3968, 8),
                FIELD(FileHeaderDynamic, children_without_file, 4000 - 3968, 8),
                FIELD(FileHeaderDynamic, reserved1, 4008 - 3968, 88)},
               4096 - 3968);
  EXPECT_EQ(kHeaderBytes, 4096u);
  EXPECT_EQ(kHeaderDynamicOffset, 3968u);
}

TEST(RecordLayoutTest, RecordsAreAsInFormat) {
  ExpectLayout(
      {FIELD(RecordHeader, record_bytes, 0, 4), FIELD(RecordHeader, kind, 4, 2),
       FIELD(RecordHeader, reserved, 6, 2),
       FIELD(RecordHeader, checksum, 8, 4)},
      12);
  ExpectLayout(
      {FIELD(FamilyRecord, type, 12, 1), FIELD(FamilyRecord, value_kind, 13, 1),
       FIELD(FamilyRecord, gauge_mode, 14, 1),
       FIELD(FamilyRecord, state_count, 15, 1),
       FIELD(FamilyRecord, name_bytes, 16, 2),
       FIELD(FamilyRecord, unit_bytes, 18, 2),
       FIELD(FamilyRecord, help_bytes, 20, 4),
       FIELD(FamilyRecord, label_name_count, 24, 2),
       FIELD(FamilyRecord, bound_count, 26, 2),
       FIELD(FamilyRecord, label_names_bytes, 28, 4)},
      32);
  ExpectLayout({FIELD(SeriesRecord, family_offset, 12, 4),
                FIELD(SeriesRecord, created_wall_ns, 16, 8),
                FIELD(SeriesRecord, first_cell, 24, 4),
                FIELD(SeriesRecord, cell_count, 28, 2),
                FIELD(SeriesRecord, label_value_count, 30, 2)},
               32);
  ExpectLayout({FIELD(RemovedRecord, first_cell, 12, 4),
                FIELD(RemovedRecord, removed_wall_ns, 16, 8),
                FIELD(RemovedRecord, reserved, 24, 40)},
               64);
  ExpectLayout(
      {FIELD(CellsRecord, slot, 12, 4), FIELD(CellsRecord, chunk, 16, 4),
       FIELD(CellsRecord, reserved, 20, 44),
       FIELD(CellsRecord, cells, 64, 4096)},
      4160);
}

TEST(RecordLayoutTest, NumbersAreAsInFormat) {
  EXPECT_EQ(static_cast<int>(RecordKind::kFamily), 1);
  EXPECT_EQ(static_cast<int>(RecordKind::kSeries), 2);
  EXPECT_EQ(static_cast<int>(RecordKind::kRemoved), 3);
  EXPECT_EQ(static_cast<int>(RecordKind::kArchive), 4);
  EXPECT_EQ(static_cast<int>(RecordKind::kFolded), 5);
  EXPECT_EQ(static_cast<int>(RecordKind::kOrigins), 6);
  EXPECT_EQ(static_cast<int>(RecordKind::kProcessLabels), 7);
  EXPECT_EQ(static_cast<int>(RecordKind::kKnown), 8);
  EXPECT_EQ(static_cast<int>(RecordKind::kTaken), 9);
  EXPECT_EQ(static_cast<int>(RecordKind::kCells), 0x8001);
  EXPECT_EQ(static_cast<int>(MetricType::kCounter), 1);
  EXPECT_EQ(static_cast<int>(MetricType::kGauge), 2);
  EXPECT_EQ(static_cast<int>(MetricType::kHistogram), 3);
  EXPECT_EQ(static_cast<int>(MetricType::kSummary), 4);
  EXPECT_EQ(static_cast<int>(MetricType::kUpDownCounter), 5);
  EXPECT_EQ(static_cast<int>(MetricType::kStateSet), 6);
  EXPECT_EQ(static_cast<int>(MetricType::kInfo), 7);
  EXPECT_EQ(static_cast<int>(ValueKind::kU64), 1);
  EXPECT_EQ(static_cast<int>(ValueKind::kF64), 2);
  EXPECT_EQ(static_cast<int>(ValueKind::kI64), 3);
  EXPECT_EQ(static_cast<int>(LifeLock::kHolds), 1);
  EXPECT_EQ(static_cast<int>(LifeLock::kDoesNotHold), 2);
  EXPECT_EQ(static_cast<int>(FileState::kLive), 1);
  EXPECT_EQ(static_cast<int>(FileState::kCleanExit), 2);
  EXPECT_EQ(kUnsetGaugeBits, 0x7FF454494E450000u);
  EXPECT_EQ(kMaxBounds, 510u);
  EXPECT_EQ(kMaxStates, 64u);
  EXPECT_EQ(kMaxParsedRecordBytes, 8u << 20);
}

}  // namespace
}  // namespace tine::format
