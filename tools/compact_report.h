#ifndef TINE_TOOLS_COMPACT_REPORT_H_
#define TINE_TOOLS_COMPACT_REPORT_H_

#include <string>

#include "collector/collect_loop.h"
#include "collector/fold_request.h"
#include "tools/compact_flags.h"

namespace tine::tools {

// Tells on stderr what went wrong. Returns kCompactFailed.
int CompactComplaint(const std::string& what);

// What the directory holds, one line for each state of files.
void PrintFileStates(const collector::CollectorStatistics& statistics);

// On stdout what would be done. Returns the exit code.
int PrintPlan(const CompactFlags& flags, const collector::FoldReport& plan);

// On stdout which series are forgotten and which files purged, on stderr what
// stays though it should not. Returns the exit code.
int PrintOutcome(const CompactFlags& flags,
                 const collector::FoldReport& report);

// Dead files that cannot be folded, on stderr. Returns the exit code.
int PrintBlocked(const collector::FoldReport& report);

}  // namespace tine::tools

#endif  // TINE_TOOLS_COMPACT_REPORT_H_
