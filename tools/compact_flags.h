#ifndef TINE_TOOLS_COMPACT_FLAGS_H_
#define TINE_TOOLS_COMPACT_FLAGS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/metric_file_name.h"
#include "tools/series_selector.h"

namespace tine::tools {

enum CompactExitCode {
  kCompactDone = 0,
  kCompactFailed = 1,
  kCompactUsage = 2,
  kCompactCollectorRuns = 3,
};

struct CompactFlags {
  std::string directory;        // empty: the default
  std::string state_directory;  // empty: the default
  bool is_dry_run = false;
  bool waits = false;
  int wait_seconds = 60;
  bool shows_progress = false;
  std::vector<SeriesSelector> forget;
  std::optional<uint64_t> purge_age_s;
  std::vector<FileUuid> assumed_dead;
};

// The command line of tine-compact. An exit code when that is all: --help,
// --version, or a mistake, which has been told on stderr.
std::optional<int> ParseCompactFlags(int argc, const char* const* argv,
                                     CompactFlags* flags);

}  // namespace tine::tools

#endif  // TINE_TOOLS_COMPACT_FLAGS_H_
