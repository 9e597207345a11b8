#include "tools/printable.h"

#include <cstdint>
#include <cstdio>

#include "common/metric_names.h"

namespace tine::tools {
namespace {

// The bytes of the UTF-8 sequence that `text` begins with, 0 if it is none.
// `text` is not empty.
size_t SequenceBytes(std::string_view text) {
  for (size_t size = 1; size <= 4 && size <= text.size(); ++size) {
    if (IsValidUtf8(text.substr(0, size))) {
      return size;
    }
  }
  return 0;
}

uint32_t CodePoint(std::string_view sequence) {
  if (sequence.size() == 1) {
    return static_cast<unsigned char>(sequence[0]);
  }
  uint32_t point = static_cast<unsigned char>(sequence[0]) &
                   (0xffu >> (sequence.size() + 1));
  for (const char c : sequence.substr(1)) {
    point = (point << 6) | (static_cast<unsigned char>(c) & 0x3fu);
  }
  return point;
}

bool ChangesDirection(uint32_t point) {
  return point == 0x061c || point == 0x200e || point == 0x200f ||
         (point >= 0x2028 && point <= 0x202e) ||
         (point >= 0x2066 && point <= 0x2069);
}

void AppendEscape(const char* format, unsigned number, std::string* out) {
  char escape[16];
  std::snprintf(escape, sizeof(escape), format, number);
  *out += escape;
}

void AppendPrintable(std::string_view sequence, std::string* out) {
  const uint32_t point = CodePoint(sequence);
  if (point == '\n') {
    *out += "\\n";
  } else if (point == '\\' || point == '"') {
    *out += '\\';
    *out += sequence;
  } else if (point < 0x20 || point == 0x7f) {
    AppendEscape("\\x%02x", point, out);
  } else if ((point >= 0x80 && point < 0xa0) || ChangesDirection(point)) {
    AppendEscape("\\u%04x", point, out);
  } else {
    *out += sequence;
  }
}

}  // namespace

std::string Printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t size = SequenceBytes(text);
    if (size == 0) {
      AppendEscape("\\x%02x", static_cast<unsigned char>(text[0]), &out);
    } else {
      AppendPrintable(text.substr(0, size), &out);
    }
    text.remove_prefix(size == 0 ? 1 : size);
  }
  return out;
}

}  // namespace tine::tools
