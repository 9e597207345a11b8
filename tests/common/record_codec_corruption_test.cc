// Headers and records that cannot be: each is refused, for the right reason.

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "common/metric_file_name.h"
#include "common/record_codec.h"
#include "gtest/gtest.h"
#include "tests/common/encoded_record.h"
#include "tests/common/golden_file.h"

namespace tine {
namespace {

using format::GaugeMode;
using format::MetricType;
using format::RecordKind;
using format::ValueKind;
using testing::Encode;
using testing::SomeFamily;
using testing::StringList;

DamageReason DecodeBack(const FamilyView& family) {
  const std::vector<uint8_t> bytes = Encode(family);
  FamilyView decoded;
  return DecodeFamilyUntrusted(bytes.data(), &decoded);
}

// ---- Damage in the header ---------------------------------------------------

// The golden file with a change, and the reason that it must be refused for.
template <typename Change>
DamageReason ReasonAfter(Change change, bool reseal = true) {
  std::vector<uint8_t> bytes = testing::ReadGolden("process_labels");
  change(&bytes);
  if (reseal) {
    testing::ResealHeader(&bytes);
  }
  FileHeaderView view;
  return DecodeFileHeaderUntrusted(bytes.data(), bytes.size(), &view);
}

template <typename Number>
DamageReason ReasonWith(size_t offset, Number number, bool reseal = true) {
  return ReasonAfter(
      [&](std::vector<uint8_t>* bytes) {
        testing::PutNumber(bytes, offset, number);
      },
      reseal);
}

TEST(HeaderCorruptionTest, EachKindOfDamageHasItsReason) {
  EXPECT_EQ(ReasonWith<uint8_t>(0, 'T'), DamageReason::kNone);
  EXPECT_EQ(ReasonWith<uint8_t>(4, '\n'), DamageReason::kBadMagic);
  EXPECT_EQ(ReasonWith<uint32_t>(8, 0x04030201), DamageReason::kWrongEndian);
  EXPECT_EQ(ReasonWith<uint16_t>(12, 2), DamageReason::kUnknownVersion);
  EXPECT_EQ(ReasonWith<uint16_t>(12, 0), DamageReason::kUnknownVersion);
  EXPECT_EQ(ReasonWith<uint32_t>(24, 1), DamageReason::kIncompatibleFlag);
  EXPECT_EQ(ReasonWith<uint32_t>(24, 1u << 31),
            DamageReason::kIncompatibleFlag);
  EXPECT_EQ(ReasonWith<uint8_t>(3900, 1, false), DamageReason::kHeaderChecksum);
  EXPECT_EQ(ReasonWith<uint32_t>(3964, 1, false),
            DamageReason::kHeaderChecksum);
  EXPECT_EQ(ReasonWith<uint32_t>(16, 8192), DamageReason::kHeaderFields);
  EXPECT_EQ(ReasonWith<uint32_t>(120, 3833), DamageReason::kHeaderFields);
  EXPECT_EQ(ReasonWith<uint32_t>(120, 0xffffffff), DamageReason::kHeaderFields);
  EXPECT_EQ(ReasonWith<uint32_t>(120, 0), DamageReason::kHeaderFields);
  EXPECT_EQ(ReasonWith<uint16_t>(124, 1), DamageReason::kHeaderFields);
  EXPECT_EQ(ReasonWith<uint16_t>(124, 65), DamageReason::kHeaderFields);
  EXPECT_EQ(ReasonWith<uint16_t>(124, 0xffff), DamageReason::kHeaderFields);
  EXPECT_EQ(ReasonWith<uint16_t>(128, 0xffff), DamageReason::kHeaderFields);
  EXPECT_EQ(ReasonWith<uint8_t>(130, 0xff), DamageReason::kInvalidText);
}

TEST(HeaderCorruptionTest, FlagsAndMinorVersionsOfTheFutureAreNoDamage) {
  EXPECT_EQ(ReasonWith<uint16_t>(14, 0xffff), DamageReason::kNone);
  EXPECT_EQ(ReasonWith<uint32_t>(20, 0xffffffff), DamageReason::kNone);
  EXPECT_EQ(ReasonWith<uint32_t>(28, 77), DamageReason::kNone);
}

TEST(HeaderCorruptionTest, EveryShorterFileIsShort) {
  const std::vector<uint8_t> golden = testing::ReadGolden("empty");
  for (size_t size = 0; size < 4096; ++size) {
    const std::vector<uint8_t> part(golden.begin(), golden.begin() + size);
    FileHeaderView view;
    EXPECT_EQ(DecodeFileHeaderUntrusted(part.data(), size, &view),
              DamageReason::kShortHeader);
  }
}

TEST(HeaderCorruptionTest, BadProcessLabelsAreNamed) {
  const struct {
    const char* name;
    const char* value;
    DamageReason reason;
  } cases[] = {
      {"app", "", DamageReason::kNone},
      {"le", "x", DamageReason::kInvalidName},
      {"quantile", "x", DamageReason::kInvalidName},
      {"__a", "x", DamageReason::kInvalidName},
      {"", "x", DamageReason::kInvalidName},
      {"a-b", "x", DamageReason::kInvalidName},
      {"zone", "x", DamageReason::kInvalidName},  // twice
      {"app", "\xff", DamageReason::kInvalidText},
  };
  for (const auto& one : cases) {
    const auto reason = ReasonAfter([&](std::vector<uint8_t>* bytes) {
      const StringList strings({"exe", "", "zone", "b", one.name, one.value});
      std::copy_n(strings.view().bytes(), strings.view().size_bytes(),
                  bytes->begin() + 128);
      testing::PutNumber<uint32_t>(
          bytes, 120, static_cast<uint32_t>(strings.view().size_bytes()));
    });
    EXPECT_EQ(reason, one.reason) << one.name;
  }
}

// ---- Damage in records ------------------------------------------------------

TEST(RecordCorruptionTest, RecordLengthsThatCannotBe) {
  const struct {
    uint32_t record_bytes;
    uint16_t kind;
    DamageReason reason;
  } cases[] = {
      {0, 1, DamageReason::kRecordLength},
      {63, 1, DamageReason::kRecordLength},
      {64, 1, DamageReason::kNone},
      {65, 1, DamageReason::kRecordLength},
      {4160, 1, DamageReason::kNone},
      {4224, 1, DamageReason::kRecordLength},  // only 4160 are there
      {0xffffffc0, 1, DamageReason::kRecordLength},
      {64, 0x8001, DamageReason::kRecordLength},
      {4160, 0x8001, DamageReason::kNone},
      {64, 999, DamageReason::kNone},
      {64, 0, DamageReason::kNone},  // kind 0 is refused by its content
  };
  for (const auto& one : cases) {
    std::vector<uint8_t> bytes(64);
    testing::PutNumber(&bytes, 0, one.record_bytes);
    testing::PutNumber(&bytes, 4, one.kind);
    uint32_t record_bytes;
    RecordKind kind;
    EXPECT_EQ(
        DecodeRecordHeaderUntrusted(bytes.data(), 4160, &record_bytes, &kind),
        one.reason)
        << one.record_bytes << " " << one.kind;
  }
}

TEST(RecordCorruptionTest, RecordsThatNobodyCouldHoldAreRefused) {
  std::vector<uint8_t> bytes(64);
  uint32_t record_bytes;
  RecordKind kind;
  for (const uint16_t number : {1, 2, 999, 0x8999}) {
    testing::PutNumber<uint32_t>(&bytes, 0, (8 << 20) + 64);
    testing::PutNumber(&bytes, 4, number);
    EXPECT_EQ(
        DecodeRecordHeaderUntrusted(bytes.data(), 1u << 30, &record_bytes,
                                    &kind),
        number == 0x8999 ? DamageReason::kNone : DamageReason::kRecordLength);
  }
}

TEST(RecordCorruptionTest, EveryFlippedBitOfARecordIsNoticed) {
  const StringList names({"method"});
  FamilyView family = SomeFamily();
  family.label_names = names.view();
  std::vector<uint8_t> bytes = Encode(family);
  // The first four bytes, the length, were checked before.
  for (size_t bit = 8 * 4; bit < 8 * bytes.size(); ++bit) {
    bytes[bit / 8] ^= static_cast<uint8_t>(1 << (bit % 8));
    FamilyView back;
    EXPECT_EQ(DecodeFamilyUntrusted(bytes.data(), &back),
              DamageReason::kRecordChecksum);
    bytes[bit / 8] ^= static_cast<uint8_t>(1 << (bit % 8));
  }
}

// Rebuilds the family with one field changed and a right checksum.
template <typename Number>
DamageReason FamilyReasonWith(size_t offset, Number number) {
  const StringList names({"method"});
  FamilyView family = SomeFamily();
  family.label_names = names.view();
  std::vector<uint8_t> bytes = Encode(family);
  testing::PutNumber(&bytes, offset, number);
  testing::ResealRecord(&bytes, 0);
  FamilyView back;
  return DecodeFamilyUntrusted(bytes.data(), &back);
}

TEST(RecordCorruptionTest, ImpossibleFamilyFieldsAreNamed) {
  const DamageReason fields = DamageReason::kRecordFields;
  EXPECT_EQ(FamilyReasonWith<uint8_t>(12, 0), fields);  // no type
  EXPECT_EQ(FamilyReasonWith<uint8_t>(12, 6), fields);  // unknown type
  EXPECT_EQ(FamilyReasonWith<uint8_t>(13, 0), fields);  // no value kind
  EXPECT_EQ(FamilyReasonWith<uint8_t>(13, 3), fields);  // i64 counter
  EXPECT_EQ(FamilyReasonWith<uint8_t>(14, 1), fields);  // counter with mode
  EXPECT_EQ(FamilyReasonWith<uint16_t>(16, 65535), fields);
  EXPECT_EQ(FamilyReasonWith<uint16_t>(18, 257), fields);
  EXPECT_EQ(FamilyReasonWith<uint32_t>(20, 65537), fields);
  EXPECT_EQ(FamilyReasonWith<uint32_t>(20, 0xffffffff), fields);
  EXPECT_EQ(FamilyReasonWith<uint16_t>(24, 0), fields);
  EXPECT_EQ(FamilyReasonWith<uint16_t>(24, 2), fields);
  EXPECT_EQ(FamilyReasonWith<uint16_t>(24, 65), fields);
  EXPECT_EQ(FamilyReasonWith<uint16_t>(26, 1), fields);  // counter with bound
  EXPECT_EQ(FamilyReasonWith<uint16_t>(26, 511), fields);
  EXPECT_EQ(FamilyReasonWith<uint32_t>(28, 9), fields);
  EXPECT_EQ(FamilyReasonWith<uint32_t>(28, 0xffffffff), fields);
  EXPECT_EQ(FamilyReasonWith<uint8_t>(32, '1'), DamageReason::kInvalidName);
  EXPECT_EQ(FamilyReasonWith<uint8_t>(46, 0xff), DamageReason::kInvalidText);
  EXPECT_EQ(FamilyReasonWith<uint8_t>(57, '-'), DamageReason::kInvalidName);
}

TEST(RecordCorruptionTest, ImpossibleTypesAndModesAreRefused) {
  FamilyView gauge = SomeFamily();
  gauge.type = MetricType::kGauge;
  gauge.value_kind = ValueKind::kF64;
  EXPECT_EQ(DecodeBack(gauge), DamageReason::kRecordFields);  // no mode
  gauge.gauge_mode = static_cast<GaugeMode>(11);
  EXPECT_EQ(DecodeBack(gauge), DamageReason::kRecordFields);
  gauge.gauge_mode = GaugeMode::kAll;
  EXPECT_EQ(DecodeBack(gauge), DamageReason::kNone);
  gauge.value_kind = ValueKind::kU64;
  EXPECT_EQ(DecodeBack(gauge), DamageReason::kRecordFields);
  FamilyView up_down = SomeFamily();
  up_down.type = MetricType::kUpDownCounter;
  up_down.value_kind = ValueKind::kI64;
  up_down.gauge_mode = GaugeMode::kMax;
  EXPECT_EQ(DecodeBack(up_down), DamageReason::kRecordFields);
}

TEST(RecordCorruptionTest, ImpossibleBoundsAreRefused) {
  const double inf = std::numeric_limits<double>::infinity();
  const std::vector<double> good[] = {{}, {1}, {-2, -1, 0, 1}, {1, 1.0000001}};
  const std::vector<double> bad[] = {{1, 1},         {2, 1},
                                     {1, inf},       {-inf, 1},
                                     {std::nan("")}, {1, std::nan("")},
                                     {0.0, -0.0}};
  FamilyView family = SomeFamily();
  family.type = MetricType::kHistogram;
  family.value_kind = ValueKind::kF64;
  const auto reason_of = [&](const std::vector<double>& bounds) {
    family.bounds = bounds.data();
    family.bound_count = bounds.size();
    return DecodeBack(family);
  };
  for (const auto& bounds : good) {
    EXPECT_EQ(reason_of(bounds), DamageReason::kNone);
  }
  for (const auto& bounds : bad) {
    EXPECT_EQ(reason_of(bounds), DamageReason::kRecordFields);
  }
}

TEST(RecordCorruptionTest, ImpossibleStateSetsAreNamed) {
  const auto reason_of = [](const std::vector<std::string>& states,
                            const std::string& name,
                            const std::vector<std::string>& labels,
                            ValueKind kind, GaugeMode mode) {
    const testing::StringList state_list(states);
    const testing::StringList label_list(labels);
    FamilyView family = SomeFamily();
    family.type = MetricType::kStateSet;
    family.value_kind = kind;
    family.gauge_mode = mode;
    family.name = name;
    family.label_names = label_list.view();
    family.state_names = state_list.view();
    FamilyView back;
    return DecodeFamilyUntrusted(Encode(family).data(), &back);
  };
  const GaugeMode sum = GaugeMode::kSum;
  const ValueKind u64 = ValueKind::kU64;
  EXPECT_EQ(reason_of({"a", "b"}, "s", {"l"}, u64, sum), DamageReason::kNone);
  // As an archive has it: a state is a label, and a series.
  EXPECT_EQ(reason_of({}, "s", {"l", "s"}, ValueKind::kF64, sum),
            DamageReason::kNone);
  EXPECT_EQ(reason_of({}, "s", {"l"}, u64, sum), DamageReason::kRecordFields);
  EXPECT_EQ(reason_of({"a"}, "s", {"l"}, ValueKind::kF64, sum),
            DamageReason::kRecordFields);
  EXPECT_EQ(reason_of({"a"}, "s", {"l"}, u64, GaugeMode::kMin),
            DamageReason::kRecordFields);
  EXPECT_EQ(reason_of({"a"}, "s", {"l"}, u64, GaugeMode::kNone),
            DamageReason::kRecordFields);
  EXPECT_EQ(reason_of(std::vector<std::string>(65, "a"), "s", {}, u64, sum),
            DamageReason::kRecordFields);
  EXPECT_EQ(reason_of({"a", "a"}, "s", {}, u64, sum),
            DamageReason::kInvalidText);
  EXPECT_EQ(reason_of({"a", ""}, "s", {}, u64, sum),
            DamageReason::kInvalidText);
  EXPECT_EQ(reason_of({"\xff"}, "s", {}, u64, sum), DamageReason::kInvalidText);
  EXPECT_EQ(reason_of({std::string(1024, 'a')}, "s", {}, u64, sum),
            DamageReason::kNone);
  EXPECT_EQ(reason_of({std::string(1025, 'a')}, "s", {}, u64, sum),
            DamageReason::kInvalidText);
  for (const char* name : {"a:b", "le", "__s", "l"}) {
    EXPECT_EQ(reason_of({"a"}, name, {"l"}, u64, sum),
              DamageReason::kInvalidName)
        << name;
  }
}

TEST(RecordCorruptionTest, ImpossibleTimesToLiveAreNamed) {
  const auto reason_of = [](MetricType type, double seconds) {
    FamilyView family = SomeFamily();
    family.type = type;
    family.time_to_live_s = seconds;
    if (type == MetricType::kGauge) {
      family.value_kind = ValueKind::kF64;
      family.gauge_mode = GaugeMode::kMax;
    }
    FamilyView back;
    return DecodeFamilyUntrusted(Encode(family).data(), &back);
  };
  EXPECT_EQ(reason_of(MetricType::kGauge, 1e-9), DamageReason::kNone);
  EXPECT_EQ(reason_of(MetricType::kGauge, 1e300), DamageReason::kNone);
  for (const double seconds : {-1.0, std::nan(""), HUGE_VAL, -5e-324}) {
    EXPECT_EQ(reason_of(MetricType::kGauge, seconds),
              DamageReason::kRecordFields)
        << seconds;
  }
  EXPECT_EQ(reason_of(MetricType::kCounter, 1), DamageReason::kRecordFields);
}

TEST(RecordCorruptionTest, LabelNamesThatPrometheusRefusesAreNamed) {
  for (const std::vector<std::string>& names : {std::vector<std::string>{"le"},
                                                {"quantile"},
                                                {"__x"},
                                                {""},
                                                {"a", "a"},
                                                {"a", "b", "c", "b"},
                                                {"a:b"}}) {
    const StringList list(names);
    FamilyView family = SomeFamily();
    family.label_names = list.view();
    EXPECT_EQ(DecodeBack(family), DamageReason::kInvalidName) << names[0];
  }
}

TEST(RecordCorruptionTest, ImpossibleSeriesFieldsAreNamed) {
  const StringList values({"GET", "200"});
  SeriesView series;
  series.cell_count = 1;
  series.label_values = values.view();
  const auto reason_with = [&](size_t offset, uint16_t number) {
    std::vector<uint8_t> bytes = Encode(series);
    testing::PutNumber(&bytes, offset, number);
    testing::ResealRecord(&bytes, 0);
    SeriesView back;
    return DecodeSeriesUntrusted(bytes.data(), &back);
  };
  EXPECT_EQ(reason_with(28, 1), DamageReason::kNone);
  EXPECT_EQ(reason_with(28, 0), DamageReason::kRecordFields);
  EXPECT_EQ(reason_with(28, 513), DamageReason::kRecordFields);
  EXPECT_EQ(reason_with(30, 65), DamageReason::kRecordFields);
  EXPECT_EQ(reason_with(30, 0xffff), DamageReason::kRecordFields);
  EXPECT_EQ(reason_with(32, 0xffff), DamageReason::kRecordFields);
  EXPECT_EQ(reason_with(34, 0xffff), DamageReason::kInvalidText);
}

TEST(DamageReasonTest, NamesAreDistinct) {
  std::vector<std::string> names;
  for (int i = 0; i <= static_cast<int>(DamageReason::kInvalidText); ++i) {
    names.emplace_back(DamageReasonName(static_cast<DamageReason>(i)));
    EXPECT_NE(names.back(), "unknown");
  }
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(),
            names.size());
  EXPECT_EQ(DamageReasonName(static_cast<DamageReason>(99)), "unknown");
}

}  // namespace
}  // namespace tine
