// What this process image has registered: families, series, and where their
// cells are. Data only: no file, no system call but for memory.
//
// Append-only, in memory that is copied on fork. Entries never move and are
// never freed; an entry is complete before the one store that makes it
// findable, and a series is removed by one store, too. So look-ups take no
// lock, and the copy that a forked child gets is consistent whatever another
// thread was doing. Changes need the slow-path lock (functions ending in
// Locked).

#ifndef TINE_WRITER_REGISTRY_H_
#define TINE_WRITER_REGISTRY_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/record_codec.h"
#include "common/record_layout.h"
#include "writer/block_table.h"
#include "writer/status.h"
#include "writer/string_span.h"

namespace tine::internal {

struct PresetValues;
struct Series;

// A registered family. Its views point into the registry's own memory.
struct Family {
  FamilyView definition;
  uint32_t cell_count = 0;
  // MetricOptions::max_series, and how many there are, without removed ones and
  // the overflow series. Changes under the lock.
  uint32_t max_series = 0;
  std::atomic<uint32_t> series_count{0};
  // Null until it is needed. Counts what has no series of its own: label sets
  // beyond the cap, and impossible ones.
  std::atomic<Series*> overflow{nullptr};
  // Why it cannot count; null if it can. A family that was refused is kept so
  // that its status can be asked for.
  ErrorCode error_code = ErrorCode::kOk;
  const char* error_message = nullptr;
  Family* next = nullptr;
  PresetValues* presets = nullptr;  // only under the lock
  // Where its FAMILY record is, in the file `published_file` of the process
  // with number `published_process`. Only under the lock.
  uint32_t published_process = 0;
  uint32_t published_file = 0;
  uint32_t published_offset = 0;
  // The last addition of sizes that took this family in (ChunkBytes). Only
  // under the lock.
  uint64_t sized_in_pass = 0;
};

struct Series {
  Family* family = nullptr;
  CellAddress address;
  uint64_t hash = 0;
  StringListView label_values;
  Series* next_in_chunk = nullptr;
  // For good: not to be found, and not to be published in this process or its
  // children any more. Its cells stay its own.
  std::atomic<bool> is_removed{false};
};

class Registry {
 public:
  // Lock-free. The newest family; Family::next goes on.
  Family* FirstFamily() const noexcept {
    return families_.load(std::memory_order_acquire);
  }
  Family* FindFamily(std::string_view name) const noexcept;
  Series* FindSeries(const Family* family, StringSpan label_values,
                     uint64_t hash) const noexcept;
  static uint64_t HashOf(const Family* family,
                         StringSpan label_values) noexcept;

  // Copies the definition; null when memory is short.
  Family* AddFamilyLocked(const FamilyView& definition, StringSpan label_names,
                          StringSpan state_names, const char* error_message,
                          ErrorCode error_code) noexcept;

  // Memory for a series and its place among the cells; not findable yet. Null
  // when memory or the chunks are used up. The place is in the current chunk if
  // it fits there, else in a new one. `wants_new_chunk` leaves the current one.
  Series* NewSeriesLocked(Family* family, StringSpan label_values,
                          uint64_t hash, bool wants_new_chunk) noexcept;
  // Makes it findable.
  void PublishSeriesLocked(Series* series) noexcept;

  // Makes it unfindable. `record_bytes` is what its REMOVED record takes; 0:
  // it was published nowhere.
  void RemoveSeriesLocked(Series* series, size_t record_bytes) noexcept;

  // The series of a chunk, newest first, removed ones included.
  Series* ChunkSeriesLocked(uint32_t chunk) const noexcept {
    return chunk_series_[chunk].load(std::memory_order_relaxed);
  }
  // Chunks that have series, or had: 0 .. chunk_count() - 1.
  uint32_t chunk_count() const {
    return (next_cell_.load(std::memory_order_relaxed) +
            format::kCellsPerBlock - 1) /
           format::kCellsPerBlock;
  }

  // Bytes that the records of everything registered take in a file, without
  // private blocks.
  uint64_t record_bytes() const { return record_bytes_; }
  // Families that may count, and refused ones that are kept for their status.
  uint32_t family_count() const { return family_count_; }

  // The family that was refused with just this message; null if none was. A
  // program that registers the same mistake over and over takes no more memory.
  Family* FindRefusedLocked(std::string_view message) const noexcept;

 private:
  struct Entry {
    std::atomic<uint64_t> hash;
    std::atomic<Series*> series;
  };
  struct Table {
    size_t capacity;  // a power of two
    Entry* entries() { return reinterpret_cast<Entry*>(this + 1); }
  };

  Table* NewTableLocked(size_t capacity) noexcept;
  // False when it took the place of one that was removed.
  static bool InsertLocked(Table* table, Series* series) noexcept;
  bool GrowTableLocked() noexcept;

  std::atomic<Family*> families_{nullptr};
  Family* refused_ = nullptr;
  std::atomic<Table*> table_{nullptr};
  size_t series_count_ = 0;
  uint32_t family_count_ = 0;
  uint64_t record_bytes_ = 0;
  // The next free cell index; chunk and place within it in one word, so that a
  // fork never sees them half moved.
  std::atomic<uint32_t> next_cell_{0};
  std::atomic<Series*> chunk_series_[kMaxChunks] = {};
};

// The values of `labels`, which are given by name, in the order of the family's
// label names, into `values` (kMaxLabelCount of them). False when the names are
// not just the family's.
bool OrderByName(const Family* family, const LabelPair* labels,
                 size_t label_count, std::string_view* values) noexcept;

// The one registry; constant-initialised, so that namespace-scope metrics of
// any translation unit may use it.
extern Registry g_registry;

}  // namespace tine::internal

#endif  // TINE_WRITER_REGISTRY_H_
