#include "common/metric_file_name.h"

#include <cstring>

namespace tine {
namespace {

constexpr char kHexDigits[] = "0123456789abcdef";

int HexValue(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  if (c >= 'a' && c <= 'f') {
    return c - 'a' + 10;
  }
  return -1;
}

// Writes `number` in decimal without a terminating zero; returns its length.
size_t FormatDecimal(uint32_t number, char* text) {
  char reversed[10];
  size_t length = 0;
  do {
    reversed[length++] = static_cast<char>('0' + number % 10);
    number /= 10;
  } while (number != 0);
  for (size_t i = 0; i < length; ++i) {
    text[i] = reversed[length - 1 - i];
  }
  return length;
}

// No sign, no leading zero, at most 32 bits.
std::optional<uint32_t> ParseDecimal(std::string_view text) {
  if (text.empty() || text.size() > 10 || (text[0] == '0' && text.size() > 1)) {
    return std::nullopt;
  }
  uint64_t number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') {
      return std::nullopt;
    }
    number = number * 10 + static_cast<uint64_t>(c - '0');
  }
  if (number > UINT32_MAX) {
    return std::nullopt;
  }
  return static_cast<uint32_t>(number);
}

}  // namespace

void FormatUuid(const FileUuid& uuid, char* text) noexcept {
  for (const uint8_t byte : uuid.bytes) {
    *text++ = kHexDigits[byte >> 4];
    *text++ = kHexDigits[byte & 15];
  }
}

std::optional<FileUuid> ParseUuid(std::string_view text) noexcept {
  if (text.size() != kUuidTextBytes) {
    return std::nullopt;
  }
  FileUuid uuid;
  for (size_t i = 0; i < sizeof(uuid.bytes); ++i) {
    const int high = HexValue(text[2 * i]);
    const int low = HexValue(text[2 * i + 1]);
    if (high < 0 || low < 0) {
      return std::nullopt;
    }
    uuid.bytes[i] = static_cast<uint8_t>(high * 16 + low);
  }
  return uuid;
}

size_t FormatMetricFileName(const MetricFileName& parts, char* name) noexcept {
  size_t length = FormatDecimal(parts.pid, name);
  name[length++] = '.';
  FormatUuid(parts.uuid, name + length);
  length += kUuidTextBytes;
  std::memcpy(name + length, kMetricFileSuffix.data(),
              kMetricFileSuffix.size());
  length += kMetricFileSuffix.size();
  name[length] = '\0';
  return length;
}

std::optional<MetricFileName> ParseMetricFileName(
    std::string_view name) noexcept {
  const size_t dot = name.find('.');
  if (dot == std::string_view::npos ||
      name.size() != dot + 1 + kUuidTextBytes + kMetricFileSuffix.size() ||
      name.substr(dot + 1 + kUuidTextBytes) != kMetricFileSuffix) {
    return std::nullopt;
  }
  const std::optional<uint32_t> pid = ParseDecimal(name.substr(0, dot));
  const std::optional<FileUuid> uuid =
      ParseUuid(name.substr(dot + 1, kUuidTextBytes));
  if (!pid || !uuid) {
    return std::nullopt;
  }
  return MetricFileName{*pid, *uuid};
}

size_t FormatTempFileName(const FileUuid& random, char* name) noexcept {
  std::memcpy(name, kTempFilePrefix.data(), kTempFilePrefix.size());
  FormatUuid(random, name + kTempFilePrefix.size());
  name[kTempFileNameBytes] = '\0';
  return kTempFileNameBytes;
}

bool IsTempFileName(std::string_view name) noexcept {
  return name.size() == kTempFileNameBytes &&
         name.substr(0, kTempFilePrefix.size()) == kTempFilePrefix &&
         ParseUuid(name.substr(kTempFilePrefix.size())).has_value();
}

}  // namespace tine
