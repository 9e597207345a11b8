#include "tests/testing/slow_reader.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <string_view>

#include "tests/testing/plain_text_rules.h"

namespace tine::testing {
namespace {

constexpr uint64_t kHeader = 4096;
constexpr uint64_t kDynamic = 3968;
constexpr uint64_t kMaxRecord = 8 << 20;

enum : int {
  kCounter = 1,
  kGauge,
  kHistogram,
  kSummary,
  kUpDown,
  kStates,
  kInfo
};
enum : int { kU64 = 1, kF64, kI64 };
enum : uint32_t {
  kFamily = 1,
  kSeries = 2,
  kRemoved = 3,
  kCells = 0x8001,
  kMutable = 0x8000
};

// Little-endian, byte by byte.
uint64_t Number(const Bytes& file, uint64_t at, int size_bytes) {
  uint64_t number = 0;
  for (int i = size_bytes - 1; i >= 0; --i) {
    number = number << 8 | file[at + static_cast<uint64_t>(i)];
  }
  return number;
}

double Real(uint64_t bits) {
  double value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

std::string Text(const Bytes& file, uint64_t at, uint64_t size_bytes) {
  const auto first = file.begin() + static_cast<int64_t>(at);
  return std::string(first, first + static_cast<int64_t>(size_bytes));
}

// `count` strings from `at` on, none beyond `end`. Returns where they end, or
// 0.
uint64_t TakeStrings(const Bytes& file, uint64_t at, uint64_t end,
                     uint64_t count, std::vector<std::string>* strings) {
  for (uint64_t i = 0; i < count; ++i) {
    if (at + 2 > end || at + 2 + Number(file, at, 2) > end) {
      return 0;
    }
    const uint64_t size_bytes = Number(file, at, 2);
    strings->push_back(Text(file, at + 2, size_bytes));
    at += 2 + size_bytes;
  }
  return at;
}

bool AreLabelNames(const std::vector<std::string>& names) {
  std::set<std::string> distinct;
  for (const std::string& name : names) {
    if (!IsPlainName(name, false) || name.size() > 1024 ||
        name.compare(0, 2, "__") == 0 || name == "le" || name == "quantile" ||
        !distinct.insert(name).second) {
      return false;
    }
  }
  return true;
}

bool AreTexts(const std::vector<std::string>& texts) {
  return std::all_of(texts.begin(), texts.end(),
                     [](const std::string& text) { return IsPlainUtf8(text); });
}

bool IsPossibleType(int type, int value_kind, int mode, int state_count) {
  if (state_count > 64 || (state_count != 0 && type != kStates)) {
    return false;
  }
  switch (type) {
    case kStates:
      return value_kind == (state_count != 0 ? kU64 : kF64) && mode >= 1 &&
             mode <= 10 && mode != 5 && mode != 6;
    case kInfo:
      return value_kind == kF64 && mode == 8;
    case kCounter:
      return (value_kind == kU64 || value_kind == kF64) && mode == 0;
    case kGauge:
      return value_kind == kF64 && mode >= 1 && mode <= 10;
    case kHistogram:
    case kSummary:
      return value_kind == kF64 && mode == 0;
    case kUpDown:
      return value_kind == kI64 && (mode == 3 || mode == 4);
    default:
      return false;
  }
}

// As Python's math.fsum: parts that do not overlap.
double ExactTotal(const std::vector<double>& values) {
  double plain = 0;
  std::vector<double> parts;
  for (double value : values) {
    plain += value;
    size_t kept = 0;
    for (double part : parts) {
      if (std::fabs(value) < std::fabs(part)) {
        std::swap(value, part);
      }
      const double high = value + part;
      const double low = part - (high - value);
      if (low != 0) {
        parts[kept++] = low;
      }
      value = high;
    }
    parts.resize(kept);
    parts.push_back(value);
  }
  if (!std::isfinite(plain)) {
    return plain;
  }
  double total = 0;
  for (auto it = parts.rbegin(); it != parts.rend(); ++it) {
    total += *it;
  }
  return total;
}

}  // namespace

uint32_t SlowCrc32(const uint8_t* bytes, size_t size_bytes,
                   const std::set<size_t>& taken_as_zero) {
  static const auto table = [] {
    std::array<uint32_t, 256> entries{};
    for (uint32_t i = 0; i < 256; ++i) {
      uint32_t entry = i;
      for (int bit = 0; bit < 8; ++bit) {
        entry = (entry & 1) != 0 ? 0xEDB88320u ^ (entry >> 1) : entry >> 1;
      }
      entries[i] = entry;
    }
    return entries;
  }();
  uint32_t crc = 0xFFFFFFFFu;
  for (size_t i = 0; i < size_bytes; ++i) {
    const bool is_zero = i < 16 && taken_as_zero.count(i) != 0;
    crc = table[(crc ^ (is_zero ? 0 : bytes[i])) & 0xff] ^ (crc >> 8);
  }
  return ~crc;
}

// ---- Damage -----------------------------------------------------------------

void SlowReader::Damage(const std::string& reason, uint64_t offset) {
  if (reason_.empty()) {
    reason_ = reason;
    offset_ = offset;
  }
}

void SlowReader::Freeze(const std::string& reason, uint64_t offset) {
  Damage(reason, offset);
  is_frozen_ = true;
}

void SlowReader::Look(const Bytes& file) {
  if (is_first_look_) {
    ReadHeader(file);
    is_quarantined_ = !reason_.empty();
  }
  is_first_look_ = false;
  if (is_quarantined_ || is_frozen_ || !ReadUsed(file)) {
    is_quarantined_ |= families_.empty() && !reason_.empty();
    return;
  }
  ReadRecords(file);
  numbers_.resize(series_.size());
  if (families_.empty() && !reason_.empty()) {
    is_quarantined_ = true;
    return;
  }
  ReadNumbers(file);
}

// ---- Header -----------------------------------------------------------------

void SlowReader::ReadHeader(const Bytes& file) {
  if (file.size() < kHeader) {
    return Damage("short_header", 0);
  }
  const std::string magic("TINE\r\n\x1a\n", 8);
  if (Text(file, 0, 8) != magic) {
    return Damage("bad_magic", 0);
  }
  if (Number(file, 8, 4) != 0x01020304) {
    return Damage("wrong_endian", 0);
  }
  if (Number(file, 12, 2) != 1) {
    return Damage("unknown_version", 0);
  }
  if (Number(file, 24, 4) != 0) {
    return Damage("incompatible_flag", 0);
  }
  if (SlowCrc32(file.data(), 3964) != Number(file, 3964, 4)) {
    return Damage("header_checksum", 0);
  }
  const uint64_t strings_bytes = Number(file, 120, 4);
  const uint64_t label_count = Number(file, 124, 2);
  std::vector<std::string> strings;
  if (Number(file, 16, 4) != kHeader || strings_bytes > 3832 ||
      label_count > 64 ||
      TakeStrings(file, 128, 128 + strings_bytes, 2 + 2 * label_count,
                  &strings) != 128 + strings_bytes) {
    return Damage("header_fields", 0);
  }
  std::vector<std::string> names;
  for (size_t i = 2; i < strings.size(); i += 2) {
    names.push_back(strings[i]);
    process_labels_.emplace_back(strings[i], strings[i + 1]);
  }
  if (!AreLabelNames(names)) {
    return Damage("invalid_name", 0);
  }
  if (!AreTexts(strings)) {
    return Damage("invalid_text", 0);
  }
  std::string uuid;
  for (uint64_t i = 32; i < 48; ++i) {
    char digits[3];
    std::snprintf(digits, sizeof(digits), "%02x", file[i]);
    uuid += digits;
  }
  if (uuid != name_uuid_) {
    return Damage("name_mismatch", 0);
  }
  created_boot_ns_ = Number(file, 96, 8);
  created_wall_ns_ = Number(file, 104, 8);
  pid_label_ = !strings[1].empty() ? strings[1]
                                   : std::to_string(Number(file, 80, 4)) + "-" +
                                         uuid.substr(0, 8);
}

bool SlowReader::ReadUsed(const Bytes& file) {
  if (file.size() < kDynamic + 64) {
    Freeze("truncated", kDynamic);
    return false;
  }
  const uint64_t used = Number(file, kDynamic, 8);
  if (is_list_damaged_ || used == used_) {
    return true;
  }
  if (used < used_ || used > file.size() || used % 64 != 0) {
    Freeze("used_out_of_range", kDynamic);
    return false;
  }
  used_ = used;
  return true;
}

// ---- Records ----------------------------------------------------------------

void SlowReader::ReadRecords(const Bytes& file) {
  while (!is_list_damaged_ && next_ < used_) {
    const uint64_t size_bytes = Number(file, next_, 4);
    const uint64_t kind = Number(file, next_ + 4, 2);
    std::string reason;
    if (size_bytes < 64 || size_bytes % 64 != 0 || size_bytes > used_ - next_ ||
        (kind == kCells && size_bytes != 4160) ||
        (kind < kMutable && size_bytes > kMaxRecord)) {
      reason = "record_length";
    } else {
      reason = TakeRecord(file, next_, size_bytes);
    }
    if (!reason.empty()) {
      is_list_damaged_ = true;
      Damage(reason, next_);
      return;
    }
    ++record_count_;
    next_ += size_bytes;
  }
}

std::string SlowReader::TakeRecord(const Bytes& file, uint64_t at,
                                   uint64_t size_bytes) {
  static const std::set<size_t> kChecksumField = {8, 9, 10, 11};
  const uint64_t kind = Number(file, at + 4, 2);
  const uint64_t covered = kind >= kMutable ? 64 : size_bytes;
  if (kind == 0) {
    return "record_fields";
  }
  if (SlowCrc32(file.data() + at, covered, kChecksumField) !=
      Number(file, at + 8, 4)) {
    return "record_checksum";
  }
  switch (kind) {
    case kFamily:
      return TakeFamily(file, at, size_bytes);
    case kSeries:
      return TakeSeries(file, at, size_bytes);
    case kRemoved:
      return TakeRemoved(file, at);
    case kCells:
      return TakeCells(file, at);
    default:
      return "";
  }
}

std::string SlowReader::TakeFamily(const Bytes& file, uint64_t at,
                                   uint64_t size_bytes) {
  const uint64_t end = at + size_bytes;
  const uint64_t name_bytes = Number(file, at + 16, 2);
  const uint64_t unit_bytes = Number(file, at + 18, 2);
  const uint64_t help_bytes = Number(file, at + 20, 4);
  const uint64_t label_count = Number(file, at + 24, 2);
  const uint64_t bound_count = Number(file, at + 26, 2);
  const uint64_t names_bytes = Number(file, at + 28, 4);
  const uint64_t texts = at + 32 + 8 * bound_count;
  const uint64_t names = texts + name_bytes + unit_bytes + help_bytes;
  Family family;
  family.type = file[at + 12];
  family.value_kind = file[at + 13];
  family.mode = file[at + 14];
  const int state_count = file[at + 15];
  const bool is_histogram = family.type == kHistogram;
  const bool may_grow_old = family.type == kGauge || family.type == kStates;
  if (names + names_bytes > end || help_bytes > 65536 || unit_bytes > 256 ||
      label_count > 64 ||
      !IsPossibleType(family.type, family.value_kind, family.mode,
                      state_count) ||
      bound_count > (is_histogram   ? 510u
                     : may_grow_old ? 1u
                                    : 0u) ||
      TakeStrings(file, names, names + names_bytes, label_count,
                  &family.label_names) != names + names_bytes ||
      TakeStrings(file, names + names_bytes, end,
                  static_cast<uint64_t>(state_count), &family.states) == 0) {
    return "record_fields";
  }
  for (uint64_t i = 0; i < bound_count; ++i) {
    family.bounds.push_back(Real(Number(file, at + 32 + 8 * i, 8)));
    if (!std::isfinite(family.bounds.back()) ||
        (i > 0 && !(family.bounds[i - 1] < family.bounds[i]))) {
      return "record_fields";
    }
  }
  if (!is_histogram && bound_count == 1) {
    family.time_to_live_s = family.bounds[0];
    if (family.time_to_live_s <= 0) {
      return "record_fields";
    }
  }
  family.name = Text(file, texts, name_bytes);
  std::vector<std::string> all_labels = family.label_names;
  if (family.type == kStates && state_count != 0) {
    all_labels.push_back(family.name);
  }
  if (!IsPlainName(family.name, true) || name_bytes > 1024 ||
      !AreLabelNames(all_labels) ||
      (family.type == kStates && !AreLabelNames({family.name}))) {
    return "invalid_name";
  }
  if (!IsPlainUtf8(Text(file, texts + name_bytes, unit_bytes)) ||
      !IsPlainUtf8(Text(file, texts + name_bytes + unit_bytes, help_bytes)) ||
      !AreTexts(family.states) ||
      std::set<std::string>(family.states.begin(), family.states.end())
              .size() != family.states.size() ||
      std::count(family.states.begin(), family.states.end(), "") != 0) {
    return "invalid_text";
  }
  family.cell_count = 1;
  if (is_histogram) {
    family.cell_count = bound_count + 2;
  } else if (family.type == kSummary) {
    family.cell_count = 2;
  } else if (may_grow_old) {
    family.cell_count = 1 + (family.mode >= 9 ? 1 : 0) + bound_count;
  }
  families_[at] = family;
  return "";
}

std::string SlowReader::TakeSeries(const Bytes& file, uint64_t at,
                                   uint64_t size_bytes) {
  Series series;
  const uint64_t value_count = Number(file, at + 30, 2);
  const uint64_t cell_count = Number(file, at + 28, 2);
  if (TakeStrings(file, at + 32, at + size_bytes, value_count,
                  &series.label_values) == 0 ||
      value_count > 64 || cell_count == 0 || cell_count > 512) {
    return "record_fields";
  }
  if (!AreTexts(series.label_values)) {
    return "invalid_text";
  }
  const auto family = families_.find(Number(file, at + 12, 4));
  if (family == families_.end()) {
    return "family_reference";
  }
  series.family = family->second;
  if (cell_count != series.family.cell_count ||
      value_count != series.family.label_names.size()) {
    return "record_fields";
  }
  series.first_cell = Number(file, at + 24, 4);
  const auto chunk = static_cast<uint32_t>(series.first_cell / 512);
  if ((series.first_cell + cell_count - 1) / 512 != chunk ||
      blocks_.count({chunk, 0}) == 0) {
    return "cell_range";
  }
  for (uint64_t cell = 0; cell < cell_count; ++cell) {
    if (!owned_cells_.insert(series.first_cell + cell).second) {
      return "cell_range";
    }
  }
  series_.push_back(series);
  return "";
}

std::string SlowReader::TakeRemoved(const Bytes& file, uint64_t at) {
  const uint64_t first_cell = Number(file, at + 12, 4);
  for (Series& series : series_) {
    if (series.first_cell == first_cell && !series.is_removed) {
      series.is_removed = true;
      return "";
    }
  }
  return "record_fields";
}

std::string SlowReader::TakeCells(const Bytes& file, uint64_t at) {
  const auto slot = static_cast<uint32_t>(Number(file, at + 12, 4));
  const auto chunk = static_cast<uint32_t>(Number(file, at + 16, 4));
  if (blocks_.count({chunk, slot}) != 0) {
    return "duplicate_block";
  }
  if (slot != 0 && blocks_.count({chunk, 0}) == 0) {
    return "cell_range";
  }
  blocks_[{chunk, slot}] = at + 64;
  return "";
}

// ---- Numbers ----------------------------------------------------------------

// Every cell that belongs to a series, and those before it in its block, must
// be in the file; of blocks that lie one behind the other all but the last
// whole.
bool SlowReader::IsWhole(const Bytes& file) const {
  for (const auto& [key, at] : blocks_) {
    const auto end = owned_cells_.lower_bound(512 * (uint64_t{key.first} + 1));
    uint64_t needed = 0;
    if (end != owned_cells_.begin() && *std::prev(end) / 512 == key.first) {
      needed = 8 * (*std::prev(end) % 512 + 1);
    }
    if (at + needed > file.size()) {
      return false;
    }
  }
  return true;
}

SlowReader::Numbers SlowReader::NumbersOf(const Bytes& file,
                                          const Series& series) const {
  const size_t count = series.family.cell_count;
  Numbers numbers;
  numbers.u64.resize(count);
  numbers.wrapped.resize(count);
  numbers.slot0.resize(count);
  const auto chunk = static_cast<uint32_t>(series.first_cell / 512);
  for (size_t cell = 0; cell < count; ++cell) {
    std::vector<double> reals;
    for (auto it = blocks_.lower_bound({chunk, 0});
         it != blocks_.end() && it->first.first == chunk; ++it) {
      const uint64_t bits =
          Number(file, it->second + 8 * (series.first_cell % 512 + cell), 8);
      uint64_t& sum = numbers.u64[cell];
      sum = sum > UINT64_MAX - bits ? UINT64_MAX : sum + bits;
      numbers.wrapped[cell] += bits;
      reals.push_back(Real(bits));
      if (it->first.second == 0) {
        numbers.slot0[cell] = bits;
      }
    }
    numbers.f64.push_back(ExactTotal(reals));
  }
  return numbers;
}

uint64_t SlowReader::OffsetOfCell(const Series& series, size_t cell) const {
  const auto chunk = static_cast<uint32_t>(series.first_cell / 512);
  return blocks_.at({chunk, 0}) + 8 * (series.first_cell % 512 + cell);
}

size_t SlowReader::PlainCountCells(const Family& family) {
  if (family.type == kHistogram || family.type == kSummary) {
    return family.cell_count - 1;
  }
  return family.type == kCounter && family.value_kind == kU64 ? 1 : 0;
}

void SlowReader::ReadNumbers(const Bytes& file) {
  if (!IsWhole(file)) {
    return Freeze("truncated", UINT64_MAX);
  }
  std::vector<Numbers> fresh;
  // Plain counts come first.
  uint64_t fallen = UINT64_MAX;
  uint64_t fallen_real = UINT64_MAX;
  for (size_t i = 0; i < series_.size(); ++i) {
    const Family& family = series_[i].family;
    Numbers before = numbers_[i];
    before.u64.resize(family.cell_count);
    before.f64.resize(family.cell_count);
    fresh.push_back(NumbersOf(file, series_[i]));
    for (size_t cell = 0; cell < PlainCountCells(family); ++cell) {
      if (fresh[i].u64[cell] < before.u64[cell]) {
        fallen = std::min(fallen, OffsetOfCell(series_[i], cell));
      }
    }
    if (family.type == kCounter && family.value_kind == kF64) {
      double& now = fresh[i].f64[0];
      if (!(now >= before.f64[0] * (1 - 1e-12))) {
        fallen_real = std::min(fallen_real, OffsetOfCell(series_[i], 0));
      }
      now = std::max(now, before.f64[0]);
    }
  }
  fallen = fallen != UINT64_MAX ? fallen : fallen_real;
  if (fallen != UINT64_MAX) {
    return Freeze("counter_fell", fallen);
  }
  numbers_ = fresh;
}

// ---- Samples ----------------------------------------------------------------

// The boot clock of another machine says how old the file was, the wall clock
// how old it is.
bool SlowReader::IsTooOld(const Family& family, const Numbers& numbers) const {
  if (family.time_to_live_s == 0) {
    return false;
  }
  timespec now;
  ::clock_gettime(CLOCK_REALTIME, &now);
  const uint64_t set_ns = numbers.slot0.back();
  const uint64_t now_ns = static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 +
                          static_cast<uint64_t>(now.tv_nsec);
  const auto age_ns = static_cast<int64_t>(now_ns - created_wall_ns_ +
                                           created_boot_ns_ - set_ns);
  return set_ns == 0 || static_cast<double>(age_ns) >=
                            std::min(family.time_to_live_s, 1e9) * 1e9;
}

std::string SlowReader::LabelsOf(const Series& series,
                                 const std::string& state) const {
  std::map<std::string, std::string> labels;
  const int mode = series.family.mode;
  if (mode == 1 || mode == 2) {
    labels.emplace("pid", pid_label_);
  }
  if (!state.empty()) {
    labels.emplace(series.family.name, state);
  }
  for (size_t i = 0; i < series.label_values.size(); ++i) {
    labels.emplace(series.family.label_names[i], series.label_values[i]);
  }
  for (const auto& [name, value] : process_labels_) {
    labels.emplace(name, value);
  }
  std::string text;
  for (const auto& [name, value] : labels) {
    if (!value.empty()) {
      text += (text.empty() ? "" : ",") + name + "=" + value;
    }
  }
  return text;
}

void SlowReader::AddSamples(const Series& series, const Numbers& numbers,
                            std::map<std::string, double>* samples) const {
  const Family& family = series.family;
  if (series.is_removed && (family.mode != 0)) {
    return;
  }
  const std::string labels = LabelsOf(series);
  const bool is_read = !numbers.u64.empty();
  const auto add = [&](const char* suffix, double value) {
    (*samples)[family.name + suffix + "{" + labels + "}"] += value;
  };
  const size_t last = family.cell_count - 1;
  if (family.type == kCounter && family.value_kind == kU64) {
    // Whole numbers are added as such, and stop at the top.
    uint64_t total = 0;
    for (size_t i = 0; i < series_.size() && i < numbers_.size(); ++i) {
      const Family& other = series_[i].family;
      if (other.type == kCounter && other.value_kind == kU64 &&
          other.name == family.name && LabelsOf(series_[i]) == labels &&
          !numbers_[i].u64.empty()) {
        const uint64_t more = numbers_[i].u64[0];
        total = total > UINT64_MAX - more ? UINT64_MAX : total + more;
      }
    }
    (*samples)[family.name + "{" + labels + "}"] = static_cast<double>(total);
  } else if (family.type == kCounter) {
    add("", is_read ? numbers.f64[0] : 0);
  } else if (family.type == kUpDown) {
    add("", !is_read ? 0
                     : static_cast<double>(
                           static_cast<int64_t>(numbers.wrapped[0])));
  } else if (family.type == kStates) {
    const bool is_unset = family.mode >= 9 && is_read && numbers.slot0[1] == 0;
    for (size_t i = 0; i < family.states.size(); ++i) {
      if (is_read && !is_unset && !IsTooOld(family, numbers)) {
        (*samples)[family.name + "{" + LabelsOf(series, family.states[i]) +
                   "}"] += static_cast<double>(numbers.slot0[0] >> i & 1);
      }
    }
  } else if (family.type == kGauge || family.type == kInfo) {
    if (is_read && numbers.slot0[0] != 0 && !IsTooOld(family, numbers)) {
      add("", Real(numbers.slot0[0] ^ 0x7FF454494E450000));
    }
  } else if (family.type == kSummary) {
    add("_sum", is_read ? numbers.f64[last] : 0);
    add("_count", is_read ? static_cast<double>(numbers.u64[0]) : 0);
  } else {
    add("_sum", is_read ? numbers.f64[last] : 0);
    uint64_t cumulative = 0;
    for (size_t i = 0; i < last; ++i) {
      const uint64_t bucket = is_read ? numbers.u64[i] : 0;
      cumulative =
          cumulative > UINT64_MAX - bucket ? UINT64_MAX : cumulative + bucket;
      char text[40];
      std::snprintf(text, sizeof(text), "%sle=%.17g", labels.empty() ? "" : ",",
                    i < family.bounds.size() ? family.bounds[i] : INFINITY);
      (*samples)[family.name + "_bucket{" + labels + text + "}"] +=
          static_cast<double>(cumulative);
    }
    add("_count", static_cast<double>(cumulative));
  }
}

std::map<std::string, double> SlowReader::Samples() const {
  std::map<std::string, double> samples;
  if (!is_quarantined_) {
    for (size_t i = 0; i < series_.size(); ++i) {
      AddSamples(series_[i], i < numbers_.size() ? numbers_[i] : Numbers(),
                 &samples);
    }
  }
  return samples;
}

}  // namespace tine::testing
