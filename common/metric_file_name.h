// Names of the files in a metrics directory.

#ifndef TINE_COMMON_METRIC_FILE_NAME_H_
#define TINE_COMMON_METRIC_FILE_NAME_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace tine {

// A metric file's identity: 128 random bits, in its header and in its name.
struct FileUuid {
  uint8_t bytes[16] = {};
  friend bool operator==(const FileUuid& a, const FileUuid& b) {
    return __builtin_memcmp(a.bytes, b.bytes, sizeof(a.bytes)) == 0;
  }
  friend bool operator!=(const FileUuid& a, const FileUuid& b) {
    return !(a == b);
  }
  friend bool operator<(const FileUuid& a, const FileUuid& b) {
    return __builtin_memcmp(a.bytes, b.bytes, sizeof(a.bytes)) < 0;
  }
};

inline constexpr size_t kUuidTextBytes = 32;  // lower-case hex, no dashes
inline constexpr size_t kMaxMetricFileNameBytes = 10 + 1 + kUuidTextBytes + 5;
inline constexpr std::string_view kMetricFileSuffix = ".tine";
inline constexpr std::string_view kTempFilePrefix = ".tine-tmp-";
inline constexpr size_t kTempFileNameBytes = 10 + kUuidTextBytes;

// Writes 32 lower-case hex digits to `text`; no terminating zero.
// Async-signal-safe, as all functions here.
void FormatUuid(const FileUuid& uuid, char* text) noexcept;

// Exactly 32 lower-case hex digits, or nothing.
std::optional<FileUuid> ParseUuid(std::string_view text) noexcept;

struct MetricFileName {
  uint32_t pid = 0;  // for people; nothing is decided by it
  FileUuid uuid;
};

// Writes "<pid>.<uuid>.tine" and a terminating zero to `name`, which has room
// for kMaxMetricFileNameBytes + 1 bytes. Returns the length without the zero.
size_t FormatMetricFileName(const MetricFileName& parts, char* name) noexcept;

// The other way; nothing unless `name` is exactly what FormatMetricFileName
// makes.
std::optional<MetricFileName> ParseMetricFileName(
    std::string_view name) noexcept;

// Writes ".tine-tmp-<random>" and a terminating zero; `name` has room for
// kTempFileNameBytes + 1 bytes. The random number is the temp file's own, so
// that two writers with one uuid (a bug, or a copy) still cannot meet.
size_t FormatTempFileName(const FileUuid& random, char* name) noexcept;

bool IsTempFileName(std::string_view name) noexcept;

}  // namespace tine

#endif  // TINE_COMMON_METRIC_FILE_NAME_H_
