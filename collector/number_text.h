// Numbers as the exposition formats write them. Independent of the locale, no
// allocation, any thread.

#ifndef TINE_COLLECTOR_NUMBER_TEXT_H_
#define TINE_COLLECTOR_NUMBER_TEXT_H_

#include <cstddef>
#include <cstdint>

namespace tine::collector {

// "-2.2250738585072014e-308" are 24 characters and the longest double; the
// longest u64 has 20.
inline constexpr size_t kMaxNumberTextBytes = 32;

// A sample's value. `out` has room for kMaxNumberTextBytes; returns the end; no
// terminating zero is written. Integers up to 2^53 are plain digits: a counter
// stays readable and is still exact. Every other number is the shortest text
// that reads back as the same double, in the form of Go's
// FormatFloat(value, 'g', -1, 64). Further: +Inf, -Inf, NaN, -0.
char* FormatNumber(double value, char* out) noexcept;

// A count: plain digits at any size.
char* FormatCount(uint64_t count, char* out) noexcept;

// A bucket's bound, the value of the label `le`. Always in Go's form (1e+06,
// not 1000000): the text is part of the series' identity, and other exporters
// of the same histogram write this one.
char* FormatBound(double bound, char* out) noexcept;

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_NUMBER_TEXT_H_
