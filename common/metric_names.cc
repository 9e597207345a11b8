#include "common/metric_names.h"

#include <cstdint>

namespace tine {
namespace {

using format::GaugeMode;
using format::MetricType;

constexpr bool IsLetterOrUnderscore(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

constexpr bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// The name of mode m is at index m.
constexpr std::string_view kGaugeModeNames[] = {
    "",        "all", "liveall", "sum",        "livesum",       "min",
    "livemin", "max", "livemax", "mostrecent", "livemostrecent"};

// The length of the UTF-8 sequence at `text`, or 0 if it is not valid.
size_t Utf8SequenceBytes(const unsigned char* text, size_t available) {
  const unsigned char first = text[0];
  size_t length;
  uint32_t code_point;
  uint32_t smallest;  // below it the form is overlong
  if ((first & 0xe0) == 0xc0) {
    length = 2, code_point = first & 0x1f, smallest = 0x80;
  } else if ((first & 0xf0) == 0xe0) {
    length = 3, code_point = first & 0x0f, smallest = 0x800;
  } else if ((first & 0xf8) == 0xf0) {
    length = 4, code_point = first & 0x07, smallest = 0x10000;
  } else {
    return 0;
  }
  if (length > available) {
    return 0;
  }
  for (size_t i = 1; i < length; ++i) {
    if ((text[i] & 0xc0) != 0x80) {
      return 0;
    }
    code_point = (code_point << 6) | (text[i] & 0x3f);
  }
  const bool is_surrogate = code_point >= 0xd800 && code_point <= 0xdfff;
  if (code_point < smallest || code_point > 0x10ffff || is_surrogate) {
    return 0;
  }
  return length;
}

}  // namespace

bool IsValidMetricName(std::string_view name) noexcept {
  if (name.empty() || name.size() > kMaxMetricNameBytes || IsDigit(name[0])) {
    return false;
  }
  for (const char c : name) {
    if (!IsLetterOrUnderscore(c) && !IsDigit(c) && c != ':') {
      return false;
    }
  }
  return true;
}

bool IsValidLabelName(std::string_view name) noexcept {
  if (name.empty() || name.size() > kMaxLabelNameBytes || IsDigit(name[0]) ||
      name.substr(0, 2) == "__") {
    return false;
  }
  for (const char c : name) {
    if (!IsLetterOrUnderscore(c) && !IsDigit(c)) {
      return false;
    }
  }
  return true;
}

bool IsReservedLabelName(std::string_view name) noexcept {
  return name == "le" || name == "quantile";
}

bool IsValidUtf8(std::string_view text) noexcept {
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  size_t i = 0;
  while (i < text.size()) {
    if (bytes[i] < 0x80) {
      if (bytes[i] == 0) {
        return false;
      }
      ++i;
      continue;
    }
    const size_t length = Utf8SequenceBytes(bytes + i, text.size() - i);
    if (length == 0) {
      return false;
    }
    i += length;
  }
  return true;
}

std::string_view ExposedTypeName(MetricType type) noexcept {
  switch (type) {
    case MetricType::kCounter:
      return "counter";
    case MetricType::kGauge:
    case MetricType::kUpDownCounter:
    case MetricType::kStateSet:
    case MetricType::kInfo:
      return "gauge";
    case MetricType::kHistogram:
      return "histogram";
    case MetricType::kSummary:
      return "summary";
    case MetricType::kNone:
      break;
  }
  return "untyped";
}

std::string_view InstrumentName(MetricType type) noexcept {
  switch (type) {
    case MetricType::kUpDownCounter:
      return "up-down counter";
    case MetricType::kStateSet:
      return "state set";
    case MetricType::kInfo:
      return "info";
    default:
      return ExposedTypeName(type);
  }
}

std::string_view GaugeModeName(GaugeMode mode) noexcept {
  const auto index = static_cast<size_t>(mode);
  return index < std::size(kGaugeModeNames) ? kGaugeModeNames[index]
                                            : std::string_view();
}

GaugeMode ParseGaugeMode(std::string_view name) noexcept {
  for (size_t i = 1; i < std::size(kGaugeModeNames); ++i) {
    if (kGaugeModeNames[i] == name) {
      return static_cast<GaugeMode>(i);
    }
  }
  return GaugeMode::kNone;
}

}  // namespace tine
