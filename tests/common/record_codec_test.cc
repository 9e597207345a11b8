#include "common/record_codec.h"

#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>
#include <vector>

#include "common/metric_names.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/common/encoded_record.h"
#include "tests/common/golden_file.h"

namespace tine {
namespace {

using format::FileHeader;
using format::GaugeMode;
using format::MetricType;
using format::RecordKind;
using format::ValueKind;
using ::testing::ElementsAre;
using testing::Encode;
using testing::SomeFamily;
using testing::StringList;

std::vector<std::string> ToVector(const StringListView& list) {
  std::vector<std::string> strings;
  for (const std::string_view text : list) {
    strings.emplace_back(text);
  }
  return strings;
}

// ---- Strings ----------------------------------------------------------------

TEST(StringListViewTest, WhatIsAppendedIsFound) {
  const std::vector<std::string> strings = {"", "a", std::string(65535, 'x'),
                                            "", "zwölf"};
  const StringList list(strings);
  EXPECT_TRUE(StringListView::IsWellFormed(list.view().bytes(),
                                           list.view().size_bytes(), 5));
  EXPECT_EQ(ToVector(list.view()), strings);
  EXPECT_EQ(list.view().size(), 5u);
  EXPECT_THAT(ToVector(StringListView()), ElementsAre());
}

TEST(StringListViewTest, AnyOtherLengthOrCountIsNotWellFormed) {
  const StringList list({"ab", "", "c"});
  const std::vector<uint8_t> bytes(
      list.view().bytes(), list.view().bytes() + list.view().size_bytes());
  for (size_t size = 0; size <= bytes.size(); ++size) {
    // An allocation of its own: a sanitizer sees a byte too far.
    const std::vector<uint8_t> part(bytes.begin(), bytes.begin() + size);
    for (size_t count = 0; count < 5; ++count) {
      const bool is_boundary =
          (size == 0 && count == 0) || (size == 4 && count == 1) ||
          (size == 6 && count == 2) || (size == 9 && count == 3);
      EXPECT_EQ(StringListView::IsWellFormed(part.data(), size, count),
                is_boundary)
          << size << " " << count;
    }
  }
}

// ---- Golden bytes -----------------------------------------------------------

TEST(RecordCodecGoldenTest, EncodersMakeTheGoldenBytes) {
  const std::vector<uint8_t> golden = testing::ReadGolden("counter_u64");
  ASSERT_EQ(golden.size(), 8384u);
  const StringList method({"method"});
  const StringList get({"GET"});
  FamilyView family = SomeFamily();
  family.label_names = method.view();
  SeriesView series;
  series.family_offset = 8256;
  series.cell_count = 1;
  series.created_wall_ns = 1748779201000000000;
  series.label_values = get.view();
  std::vector<uint8_t> cells(format::kRecordAlignment);
  EncodeCellsHeader({0, 0}, cells.data());
  const auto part = [&](size_t from, size_t size) {
    return std::vector<uint8_t>(golden.begin() + from,
                                golden.begin() + from + size);
  };
  EXPECT_EQ(Encode(family), part(8256, 64));
  EXPECT_EQ(Encode(series), part(8320, 64));
  EXPECT_EQ(cells, part(4096, 64));
}

TEST(RecordCodecGoldenTest, SealMakesTheGoldenHeader) {
  const std::vector<uint8_t> golden = testing::ReadGolden("process_labels");
  FileHeader header;
  std::memcpy(static_cast<void*>(&header), golden.data(), sizeof(header));
  header.checksum = 0;
  std::memset(header.magic, 0, sizeof(header.magic));
  header.endian_tag = header.version_major = header.header_bytes = 0;
  SealFileHeader(&header);
  EXPECT_EQ(std::memcmp(&header, golden.data(), sizeof(header)), 0);
}

TEST(RecordCodecGoldenTest, HeaderFieldsAreWhatTheGoldenFileSays) {
  const std::vector<uint8_t> golden = testing::ReadGolden("process_labels");
  FileHeaderView view;
  ASSERT_EQ(DecodeFileHeaderUntrusted(golden.data(), golden.size(), &view),
            DamageReason::kNone);
  EXPECT_EQ(view.executable, "my server");
  EXPECT_EQ(view.worker_id, "3");
  EXPECT_THAT(ToVector(view.process_labels),
              ElementsAre("app", "web", "zone", "b,ü"));
  EXPECT_EQ(view.header->pid, 1234u);
  EXPECT_EQ(view.header->uid, 1000u);
  EXPECT_EQ(view.header->process_start_ticks, 777u);
  EXPECT_EQ(view.header->created_boot_ns, 5000000000u);
  EXPECT_EQ(view.header->reserve_bytes, 16777216u);
  EXPECT_EQ(view.uuid(), *ParseUuid("a0a1a2a3a4a5a6a7a8a9aaabacadae08"));
}

// ---- Round trips ------------------------------------------------------------

TEST(RecordCodecTest, FamilyOfEveryTypeComesBack) {
  const std::vector<double> bounds = {-1, -0.0, 0.5, 1e308};
  const StringList names({"a", "b_c"});
  struct {
    MetricType type;
    ValueKind kind;
    GaugeMode mode;
    size_t bound_count;
  } const kinds[] = {
      {MetricType::kCounter, ValueKind::kU64, GaugeMode::kNone, 0},
      {MetricType::kCounter, ValueKind::kF64, GaugeMode::kNone, 0},
      {MetricType::kGauge, ValueKind::kF64, GaugeMode::kLiveMostRecent, 0},
      {MetricType::kHistogram, ValueKind::kF64, GaugeMode::kNone, 4},
      {MetricType::kHistogram, ValueKind::kF64, GaugeMode::kNone, 0},
      {MetricType::kSummary, ValueKind::kF64, GaugeMode::kNone, 0},
      {MetricType::kUpDownCounter, ValueKind::kI64, GaugeMode::kLiveSum, 0},
  };
  for (const auto& kind : kinds) {
    FamilyView family = SomeFamily();
    family.type = kind.type;
    family.value_kind = kind.kind;
    family.gauge_mode = kind.mode;
    family.bounds = bounds.data();
    family.bound_count = kind.bound_count;
    family.unit = "seconds";
    family.help = "Größe,\n\"quoted\" \\ and all.";
    family.label_names = names.view();
    const std::vector<uint8_t> bytes = Encode(family);
    EXPECT_EQ(bytes.size() % 64, 0u);
    FamilyView back;
    ASSERT_EQ(DecodeFamilyUntrusted(bytes.data(), &back), DamageReason::kNone);
    EXPECT_EQ(back.type, family.type);
    EXPECT_EQ(back.value_kind, family.value_kind);
    EXPECT_EQ(back.gauge_mode, family.gauge_mode);
    EXPECT_EQ(back.name, family.name);
    EXPECT_EQ(back.unit, family.unit);
    EXPECT_EQ(back.help, family.help);
    EXPECT_EQ(ToVector(back.label_names), ToVector(family.label_names));
    ASSERT_EQ(back.bound_count, family.bound_count);
    for (size_t i = 0; i < back.bound_count; ++i) {
      EXPECT_EQ(back.bounds[i], bounds[i]);
    }
  }
}

TEST(RecordCodecTest, SeriesOfEveryLengthComesBack) {
  for (size_t length = 0; length < 200; ++length) {
    const StringList values({std::string(length, 'v'), "", "é"});
    SeriesView series;
    series.family_offset = 0xfedcba98;
    series.first_cell = 512 * 7 + 500;
    series.cell_count = 12;
    series.created_wall_ns = 0x0123456789abcdef;
    series.label_values = values.view();
    const std::vector<uint8_t> bytes = Encode(series);
    SeriesView back;
    ASSERT_EQ(DecodeSeriesUntrusted(bytes.data(), &back), DamageReason::kNone);
    EXPECT_EQ(back.family_offset, series.family_offset);
    EXPECT_EQ(back.first_cell, series.first_cell);
    EXPECT_EQ(back.cell_count, series.cell_count);
    EXPECT_EQ(back.created_wall_ns, series.created_wall_ns);
    EXPECT_EQ(ToVector(back.label_values), ToVector(series.label_values));
  }
}

TEST(RecordCodecTest, LongestSeriesIsWithinTheRecordLimit) {
  const StringList values(std::vector<std::string>(
      kMaxLabelCount, std::string(kMaxLabelValueBytes, 'x')));
  SeriesView series;
  series.cell_count = 1;
  series.label_values = values.view();
  const std::vector<uint8_t> bytes = Encode(series);
  uint32_t record_bytes;
  RecordKind kind;
  EXPECT_EQ(DecodeRecordHeaderUntrusted(bytes.data(), bytes.size(),
                                        &record_bytes, &kind),
            DamageReason::kNone);
  SeriesView back;
  EXPECT_EQ(DecodeSeriesUntrusted(bytes.data(), &back), DamageReason::kNone);
  EXPECT_EQ(back.label_values.size(), kMaxLabelCount);
}

TEST(RecordCodecTest, CellsHeaderComesBack) {
  std::vector<uint8_t> bytes(format::kRecordAlignment, 0xee);
  EncodeCellsHeader({63, 0xffffffff}, bytes.data());
  CellsView cells;
  ASSERT_EQ(DecodeCellsUntrusted(bytes.data(), &cells), DamageReason::kNone);
  EXPECT_EQ(cells.slot, 63u);
  EXPECT_EQ(cells.chunk, 0xffffffffu);
}

TEST(RecordCodecTest, RemovedComesBack) {
  std::vector<uint8_t> bytes(format::kRecordAlignment, 0xee);
  RemovedView removed;
  removed.first_cell = 0xfffffffe;
  removed.removed_wall_ns = 1234567890123456789;
  EncodeRemoved(removed, bytes.data());
  RemovedView back;
  ASSERT_EQ(DecodeRemovedUntrusted(bytes.data(), &back), DamageReason::kNone);
  EXPECT_EQ(back.first_cell, removed.first_cell);
  EXPECT_EQ(back.removed_wall_ns, removed.removed_wall_ns);
  for (size_t bit = 8 * 4; bit < 8 * bytes.size(); ++bit) {
    bytes[bit / 8] ^= static_cast<uint8_t>(1 << (bit % 8));
    EXPECT_EQ(DecodeRemovedUntrusted(bytes.data(), &back),
              DamageReason::kRecordChecksum);
    bytes[bit / 8] ^= static_cast<uint8_t>(1 << (bit % 8));
  }
}

TEST(RecordCodecTest, CellCountsAreAsInFormat) {
  EXPECT_EQ(CellCountOf(MetricType::kCounter, GaugeMode::kNone, 0), 1u);
  EXPECT_EQ(CellCountOf(MetricType::kUpDownCounter, GaugeMode::kSum, 0), 1u);
  EXPECT_EQ(CellCountOf(MetricType::kGauge, GaugeMode::kAll, 0), 1u);
  EXPECT_EQ(CellCountOf(MetricType::kGauge, GaugeMode::kMostRecent, 0), 2u);
  EXPECT_EQ(CellCountOf(MetricType::kGauge, GaugeMode::kLiveMostRecent, 0), 2u);
  EXPECT_EQ(CellCountOf(MetricType::kHistogram, GaugeMode::kNone, 0), 2u);
  EXPECT_EQ(CellCountOf(MetricType::kHistogram, GaugeMode::kNone, 510), 512u);
  EXPECT_EQ(CellCountOf(MetricType::kSummary, GaugeMode::kNone, 0), 2u);
  EXPECT_EQ(CellCountOf(MetricType::kNone, GaugeMode::kNone, 0), 0u);
  EXPECT_EQ(CellCountOf(MetricType::kInfo, GaugeMode::kLiveMax, 0), 1u);
  EXPECT_EQ(CellCountOf(MetricType::kStateSet, GaugeMode::kSum, 0), 1u);
  EXPECT_EQ(CellCountOf(MetricType::kStateSet, GaugeMode::kMostRecent, 0), 2u);
  EXPECT_EQ(CellCountOf(MetricType::kGauge, GaugeMode::kMax, 0, true), 2u);
  EXPECT_EQ(CellCountOf(MetricType::kGauge, GaugeMode::kMostRecent, 0, true),
            3u);
}

TEST(RecordCodecTest, StatesAndTimeToLiveComeBack) {
  for (size_t length = 1; length < 150; ++length) {
    const StringList labels({"site"});
    const StringList states({std::string(length, 's'), "é", "on"});
    FamilyView family = SomeFamily();
    family.type = MetricType::kStateSet;
    family.gauge_mode = GaugeMode::kMostRecent;
    family.label_names = labels.view();
    family.state_names = states.view();
    family.time_to_live_s = 0.25 * static_cast<double>(length % 3);
    const std::vector<uint8_t> bytes = Encode(family);
    EXPECT_EQ(bytes.size() % 64, 0u);
    FamilyView back;
    ASSERT_EQ(DecodeFamilyUntrusted(bytes.data(), &back), DamageReason::kNone);
    EXPECT_EQ(back.name, family.name);
    EXPECT_EQ(back.help, family.help);
    EXPECT_EQ(ToVector(back.label_names), ToVector(family.label_names));
    EXPECT_EQ(ToVector(back.state_names), ToVector(family.state_names));
    EXPECT_EQ(back.time_to_live_s, family.time_to_live_s);
    EXPECT_EQ(back.bound_count, 0u);
  }
}

TEST(RecordCodecTest, ZeroGaugeCellIsUnsetAndZeroIsNot) {
  double value;
  EXPECT_FALSE(DecodeGaugeCell(0, &value));
  const double inf = std::numeric_limits<double>::infinity();
  for (const double set : {0.0, -0.0, 1.5, -inf, inf, 5e-324}) {
    EXPECT_NE(EncodeGaugeCell(set), 0u);
    ASSERT_TRUE(DecodeGaugeCell(EncodeGaugeCell(set), &value));
    EXPECT_EQ(std::memcmp(&value, &set, sizeof(set)), 0);
  }
  ASSERT_TRUE(DecodeGaugeCell(EncodeGaugeCell(std::nan("")), &value));
  EXPECT_TRUE(std::isnan(value));
}

}  // namespace
}  // namespace tine
