#include "collector/log_line.h"

#include <cmath>

#include "collector/number_text.h"
#include "common/metric_names.h"

namespace tine::collector {
namespace {

constexpr char kHexDigits[] = "0123456789abcdef";

bool IsControl(unsigned char c) { return c < 0x20 || c == 0x7f; }

// Both formats read the escapes of JSON.
void AppendQuoted(std::string_view text, std::string* line) {
  const bool is_utf8 = IsValidUtf8(text);
  line->push_back('"');
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      line->push_back('\\');
      line->push_back(c);
    } else if (c == '\n') {
      line->append("\\n");
    } else if (IsControl(byte)) {
      line->append("\\u00");
      line->push_back(kHexDigits[byte >> 4]);
      line->push_back(kHexDigits[byte & 0xf]);
    } else if (byte >= 0x80 && !is_utf8) {
      line->append("\\ufffd");
    } else {
      line->push_back(c);
    }
  }
  line->push_back('"');
}

bool NeedsQuotesInLogfmt(std::string_view text) {
  if (text.empty() || !IsValidUtf8(text)) {
    return true;
  }
  for (const char c : text) {
    if (c == ' ' || c == '=' || c == '"' || c == '\\' ||
        IsControl(static_cast<unsigned char>(c))) {
      return true;
    }
  }
  return false;
}

void AppendLogfmt(std::string_view key, std::string_view value, bool is_bare,
                  std::string* line) {
  if (!line->empty()) {
    line->push_back(' ');
  }
  line->append(key);
  line->push_back('=');
  if (is_bare || !NeedsQuotesInLogfmt(value)) {
    line->append(value);
  } else {
    AppendQuoted(value, line);
  }
}

void AppendJson(std::string_view key, std::string_view value, bool is_bare,
                std::string* line) {
  if (!line->empty()) {
    line->push_back(',');
  }
  AppendQuoted(key, line);
  line->push_back(':');
  if (is_bare) {
    line->append(value);
  } else {
    AppendQuoted(value, line);
  }
}

}  // namespace

LogField::LogField(std::string_view key, double value)
    : key_(key),
      // JSON has no word for infinity and NaN.
      is_bare_(std::isfinite(value)) {
  char text[kMaxNumberTextBytes];
  value_.assign(text, FormatNumber(value, text));
}

std::string_view LogLevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarn:
      return "warn";
    case LogLevel::kError:
      break;
  }
  return "error";
}

std::optional<LogLevel> ParseLogLevel(std::string_view name) {
  for (const LogLevel level :
       {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarn, LogLevel::kError}) {
    if (LogLevelName(level) == name) {
      return level;
    }
  }
  return std::nullopt;
}

std::optional<LogFormat> ParseLogFormat(std::string_view name) {
  if (name == "logfmt") {
    return LogFormat::kLogfmt;
  }
  if (name == "json") {
    return LogFormat::kJson;
  }
  return std::nullopt;
}

std::string FormatLogLine(LogFormat format, LogLevel level,
                          std::string_view message, LogFields fields) {
  const auto append = format == LogFormat::kJson ? &AppendJson : &AppendLogfmt;
  std::string line;
  append("level", LogLevelName(level), false, &line);
  append("msg", message, false, &line);
  for (const LogField& field : fields) {
    append(field.key(), field.value(), field.is_bare(), &line);
  }
  return line;
}

}  // namespace tine::collector
