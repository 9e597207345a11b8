#include "collector/bucket_union.h"

#include <algorithm>
#include <iterator>

namespace tine::collector {

std::vector<double> UnionOfBounds(const std::vector<double>& a,
                                  const std::vector<double>& b) {
  std::vector<double> result;
  result.reserve(a.size() + b.size());
  std::set_union(a.begin(), a.end(), b.begin(), b.end(),
                 std::back_inserter(result));
  return result;
}

std::vector<uint32_t> MergedBucketIndexes(const std::vector<double>& own,
                                          const std::vector<double>& merged) {
  std::vector<uint32_t> indexes;
  indexes.reserve(own.size() + 1);
  for (const double bound : own) {
    const auto it = std::lower_bound(merged.begin(), merged.end(), bound);
    indexes.push_back(static_cast<uint32_t>(it - merged.begin()));
  }
  indexes.push_back(static_cast<uint32_t>(merged.size()));
  return indexes;
}

}  // namespace tine::collector
