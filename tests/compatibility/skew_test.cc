// Files of other versions, through the whole collector: a later minor version
// reads as this one, what this one may not read is refused alone.

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/common/golden_file.h"
#include "tests/testing/one_shot_scrape.h"
#include "tests/testing/test_directory.h"

namespace tine::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

using Bytes = std::vector<uint8_t>;

// What expected.txt says of the golden files, as it is served. Their boot is
// nobody's here, so their writers' pids are shown with the uuid.
const ServedNumbers& GoldenNumbers() {
  static const auto* numbers = new ServedNumbers{
      {"busy_seconds_total{cpu=0,mode=user}", 1.75},
      {"busy_seconds_total{mode=sys\"\\\ntem é}", 1e-300},
      {"requests_total{method=GET}", 42},
      {"temperature_celsius{pid=1234-a0a1a2a3,place=roof}", -2.5},
      {"temperature_celsius{pid=1234-a0a1a2a3,place=zero}", 0},
      {"temperature_celsius{pid=1234-a0a1a2a3,place=sun}",
       std::numeric_limits<double>::infinity()},
      {"last_success_timestamp{}", 17},
      {"latency_seconds_bucket{path=/}[-0.5]", 1},
      {"latency_seconds_bucket{path=/}[0.25]", 3},
      {"latency_seconds_bucket{path=/}[1000000000]", 5},
      {"latency_seconds_bucket{path=/}[+Inf]", 4},
      {"latency_seconds_sum{path=/}", 10},
      {"later_total{}", 6},
      {"up_total{app=web,zone=b,ü}", 1},
      {"size_bytes_count{}", 1099511627780},
      {"size_bytes_sum{}", 0.35},
      {"requests_in_flight{}", -2},
      // everything, whose worker id is 3
      {"requests_total{app=web,code=200,method=GET}", 100},
      {"requests_total{app=web,code=é\"\\\n,method=PUT}", 7},
      {"busy_seconds_total{app=web}", 0.35},
      {"requests_in_flight{app=web}", -2},
      {"connections{app=web}", 7},
      {"gauge_all{app=web,pid=3,place=here}", 0.5},
      {"gauge_liveall{app=web,pid=3,place=here}", 1.5},
      {"gauge_sum{app=web,place=here}", 2.5},
      {"gauge_livesum{app=web,place=here}", 3.5},
      {"gauge_min{app=web,place=here}", 4.5},
      {"gauge_livemin{app=web,place=here}", 5.5},
      {"gauge_max{app=web,place=here}", 6.5},
      {"gauge_livemax{app=web,place=here}", 7.5},
      {"gauge_mostrecent{app=web,place=here}", 9.5},
      {"gauge_livemostrecent{app=web,place=here}", 10.5},
      {"size_bytes_count{app=web}", 1099511627779},
      {"size_bytes_sum{app=web}", 0.75},
      {"latency_seconds_bucket{app=web,path=/}[-0.5]", 1},
      {"latency_seconds_bucket{app=web,path=/}[0.25]", 3},
      {"latency_seconds_bucket{app=web,path=/}[1000000000]", 5},
      {"latency_seconds_bucket{app=web,path=/}[+Inf]", 4},
      {"latency_seconds_sum{app=web,path=/}", 10},
      {"latency_seconds_bucket{app=web,path=/a}[-0.5]", 3},
      {"latency_seconds_bucket{app=web,path=/a}[0.25]", 0},
      {"latency_seconds_bucket{app=web,path=/a}[1000000000]", 0},
      {"latency_seconds_bucket{app=web,path=/a}[+Inf]", 0},
      {"latency_seconds_sum{app=web,path=/a}", 3},
      // neighbour
      {"a_neighbour_total{path=/\"\\}", 17},
      {"a_neighbour_seconds_bucket{method=GET}[0.5]", 0},
      {"a_neighbour_seconds_bucket{method=GET}[1]", 3},
      {"a_neighbour_seconds_bucket{method=GET}[+Inf]", 1},
      {"a_neighbour_seconds_sum{method=GET}", 2.25},
      // removed; nobody has taken its counters
      {"jobs_total{queue=mail}", 42},
      {"jobs_total{queue=disk}", 32},
      {"room_celsius{place=cellar}", 2.5},
      {"job_seconds_bucket{queue=mail}[1]", 2},
      {"job_seconds_bucket{queue=mail}[+Inf]", 2},
      {"job_seconds_sum{queue=mail}", 0.75},
      // states
      {"pump{pump=off,site=a}", 1},
      {"pump{pump=on,site=a}", 0},
      {"pump{pump=é\"\\,site=a}", 1},
      {"pump{pump=off,site=b}", 0},
      {"pump{pump=on,site=b}", 0},
      {"pump{pump=é\"\\,site=b}", 0},
      {"phase{phase=solid}", 0},
      {"phase{phase=liquid}", 1},
      {"build_info{version=1.2}", 1},
      {"level{tank=north}", 20.5},
      {"door{door=open}", 1},
      {"door{door=locked}", 1},
  };
  return *numbers;
}

class SkewTest : public ::testing::Test {
 protected:
  void Place(const Bytes& bytes) const {
    std::string name = "1234.";
    for (size_t i = 32; i < 48; ++i) {
      constexpr char kDigits[] = "0123456789abcdef";
      name += kDigits[bytes[i] >> 4];
      name += kDigits[bytes[i] & 15];
    }
    std::ofstream(directory_.At(name + ".tine"), std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
  }

  // Places every golden file, each changed by `change` and sealed again.
  void PlaceGolden(const std::function<void(Bytes*)>& change) const {
    for (const std::string& name : GoldenNames()) {
      Bytes bytes = ReadGolden(name);
      change(&bytes);
      ResealHeader(&bytes);
      Place(bytes);
    }
  }

  ScrapeResult Scrape() const { return ScrapeOnce(directory_.path()); }

  // counter_u64, changed; beside it a sound file. That the one is refused for
  // `reason` and the other served.
  void ExpectRefusedAlone(const std::function<void(Bytes*)>& change,
                          const std::string& reason) const {
    Place(ReadGolden("summary"));
    Bytes bytes = ReadGolden("counter_u64");
    change(&bytes);
    ResealHeader(&bytes);
    Place(bytes);
    const ScrapeResult result = Scrape();
    EXPECT_THAT(result.numbers,
                ElementsAre(Pair("size_bytes_count{}", 1099511627780),
                            Pair("size_bytes_sum{}", 0.35)));
    EXPECT_THAT(result.statistics.files.problems,
                ElementsAre(Pair(reason, 1u)));
  }

  TestDirectory directory_;
};

void ForEachRecord(const Bytes& bytes,
                   const std::function<void(size_t offset)>& use) {
  for (size_t offset = 4096; offset < bytes.size();
       offset += NumberAt<uint32_t>(bytes, offset)) {
    use(offset);
  }
}

// Where the content of a FAMILY or SERIES ends, by FORMAT.md.
size_t ContentBytes(const Bytes& bytes, size_t offset) {
  if (NumberAt<uint16_t>(bytes, offset + 4) == 1) {
    size_t content_bytes = 32 +
                           8 * size_t{NumberAt<uint16_t>(bytes, offset + 26)} +
                           NumberAt<uint16_t>(bytes, offset + 16) +
                           NumberAt<uint16_t>(bytes, offset + 18) +
                           NumberAt<uint32_t>(bytes, offset + 20) +
                           NumberAt<uint32_t>(bytes, offset + 28);
    for (int i = 0; i < bytes[offset + 15]; ++i) {  // names of states
      content_bytes += 2 + NumberAt<uint16_t>(bytes, offset + content_bytes);
    }
    return content_bytes;
  }
  size_t content_bytes = 32;
  for (int i = 0; i < NumberAt<uint16_t>(bytes, offset + 30); ++i) {
    content_bytes += 2 + NumberAt<uint16_t>(bytes, offset + content_bytes);
  }
  return content_bytes;
}

// Everything that FORMAT.md lets a later 1.x writer change.
void UseAllThatIsReserved(Bytes* bytes) {
  PutNumber<uint16_t>(bytes, 14, 65535);       // version_minor
  PutNumber<uint32_t>(bytes, 20, UINT32_MAX);  // compatible_flags
  PutNumber<uint32_t>(bytes, 28, 9);           // life_lock
  PutNumber<uint16_t>(bytes, 126, 0xffff);
  PutNumber<uint32_t>(bytes, 3960, UINT32_MAX);
  PutNumber<uint32_t>(bytes, 3976, 77);  // state
  PutNumber<uint32_t>(bytes, 3980, UINT32_MAX);
  std::fill(bytes->begin() + 4008, bytes->begin() + 4096, 0xff);
  ForEachRecord(*bytes, [bytes](size_t offset) {
    const auto kind = NumberAt<uint16_t>(*bytes, offset + 4);
    const auto record_bytes = NumberAt<uint32_t>(*bytes, offset);
    PutNumber<uint16_t>(bytes, offset + 6, 0xffff);
    uint8_t* record = bytes->data() + offset;
    if (kind == 0x8001) {
      std::fill(record + 20, record + 64, 0xff);
    } else if (kind == 3) {
      std::fill(record + 24, record + 64, 0xff);
    } else if (kind == 1 || kind == 2) {
      std::fill(record + ContentBytes(*bytes, offset), record + record_bytes,
                0xff);
    }
    ResealRecord(bytes, offset);
  });
}

TEST_F(SkewTest, GoldenFilesAreServedAsWrittenDownByHand) {
  PlaceGolden([](Bytes*) {});
  const ScrapeResult result = Scrape();
  EXPECT_EQ(result.numbers, GoldenNumbers());
  EXPECT_TRUE(result.statistics.files.problems.empty());
}

TEST_F(SkewTest, LaterMinorVersionThatUsesAllThatIsReservedReadsTheSame) {
  PlaceGolden(UseAllThatIsReserved);
  const ScrapeResult result = Scrape();
  EXPECT_EQ(result.numbers, GoldenNumbers());
  EXPECT_TRUE(result.statistics.files.problems.empty());
}

TEST_F(SkewTest, RecordKindsOfALaterVersionAreSkippedWhereverTheyStand) {
  for (const uint16_t kind : {4, 7, 8, 0x7fff, 0x8000, 0x8002, 0xffff}) {
    SCOPED_TRACE(kind);
    PlaceGolden([kind](Bytes* bytes) {
      // Behind every record.
      Bytes longer(bytes->begin(), bytes->begin() + 4096);
      const auto add_unknown = [&longer, kind] {
        const size_t offset = longer.size();
        longer.resize(offset + 192, 0xa5);
        PutNumber<uint32_t>(&longer, offset, 192);
        PutNumber(&longer, offset + 4, kind);
        ResealRecord(&longer, offset);
      };
      add_unknown();
      std::map<uint32_t, uint32_t> family_offsets;  // old: new
      ForEachRecord(*bytes, [&](size_t offset) {
        const size_t new_offset = longer.size();
        longer.insert(
            longer.end(), bytes->begin() + offset,
            bytes->begin() + offset + NumberAt<uint32_t>(*bytes, offset));
        if (NumberAt<uint16_t>(longer, new_offset + 4) == 1) {
          family_offsets[static_cast<uint32_t>(offset)] =
              static_cast<uint32_t>(new_offset);
        } else if (NumberAt<uint16_t>(longer, new_offset + 4) == 2) {
          PutNumber(
              &longer, new_offset + 12,
              family_offsets.at(NumberAt<uint32_t>(longer, new_offset + 12)));
          ResealRecord(&longer, new_offset);
        }
        add_unknown();
      });
      PutNumber<uint64_t>(&longer, 3968, longer.size());
      *bytes = longer;
    });
    const ScrapeResult result = Scrape();
    EXPECT_EQ(result.numbers, GoldenNumbers());
    EXPECT_TRUE(result.statistics.files.problems.empty());
  }
}

TEST_F(SkewTest, EachIncompatibleFlagRefusesItsFileAlone) {
  for (int bit = 0; bit < 32; ++bit) {
    SCOPED_TRACE(bit);
    ExpectRefusedAlone(
        [bit](Bytes* bytes) { PutNumber(bytes, 24, uint32_t{1} << bit); },
        "incompatible_flag");
  }
}

TEST_F(SkewTest, OtherMajorVersionsAreRefusedAlone) {
  for (const uint16_t major : {0, 2, 256, 65535}) {
    SCOPED_TRACE(major);
    ExpectRefusedAlone([major](Bytes* bytes) { PutNumber(bytes, 12, major); },
                       "unknown_version");
  }
}

TEST_F(SkewTest, AnotherHeaderLengthIsRefusedAlone) {
  for (const uint32_t header_bytes : {0, 64, 8192}) {
    SCOPED_TRACE(header_bytes);
    ExpectRefusedAlone(
        [header_bytes](Bytes* bytes) { PutNumber(bytes, 16, header_bytes); },
        "header_fields");
  }
}

TEST_F(SkewTest, FileOfAnotherByteOrderIsRefusedAlone) {
  ExpectRefusedAlone(
      [](Bytes* bytes) { PutNumber<uint32_t>(bytes, 8, 0x04030201); },
      "wrong_endian");
}

// A type, kind or mode of a later version comes with an incompatible flag;
// without one it is damage, and what stands before it is served.
TEST_F(SkewTest, TypesOfALaterVersionWithoutAFlagAreDamage) {
  for (const size_t field : {12, 13, 14}) {
    SCOPED_TRACE(field);
    ExpectRefusedAlone(
        [field](Bytes* bytes) {
          bytes->at(4096 + 4160 + field) = 200;
          ResealRecord(bytes, 4096 + 4160);
        },
        "record_fields");
  }
}

}  // namespace
}  // namespace tine::testing
