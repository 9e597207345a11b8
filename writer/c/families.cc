// Families and series of the C interface.

#include <chrono>
#include <vector>

#include "common/metric_names.h"
#include "writer/c/arguments.h"
#include "writer/family.h"
#include "writer/histogram.h"
#include "writer/info.h"

namespace tine::c {
namespace {

// See IsUncounted().
internal::Family g_uncounted_family;
struct UncountedSeries : internal::Series {
  constexpr UncountedSeries() { family = &g_uncounted_family; }
} g_uncounted_series;

// Without what came after the first version, which may be left out.
constexpr size_t kOldestDefinitionBytes = 72;
static_assert(sizeof(tine_definition) >= kOldestDefinitionBytes);

static_assert(TINE_MODE_NONE == static_cast<int>(GaugeMode::kNone));
static_assert(TINE_MODE_ALL == static_cast<int>(GaugeMode::kAll));
static_assert(TINE_MODE_LIVE_ALL == static_cast<int>(GaugeMode::kLiveAll));
static_assert(TINE_MODE_SUM == static_cast<int>(GaugeMode::kSum));
static_assert(TINE_MODE_LIVE_SUM == static_cast<int>(GaugeMode::kLiveSum));
static_assert(TINE_MODE_MIN == static_cast<int>(GaugeMode::kMin));
static_assert(TINE_MODE_LIVE_MIN == static_cast<int>(GaugeMode::kLiveMin));
static_assert(TINE_MODE_MAX == static_cast<int>(GaugeMode::kMax));
static_assert(TINE_MODE_LIVE_MAX == static_cast<int>(GaugeMode::kLiveMax));
static_assert(TINE_MODE_MOST_RECENT ==
              static_cast<int>(GaugeMode::kMostRecent));
static_assert(TINE_MODE_LIVE_MOST_RECENT ==
              static_cast<int>(GaugeMode::kLiveMostRecent));

Instrument InstrumentOf(int32_t type) {
  switch (type) {
    case TINE_COUNTER:
      return kCounter;
    case TINE_DOUBLE_COUNTER:
      return kDoubleCounter;
    case TINE_UP_DOWN_COUNTER:
      return kUpDownCounter;
    case TINE_GAUGE:
      return kGauge;
    case TINE_HISTOGRAM:
      return kHistogram;
    case TINE_SUMMARY:
      return kSummary;
    case TINE_STATE_SET:
      return kStateSet;
    case TINE_INFO:
      return kInfo;
    default:
      return {};
  }
}

bool HasNull(const char* const* texts, size_t count) {
  return std::any_of(texts, texts + count,
                     [](const char* text) { return text == nullptr; });
}

// What is wrong with `definition` before its texts are looked at; null if
// nothing is.
const char* Problem(const tine_definition& definition, tine_error* error) {
  const bool has_mode = definition.type == TINE_GAUGE ||
                        definition.type == TINE_UP_DOWN_COUNTER ||
                        definition.type == TINE_STATE_SET;
  *error = TINE_INVALID_ARGUMENT;
  if (InstrumentOf(definition.type).type == format::MetricType::kNone) {
    return "tine_definition::type is no TINE_COUNTER ... TINE_INFO";
  }
  if (definition.mode < TINE_MODE_NONE ||
      definition.mode > TINE_MODE_LIVE_MOST_RECENT) {
    return "tine_definition::mode is no TINE_MODE_...";
  }
  if (definition.label_count > kMaxLabelCount) {
    *error = TINE_INVALID_LABEL;
    return "a metric has at most 64 labels";
  }
  if (definition.bound_count > format::kMaxBounds + 1) {
    *error = TINE_INVALID_BUCKETS;
    return "a histogram has at most 510 bucket bounds";
  }
  if (!has_mode && definition.mode != TINE_MODE_NONE) {
    *error = TINE_INVALID_MODE;
    return "only gauges, up-down counters and state sets have a mode";
  }
  if (definition.type != TINE_HISTOGRAM && definition.bound_count != 0) {
    *error = TINE_INVALID_BUCKETS;
    return "only histograms have bucket bounds";
  }
  if (definition.state_count >
      (definition.type == TINE_STATE_SET ? format::kMaxStates : size_t{0})) {
    *error = TINE_INVALID_STATE;
    return "only state sets have states, at most 64";
  }
  if (definition.reserved != 0) {
    *error = TINE_UNSUPPORTED;
    return "tine_definition::reserved must be 0";
  }
  *error = TINE_NULL_ARGUMENT;
  if (definition.name == nullptr) {
    return "tine_definition::name is NULL";
  }
  if (definition.label_names == nullptr && definition.label_count != 0) {
    return "tine_definition::label_names is NULL";
  }
  if (definition.bounds == nullptr && definition.bound_count != 0) {
    return "tine_definition::bounds is NULL";
  }
  if (definition.state_names == nullptr && definition.state_count != 0) {
    return "tine_definition::state_names is NULL";
  }
  if (HasNull(definition.label_names, definition.label_count)) {
    return "a name in tine_definition::label_names is NULL";
  }
  if (HasNull(definition.state_names, definition.state_count)) {
    return "a name in tine_definition::state_names is NULL";
  }
  *error = TINE_OK;
  return nullptr;
}

internal::Family* RegisterChecked(const tine_definition& given) {
  const std::vector<std::string_view> labels(
      given.label_names, given.label_names + given.label_count);
  const std::vector<std::string_view> states(
      given.state_names, given.state_names + given.state_count);
  std::vector<double> bounds;
  if (given.type == TINE_HISTOGRAM) {
    bounds = given.bound_count == 0
                 ? DefaultBuckets()
                 : std::vector<double>(given.bounds,
                                       given.bounds + given.bound_count);
  }
  MetricOptions options;
  options.unit = TextOrNothing(given.unit);
  options.time_to_live = std::chrono::milliseconds(given.time_to_live_ms);
  options.max_series = given.max_series;
  const Instrument instrument = InstrumentOf(given.type);
  const GaugeMode mode = given.type == TINE_INFO
                             ? GaugeMode::kLiveMax
                             : static_cast<GaugeMode>(given.mode);
  return internal::RegisterFamily(
      internal::Definition(given.name, TextOrNothing(given.help), labels,
                           options)
          .OfType(instrument.type, instrument.kind, mode)
          .WithBounds(bounds)
          .WithStates(states));
}

tine_error Register(const tine_definition* definition, bool must_be_single,
                    internal::Family** family, char* message,
                    size_t message_size) {
  *family = nullptr;
  if (IsShutDown()) {
    return Tell(TINE_SHUT_DOWN, "metrics were shut down", message,
                message_size);
  }
  tine_definition copy;
  tine_error error = CopyStruct(definition, kOldestDefinitionBytes, &copy);
  if (error != TINE_OK) {
    return Tell(error,
                "there is no tine_definition, its size is not that of any "
                "tine.h, or it says more than this library knows",
                message, message_size);
  }
  const char* problem = Problem(copy, &error);
  if (problem != nullptr) {
    return Tell(error, problem, message, message_size);
  }
  if (must_be_single && copy.label_count != 0) {
    return Tell(TINE_WRONG_LABELS,
                "a metric with labels has no single series: tine_register()",
                message, message_size);
  }
  try {
    internal::Family* registered = RegisterChecked(copy);
    const Status status = internal::StatusOf(registered);
    if (status.ok()) {
      *family = registered;
    }
    return Tell(status, message, message_size);
  } catch (...) {
    return Tell(TINE_NO_MEMORY, "out of memory", message, message_size);
  }
}

// The label values as the library takes them, for the length of a call. On the
// stack: a look-up allocates nothing.
class Values {
 public:
  tine_error Set(const internal::Family* family, const char* const* values,
                 size_t count) {
    if (count > kMaxLabelCount ||
        (!IsUncounted(family) &&
         count != family->definition.label_names.size())) {
      return TINE_WRONG_LABELS;
    }
    if (values == nullptr && count != 0) {
      return TINE_NULL_ARGUMENT;
    }
    if (HasNull(values, count)) {
      return TINE_NULL_ARGUMENT;
    }
    std::copy_n(values, count, list_);
    count_ = count;
    return TINE_OK;
  }
  StringSpan span() const { return StringSpan(list_, count_); }

 private:
  std::string_view list_[kMaxLabelCount];
  size_t count_ = 0;
};

// The series, or the error that says why there is none of its own.
tine_error FindOrAdd(internal::Family* family, StringSpan values,
                     tine_series** series) {
  internal::Series* found = internal::FindOrAddSeries(family, values);
  if (found == nullptr && IsUncounted(family)) {
    found = &g_uncounted_series;
  }
  *series = reinterpret_cast<tine_series*>(found);
  if (found == nullptr) {
    return TINE_LIMIT_REACHED;
  }
  return found == family->overflow.load(std::memory_order_acquire)
             ? TINE_LIMIT_REACHED
             : TINE_OK;
}

}  // namespace

}  // namespace tine::c

using tine::c::FamilyOf;
using tine::c::IsShutDown;
using tine::c::SeriesOf;
using tine::c::Tell;
using tine::internal::Family;
using tine::internal::g_registry;

extern "C" {

tine_error tine_register(const tine_definition* definition,
                         tine_family** family, char* message,
                         size_t message_size) {
  if (family == nullptr) {
    return Tell(IsShutDown() ? TINE_SHUT_DOWN : TINE_NULL_ARGUMENT,
                "no place for the family", message, message_size);
  }
  Family* registered = nullptr;
  const tine_error error = tine::c::Register(
      definition, /*must_be_single=*/false, &registered, message, message_size);
  *family = reinterpret_cast<tine_family*>(registered);
  return error;
}

tine_error tine_register_single(const tine_definition* definition,
                                tine_series** series, char* message,
                                size_t message_size) {
  if (series == nullptr) {
    return Tell(IsShutDown() ? TINE_SHUT_DOWN : TINE_NULL_ARGUMENT,
                "no place for the series", message, message_size);
  }
  *series = nullptr;
  Family* family = nullptr;
  const tine_error error = tine::c::Register(
      definition, /*must_be_single=*/true, &family, message, message_size);
  if (error != TINE_OK) {
    return error;
  }
  const tine_error added = tine::c::FindOrAdd(family, {}, series);
  return added == TINE_OK
             ? TINE_OK
             : Tell(added, "no room for another metric", message, message_size);
}

tine_error tine_get_series(tine_family* family, const char* const* values,
                           size_t value_count, tine_series** series) {
  if (series != nullptr) {
    *series = nullptr;
  }
  if (IsShutDown()) {
    return TINE_SHUT_DOWN;
  }
  if (family == nullptr || series == nullptr) {
    return TINE_NULL_ARGUMENT;
  }
  tine::c::Values list;
  const tine_error error = list.Set(FamilyOf(family), values, value_count);
  return error == TINE_OK
             ? tine::c::FindOrAdd(FamilyOf(family), list.span(), series)
             : error;
}

tine_error tine_series_status(const tine_series* series, char* message,
                              size_t message_size) {
  if (series == nullptr) {
    return Tell(IsShutDown() ? TINE_SHUT_DOWN : TINE_NULL_ARGUMENT,
                "there is no series", message, message_size);
  }
  try {
    return Tell(tine::internal::StatusOf(SeriesOf(series)), message,
                message_size);
  } catch (...) {
    return Tell(TINE_NO_MEMORY, "out of memory", message, message_size);
  }
}

tine_error tine_remove(tine_family* family, const char* const* values,
                       size_t value_count) {
  if (IsShutDown()) {
    return TINE_SHUT_DOWN;
  }
  if (family == nullptr) {
    return TINE_NULL_ARGUMENT;
  }
  tine::c::Values list;
  const tine_error error = list.Set(FamilyOf(family), values, value_count);
  if (error != TINE_OK) {
    return error;
  }
  if (tine::c::IsUncounted(FamilyOf(family))) {
    return TINE_OK;
  }
  const uint64_t hash =
      tine::internal::Registry::HashOf(FamilyOf(family), list.span());
  if (value_count == 0 ||
      g_registry.FindSeries(FamilyOf(family), list.span(), hash) == nullptr) {
    return TINE_NOT_FOUND;
  }
  return tine::internal::RemoveSeries(FamilyOf(family), list.span())
             ? TINE_OK
             : TINE_LIMIT_REACHED;
}

tine_error tine_info_set(tine_family* family, const char* const* values,
                         size_t value_count) {
  if (IsShutDown()) {
    return TINE_SHUT_DOWN;
  }
  if (family == nullptr) {
    return TINE_NULL_ARGUMENT;
  }
  if (tine::c::IsUncounted(FamilyOf(family))) {
    return TINE_OK;
  }
  if (FamilyOf(family)->definition.type != tine::c::kInfo.type) {
    return TINE_WRONG_TYPE;
  }
  tine_series* series = nullptr;
  const tine_error error =
      tine_get_series(family, values, value_count, &series);
  if (error != TINE_OK) {
    return error;
  }
  return tine::internal::TellOnly(SeriesOf(series)) ? TINE_OK
                                                    : TINE_LIMIT_REACHED;
}

tine_error tine_clear(tine_family* family) {
  if (IsShutDown()) {
    return TINE_SHUT_DOWN;
  }
  if (family == nullptr) {
    return TINE_NULL_ARGUMENT;
  }
  return tine::internal::ClearFamily(FamilyOf(family)) ? TINE_OK
                                                       : TINE_LIMIT_REACHED;
}

}  // extern "C"
