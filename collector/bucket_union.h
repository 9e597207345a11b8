// Histograms of one name whose writers have different bucket bounds are served
// with all bounds that any of them has.

#ifndef TINE_COLLECTOR_BUCKET_UNION_H_
#define TINE_COLLECTOR_BUCKET_UNION_H_

#include <cstdint>
#include <vector>

namespace tine::collector {

// Both strictly ascending; so is the result.
std::vector<double> UnionOfBounds(const std::vector<double>& a,
                                  const std::vector<double>& b);

// For each bucket of a writer (one for each of `own` and then +Inf): the bucket
// with the same bound among `merged`, which holds all of `own`, and then +Inf.
// What a writer has counted up to a merged bound b is then what it has at its
// greatest own bound <= b: never too much, and never falling from bound to
// bound.
std::vector<uint32_t> MergedBucketIndexes(const std::vector<double>& own,
                                          const std::vector<double>& merged);

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_BUCKET_UNION_H_
