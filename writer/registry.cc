#include "writer/registry.h"

#include <cstring>
#include <new>

#include "writer/arena.h"

namespace tine::internal {
namespace {

constexpr size_t kFirstTableCapacity = 256;

uint64_t Mix(uint64_t a, uint64_t b) {
  // The two halves of a 128-bit product, folded: every input bit reaches every
  // output bit.
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

constexpr uint64_t kHashSeed = 0x9E3779B97F4A7C15;
constexpr uint64_t kHashMultiplier = 0xE7037ED1A0B428DB;

uint64_t HashBytes(uint64_t hash, std::string_view text) {
  const char* at = text.data();
  size_t left = text.size();
  hash ^= left;
  while (left >= 8) {
    uint64_t word;
    std::memcpy(&word, at, 8);
    hash = Mix(hash ^ word, kHashMultiplier);
    at += 8;
    left -= 8;
  }
  uint64_t word = 0;
  for (size_t i = 0; i < left; ++i) {
    word = (word << 8) | static_cast<unsigned char>(at[i]);
  }
  return Mix(hash ^ word, kHashMultiplier);
}

std::string_view CopyText(std::string_view text) {
  if (text.empty()) {
    return {};
  }
  char* copy = static_cast<char*>(g_arena.AllocateLocked(text.size()));
  if (copy == nullptr) {
    return {};
  }
  std::memcpy(copy, text.data(), text.size());
  return {copy, text.size()};
}

// Packs `strings` as a StringListView; `*ok` turns false when memory is short.
StringListView CopyStrings(StringSpan strings, bool* ok) {
  size_t size_bytes = 0;
  for (const std::string_view text : strings) {
    size_bytes += 2 + text.size();
  }
  if (size_bytes == 0) {
    return {};
  }
  auto* copy = static_cast<uint8_t*>(g_arena.AllocateLocked(size_bytes));
  if (copy == nullptr) {
    *ok = false;
    return {};
  }
  uint8_t* at = copy;
  for (const std::string_view text : strings) {
    at = AppendString(at, text);
  }
  return StringListView(copy, size_bytes, strings.size());
}

bool AreEqual(const StringListView& packed, StringSpan values) {
  size_t i = 0;
  for (const std::string_view value : packed) {
    if (value != values[i++]) {
      return false;
    }
  }
  return true;
}

}  // namespace

Registry g_registry;

uint64_t Registry::HashOf(const Family* family,
                          StringSpan label_values) noexcept {
  uint64_t hash = kHashSeed ^ reinterpret_cast<uintptr_t>(family);
  for (const std::string_view value : label_values) {
    hash = HashBytes(hash, value);
  }
  return hash;
}

Family* Registry::FindFamily(std::string_view name) const noexcept {
  Family* family = families_.load(std::memory_order_acquire);
  while (family != nullptr && family->definition.name != name) {
    family = family->next;
  }
  return family;
}

Family* Registry::FindRefusedLocked(std::string_view message) const noexcept {
  Family* family = refused_;
  while (family != nullptr && message != family->error_message) {
    family = family->next;
  }
  return family;
}

Series* Registry::FindSeries(const Family* family, StringSpan label_values,
                             uint64_t hash) const noexcept {
  // Acquire on the table and on the entry: what they point to was written
  // before.
  Table* table = table_.load(std::memory_order_acquire);
  if (table == nullptr) {
    return nullptr;
  }
  const size_t mask = table->capacity - 1;
  for (size_t i = hash & mask;; i = (i + 1) & mask) {
    const Entry& entry = table->entries()[i];
    Series* series = entry.series.load(std::memory_order_acquire);
    if (series == nullptr) {
      return nullptr;
    }
    if (entry.hash.load(std::memory_order_relaxed) == hash &&
        series->family == family &&
        !series->is_removed.load(std::memory_order_relaxed) &&
        AreEqual(series->label_values, label_values)) {
      return series;
    }
  }
}

Family* Registry::AddFamilyLocked(const FamilyView& definition,
                                  StringSpan label_names,
                                  StringSpan state_names,
                                  const char* error_message,
                                  ErrorCode error_code) noexcept {
  void* memory = g_arena.AllocateLocked(sizeof(Family));
  const std::string_view name = CopyText(definition.name);
  bool ok = memory != nullptr && name.size() == definition.name.size();
  const std::string_view help = CopyText(definition.help);
  const std::string_view unit = CopyText(definition.unit);
  const StringListView labels = CopyStrings(label_names, &ok);
  const StringListView states = CopyStrings(state_names, &ok);
  const size_t bounds_bytes = definition.bound_count * sizeof(double);
  auto* bounds = static_cast<double*>(g_arena.AllocateLocked(bounds_bytes));
  if (!ok || bounds == nullptr || help.size() != definition.help.size() ||
      unit.size() != definition.unit.size()) {
    return nullptr;
  }
  if (bounds_bytes != 0) {
    std::memcpy(bounds, definition.bounds, bounds_bytes);
  }
  auto* family = new (memory) Family();
  family->definition = definition;
  family->definition.name = name;
  family->definition.help = help;
  family->definition.unit = unit;
  family->definition.label_names = labels;
  family->definition.state_names = states;
  family->definition.bounds = bounds;
  family->cell_count =
      CellCountOf(definition.type, definition.gauge_mode,
                  definition.bound_count, definition.time_to_live_s != 0);
  family->error_code = error_code;
  family->error_message = error_message;
  ++family_count_;
  if (error_code != ErrorCode::kOk) {
    family->next = refused_;
    refused_ = family;
  } else {
    record_bytes_ += EncodedFamilyBytes(family->definition);
    family->next = families_.load(std::memory_order_relaxed);
    families_.store(family, std::memory_order_release);
  }
  return family;
}

Series* Registry::NewSeriesLocked(Family* family, StringSpan label_values,
                                  uint64_t hash,
                                  bool wants_new_chunk) noexcept {
  constexpr uint32_t kBlock = format::kCellsPerBlock;
  uint32_t first_cell = next_cell_.load(std::memory_order_relaxed);
  const bool fits = first_cell % kBlock != 0 && !wants_new_chunk &&
                    first_cell % kBlock + family->cell_count <= kBlock;
  if (!fits) {
    first_cell = (first_cell + kBlock - 1) / kBlock * kBlock;
  }
  if (first_cell >= kMaxChunks * kBlock) {
    return nullptr;
  }
  void* memory = g_arena.AllocateLocked(sizeof(Series));
  bool ok = memory != nullptr;
  const StringListView values = CopyStrings(label_values, &ok);
  if (!ok || (table_.load(std::memory_order_relaxed) == nullptr &&
              !GrowTableLocked())) {
    return nullptr;
  }
  next_cell_.store(first_cell + family->cell_count, std::memory_order_release);
  auto* series = new (memory) Series();
  series->family = family;
  series->address = {first_cell / kBlock, first_cell % kBlock};
  series->hash = hash;
  series->label_values = values;
  SeriesView record;
  record.label_values = values;
  record_bytes_ +=
      EncodedSeriesBytes(record) + (fits ? 0 : format::kCellsRecordBytes);
  return series;
}

void Registry::PublishSeriesLocked(Series* series) noexcept {
  std::atomic<Series*>& newest = chunk_series_[series->address.chunk];
  series->next_in_chunk = newest.load(std::memory_order_relaxed);
  newest.store(series, std::memory_order_release);
  series->family->series_count.fetch_add(1, std::memory_order_relaxed);
  Table* table = table_.load(std::memory_order_relaxed);
  // Three quarters full at most. If the table cannot grow it fills further, but
  // one entry always stays empty.
  if (4 * (series_count_ + 1) > 3 * table->capacity && !GrowTableLocked() &&
      series_count_ + 2 > table->capacity) {
    return;  // counts, but every later look-up makes it anew: memory is gone
  }
  if (InsertLocked(table_.load(std::memory_order_relaxed), series)) {
    ++series_count_;
  }
}

void Registry::RemoveSeriesLocked(Series* series,
                                  size_t record_bytes) noexcept {
  record_bytes_ += record_bytes;
  series->family->series_count.fetch_sub(1, std::memory_order_relaxed);
  series->is_removed.store(true, std::memory_order_release);
}

Registry::Table* Registry::NewTableLocked(size_t capacity) noexcept {
  auto* table = static_cast<Table*>(
      g_arena.AllocateLocked(sizeof(Table) + capacity * sizeof(Entry)));
  if (table != nullptr) {
    table->capacity = capacity;
  }
  return table;
}

bool Registry::InsertLocked(Table* table, Series* series) noexcept {
  const size_t mask = table->capacity - 1;
  size_t i = series->hash & mask;
  const Series* there;
  // The place of one that was removed will do: a program that removes and adds
  // for ever has look-ups of the same length. (Who is looking there now may
  // miss the new one, and then looks again under the lock.)
  while ((there = table->entries()[i].series.load(std::memory_order_relaxed)) !=
             nullptr &&
         !there->is_removed.load(std::memory_order_relaxed)) {
    i = (i + 1) & mask;
  }
  Entry& entry = table->entries()[i];
  entry.hash.store(series->hash, std::memory_order_relaxed);
  // Release: pairs with the acquire in FindSeries. A reader sees no entry, or
  // all of it.
  entry.series.store(series, std::memory_order_release);
  return there == nullptr;
}

bool Registry::GrowTableLocked() noexcept {
  Table* old = table_.load(std::memory_order_relaxed);
  const size_t capacity =
      old == nullptr ? kFirstTableCapacity : 2 * old->capacity;
  Table* table = NewTableLocked(capacity);
  if (table == nullptr) {
    return false;
  }
  series_count_ = 0;
  for (size_t i = 0; old != nullptr && i < old->capacity; ++i) {
    Series* series = old->entries()[i].series.load(std::memory_order_relaxed);
    if (series != nullptr &&
        !series->is_removed.load(std::memory_order_relaxed)) {
      InsertLocked(table, series);
      ++series_count_;
    }
  }
  // The old table stays as it is: readers may be in it, and miss only what is
  // added from now on; a miss is looked up again under the lock.
  table_.store(table, std::memory_order_release);
  return true;
}

bool OrderByName(const Family* family, const LabelPair* labels,
                 size_t label_count, std::string_view* values) noexcept {
  const StringListView& names = family->definition.label_names;
  size_t index = 0;
  size_t found_count = 0;
  for (const std::string_view name : names) {
    for (size_t i = 0; i < label_count; ++i) {
      if (labels[i].name == name) {
        values[index] = labels[i].value;
        ++found_count;
        break;
      }
    }
    ++index;
  }
  return found_count == names.size() && label_count == names.size();
}

}  // namespace tine::internal
