#include "tests/collector/damage_kinds.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "tests/testing/seal_file.h"

namespace tine::testing {
namespace {

constexpr uint64_t kDynamic = 3968;
constexpr uint64_t kFirstRecord = 4096;
constexpr uint64_t kHeaderChecksum = 3964;
constexpr uint16_t kCells = 0x8001;

// Of the header's strings and of a block's cells, these are ours.
constexpr uint64_t kStringsInUse = 192;
constexpr uint64_t kCellBytesInUse = uint64_t{48} * 8;

template <typename T>
T Get(const Bytes& file, uint64_t at) {
  T value;
  std::memcpy(&value, file.data() + at, sizeof(value));
  return value;
}

template <typename T>
void Put(Bytes* file, uint64_t at, T value) {
  std::memcpy(file->data() + at, &value, sizeof(value));
}

// In a stretch that is all alike?
bool IsFilling(const DamageSweep& sweep, uint64_t at) {
  if (at < kFirstRecord) {
    return at >= kStringsInUse && at < kHeaderChecksum - 64;
  }
  const std::vector<uint64_t>& offsets = sweep.record_offsets();
  const uint64_t record =
      *(std::upper_bound(offsets.begin(), offsets.end(), at) - 1);
  return record + 64 <= sweep.base().size() &&
         Get<uint16_t>(sweep.base(), record + 4) == kCells &&
         at >= record + 64 + kCellBytesInUse;
}

std::string At(const char* what, uint64_t at) {
  return std::string(what) + " at " + std::to_string(at);
}

template <typename T>
void SealedNumbersAt(DamageSweep* sweep, uint64_t record, uint64_t at,
                     const std::vector<T>& values) {
  Bytes file = sweep->base();
  for (const T value : values) {
    Put(&file, at, value);
    if (record == 0) {
      SealHeader(&file);
    } else {
      SealRecord(&file, record);
    }
    sweep->Check(
        At("sealed number", at) + " = " + std::to_string(uint64_t{value}), file,
        false);
    std::memcpy(file.data() + record, sweep->base().data() + record,
                std::min<size_t>(file.size() - record, 4096));
  }
}

void EditOnce(Bytes* file, std::mt19937_64* random) {
  const auto below = [random](uint64_t end) { return (*random)() % end; };
  const uint64_t size = 1 + below(below(2) != 0 ? 16 : 256);
  const uint64_t step = below(2) != 0 ? 64 : 1;
  const auto place = [&] {
    return below((file->size() - size) / step + 1) * step;
  };
  uint8_t* const to = file->data() + place();
  uint8_t* const from = file->data() + place();
  switch (below(5)) {
    case 0:
      std::fill_n(to, size, static_cast<uint8_t>(below(2) != 0 ? 0 : 0xff));
      break;
    case 1:
      std::generate_n(to, size,
                      [random] { return static_cast<uint8_t>((*random)()); });
      break;
    case 2:
      std::memmove(to, from, size);
      break;
    case 3:
      if (to + size <= from || from + size <= to) {
        std::swap_ranges(to, to + size, from);
      }
      break;
    default:
      *to = static_cast<uint8_t>(*to + (below(2) != 0 ? 1 : -1));
  }
}

}  // namespace

Bytes FileWithBoundsBehindTheirRecord(const Bytes& base) {
  constexpr uint16_t kBoundCount = 32;
  constexpr uint64_t kNextBytes = 320;
  Bytes file = base;
  const uint64_t family = base.size();
  const uint64_t next = family + 64;
  file.resize(next + kNextBytes);
  Put<uint32_t>(&file, family, 64);
  Put<uint16_t>(&file, family + 4, 1);
  file[family + 12] = 3;  // a histogram
  file[family + 13] = 2;
  Put<uint16_t>(&file, family + 16, 1);  // the name's length
  Put<uint16_t>(&file, family + 26, kBoundCount);
  for (uint64_t i = 0; i < kBoundCount; ++i) {
    Put(&file, family + 32 + 8 * i, static_cast<double>(i) - 4);
  }
  file[family + 32 + 8 * kBoundCount] = 'h';
  // Bound 4 is the next record's length and kind, a number next to zero; bound
  // 5 its checksum and the upper half of a 2.
  Put<uint64_t>(&file, next, kNextBytes | uint64_t{0x7001} << 32);
  Put<uint32_t>(&file, next + 12, 0x40000000);
  for (uint64_t i = 6; i < kBoundCount; ++i) {
    Put(&file, family + 32 + 8 * i, static_cast<double>(i));
  }
  Put<uint64_t>(&file, kDynamic, file.size());
  SealAll(&file);
  return file;
}

void SweepFlips(DamageSweep* sweep, bool is_long) {
  Bytes file = sweep->base();
  for (uint64_t bit = 0; bit < 8 * file.size(); ++bit) {
    if (!is_long && bit % 61 != 0 && IsFilling(*sweep, bit / 8)) {
      continue;
    }
    const auto mask = static_cast<uint8_t>(1 << (bit % 8));
    file[bit / 8] ^= mask;
    sweep->Check(At("bit", bit), file, is_long);
    file[bit / 8] ^= mask;
  }
}

void SweepTruncations(DamageSweep* sweep, bool is_long) {
  for (uint64_t size = 0; size < sweep->base().size(); ++size) {
    if (!is_long && size % 61 != 0 && IsFilling(*sweep, size) &&
        IsFilling(*sweep, size + 1)) {
      continue;
    }
    const Bytes& base = sweep->base();
    sweep->Check(At("cut", size),
                 Bytes(base.begin(), base.begin() + static_cast<int64_t>(size)),
                 is_long);
  }
}

void SweepWords(DamageSweep* sweep, bool is_long) {
  Bytes file = sweep->base();
  const uint64_t values[] = {0,
                             1,
                             UINT64_MAX,
                             uint64_t{1} << 31,
                             uint64_t{1} << 32,
                             uint64_t{1} << 63,
                             0x7FF8000000000000,  // NaN
                             0x7FF0000000000000,  // +Inf
                             file.size() - 1,
                             file.size(),
                             file.size() + 1};
  for (uint64_t at = 0; at + 8 <= file.size(); at += 8) {
    if (!is_long && at % 56 != 0 && IsFilling(*sweep, at)) {
      continue;
    }
    const auto word = Get<uint64_t>(file, at);
    for (const uint64_t value : values) {
      Put(&file, at, value);
      sweep->Check(At("word", at) + " = " + std::to_string(value), file,
                   is_long);
    }
    Put(&file, at, word);
  }
}

void SweepSealedNumbers(DamageSweep* sweep, bool is_long) {
  const std::vector<uint16_t> u16 = {0,  1,   2,   3,      64,
                                     65, 511, 512, 0x80c1, 0xffff};
  const std::vector<uint32_t> u32 = {
      0, 1, 64, 128, 4160, 512, 0x7fffffff, 0x80000000, 0xffffffff, 0xffffffc0};
  const std::vector<uint64_t> u64 = {0, 1, UINT64_MAX, 0x7FF8000000000000,
                                     0x7FF0000000000000};
  std::vector<uint64_t> offsets = sweep->record_offsets();
  offsets.pop_back();
  offsets.insert(offsets.begin(), 0);
  sweep->set_is_sealed(true);
  for (const uint64_t record : offsets) {
    const bool is_cells =
        record != 0 && Get<uint16_t>(sweep->base(), record + 4) == kCells;
    const uint64_t size = record == 0 ? kStringsInUse
                          : is_cells  ? 64
                                      : Get<uint32_t>(sweep->base(), record);
    for (uint64_t at = record; at < record + size; at += 2) {
      // Behind the fields come texts.
      if (!is_long && at >= record + 64 && at % 8 != 0) {
        continue;
      }
      SealedNumbersAt(sweep, record, at, u16);
      if (at % 4 == 0) {
        SealedNumbersAt(sweep, record, at, u32);
      }
      if (at % 8 == 0) {
        SealedNumbersAt(sweep, record, at, u64);
      }
    }
  }
  sweep->set_is_sealed(false);
}

void SweepBlockEdits(DamageSweep* sweep, int rounds, std::mt19937_64* random) {
  for (int round = 0; round < rounds; ++round) {
    Bytes file = sweep->base();
    for (uint64_t edits = 1 + (*random)() % 3; edits > 0; --edits) {
      EditOnce(&file, random);
    }
    const bool is_sealed = (*random)() % 2 != 0;
    if (is_sealed) {
      SealAll(&file);
    }
    sweep->set_is_sealed(is_sealed);
    sweep->Check(At("edit", static_cast<uint64_t>(round)), file, false);
  }
  sweep->set_is_sealed(false);
}

void SweepGarbage(DamageSweep* sweep, std::mt19937_64* random) {
  for (const uint64_t size :
       {0,    1,    7,    8,    63,    64,    65,     1000,
        3967, 3968, 4031, 4032, 4095,  4096,  4097,   4159,
        4160, 8255, 8256, 8320, 16384, 65536, 1 << 20}) {
    for (int kind = 0; kind < 6; ++kind) {
      Bytes file(size);
      if (kind == 1) {
        std::fill(file.begin(), file.end(), uint8_t{0xff});
      } else if (kind > 1) {
        std::generate(file.begin(), file.end(),
                      [random] { return static_cast<uint8_t>((*random)()); });
      }
      // From 3 on behind a sound header; from 4 on all of it is published; 5
      // has records of sound lengths.
      if (kind >= 3) {
        std::copy_n(sweep->base().begin(), std::min(size, kFirstRecord),
                    file.begin());
      }
      if (kind >= 4 && size >= kFirstRecord) {
        Put<uint64_t>(&file, kDynamic, size / 64 * 64);
      }
      if (kind == 5) {
        for (uint64_t at = kFirstRecord; at + 64 <= size; at += 64) {
          Put<uint32_t>(&file, at, 64);
        }
        SealAll(&file);
      }
      sweep->set_is_sealed(kind == 5);
      sweep->Check("garbage of kind " + std::to_string(kind) + " of " +
                       std::to_string(size) + " bytes",
                   file, true);
    }
  }
  sweep->set_is_sealed(false);
}

}  // namespace tine::testing
