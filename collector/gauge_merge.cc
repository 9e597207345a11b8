#include "collector/gauge_merge.h"

#include <algorithm>
#include <cmath>

namespace tine::collector {
namespace {

using format::GaugeMode;

// NaN loses against anything, so that one process that divides by zero does not
// hide the others. Of two zeroes the negative one is the smaller, or the order
// of adding would show.
bool IsBelow(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) {
    return !std::isnan(a);
  }
  return a < b || (a == b && std::signbit(a) && !std::signbit(b));
}

bool IsAbove(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) {
    return !std::isnan(a);
  }
  return IsBelow(b, a);
}

}  // namespace

void GaugeMerge::Add(double value, uint64_t wall_ns, const WriterRank& writer,
                     uint64_t expires_wall_ns) {
  if (mode_ == GaugeMode::kSum || mode_ == GaugeMode::kLiveSum) {
    sum_.Add(value);
    // 0 is later than any.
    expires_wall_ns_ = std::min(expires_wall_ns_ - 1, expires_wall_ns - 1) + 1;
    is_present_ = true;
    return;
  }
  if (is_present_ && !IsBetter(value, wall_ns, writer)) {
    return;
  }
  sum_ = ExactSum(value, 0);
  wall_ns_ = wall_ns;
  writer_ = writer;
  expires_wall_ns_ = expires_wall_ns;
  is_present_ = true;
}

void GaugeMerge::AddCount(int64_t count) {
  // Two halves of 32 bits: each is exact as a double, and their sum has 106
  // bits.
  const int64_t high = count >> 32;
  const auto low = static_cast<uint32_t>(count);
  sum_.Add(static_cast<double>(high) * 4294967296.0);
  sum_.Add(static_cast<double>(low));
  is_present_ = true;
}

bool GaugeMerge::IsBetter(double value, uint64_t wall_ns,
                          const WriterRank& writer) const {
  switch (mode_) {
    case GaugeMode::kMin:
    case GaugeMode::kLiveMin:
      return IsBelow(value, sum_.value());
    case GaugeMode::kMax:
    case GaugeMode::kLiveMax:
      return IsAbove(value, sum_.value());
    case GaugeMode::kMostRecent:
    case GaugeMode::kLiveMostRecent:
      return wall_ns != wall_ns_ ? wall_ns > wall_ns_
                                 : writer.IsNewerThan(writer_);
    case GaugeMode::kAll:
    case GaugeMode::kLiveAll:
      // Two writers with one `pid` label: a worker and its successor, or a pid
      // that was used again.
      return writer.is_live != writer_.is_live ? writer.is_live
                                               : writer.IsNewerThan(writer_);
    case GaugeMode::kSum:
    case GaugeMode::kLiveSum:
    case GaugeMode::kNone:
      break;
  }
  return false;
}

}  // namespace tine::collector
