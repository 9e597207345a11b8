// What shares of a series come to: written anew, slowly and plainly, so that
// it can say whether the collector's merge is right.

#ifndef TINE_TOOLS_AUDIT_MERGE_H_
#define TINE_TOOLS_AUDIT_MERGE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "collector/merged_family.h"
#include "tools/audit_sources.h"

namespace tine::tools {

struct AuditValue {
  bool is_present = false;
  // As in MergedSeries.
  double value = 0;
  uint64_t count = 0;
  std::vector<uint64_t> buckets;  // histogram: of `bounds` and +Inf
};

// Not a number equals itself.
bool IsSameValue(const AuditValue& a, const AuditValue& b);
// Could a counter, histogram or summary have gone from `a` to `b` by counting?
bool IsNoMore(const AuditValue& a, const AuditValue& b);

// `shares` agree on type and mode. `bounds`: the merged histogram's.
// `*chosen`, where one share wins: its index; else -1.
AuditValue MergeShares(const std::vector<const AuditShare*>& shares,
                       const std::vector<double>& bounds, int* chosen);

// Does it count for nothing, because it is of a live mode and its writer dead,
// or too old?
bool IsIdle(const AuditShare& share);

// The nearest double to the exact sum.
double ExactlyRoundedSum(const std::vector<double>& numbers);

std::string ValueText(format::MetricType type, const AuditValue& value,
                      const std::vector<double>& bounds);

}  // namespace tine::tools

#endif  // TINE_TOOLS_AUDIT_MERGE_H_
