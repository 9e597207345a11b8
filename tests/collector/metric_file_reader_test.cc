#include "collector/metric_file_reader.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "tests/testing/metric_file_builder.h"
#include "tests/testing/test_directory.h"

namespace tine::collector {
namespace {

using testing::CounterFamily;
using ::testing::ElementsAre;
using testing::MetricFileBuilder;

// Remembers what it is told.
class Notes : public RecordVisitor {
 public:
  void OnFamily(uint64_t /*offset*/, const FamilyView& family) override {
    families.emplace_back(family.name);
  }
  void OnSeries(uint64_t /*offset*/, const SeriesView& series,
                uint32_t /*family_number*/) override {
    first_cells.push_back(series.first_cell);
  }
  void OnCells(uint64_t /*offset*/, const CellsView& /*cells*/) override {}

  std::vector<std::string> families;
  std::vector<uint32_t> first_cells;
};

class MetricFileReaderTest : public ::testing::Test {
 protected:
  MetricFileReaderTest() : file_(directory_.path()) {}

  std::unique_ptr<MetricFileReader> OpenReader() {
    return std::make_unique<MetricFileReader>(
        UniqueFd(::open(file_.path().c_str(), O_RDONLY | O_CLOEXEC)),
        &counters_);
  }
  bool ReadRecords(MetricFileReader* reader) {
    return reader->ReadRecords(&notes_, &scratch_);
  }
  uint64_t CellOf(const MetricFileReader& reader, size_t block, size_t cell) {
    uint64_t value;
    std::memcpy(
        &value,
        scratch_.data() + reader.blocks()[block].buffer_offset + 8 * cell,
        sizeof(value));
    return value;
  }

  testing::TestDirectory directory_;
  MetricFileBuilder file_;
  ReadCounters counters_;
  AlignedBuffer scratch_;
  Notes notes_;
};

TEST_F(MetricFileReaderTest, TellsFamiliesSeriesAndCells) {
  const uint32_t family = file_.AddFamily(CounterFamily("a_total", {"x"}));
  file_.AddU64(file_.AddSeries(family, {"1"}), 5);
  file_.AddU64(file_.AddSeries(family, {"2"}), 7);
  const auto reader = OpenReader();
  ASSERT_TRUE(ReadRecords(reader.get()));
  EXPECT_THAT(notes_.families, ElementsAre("a_total"));
  EXPECT_THAT(notes_.first_cells, ElementsAre(0, 1));
  ASSERT_TRUE(reader->ReadCells(&scratch_));
  EXPECT_EQ(CellOf(*reader, 0, 0), 5u);
  EXPECT_EQ(CellOf(*reader, 0, 1), 7u);
}

TEST_F(MetricFileReaderTest, NoRecordIsParsedTwice) {
  file_.AddCounter("a_total", 1);
  const auto reader = OpenReader();
  ReadRecords(reader.get());
  EXPECT_EQ(counters_.record_count, 3u);  // FAMILY, CELLS, SERIES
  const uint64_t bytes_before = counters_.byte_count;
  const uint64_t calls_before = counters_.system_call_count;
  ReadRecords(reader.get());
  EXPECT_EQ(counters_.record_count, 3u);
  EXPECT_EQ(counters_.byte_count - bytes_before, 64u);
  EXPECT_EQ(counters_.system_call_count - calls_before, 1u);

  file_.AddCounter("b_total", 1);
  ReadRecords(reader.get());
  EXPECT_EQ(counters_.record_count, 5u);
  EXPECT_THAT(notes_.families, ElementsAre("a_total", "b_total"));
}

TEST_F(MetricFileReaderTest, StopsAtPublishedCountWhenTailIsGarbage) {
  file_.AddCounter("a_total", 1);
  std::memset(file_.bytes() + file_.used(), 0xA5, 4096);
  const auto reader = OpenReader();
  EXPECT_TRUE(ReadRecords(reader.get()));
  EXPECT_FALSE(reader->is_damaged());
  EXPECT_THAT(notes_.families, ElementsAre("a_total"));
}

TEST_F(MetricFileReaderTest, DamagedRecordEndsTheListAndCellsBeforeItGoOn) {
  const uint32_t cell = file_.AddCounter("a_total", 1);
  const uint64_t damage_offset = file_.used();
  file_.AddCounter("b_total", 1);
  file_.bytes()[damage_offset + 40] ^= 1;
  const auto reader = OpenReader();
  EXPECT_TRUE(ReadRecords(reader.get()));
  EXPECT_EQ(reader->damage().reason, "record_checksum");
  EXPECT_EQ(reader->damage().offset, damage_offset);
  EXPECT_FALSE(reader->is_frozen());
  file_.AddU64(cell, 9);
  EXPECT_TRUE(ReadRecords(reader.get()));
  ASSERT_TRUE(reader->ReadCells(&scratch_));
  EXPECT_EQ(CellOf(*reader, 0, 0), 10u);
  EXPECT_THAT(notes_.families, ElementsAre("a_total"));
}

TEST_F(MetricFileReaderTest, UsedThatShrinksFreezes) {
  file_.AddCounter("a_total", 1);
  const auto reader = OpenReader();
  ReadRecords(reader.get());
  file_.SetUsed(file_.used() - 64);
  EXPECT_FALSE(ReadRecords(reader.get()));
  EXPECT_TRUE(reader->is_frozen());
  EXPECT_EQ(reader->damage().reason, "used_out_of_range");
  EXPECT_FALSE(reader->ReadCells(&scratch_));
}

TEST_F(MetricFileReaderTest, UsedBeyondTheFileFreezes) {
  file_.SetUsed(uint64_t{1} << 62);
  const auto reader = OpenReader();
  EXPECT_FALSE(ReadRecords(reader.get()));
  EXPECT_EQ(reader->damage().reason, "used_out_of_range");
}

// A file of its own, so that it can be cut.
class MetricFileTruncationTest : public MetricFileReaderTest {
 protected:
  MetricFileTruncationTest() {
    const uint32_t family = file_.AddFamily(CounterFamily("a_total", {"x"}));
    file_.AddSeries(family, {"1"});
    file_.AddBlock(1, 0);
    file_.AddSeries(family, {"2"});
    content_.assign(reinterpret_cast<const char*>(file_.bytes()), file_.used());
  }

  UniqueFd MakeCopy(size_t size_bytes) {
    const std::string path = directory_.path() + "/copy";
    UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600));
    EXPECT_EQ(::pwrite(fd.get(), content_.data(), size_bytes, 0),
              static_cast<ssize_t>(size_bytes));
    return fd;
  }

  std::string content_;
};

TEST_F(MetricFileTruncationTest, FileThatIsCutBeforeItIsOpenedIsDamaged) {
  for (size_t size = 0; size < content_.size(); size += 24) {
    MetricFileReader reader(MakeCopy(size), &counters_);
    EXPECT_EQ(reader.is_damaged(), size < format::kHeaderBytes);
    if (!reader.is_damaged()) {
      EXPECT_FALSE(ReadRecords(&reader));
      EXPECT_TRUE(reader.is_frozen());
    }
  }
}

TEST_F(MetricFileTruncationTest, FileThatIsCutWhileItIsFollowedFreezes) {
  for (size_t size = 0; size < content_.size(); size += 24) {
    MetricFileReader reader(MakeCopy(content_.size()), &counters_);
    ASSERT_TRUE(ReadRecords(&reader));
    ASSERT_EQ(::truncate((directory_.path() + "/copy").c_str(),
                         static_cast<off_t>(size)),
              0);
    const uint64_t needed_bytes =
        reader.blocks().back().cells_offset + 2 * sizeof(uint64_t);
    EXPECT_EQ(ReadRecords(&reader) && reader.ReadCells(&scratch_),
              size >= needed_bytes);
    EXPECT_EQ(reader.is_frozen(), size < needed_bytes);
  }
}

TEST_F(MetricFileReaderTest, NeighbouringBlocksAreReadWithOneCall) {
  const uint32_t family = file_.AddFamily(CounterFamily("a_total"));
  const uint32_t cell = file_.AddSeries(family);
  for (uint32_t slot = 1; slot <= 4; ++slot) {
    file_.AddBlock(slot, 0);
    file_.SetU64(cell, slot, slot);
  }
  const auto reader = OpenReader();
  ReadRecords(reader.get());
  const uint64_t calls_before = counters_.system_call_count;
  ASSERT_TRUE(reader->ReadCells(&scratch_));
  // Slot 0's block, with the SERIES behind it, and then the four.
  EXPECT_EQ(counters_.system_call_count - calls_before, 2u);
  for (size_t block = 0; block <= 4; ++block) {
    EXPECT_EQ(CellOf(*reader, block, 0), block);
  }
}

TEST_F(MetricFileReaderTest, OnlyCellsThatSeriesOwnAreRead) {
  file_.AddCounter("a_total", 1);
  file_.AddCounter("b_total", 1);
  const auto reader = OpenReader();
  ReadRecords(reader.get());
  const uint64_t bytes_before = counters_.byte_count;
  ASSERT_TRUE(reader->ReadCells(&scratch_));
  EXPECT_EQ(counters_.byte_count - bytes_before, 16u);
}

TEST_F(MetricFileReaderTest, HighChunkNumberCostsNothing) {
  // A file may give its chunks any numbers; a reader must not make room for
  // those in between.
  const uint32_t family = file_.AddFamily(CounterFamily("a_total"));
  file_.AddBlock(0, 0x007FFFFF);
  SeriesView series;
  series.family_offset = family;
  series.first_cell = 0xFFFFFFFF;
  series.cell_count = 1;
  std::vector<uint8_t> record(EncodedSeriesBytes(series));
  EncodeSeries(series, record.data());
  file_.AppendRaw(record);
  const auto reader = OpenReader();
  EXPECT_TRUE(ReadRecords(reader.get()));
  EXPECT_THAT(notes_.first_cells, ElementsAre(511));
  EXPECT_THAT(reader->chunk_cell_counts(), ElementsAre(512));
}

TEST_F(MetricFileReaderTest, RecordsLargerThanOnePieceAreReadWhole) {
  testing::BuilderFamily family = CounterFamily("a_total");
  family.help = std::string(60'000, 'h');
  file_.AddFamily(family);
  testing::BuilderFamily second = CounterFamily("b_total", {"x"});
  second.help = std::string(65'000, 'h');
  file_.AddSeries(file_.AddFamily(second), {std::string(60'000, 'v')});
  const auto reader = OpenReader();
  EXPECT_TRUE(ReadRecords(reader.get()));
  EXPECT_THAT(notes_.families, ElementsAre("a_total", "b_total"));
  EXPECT_EQ(notes_.first_cells.size(), 1u);
}

TEST_F(MetricFileReaderTest, HeaderOfAnotherFormatIsNamed) {
  file_.bytes()[0] = 'X';
  EXPECT_EQ(OpenReader()->damage().reason, "bad_magic");
}

TEST_F(MetricFileReaderTest, DynamicHeaderIsTold) {
  auto* dynamic = reinterpret_cast<format::FileHeaderDynamic*>(
      file_.bytes() + format::kHeaderDynamicOffset);
  dynamic->dropped_series = 3;
  dynamic->dropped_observations = 4;
  dynamic->children_without_file = 5;
  dynamic->state = static_cast<uint32_t>(format::FileState::kCleanExit);
  const auto reader = OpenReader();
  ReadRecords(reader.get());
  EXPECT_EQ(reader->counts().dropped_series, 3u);
  EXPECT_EQ(reader->counts().dropped_observations, 4u);
  EXPECT_EQ(reader->counts().children_without_file, 5u);
  EXPECT_TRUE(reader->counts().is_clean_exit);
}

// Every bit of the published bytes, one after the other: the reader ends, says
// what is damaged, and never reads beyond its buffers (the sanitizers watch).
TEST_F(MetricFileReaderTest, EveryFlippedBitIsSurvived) {
  const uint32_t family =
      file_.AddFamily(testing::HistogramFamily("h", {1, 2}, {"x"}));
  file_.AddSeries(family, {"1"});
  file_.AddCounter("a_total", 1);
  for (uint64_t offset = 0; offset < file_.used(); ++offset) {
    // Cells and the header's unused part change nothing: a sample of them will
    // do.
    if (offset > 512 && offset % 97 != 0 && offset < 3900) {
      continue;
    }
    for (int bit = 0; bit < 8; ++bit) {
      file_.bytes()[offset] ^= static_cast<uint8_t>(1 << bit);
      const auto reader = OpenReader();
      if (!reader->is_damaged() && ReadRecords(reader.get())) {
        reader->ReadCells(&scratch_);
      }
      file_.bytes()[offset] ^= static_cast<uint8_t>(1 << bit);
    }
  }
  const auto reader = OpenReader();
  EXPECT_TRUE(ReadRecords(reader.get()));
  EXPECT_FALSE(reader->is_damaged());
}

}  // namespace
}  // namespace tine::collector
