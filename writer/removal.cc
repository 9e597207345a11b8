// Series that the program no longer wants.

#include "common/metric_names.h"
#include "writer/cell_blocks.h"
#include "writer/family.h"
#include "writer/process_state.h"
#include "writer/registry.h"
#include "writer/slow_path_lock.h"

namespace tine::internal {
namespace {

// Of a family that counts and has labels.
bool MayHaveSeries(const Family* family) {
  return family->error_code == ErrorCode::kOk &&
         family->definition.label_names.size() != 0;
}

// A series in a chunk that is not real was published nowhere, and never will
// be.
bool RemoveLocked(ProcessState* process, Series* series) {
  if (g_image.is_sealed.load(std::memory_order_relaxed)) {
    NoteError(process, "a sealed process removes no series", 0);
    return false;
  }
  const bool is_published = IsChunkReal(process, series->address.chunk);
  const size_t record_bytes =
      is_published ? sizeof(format::RemovedRecord) : size_t{0};
  if (series == series->family->overflow.load(std::memory_order_relaxed)) {
    return false;  // it is everybody's who has no series of their own
  }
  // The record first: a child that is forked between the two has the series
  // still, in both senses.
  if (is_published &&
      (AreBytesOverBudget(record_bytes, /*may_use_reserve=*/false) ||
       !AppendRemovedLocked(process, series))) {
    NoteError(process, "no room to remove a series", 0);
    return false;
  }
  g_registry.RemoveSeriesLocked(series, record_bytes);
  return true;
}

// True when `family` has no series left in the chunk but for `kept` and the
// overflow one.
bool ClearChunk(ProcessState* process, const Family* family, uint32_t chunk,
                const Series* kept) {
  // Held for one chunk at a time, so that nobody waits for long.
  SlowPathLock lock(process, SlowPathLock::Wait::kBounded);
  if (!lock.is_held()) {
    return false;
  }
  bool is_clear = true;
  for (Series* series = g_registry.ChunkSeriesLocked(chunk); series != nullptr;
       series = series->next_in_chunk) {
    if (series->family == family && series != kept &&
        !series->is_removed.load(std::memory_order_relaxed) &&
        series != family->overflow.load(std::memory_order_relaxed)) {
      is_clear &= RemoveLocked(process, series);
    }
  }
  return is_clear;
}

}  // namespace

bool RemoveSeries(Family* family, StringSpan label_values) noexcept {
  ProcessState* process = CurrentProcess();
  if (process == nullptr || !MayHaveSeries(family)) {
    return false;
  }
  if (label_values.size() != family->definition.label_names.size()) {
    NoteUsageError(process, "a removal with the wrong number of label values",
                   family->definition.name);
    return false;
  }
  const uint64_t hash = Registry::HashOf(family, label_values);
  if (g_registry.FindSeries(family, label_values, hash) == nullptr) {
    return false;
  }
  SlowPathLock lock(process, SlowPathLock::Wait::kBounded);
  // Another thread may have been first.
  Series* series = lock.is_held()
                       ? g_registry.FindSeries(family, label_values, hash)
                       : nullptr;
  return series != nullptr && RemoveLocked(process, series);
}

bool RemoveSeriesByName(Family* family, const LabelPair* labels,
                        size_t label_count) noexcept {
  std::string_view values[kMaxLabelCount];
  if (OrderByName(family, labels, label_count, values)) {
    return RemoveSeries(family, StringSpan(values, label_count));
  }
  ProcessState* process = CurrentProcess();
  if (process != nullptr && MayHaveSeries(family)) {
    NoteUsageError(process, "a removal with the wrong label names",
                   family->definition.name);
  }
  return false;
}

bool ClearFamily(Family* family, const Series* kept) noexcept {
  ProcessState* process = CurrentProcess();
  if (process == nullptr || !MayHaveSeries(family)) {
    return true;
  }
  bool is_clear = true;
  const uint32_t chunk_count = g_registry.chunk_count();
  for (uint32_t chunk = 0; chunk < chunk_count; ++chunk) {
    is_clear &= ClearChunk(process, family, chunk, kept);
  }
  return is_clear;
}

}  // namespace tine::internal
