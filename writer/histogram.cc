#include "writer/histogram.h"

#include <algorithm>
#include <cmath>

namespace tine {

std::vector<double> DefaultBuckets() {
  return {.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10};
}

std::vector<double> LinearBuckets(double start, double width, int count) {
  std::vector<double> bounds;
  if (!(width > 0)) {
    return bounds;
  }
  for (int i = 0; i < count; ++i) {
    bounds.push_back(start + width * i);
  }
  return bounds;
}

std::vector<double> ExponentialBuckets(double start, double factor, int count) {
  std::vector<double> bounds;
  if (!(start > 0) || !(factor > 1)) {
    return bounds;
  }
  for (int i = 0; i < count; ++i) {
    bounds.push_back(start);
    start *= factor;
  }
  return bounds;
}

uint32_t Histogram::BucketOfMany(double value) const noexcept {
  return static_cast<uint32_t>(
      std::lower_bound(bounds_, bounds_ + bound_count_, value) - bounds_);
}

uint64_t Histogram::Count() const noexcept {
  uint64_t count = 0;
  for (uint32_t bucket = 0; bucket <= bound_count_; ++bucket) {
    count += BucketCount(bucket);
  }
  return count;
}

}  // namespace tine
