// What the collector tells its operator: lines on stderr, each with time,
// level, message and key=value pairs. The only user of spdlog.

#ifndef TINE_COLLECTOR_LOG_H_
#define TINE_COLLECTOR_LOG_H_

#include <string_view>

#include "collector/log_line.h"

namespace tine::collector {

// Which lines are written, and how. Before the first call: info, logfmt. Call
// it before there are threads.
void ConfigureLog(LogLevel lowest, LogFormat format);

// Writes one line and flushes it. Any thread; lines never mix. Never throws,
// and a stderr that cannot be written is no error.
//   LogWarn("file quarantined", {{"file", name}, {"offset", damage.offset}});
void Log(LogLevel level, std::string_view message,
         LogFields fields = {}) noexcept;

inline void LogDebug(std::string_view message, LogFields fields = {}) noexcept {
  Log(LogLevel::kDebug, message, fields);
}
inline void LogInfo(std::string_view message, LogFields fields = {}) noexcept {
  Log(LogLevel::kInfo, message, fields);
}
inline void LogWarn(std::string_view message, LogFields fields = {}) noexcept {
  Log(LogLevel::kWarn, message, fields);
}
inline void LogError(std::string_view message, LogFields fields = {}) noexcept {
  Log(LogLevel::kError, message, fields);
}

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_LOG_H_
