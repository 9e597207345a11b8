// The rules for names and texts once more, for oracles: they share no code with
// what they judge.

#ifndef TINE_TESTS_TESTING_PLAIN_TEXT_RULES_H_
#define TINE_TESTS_TESTING_PLAIN_TEXT_RULES_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tine::testing {

// [a-zA-Z_][a-zA-Z0-9_]*, in metric names with colons.
inline bool IsPlainName(std::string_view name, bool may_have_colon) {
  constexpr std::string_view kFirst =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz:";
  constexpr std::string_view kDigits = "0123456789";
  if (name.empty() || kFirst.find(name[0]) == std::string_view::npos) {
    return false;
  }
  for (const char c : name) {
    if ((kFirst.find(c) == std::string_view::npos &&
         kDigits.find(c) == std::string_view::npos) ||
        (c == ':' && !may_have_colon)) {
      return false;
    }
  }
  return true;
}

// RFC 3629, as its section 4 spells the byte ranges out; no zero byte.
inline bool IsPlainUtf8(std::string_view text) {
  struct Range {
    uint8_t first_low, first_high, second_low, second_high;
    size_t tail_bytes;
  };
  constexpr Range kRanges[] = {
      {0x01, 0x7f, 0, 0, 0},       {0xc2, 0xdf, 0x80, 0xbf, 1},
      {0xe0, 0xe0, 0xa0, 0xbf, 2}, {0xe1, 0xec, 0x80, 0xbf, 2},
      {0xed, 0xed, 0x80, 0x9f, 2}, {0xee, 0xef, 0x80, 0xbf, 2},
      {0xf0, 0xf0, 0x90, 0xbf, 3}, {0xf1, 0xf3, 0x80, 0xbf, 3},
      {0xf4, 0xf4, 0x80, 0x8f, 3},
  };
  for (size_t i = 0; i < text.size();) {
    const Range* found = nullptr;
    const auto byte = [&text](size_t at) {
      return static_cast<uint8_t>(text[at]);
    };
    for (const Range& range : kRanges) {
      if (byte(i) >= range.first_low && byte(i) <= range.first_high) {
        found = &range;
      }
    }
    if (found == nullptr || text.size() - i <= found->tail_bytes) {
      return false;
    }
    for (size_t tail = 1; tail <= found->tail_bytes; ++tail) {
      const uint8_t low = tail == 1 ? found->second_low : 0x80;
      const uint8_t high = tail == 1 ? found->second_high : 0xbf;
      if (byte(i + tail) < low || byte(i + tail) > high) {
        return false;
      }
    }
    i += 1 + found->tail_bytes;
  }
  return true;
}

}  // namespace tine::testing

#endif  // TINE_TESTS_TESTING_PLAIN_TEXT_RULES_H_
