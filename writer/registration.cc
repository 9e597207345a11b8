// Registering families and finding series, and what their failures say.

#include <algorithm>
#include <cstring>
#include <iterator>
#include <new>
#include <string>
#include <vector>

#include "common/metric_names.h"
#include "writer/arena.h"
#include "writer/cell_blocks.h"
#include "writer/definition_check.h"
#include "writer/family.h"
#include "writer/process_state.h"
#include "writer/registry.h"
#include "writer/settings.h"
#include "writer/slow_path_lock.h"

namespace tine::internal {
namespace {

using format::MetricType;

constexpr uint32_t kMaxFamilies = 10'000;

// What a metric of a disabled writer, or one that found no memory, belongs to.
Family g_disabled_family;

// A family that counts nothing and knows why; the one before if this mistake
// was made before. `*is_new` is whether it is the first time.
Family* AddOrFindRefusedLocked(const Status& status, bool* is_new) {
  Family* known = g_registry.FindRefusedLocked(status.message());
  *is_new = known == nullptr;
  if (known != nullptr) {
    return known;
  }
  if (g_registry.family_count() >= kMaxFamilies) {
    *is_new =
        !g_image.has_told_usage_error.exchange(true, std::memory_order_relaxed);
    return &g_disabled_family;
  }
  const size_t size_bytes = status.message().size() + 1;
  auto* message = static_cast<char*>(g_arena.AllocateLocked(size_bytes));
  if (message == nullptr) {
    *is_new = false;  // the arena has told it
    return &g_disabled_family;
  }
  std::memcpy(message, status.message().c_str(), size_bytes);
  Family* family =
      g_registry.AddFamilyLocked({}, {}, {}, message, status.code());
  void* memory = g_arena.AllocateLocked(sizeof(Series));
  if (family == nullptr || memory == nullptr) {
    *is_new = false;
    return &g_disabled_family;
  }
  // Its one series is nowhere, and is what every handle of this family gets.
  auto* series = new (memory) Series();
  series->family = family;
  family->overflow.store(series, std::memory_order_release);
  return family;
}

Family* AddOrFindLocked(const Definition& definition,
                        const std::vector<double>& bounds, Status* status,
                        bool* is_new) {
  Family* known = g_registry.FindFamily(definition.name);
  *is_new = known == nullptr;
  if (known != nullptr) {
    const char* difference = DifferenceFrom(known, definition, bounds);
    if (difference == nullptr) {
      return known;
    }
    *status = Status(ErrorCode::kConflict,
                     "metric " + Quoted(definition.name) +
                         " is registered already with another " + difference);
    return nullptr;
  }
  Family* family = g_registry.family_count() >= kMaxFamilies
                       ? nullptr
                       : g_registry.AddFamilyLocked(
                             ViewOf(definition, bounds), definition.label_names,
                             definition.state_names, nullptr, ErrorCode::kOk);
  if (family != nullptr) {
    family->max_series = definition.max_series;
  } else {
    *status = Status(ErrorCode::kLimitReached,
                     "no memory, or no room beyond 10000 families, for " +
                         Quoted(definition.name));
  }
  return family;
}

bool IsDisabledOnPurpose() {
  return g_image.is_disabled.load(std::memory_order_relaxed) &&
         g_image.start_error.load(std::memory_order_relaxed) == nullptr;
}

bool AreValuesPossible(StringSpan values) {
  for (const std::string_view value : values) {
    if (value.size() > kMaxLabelValueBytes || !IsValidUtf8(value)) {
      return false;
    }
  }
  return true;
}

// What everything but private blocks may take; and chunks, which run out first
// where series are large.
bool IsOverBudget(uint64_t more_bytes, bool may_use_reserve) {
  constexpr uint32_t kReservedChunks =
      kOverflowReserveBytes / format::kCellsRecordBytes;
  return AreBytesOverBudget(more_bytes, may_use_reserve) ||
         (!may_use_reserve &&
          g_registry.chunk_count() > kMaxChunks - kReservedChunks);
}

// A new series in its place, published if its chunk is or can be made real.
// Null: no room.
Series* PlaceSeriesLocked(ProcessState* process, Family* family,
                          StringSpan values, uint64_t hash) {
  Series* series =
      g_registry.NewSeriesLocked(family, values, hash, /*new chunk=*/false);
  if (series != nullptr && IsChunkReal(process, series->address.chunk) &&
      !AppendSeriesLocked(process, series)) {
    // A chunk that is real may hold published series only. In a new one this
    // series waits for room, and its counts meet a null block until then.
    series =
        g_registry.NewSeriesLocked(family, values, hash, /*new chunk=*/true);
  }
  if (series == nullptr) {
    return nullptr;
  }
  g_registry.PublishSeriesLocked(series);
  if (!IsChunkReal(process, series->address.chunk) && MayRetry(process)) {
    MakeChunkRealLocked(process, series->address.chunk);
  }
  return series;
}

// Has it all the label sets that its program lets it have? (What counts as one
// more while the overflow series is being made does no harm.)
bool IsAtMaxSeries(const Family* family) {
  const uint32_t max_series = family->max_series;
  const uint32_t overflow_count =
      family->overflow.load(std::memory_order_acquire) != nullptr ? 1 : 0;
  return max_series != 0 &&
         family->series_count.load(std::memory_order_relaxed) >=
             max_series + overflow_count;
}

Series* OverflowSeriesLocked(ProcessState* process, Family* family) {
  Series* series = family->overflow.load(std::memory_order_acquire);
  if (series != nullptr) {
    return series;
  }
  // No vector: a child forked by hand from a threaded process may be here,
  // where malloc can hang.
  std::string_view list[kMaxLabelCount];
  std::fill(std::begin(list), std::end(list), kOverflowLabelValue);
  const StringSpan values(list, family->definition.label_names.size());
  const uint64_t hash = Registry::HashOf(family, values);
  series = g_registry.FindSeries(family, values, hash);
  if (series == nullptr &&
      !IsOverBudget(format::kCellsRecordBytes, /*may_use_reserve=*/true)) {
    series = PlaceSeriesLocked(process, family, values, hash);
  }
  family->overflow.store(series, std::memory_order_release);
  return series;
}

Family* CheckAndRegister(const Definition& definition) {
  Start();
  ProcessState* process = CurrentProcess();
  if (process == nullptr) {
    return &g_disabled_family;
  }
  const std::vector<double> bounds = BoundsWithoutInfinity(definition);
  Status status;
  Family* family = nullptr;
  bool is_new = false;
  {
    SlowPathLock lock(process, SlowPathLock::Wait::kBounded);
    if (!lock.is_held()) {
      return &g_disabled_family;
    }
    status = CheckDefinition(definition, bounds);  // Init() changes settings
    if (status.ok()) {
      family = AddOrFindLocked(definition, bounds, &status, &is_new);
    }
    if (!status.ok()) {
      family = AddOrFindRefusedLocked(status, &is_new);
    }
  }
  // Told once: a handle may be made anew for every request.
  if (!is_new) {
    return family;
  }
  if (!status.ok()) {
    Complain(status.message().c_str(), "", 0);
  } else if (definition.type == MetricType::kCounter &&
             !EndsWith(definition.name, "_total")) {
    const std::string what = "counter " + Quoted(definition.name) +
                             " should have a name that ends in _total";
    Complain(what.c_str(), "", 0);
  }
  return family;
}

Series* AddSeries(ProcessState* process, Family* family,
                  StringSpan label_values, uint64_t hash) {
  SlowPathLock lock(process, SlowPathLock::Wait::kBounded);
  if (!lock.is_held() || g_image.is_sealed.load(std::memory_order_relaxed)) {
    CountDrops(process, /*observations=*/0, /*series=*/1);
    return family->overflow.load(std::memory_order_acquire);
  }
  // Another thread may have been first.
  Series* series = g_registry.FindSeries(family, label_values, hash);
  if (series != nullptr) {
    return series;
  }
  SeriesView record;
  size_t values_bytes = 0;
  for (const std::string_view value : label_values) {
    values_bytes += 2 + value.size();
  }
  record.label_values = StringListView(nullptr, values_bytes, 0);
  // Metrics without labels are as many as there are families, so they may use
  // what is kept for overflow series.
  if (AreValuesPossible(label_values) && !IsAtMaxSeries(family) &&
      !IsOverBudget(EncodedSeriesBytes(record),
                    /*may_use_reserve=*/label_values.empty())) {
    series = PlaceSeriesLocked(process, family, label_values, hash);
  }
  if (series == nullptr) {
    CountDrops(process, /*observations=*/0, /*series=*/1);
    series = OverflowSeriesLocked(process, family);
  }
  return series;
}

}  // namespace

// No exception leaves: a host that is out of memory runs on without the metric.
Family* RegisterFamily(const Definition& definition) noexcept {
  try {
    return CheckAndRegister(definition);
  } catch (...) {
    return &g_disabled_family;
  }
}

Family* RefuseLabel(const Family* family, std::string_view label,
                    const char* what) noexcept {
  try {
    const Status status(ErrorCode::kWrongLabels,
                        std::string(what) + ": " + Quoted(label) + " of " +
                            Quoted(family->definition.name));
    ProcessState* process = CurrentProcess();
    bool is_new = false;
    Family* refused = &g_disabled_family;
    if (process != nullptr) {
      SlowPathLock lock(process, SlowPathLock::Wait::kBounded);
      refused = lock.is_held() ? AddOrFindRefusedLocked(status, &is_new)
                               : &g_disabled_family;
    }
    if (is_new) {
      Complain(status.message().c_str(), "", 0);
    }
    return refused;
  } catch (...) {
    return &g_disabled_family;
  }
}

Series* FindOrAddSeries(Family* family, StringSpan label_values) noexcept {
  ProcessState* process = CurrentProcess();
  if (process == nullptr || family == &g_disabled_family) {
    return nullptr;
  }
  if (family->error_code != ErrorCode::kOk) {
    return family->overflow.load(std::memory_order_acquire);
  }
  if (label_values.size() != family->definition.label_names.size()) {
    NoteUsageError(process, "a look-up with the wrong number of label values",
                   family->definition.name);
    return nullptr;
  }
  const uint64_t hash = Registry::HashOf(family, label_values);
  Series* series = g_registry.FindSeries(family, label_values, hash);
  if (series != nullptr) {
    return series;
  }
  Series* overflow = family->overflow.load(std::memory_order_acquire);
  if (g_arena.IsShort() || (overflow != nullptr && IsAtMaxSeries(family))) {
    // Not even the lock is worth its system calls: this may be a hot path.
    CountDrops(process, /*observations=*/0, /*series=*/1);
    return overflow;
  }
  try {
    return AddSeries(process, family, label_values, hash);
  } catch (...) {
    return nullptr;
  }
}

Series* FindOrAddSeriesByName(Family* family, const LabelPair* labels,
                              size_t label_count) noexcept {
  std::string_view values[kMaxLabelCount];
  const bool do_names_fit = OrderByName(family, labels, label_count, values);
  if (do_names_fit || family->error_code != ErrorCode::kOk) {
    return FindOrAddSeries(
        family, StringSpan(values, family->definition.label_names.size()));
  }
  ProcessState* process = CurrentProcess();
  if (process != nullptr) {
    NoteUsageError(process, "a look-up with the wrong label names",
                   family->definition.name);
  }
  return nullptr;
}

Status StatusOf(const Family* family) {
  if (g_image.is_shut_down.load(std::memory_order_relaxed)) {
    return Status(ErrorCode::kShutDown, "metrics were shut down");
  }
  if (family->error_message != nullptr) {
    return Status(family->error_code, family->error_message);
  }
  if (family == &g_disabled_family && !IsDisabledOnPurpose()) {
    return Status(ErrorCode::kLimitReached,
                  "no memory to register a metric, or the registry was busy "
                  "for a second");
  }
  return Status();
}

Status StatusOf(const Series* series) {
  if (g_image.is_shut_down.load(std::memory_order_relaxed)) {
    return Status(ErrorCode::kShutDown, "metrics were shut down");
  }
  if (series == nullptr) {
    if (IsDisabledOnPurpose()) {
      return Status();
    }
    return Status(ErrorCode::kWrongLabels,
                  "this handle counts nothing: its labels do not fit the "
                  "family, or there was no room even to count it as overflow");
  }
  if (series->address.chunk == kNoChunk) {
    return StatusOf(series->family);
  }
  if (series->is_removed.load(std::memory_order_acquire)) {
    return Status(ErrorCode::kRemoved,
                  "this series of " + Quoted(series->family->definition.name) +
                      " was removed: what it counts is not served; look it up "
                      "again");
  }
  if (series == series->family->overflow.load(std::memory_order_acquire)) {
    return Status(ErrorCode::kLimitReached,
                  "counts in the overflow series of " +
                      Quoted(series->family->definition.name));
  }
  return Status();
}

CellAddress AddressOf(const Series* series) noexcept {
  return series == nullptr ? CellAddress() : series->address;
}

const double* BoundsOf(const Series* series, uint32_t* count) noexcept {
  *count = series == nullptr
               ? 0
               : static_cast<uint32_t>(series->family->definition.bound_count);
  return series == nullptr ? nullptr : series->family->definition.bounds;
}

}  // namespace tine::internal
