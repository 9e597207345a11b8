#include "collector/prometheus_duration.h"

#include <cstddef>
#include <iterator>

namespace tine::collector {
namespace {

struct Unit {
  std::string_view name;
  uint64_t milliseconds;
};
constexpr uint64_t kSecond = 1'000;
constexpr uint64_t kDay = 24 * 3600 * kSecond;
constexpr Unit kUnits[] = {
    {"y", 365 * kDay},   {"w", 7 * kDay}, {"d", kDay}, {"h", 3600 * kSecond},
    {"m", 60 * kSecond}, {"s", kSecond},  {"ms", 1}};
constexpr uint64_t kMax = 100 * 365 * kDay;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Takes what `is_wanted` from the front of `*text`.
template <typename Predicate>
std::string_view TakeWhile(const Predicate& is_wanted, std::string_view* text) {
  size_t length = 0;
  while (length < text->size() && is_wanted((*text)[length])) {
    ++length;
  }
  const std::string_view taken = text->substr(0, length);
  text->remove_prefix(length);
  return taken;
}

// Nothing when there is none, or more than kMax.
std::optional<uint64_t> TakeNumber(std::string_view* text) {
  const std::string_view digits = TakeWhile(IsDigit, text);
  uint64_t number = 0;
  for (const char digit : digits) {
    number = number * 10 + static_cast<uint64_t>(digit - '0');
    if (number > kMax) {
      return std::nullopt;
    }
  }
  return digits.empty() ? std::nullopt : std::optional<uint64_t>(number);
}

}  // namespace

std::optional<uint64_t> ParsePrometheusDuration(std::string_view text) {
  if (text == "0") {
    return 0;
  }
  uint64_t total = 0;
  const Unit* next = std::begin(kUnits);
  do {
    const std::optional<uint64_t> number = TakeNumber(&text);
    const std::string_view unit =
        TakeWhile([](char c) { return !IsDigit(c); }, &text);
    while (next != std::end(kUnits) && next->name != unit) {
      ++next;
    }
    if (!number.has_value() || next == std::end(kUnits) ||
        *number > (kMax - total) / next->milliseconds) {
      return std::nullopt;
    }
    total += *number * next->milliseconds;
    ++next;
  } while (!text.empty());
  return total;
}

}  // namespace tine::collector
