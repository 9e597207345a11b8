// The command line of tine-collector.

#ifndef TINE_COLLECTOR_COLLECTOR_FLAGS_H_
#define TINE_COLLECTOR_COLLECTOR_FLAGS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "collector/listen_address.h"
#include "collector/log_line.h"
#include "collector/owner_accounts.h"
#include "collector/series_filter.h"

namespace tine::collector {

// What scripts rely on.
enum ExitCode : int {
  kExitSuccess = 0,
  kExitFailure = 1,  // the world: directory, address, file
  kExitUsage = 2,    // the command line
};

struct CollectorFlags {
  std::string directory;        // as given; empty: the default rule applies
  std::string state_directory;  // empty: ".collector" in the directory
  std::vector<ListenAddress> listen_addresses;
  std::string telemetry_path;
  bool once = false;
  std::string output;  // empty: stdout
  SeriesFilter series_filter;
  OwnerLimits owner_limits;
  uint32_t archive_ttl_s = 0;        // 0: for ever
  uint32_t archive_gauge_ttl_s = 0;  // likewise
  uint32_t birth_at_zero_ms = 0;     // 0: off
  LogLevel log_level = LogLevel::kInfo;
  LogFormat log_format = LogFormat::kLogfmt;
};

// Fills `*flags`. Returns an exit code when the program is not to run: after
// --help and --version, which go to stdout, and after a mistake, which is one
// line on stderr.
std::optional<ExitCode> ParseCollectorFlags(int argc, const char* const* argv,
                                            CollectorFlags* flags);

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_COLLECTOR_FLAGS_H_
