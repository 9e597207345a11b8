#include "collector/log.h"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <memory>

namespace tine::collector {
namespace {

struct LogState {
  LogFormat format = LogFormat::kLogfmt;
  std::shared_ptr<spdlog::logger> logger;
};

spdlog::level::level_enum SpdlogLevel(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarn:
      return spdlog::level::warn;
    case LogLevel::kError:
      break;
  }
  return spdlog::level::err;
}

LogState MakeState(LogLevel lowest, LogFormat format) {
  constexpr char kLogfmtPattern[] = "ts=%Y-%m-%dT%H:%M:%S.%eZ %v";
  constexpr char kJsonPattern[] = "{\"ts\":\"%Y-%m-%dT%H:%M:%S.%eZ\",%v}";
  LogState state;
  state.format = format;
  state.logger = std::make_shared<spdlog::logger>(
      "tine", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  state.logger->set_formatter(std::make_unique<spdlog::pattern_formatter>(
      format == LogFormat::kJson ? kJsonPattern : kLogfmtPattern,
      spdlog::pattern_time_type::utc));
  state.logger->set_level(SpdlogLevel(lowest));
  // A stderr that is gone is nobody's news.
  state.logger->set_error_handler([](const std::string&) {});
  return state;
}

// Leaked on purpose: threads may log while static destructors run.
LogState& State() {
  static LogState* const state =
      new LogState(MakeState(LogLevel::kInfo, LogFormat::kLogfmt));
  return *state;
}

}  // namespace

void ConfigureLog(LogLevel lowest, LogFormat format) {
  State() = MakeState(lowest, format);
}

void Log(LogLevel level, std::string_view message, LogFields fields) noexcept {
  try {
    const LogState& state = State();
    const spdlog::level::level_enum spdlog_level = SpdlogLevel(level);
    if (!state.logger->should_log(spdlog_level)) {
      return;
    }
    const std::string line =
        FormatLogLine(state.format, level, message, fields);
    state.logger->log(spdlog_level, spdlog::string_view_t(line));
  } catch (...) {
    // Out of memory. There is nobody left to tell.
  }
}

}  // namespace tine::collector
