#include "collector/number_text.h"

#include <charconv>
#include <cmath>
#include <cstring>

namespace tine::collector {
namespace {

// Beyond it not every integer is a double, and plain digits would claim a
// precision that is not there.
constexpr double kMaxPlainInteger = 9007199254740992.0;  // 2^53

char* AppendLiteral(const char* text, size_t size_bytes, char* out) {
  std::memcpy(out, text, size_bytes);
  return out + size_bytes;
}

char* FormatNotFinite(double value, char* out) {
  if (std::isnan(value)) {
    return AppendLiteral("NaN", 3, out);
  }
  return AppendLiteral(value > 0 ? "+Inf" : "-Inf", 4, out);
}

char* FormatShortest(double value, char* out) {
  // `general` is the %g rule for when to use an exponent, with the shortest
  // digits. Plain to_chars would write 1e+05, where Go has 100000.
  return std::to_chars(out, out + kMaxNumberTextBytes, value,
                       std::chars_format::general)
      .ptr;
}

}  // namespace

char* FormatNumber(double value, char* out) noexcept {
  if (!(std::fabs(value) <= kMaxPlainInteger)) {
    return std::isfinite(value) ? FormatShortest(value, out)
                                : FormatNotFinite(value, out);
  }
  const auto integer = static_cast<int64_t>(value);
  if (static_cast<double>(integer) != value ||
      (integer == 0 && std::signbit(value))) {
    return FormatShortest(value, out);
  }
  return std::to_chars(out, out + kMaxNumberTextBytes, integer).ptr;
}

char* FormatCount(uint64_t count, char* out) noexcept {
  return std::to_chars(out, out + kMaxNumberTextBytes, count).ptr;
}

char* FormatBound(double bound, char* out) noexcept {
  return std::isfinite(bound) ? FormatShortest(bound, out)
                              : FormatNotFinite(bound, out);
}

}  // namespace tine::collector
