// Is what is served what the files say? Series by series, without trust in the
// merge.

#ifndef TINE_TOOLS_AUDIT_H_
#define TINE_TOOLS_AUDIT_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "common/record_layout.h"
#include "tools/audit_merge.h"
#include "tools/audit_sources.h"
#include "tools/series_selector.h"

namespace tine::tools {

struct ServedFamily {
  format::MetricType type = format::MetricType::kNone;
  std::vector<double> bounds;
};

// What a collector serves, and how it came to that.
struct ServedSnapshot {
  uint64_t generation = 0;  // of the archive that is in it
  std::map<std::string, ServedFamily> families;
  std::map<AuditKey, AuditValue> series;           // those that are present
  std::map<AuditKey, uint64_t> created_wall_ns;    // of these
  std::map<std::string, std::string> quarantined;  // file to reason
  std::set<std::string> counted;                   // files in the sum
  std::set<std::string> conflicts;                 // families
};

// A collector that does not fold looks at the directory once. Throws
// std::runtime_error when it cannot.
ServedSnapshot ServeOnce(const std::string& directory,
                         const std::string& state_directory);

struct AuditOptions {
  int directory_fd = -1;
  int state_directory_fd = -1;  // -1: there is none
  // Only these; nothing: all.
  std::optional<SeriesSelector> selector;
};

// Reads all files, lets `serve`, reads all files again, until nothing has
// changed meanwhile, or for so many times. Prints each series and what it comes
// to. True when all are as they should be; false, and `error` when it could not
// be found out.
bool Audit(const AuditOptions& options,
           const std::function<ServedSnapshot()>& serve, std::ostream& out,
           std::string* error);

}  // namespace tine::tools

#endif  // TINE_TOOLS_AUDIT_H_
