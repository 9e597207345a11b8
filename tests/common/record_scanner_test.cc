#include "common/record_scanner.h"

#include <algorithm>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/common/golden_file.h"
#include "tests/common/scanned_file.h"

namespace tine {
namespace {

using ::testing::ElementsAre;
using testing::NumberAt;
using testing::PutNumber;
using testing::ReadGolden;
using testing::RecordingVisitor;
using testing::ResealRecord;
using testing::ScanFile;
using testing::ScannedFile;

constexpr size_t kFirstRecord = 4096;
constexpr size_t kCellsBytes = 4160;

// Where the records of a sound file begin, and where the last one ends.
std::vector<uint64_t> RecordOffsets(const std::vector<uint8_t>& bytes) {
  std::vector<uint64_t> offsets = {kFirstRecord};
  while (offsets.back() < bytes.size()) {
    offsets.push_back(offsets.back() +
                      NumberAt<uint32_t>(bytes, offsets.back()));
  }
  return offsets;
}

uint64_t OffsetOfLine(const std::string& line) { return std::stoull(line); }

// `part` is what `whole` says before the record at `end`.
void ExpectPrefix(const std::vector<std::string>& part,
                  const std::vector<std::string>& whole, uint64_t end) {
  std::vector<std::string> expected;
  for (const std::string& line : whole) {
    if (OffsetOfLine(line) < end) {
      expected.push_back(line);
    }
  }
  EXPECT_EQ(part, expected);
}

TEST(RecordScannerTest, GoldenFilesSayWhatTheyWereMadeToSay) {
  EXPECT_THAT(ScanFile(ReadGolden("counter_u64")).lines,
              ElementsAre("4096: cells slot 0 chunk 0",
                          "8256: family requests_total method Requests.",
                          "8320: series of 0 cells 0+1 'GET'"));
  EXPECT_THAT(
      ScanFile(ReadGolden("histogram")).lines,
      ElementsAre(
          "4096: cells slot 0 chunk 0",
          "8256: family latency_seconds path -0.500000 0.250000 "
          "1000000000.000000 ",
          "8384: cells slot 0 chunk 1", "12544: series of 0 cells 512+5 '/'",
          "12608: cells slot 2 chunk 1", "16768: cells slot 2 chunk 0"));
  for (const std::string& name : testing::GoldenNames()) {
    EXPECT_EQ(ScanFile(ReadGolden(name)).damage.reason, DamageReason::kNone)
        << name;
  }
}

TEST(RecordScannerTest, RemovedSeriesAreToldOfWithTheirCells) {
  std::vector<std::string> removed;
  for (const std::string& line : ScanFile(ReadGolden("removed")).lines) {
    if (line.find("removed") != std::string::npos) {
      removed.push_back(line.substr(line.find(' ') + 1));
    }
  }
  EXPECT_THAT(removed, ElementsAre("removed cells 1+1", "removed cells 2+1",
                                   "removed cells 4+1", "removed cells 5+3"));
}

TEST(RecordScannerTest, UnknownKindsAreCheckedAndSkippedByTheirLength) {
  EXPECT_THAT(
      ScanFile(ReadGolden("newer_minor")).lines,
      ElementsAre(
          "4096: cells slot 0 chunk 0", "8256: family later_total ",
          "8384: unknown 28673 bytes 192", "8576: series of 0 cells 0+1",
          "8640: unknown 61441 bytes 256", "8896: unknown 28673 bytes 192"));
}

TEST(RecordScannerTest, PiecesOfEverySizeGiveTheSame) {
  for (const std::string& name : testing::GoldenNames()) {
    const std::vector<uint8_t> bytes = ReadGolden(name);
    const std::vector<std::string> expected = ScanFile(bytes).lines;
    for (size_t size = 0; size < 700; ++size) {
      ASSERT_EQ(ScanFile(bytes, size).lines, expected) << name << " " << size;
    }
    for (const size_t size : {4095, 4096, 4159, 4160, 4161, 4225, 8320}) {
      ASSERT_EQ(ScanFile(bytes, size).lines, expected) << name << " " << size;
    }
  }
}

TEST(RecordScannerTest, GoesOnWhereItStoppedWhenMoreIsPublished) {
  for (const std::string& name : testing::GoldenNames()) {
    const std::vector<uint8_t> bytes = ReadGolden(name);
    const std::vector<std::string> expected = ScanFile(bytes).lines;
    RecordScanner scanner;
    RecordingVisitor visitor;
    for (const uint64_t used : RecordOffsets(bytes)) {
      // What is not published yet may be anything.
      std::vector<uint8_t> now = bytes;
      std::fill(now.begin() + used, now.end(), 0xff);
      ASSERT_TRUE(scanner.SetUsedUntrusted(used, now.size()));
      testing::ScanInPieces(now, 1 << 16, &scanner, &visitor);
      EXPECT_FALSE(scanner.WantsBytes());
      EXPECT_EQ(scanner.next_offset(), used);
      ExpectPrefix(visitor.lines, expected, used);
    }
    EXPECT_EQ(visitor.lines, expected);
    EXPECT_EQ(scanner.record_count(), expected.size());
    EXPECT_EQ(scanner.damage().reason, DamageReason::kNone);
  }
}

TEST(RecordScannerTest, NothingToScanIsNoDamage) {
  RecordScanner scanner;
  RecordingVisitor visitor;
  EXPECT_FALSE(scanner.WantsBytes());
  scanner.Scan(nullptr, 0, &visitor);
  EXPECT_TRUE(scanner.SetUsedUntrusted(4096, 4096));
  EXPECT_FALSE(scanner.WantsBytes());
}

// ---- `used` -----------------------------------------------------------------

TEST(UsedCorruptionTest, ImpossibleValuesAreDamage) {
  for (const uint64_t used :
       {uint64_t{0}, uint64_t{4032}, uint64_t{4097}, uint64_t{4128},
        uint64_t{1} << 63, UINT64_MAX, UINT64_MAX - 63, uint64_t{8448}}) {
    RecordScanner scanner;
    EXPECT_FALSE(scanner.SetUsedUntrusted(used, 8384)) << used;
    EXPECT_EQ(scanner.damage().reason, DamageReason::kUsedOutOfRange);
    EXPECT_EQ(scanner.damage().offset, 3968u);
    EXPECT_FALSE(scanner.WantsBytes());
    // For good.
    EXPECT_FALSE(scanner.SetUsedUntrusted(4160, 8384));
  }
}

TEST(UsedCorruptionTest, FallingUsedIsDamage) {
  RecordScanner scanner;
  EXPECT_TRUE(scanner.SetUsedUntrusted(8320, 8384));
  EXPECT_TRUE(scanner.SetUsedUntrusted(8320, 8384));
  EXPECT_FALSE(scanner.SetUsedUntrusted(8256, 8384));
  EXPECT_EQ(scanner.damage().reason, DamageReason::kUsedOutOfRange);
}

TEST(UsedCorruptionTest, UsedInsideARecordKeepsThePrefix) {
  const std::vector<uint8_t> bytes = ReadGolden("histogram");
  const std::vector<std::string> whole = ScanFile(bytes).lines;
  const std::vector<uint64_t> offsets = RecordOffsets(bytes);
  for (uint64_t used = kFirstRecord; used <= bytes.size(); used += 64) {
    std::vector<uint8_t> cut = bytes;
    PutNumber(&cut, 3968, used);
    cut.resize(used);
    const ScannedFile scanned = ScanFile(cut, 64);
    const uint64_t end =
        *(std::upper_bound(offsets.begin(), offsets.end(), used) - 1);
    ExpectPrefix(scanned.lines, whole, end);
    EXPECT_EQ(scanned.damage.reason,
              used == end ? DamageReason::kNone : DamageReason::kRecordLength);
    EXPECT_EQ(scanned.damage.offset, used == end ? 0 : end);
  }
}

TEST(UsedCorruptionTest, EveryTruncationIsNoticedBeforeAnythingIsRead) {
  const std::vector<uint8_t> bytes = ReadGolden("counter_u64");
  for (size_t size = 0; size < bytes.size(); ++size) {
    const ScannedFile scanned = ScanFile({bytes.begin(), bytes.begin() + size});
    EXPECT_THAT(scanned.lines, ElementsAre());
    EXPECT_EQ(scanned.damage.reason, size < 4096
                                         ? DamageReason::kShortHeader
                                         : DamageReason::kUsedOutOfRange);
  }
}

// ---- Flipped bits -----------------------------------------------------------

// What a flipped bit of the golden file `bytes` must lead to. `offsets` are its
// records.
void CheckFlippedBit(const std::vector<uint8_t>& bytes, size_t bit,
                     const std::vector<std::string>& whole,
                     const std::vector<uint64_t>& offsets) {
  const size_t at = bit / 8;
  const ScannedFile scanned = ScanFile(bytes, 4096);
  if (at < format::kHeaderDynamicOffset) {
    EXPECT_NE(scanned.damage.reason, DamageReason::kNone) << bit;
    EXPECT_THAT(scanned.lines, ElementsAre());
    return;
  }
  if (at < kFirstRecord) {
    ExpectPrefix(
        scanned.lines, whole,
        scanned.lines.empty() ? 0 : OffsetOfLine(scanned.lines.back()) + 1);
    return;
  }
  const uint64_t record =
      *(std::upper_bound(offsets.begin(), offsets.end(), at) - 1);
  const uint16_t kind = NumberAt<uint16_t>(bytes, record + 4);
  if (scanned.damage.reason == DamageReason::kNone) {
    // Only what may change at any time is covered by no checksum.
    EXPECT_TRUE((kind & 0x8000) != 0 && at >= record + 64) << bit;
    return;
  }
  EXPECT_GE(scanned.damage.offset, record) << bit;
  if (scanned.damage.offset == record) {
    ExpectPrefix(scanned.lines, whole, record);
  }
}

TEST(RecordScannerCorruptionTest, NoFlippedBitCrashesAndThePrefixIsKept) {
  for (const std::string name : {"counter_u64", "gauge_most_recent",
                                 "newer_minor", "process_labels", "removed"}) {
    std::vector<uint8_t> bytes = ReadGolden(name);
    const std::vector<std::string> whole = ScanFile(bytes).lines;
    const std::vector<uint64_t> offsets = RecordOffsets(bytes);
    // Every bit of the fields and records, some of the long stretches of
    // header strings and cells.
    const auto is_filling = [](size_t at) {
      return (at >= 192 && at < 3904) || (at >= 4224 && at < 8256);
    };
    for (size_t bit = 0; bit < 8 * bytes.size();
         bit += is_filling(bit / 8) ? 61 : 1) {
      bytes[bit / 8] ^= static_cast<uint8_t>(1 << (bit % 8));
      CheckFlippedBit(bytes, bit, whole, offsets);
      bytes[bit / 8] ^= static_cast<uint8_t>(1 << (bit % 8));
    }
  }
}

TEST(RecordScannerCorruptionTest, OverwrittenRecordsAreNeverTakenForOthers) {
  std::vector<uint8_t> bytes = ReadGolden("histogram");
  const std::vector<std::string> whole = ScanFile(bytes).lines;
  for (const uint64_t offset : RecordOffsets(bytes)) {
    if (offset == bytes.size()) {
      continue;
    }
    for (const uint8_t filling : {0x00, 0x01, 0x40, 0x80, 0xff}) {
      std::vector<uint8_t> damaged = bytes;
      std::fill_n(damaged.begin() + offset, 64, filling);
      const ScannedFile scanned = ScanFile(damaged);
      EXPECT_NE(scanned.damage.reason, DamageReason::kNone);
      EXPECT_EQ(scanned.damage.offset, offset);
      ExpectPrefix(scanned.lines, whole, offset);
    }
  }
}

// ---- Records that contradict each other -------------------------------------

// Appends a copy of the record at `from` and publishes it.
void AppendCopy(std::vector<uint8_t>* bytes, size_t from) {
  const auto size = NumberAt<uint32_t>(*bytes, from);
  const std::vector<uint8_t> record(bytes->begin() + from,
                                    bytes->begin() + from + size);
  bytes->insert(bytes->end(), record.begin(), record.end());
  PutNumber<uint64_t>(bytes, 3968, bytes->size());
}

class ContradictionTest : public ::testing::Test {
 protected:
  ContradictionTest() : bytes_(ReadGolden("counter_u64")) {}

  template <typename Number>
  void Change(size_t record, size_t offset, Number number) {
    PutNumber(&bytes_, record + offset, number);
    ResealRecord(&bytes_, record);
  }

  void ExpectDamage(DamageReason reason, uint64_t offset) {
    const ScannedFile scanned = ScanFile(bytes_);
    EXPECT_EQ(scanned.damage.reason, reason)
        << DamageReasonName(scanned.damage.reason);
    EXPECT_EQ(scanned.damage.offset, offset);
    ExpectPrefix(scanned.lines, ScanFile(ReadGolden("counter_u64")).lines,
                 offset);
  }

  static constexpr size_t kCells = kFirstRecord;
  static constexpr size_t kFamily = kFirstRecord + kCellsBytes;
  static constexpr size_t kSeries = kFamily + 64;
  static constexpr size_t kEnd = kSeries + 64;
  std::vector<uint8_t> bytes_;
};

TEST_F(ContradictionTest, SeriesOfNoFamily) {
  for (const uint32_t offset : {0u, 4096u, 8255u, 8320u, 0xffffffc0u}) {
    Change(kSeries, 12, offset);
    ExpectDamage(DamageReason::kFamilyReference, kSeries);
  }
}

TEST_F(ContradictionTest, SeriesBeforeItsFamily) {
  // The family's place is taken by a copy of the series, and it comes later.
  std::vector<uint8_t> family(bytes_.begin() + kFamily,
                              bytes_.begin() + kSeries);
  std::copy_n(bytes_.begin() + kSeries, 64, bytes_.begin() + kFamily);
  std::copy_n(family.begin(), 64, bytes_.begin() + kSeries);
  Change<uint32_t>(kFamily, 12, kSeries);
  ExpectDamage(DamageReason::kFamilyReference, kFamily);
}

TEST_F(ContradictionTest, SeriesWithAnotherNumberOfCells) {
  Change<uint16_t>(kSeries, 28, 2);
  ExpectDamage(DamageReason::kRecordFields, kSeries);
}

TEST_F(ContradictionTest, SeriesWithAnotherNumberOfLabels) {
  Change<uint16_t>(kSeries, 30, 0);
  ExpectDamage(DamageReason::kRecordFields, kSeries);
}

TEST_F(ContradictionTest, SeriesWithoutABlock) {
  for (const uint32_t cell : {512u, 1024u, 0xffffffffu}) {
    Change(kSeries, 24, cell);
    ExpectDamage(DamageReason::kCellRange, kSeries);
  }
}

TEST_F(ContradictionTest, SeriesOnAnothersCells) {
  AppendCopy(&bytes_, kSeries);
  ExpectDamage(DamageReason::kCellRange, kEnd);
  Change<uint32_t>(kEnd, 24, 511);
  EXPECT_EQ(ScanFile(bytes_).damage.reason, DamageReason::kNone);
}

TEST_F(ContradictionTest, SecondBlockOfASlot) {
  AppendCopy(&bytes_, kCells);
  ExpectDamage(DamageReason::kDuplicateBlock, kEnd);
}

TEST_F(ContradictionTest, PrivateBlockBeforeTheSharedOne) {
  AppendCopy(&bytes_, kCells);
  Change<uint32_t>(kEnd, 12, 1);
  Change<uint32_t>(kEnd, 16, 9);
  ExpectDamage(DamageReason::kCellRange, kEnd);
}

TEST_F(ContradictionTest, RemovalOfNoSeries) {
  // A copy of the series' record becomes the removal of it.
  AppendCopy(&bytes_, kSeries);
  std::fill(bytes_.begin() + kEnd + 24, bytes_.end(), 0);
  Change<uint16_t>(kEnd, 4, 3);
  Change<uint32_t>(kEnd, 12, 0);
  EXPECT_EQ(ScanFile(bytes_).damage.reason, DamageReason::kNone);
  for (const uint32_t cell : {1u, 511u, 512u, 0xffffffffu}) {
    Change(kEnd, 12, cell);
    ExpectDamage(DamageReason::kRecordFields, kEnd);
  }
}

TEST_F(ContradictionTest, SecondRemovalOfASeries) {
  AppendCopy(&bytes_, kSeries);
  std::fill(bytes_.begin() + kEnd + 24, bytes_.end(), 0);
  Change<uint16_t>(kEnd, 4, 3);
  Change<uint32_t>(kEnd, 12, 0);
  AppendCopy(&bytes_, kEnd);
  const ScannedFile scanned = ScanFile(bytes_);
  EXPECT_EQ(scanned.damage.reason, DamageReason::kRecordFields);
  EXPECT_EQ(scanned.damage.offset, kEnd + 64);
  EXPECT_EQ(scanned.lines.back(), "8384: removed cells 0+1");
}

TEST_F(ContradictionTest, KindZero) {
  Change<uint16_t>(kFamily, 4, 0);
  ExpectDamage(DamageReason::kRecordFields, kFamily);
}

TEST(RecordScannerTest, HistogramAcrossTwoChunksIsDamage) {
  std::vector<uint8_t> bytes = ReadGolden("histogram");
  PutNumber<uint32_t>(&bytes, 12544 + 24, 509);
  ResealRecord(&bytes, 12544);
  const ScannedFile scanned = ScanFile(bytes);
  EXPECT_EQ(scanned.damage.reason, DamageReason::kCellRange);
  EXPECT_EQ(scanned.damage.offset, 12544u);
}

}  // namespace
}  // namespace tine
