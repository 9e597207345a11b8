// One line of log, as text: logfmt or JSON. Pure: no clock, no output.

#ifndef TINE_COLLECTOR_LOG_LINE_H_
#define TINE_COLLECTOR_LOG_LINE_H_

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace tine::collector {

enum class LogLevel { kDebug, kInfo, kWarn, kError };
enum class LogFormat { kLogfmt, kJson };

// "debug", "info", "warn", "error".
std::string_view LogLevelName(LogLevel level);
std::optional<LogLevel> ParseLogLevel(std::string_view name);
// "logfmt", "json".
std::optional<LogFormat> ParseLogFormat(std::string_view name);

// A key and its value. The key is a literal of ours: [a-z_]+. The value may be
// any bytes; it is escaped when the line is made.
class LogField {
 public:
  LogField(std::string_view key, std::string_view value)
      : key_(key), value_(value) {}
  LogField(std::string_view key, const char* value)
      : LogField(key, std::string_view(value)) {}
  LogField(std::string_view key, const std::string& value)
      : LogField(key, std::string_view(value)) {}
  LogField(std::string_view key, bool value)
      : key_(key), value_(value ? "true" : "false"), is_bare_(true) {}
  LogField(std::string_view key, double value);
  template <typename Integer,
            std::enable_if_t<std::is_integral_v<Integer>, int> = 0>
  LogField(std::string_view key, Integer value)
      : key_(key), value_(std::to_string(value)), is_bare_(true) {}

  std::string_view key() const { return key_; }
  const std::string& value() const { return value_; }
  // A number or a truth value: JSON needs no quotes.
  bool is_bare() const { return is_bare_; }

 private:
  std::string_view key_;
  std::string value_;
  bool is_bare_ = false;
};

using LogFields = std::initializer_list<LogField>;

// The line without its time stamp and without a line end:
//   level=info msg="a text" path=/run/tine
//   "level":"info","msg":"a text","path":"/run/tine"
// Control characters, quotes and backslashes are escaped as in JSON in both
// formats, so that a value can neither end the line nor forge a field. A value
// that is not UTF-8 has U+FFFD for each byte that is not ASCII.
std::string FormatLogLine(LogFormat format, LogLevel level,
                          std::string_view message, LogFields fields);

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_LOG_LINE_H_
