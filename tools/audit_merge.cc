#include "tools/audit_merge.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "common/metric_names.h"
#include "common/record_codec.h"
#include "tools/series_text.h"

namespace tine::tools {
namespace {

using format::GaugeMode;
using format::MetricType;
using format::ValueKind;
using Shares = std::vector<const AuditShare*>;

bool IsSameDouble(double a, double b) {
  return std::memcmp(&a, &b, sizeof(a)) == 0 ||
         (std::isnan(a) && std::isnan(b));
}

// Up to the top.
uint64_t AddUpTo(uint64_t a, uint64_t b) {
  return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

uint64_t WholeSum(const AuditShare& share, size_t cell) {
  uint64_t sum = 0;
  for (const auto& row : share.rows) {
    sum = AddUpTo(sum, row[cell]);
  }
  return sum;
}

void TakeReals(const AuditShare& share, size_t cell,
               std::vector<double>* reals) {
  for (const auto& row : share.rows) {
    reals->push_back(DecodeF64Cell(row[cell]));
  }
}

// Two halves, each of which is exact as a double.
void TakeWhole(uint64_t high, uint32_t low, std::vector<double>* reals) {
  reals->push_back(static_cast<double>(static_cast<int64_t>(high)) *
                   4294967296.0);
  reals->push_back(static_cast<double>(low));
}

AuditValue MergeCounters(const Shares& shares) {
  uint64_t whole = 0;
  std::vector<double> reals;
  for (const AuditShare* share : shares) {
    if (share->kind == ValueKind::kF64) {
      TakeReals(*share, 0, &reals);
    } else {
      whole = AddUpTo(whole, WholeSum(*share, 0));
    }
  }
  TakeWhole(whole >> 32, static_cast<uint32_t>(whole), &reals);
  return {true, ExactlyRoundedSum(reals), 0, {}};
}

AuditValue MergeSummaries(const Shares& shares) {
  AuditValue value = {true, 0, 0, {}};
  std::vector<double> reals;
  for (const AuditShare* share : shares) {
    value.count = AddUpTo(value.count, WholeSum(*share, 0));
    TakeReals(*share, 1, &reals);
  }
  value.value = ExactlyRoundedSum(reals);
  return value;
}

// A file that lacks a bound has what is below it at the bound before.
AuditValue MergeHistograms(const Shares& shares,
                           const std::vector<double>& bounds) {
  AuditValue value = {true, 0, 0, std::vector<uint64_t>(bounds.size() + 1)};
  std::vector<double> reals;
  for (const AuditShare* share : shares) {
    for (size_t i = 0; i <= share->bounds.size(); ++i) {
      const size_t at = i == share->bounds.size()
                            ? bounds.size()
                            : static_cast<size_t>(
                                  std::lower_bound(bounds.begin(), bounds.end(),
                                                   share->bounds[i]) -
                                  bounds.begin());
      value.buckets[at] = AddUpTo(value.buckets[at], WholeSum(*share, i));
    }
    TakeReals(*share, share->bounds.size() + 1, &reals);
  }
  value.value = ExactlyRoundedSum(reals);
  return value;
}

AuditValue MergeUpDownCounters(const Shares& shares) {
  std::vector<double> reals;
  for (const AuditShare* share : shares) {
    uint64_t sum = 0;
    for (const auto& row : share->rows) {
      sum += row[0];  // modulo 2^64
    }
    const auto whole = static_cast<int64_t>(sum);
    TakeWhole(static_cast<uint64_t>(whole >> 32), static_cast<uint32_t>(whole),
              &reals);
  }
  return {!shares.empty(), ExactlyRoundedSum(reals), 0, {}};
}

// A set gauge.
struct Setting {
  int index;
  double value;
  uint64_t wall_ns;
  const collector::WriterRank* rank;
};

bool IsLess(double a, double b) {
  return a < b || (a == b && std::signbit(a) && !std::signbit(b));
}

bool Beats(GaugeMode mode, const Setting& a, const Setting& b) {
  switch (mode) {
    case GaugeMode::kMin:
    case GaugeMode::kLiveMin:
      return std::isnan(b.value) ? !std::isnan(a.value)
                                 : IsLess(a.value, b.value);
    case GaugeMode::kMax:
    case GaugeMode::kLiveMax:
      return std::isnan(b.value) ? !std::isnan(a.value)
                                 : IsLess(b.value, a.value);
    case GaugeMode::kMostRecent:
    case GaugeMode::kLiveMostRecent:
      return a.wall_ns != b.wall_ns ? a.wall_ns > b.wall_ns
                                    : a.rank->IsNewerThan(*b.rank);
    default:
      return a.rank->is_live != b.rank->is_live ? a.rank->is_live
                                                : a.rank->IsNewerThan(*b.rank);
  }
}

AuditValue MergeGauges(const Shares& shares, int* chosen) {
  const GaugeMode mode = shares.front()->mode;
  std::vector<Setting> settings;
  std::vector<double> reals;
  for (size_t i = 0; i < shares.size(); ++i) {
    const AuditShare& share = *shares[i];
    double value;
    if (!DecodeGaugeCell(share.rows[0][0], &value)) {
      continue;
    }
    reals.push_back(value);
    if (share.state.empty() && share.rows.size() > 1) {
      reals.push_back(
          DecodeF64Cell(share.rows[1][0]));  // the archive's low part
    }
    settings.push_back({static_cast<int>(i), value,
                        IsMostRecentMode(mode) ? share.rows[0][1] : 0,
                        &share.rank});
  }
  if (settings.empty()) {
    return {};
  }
  if (mode == GaugeMode::kSum || mode == GaugeMode::kLiveSum) {
    return {true, ExactlyRoundedSum(reals), 0, {}};
  }
  const Setting best = *std::min_element(
      settings.begin(), settings.end(),
      [mode](const Setting& a, const Setting& b) { return Beats(mode, a, b); });
  *chosen = best.index;
  return {true, best.value, 0, {}};
}

}  // namespace

double ExactlyRoundedSum(const std::vector<double>& numbers) {
  // Shewchuk's partial sums, which do not overlap; rounded once, at the end.
  std::vector<double> partials;
  double plain = 0;
  for (double x : numbers) {
    plain += x;
    size_t kept = 0;
    for (double y : partials) {
      if (std::fabs(x) < std::fabs(y)) {
        std::swap(x, y);
      }
      const double high = x + y;
      const double low = y - (high - x);
      if (low != 0) {
        partials[kept++] = low;
      }
      x = high;
    }
    partials.resize(kept);
    partials.push_back(x);
  }
  if (!std::isfinite(plain)) {
    return plain;
  }
  double high = 0;
  double low = 0;
  while (!partials.empty() && low == 0) {
    const double x = high;
    const double y = partials.back();
    partials.pop_back();
    high = x + y;
    low = y - (high - x);
  }
  // Half way between two doubles: what is left decides.
  if (!partials.empty() &&
      ((low < 0 && partials.back() < 0) || (low > 0 && partials.back() > 0))) {
    const double twice = low * 2;
    const double rounded = high + twice;
    if (twice == rounded - high) {
      high = rounded;
    }
  }
  return high;
}

bool IsIdle(const AuditShare& share) {
  return share.is_too_old || (share.is_dead && IsLiveMode(share.mode));
}

bool IsSameValue(const AuditValue& a, const AuditValue& b) {
  return a.is_present == b.is_present &&
         (!a.is_present || (IsSameDouble(a.value, b.value) &&
                            a.count == b.count && a.buckets == b.buckets));
}

bool IsNoMore(const AuditValue& a, const AuditValue& b) {
  bool is_no_more = a.count <= b.count && a.buckets.size() == b.buckets.size();
  for (size_t i = 0; is_no_more && i < a.buckets.size(); ++i) {
    is_no_more = a.buckets[i] <= b.buckets[i];
  }
  return is_no_more;
}

AuditValue MergeShares(const Shares& all, const std::vector<double>& bounds,
                       int* chosen) {
  *chosen = -1;
  Shares shares;
  std::vector<int> indexes;
  for (size_t i = 0; i < all.size(); ++i) {
    if (!IsIdle(*all[i])) {
      shares.push_back(all[i]);
      indexes.push_back(static_cast<int>(i));
    }
  }
  if (shares.empty()) {
    return {};
  }
  switch (shares.front()->type) {
    case MetricType::kCounter:
      return MergeCounters(shares);
    case MetricType::kSummary:
      return MergeSummaries(shares);
    case MetricType::kHistogram:
      return MergeHistograms(shares, bounds);
    case MetricType::kUpDownCounter:
      return MergeUpDownCounters(shares);
    default:
      break;
  }
  const AuditValue value = MergeGauges(shares, chosen);
  *chosen = *chosen < 0 ? -1 : indexes[static_cast<size_t>(*chosen)];
  return value;
}

std::string ValueText(MetricType type, const AuditValue& value,
                      const std::vector<double>& bounds) {
  if (!value.is_present) {
    return "absent";
  }
  if (type == MetricType::kSummary) {
    return "count " + std::to_string(value.count) + " sum " +
           NumberText(value.value);
  }
  if (type != MetricType::kHistogram) {
    return NumberText(value.value);
  }
  uint64_t count = 0;
  std::string buckets;
  for (size_t i = 0; i < value.buckets.size(); ++i) {
    count += value.buckets[i];
    buckets += ' ' + (i < bounds.size() ? NumberText(bounds[i]) : "+Inf") +
               ':' + std::to_string(value.buckets[i]);
  }
  return "count " + std::to_string(count) + " sum " + NumberText(value.value) +
         " buckets" + buckets;
}

}  // namespace tine::tools
