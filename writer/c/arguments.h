// What comes in through the C interface, looked at before it is used.

#ifndef TINE_WRITER_C_ARGUMENTS_H_
#define TINE_WRITER_C_ARGUMENTS_H_

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string_view>

#include "writer/c/tine.h"
#include "writer/process_state.h"
#include "writer/registry.h"
#include "writer/status.h"

namespace tine::c {

// Handles are what they look like: never freed, so never dangling.
inline internal::Family* FamilyOf(tine_family* family) {
  return reinterpret_cast<internal::Family*>(family);
}
inline internal::Series* SeriesOf(tine_series* series) {
  return reinterpret_cast<internal::Series*>(series);
}
inline const internal::Series* SeriesOf(const tine_series* series) {
  return reinterpret_cast<const internal::Series*>(series);
}

// Which metrics an operation is for.
struct Instrument {
  format::MetricType type = format::MetricType::kNone;
  format::ValueKind kind = format::ValueKind::kNone;
};
inline constexpr Instrument kCounter = {format::MetricType::kCounter,
                                        format::ValueKind::kU64};
inline constexpr Instrument kDoubleCounter = {format::MetricType::kCounter,
                                              format::ValueKind::kF64};
inline constexpr Instrument kUpDownCounter = {
    format::MetricType::kUpDownCounter, format::ValueKind::kI64};
inline constexpr Instrument kGauge = {format::MetricType::kGauge,
                                      format::ValueKind::kF64};
inline constexpr Instrument kHistogram = {format::MetricType::kHistogram,
                                          format::ValueKind::kF64};
inline constexpr Instrument kSummary = {format::MetricType::kSummary,
                                        format::ValueKind::kF64};
inline constexpr Instrument kStateSet = {format::MetricType::kStateSet,
                                         format::ValueKind::kU64};
inline constexpr Instrument kInfo = {format::MetricType::kInfo,
                                     format::ValueKind::kF64};

// Where TINE_DISABLE=1 asks for nothing to be counted, families have no
// definition, and their series are all one, which counts nothing. That is no
// error.
inline bool IsUncounted(const internal::Family* family) {
  return family->definition.type == format::MetricType::kNone;
}

inline bool IsShutDown() {
  return internal::g_image.is_shut_down.load(std::memory_order_relaxed);
}

// May `series` be used as one of this instrument's? After tine_shutdown()
// nothing may.
inline tine_error CheckSeries(const internal::Series* series,
                              Instrument instrument) {
  if (__builtin_expect(series == nullptr, 0)) {
    return IsShutDown() ? TINE_SHUT_DOWN : TINE_NULL_ARGUMENT;
  }
  if (__builtin_expect(IsShutDown(), 0)) {
    return TINE_SHUT_DOWN;
  }
  const FamilyView& definition = series->family->definition;
  if (__builtin_expect(definition.type != instrument.type ||
                           definition.value_kind != instrument.kind,
                       0)) {
    return IsUncounted(series->family) ? TINE_OK : TINE_WRONG_TYPE;
  }
  return TINE_OK;
}

// Copies a struct that begins with its size from a caller who may have been
// compiled with an older or a newer tine.h. `oldest_bytes`: of the first
// version.
template <typename Struct>
tine_error CopyStruct(const Struct* given, size_t oldest_bytes, Struct* copy) {
  constexpr size_t kLargestBytes = 4096;
  if (given == nullptr) {
    return TINE_NULL_ARGUMENT;
  }
  const size_t size = given->size;
  if (size < oldest_bytes || size > kLargestBytes) {
    return TINE_INVALID_ARGUMENT;
  }
  *copy = Struct();
  std::memcpy(copy, given, std::min(size, sizeof(Struct)));
  const auto* bytes = reinterpret_cast<const unsigned char*>(given);
  for (size_t i = sizeof(Struct); i < size; ++i) {
    if (bytes[i] != 0) {
      return TINE_UNSUPPORTED;
    }
  }
  return TINE_OK;
}

inline std::string_view TextOrNothing(const char* text) {
  return text == nullptr ? std::string_view() : std::string_view(text);
}

// As much of `text` as there is room for, with its final 0.
void WriteText(const char* text, char* buffer, size_t buffer_bytes);

// The code, and its text as the message.
tine_error Tell(const Status& status, char* message, size_t message_size);
tine_error Tell(tine_error error, const char* text, char* message,
                size_t message_size);

}  // namespace tine::c

#endif  // TINE_WRITER_C_ARGUMENTS_H_
