// What a metric, a label and a help text may be called. Both sides check: the
// writer at registration, so that its user is told, and the collector at
// reading, because one bad byte in an exposition loses the whole scrape.

#ifndef TINE_COMMON_METRIC_NAMES_H_
#define TINE_COMMON_METRIC_NAMES_H_

#include <cstddef>
#include <string_view>

#include "common/record_layout.h"

namespace tine {

inline constexpr size_t kMaxMetricNameBytes = 1024;
inline constexpr size_t kMaxLabelNameBytes = 1024;
inline constexpr size_t kMaxLabelCount = 64;
inline constexpr size_t kMaxLabelValueBytes = 65535;  // its length is a u16
inline constexpr size_t kMaxHelpBytes = 65536;
inline constexpr size_t kMaxUnitBytes = 256;
inline constexpr size_t kMaxStateBytes = 1024;

// Every label value of a family's overflow series, which counts what a cap
// keeps from having a series of its own.
inline constexpr std::string_view kOverflowLabelValue = "__overflow__";

// [a-zA-Z_:][a-zA-Z0-9_:]*, at most kMaxMetricNameBytes (Prometheus data
// model).
bool IsValidMetricName(std::string_view name) noexcept;

// [a-zA-Z_][a-zA-Z0-9_]*, not beginning with "__" (reserved by Prometheus), at
// most kMaxLabelNameBytes.
bool IsValidLabelName(std::string_view name) noexcept;

// "le" and "quantile" belong to histograms and summaries; nobody else may use
// them ("writing client libraries").
bool IsReservedLabelName(std::string_view name) noexcept;

// RFC 3629: no overlong form, no surrogate, nothing above U+10FFFF. A zero byte
// is refused too.
bool IsValidUtf8(std::string_view text) noexcept;

// Is its value set, and set anew, in slot 0 alone, so that a process has one of
// it?
constexpr bool IsSetType(format::MetricType type) {
  return type == format::MetricType::kGauge ||
         type == format::MetricType::kStateSet ||
         type == format::MetricType::kInfo;
}

// Does one process's value win, and not all of them together? (Then a state
// that the winner does not know is false, whoever knows it.)
constexpr bool HasOneWinner(format::GaugeMode mode) {
  return mode == format::GaugeMode::kAll ||
         mode == format::GaugeMode::kLiveAll ||
         mode == format::GaugeMode::kMostRecent ||
         mode == format::GaugeMode::kLiveMostRecent;
}

// May a state set be merged so? Not by the smallest: a process that has set
// nothing yet would make every state false.
constexpr bool IsStateSetMode(format::GaugeMode mode) {
  return HasOneWinner(mode) || mode == format::GaugeMode::kSum ||
         mode == format::GaugeMode::kLiveSum ||
         mode == format::GaugeMode::kMax || mode == format::GaugeMode::kLiveMax;
}

// Is this a mode that shows one series per process, told apart by a label
// `pid`?
constexpr bool IsAllMode(format::GaugeMode mode) {
  return mode == format::GaugeMode::kAll || mode == format::GaugeMode::kLiveAll;
}

// Is this a mode in which a dead process counts for nothing?
constexpr bool IsLiveMode(format::GaugeMode mode) {
  return mode != format::GaugeMode::kNone &&
         (static_cast<unsigned>(mode) & 1u) == 0;
}
static_assert(IsLiveMode(format::GaugeMode::kLiveAll) &&
              IsLiveMode(format::GaugeMode::kLiveMostRecent) &&
              !IsLiveMode(format::GaugeMode::kSum));

constexpr bool IsMostRecentMode(format::GaugeMode mode) {
  return mode == format::GaugeMode::kMostRecent ||
         mode == format::GaugeMode::kLiveMostRecent;
}

// "counter", "gauge", "histogram", "summary": the word on a TYPE line of text
// 0.0.4, which calls every other instrument a gauge.
std::string_view ExposedTypeName(format::MetricType type) noexcept;

// The instrument, for people: these, "up-down counter", "state set", "info".
std::string_view InstrumentName(format::MetricType type) noexcept;

// "all", "liveall", "sum", ...; "" for kNone and for values that are no mode.
std::string_view GaugeModeName(format::GaugeMode mode) noexcept;

// The other way; kNone when there is no such mode.
format::GaugeMode ParseGaugeMode(std::string_view name) noexcept;

}  // namespace tine

#endif  // TINE_COMMON_METRIC_NAMES_H_
