#include "tests/model/answer.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <set>
#include <tuple>

namespace tine::model {
namespace {

constexpr uint64_t kMostCounts = std::numeric_limits<uint64_t>::max();

// The numbers of a test are multiples of 2^-60, so their sum is exact.
__extension__ using Exact = __int128;
constexpr int kExactBits = 60;

class Sum {
 public:
  void Add(double number) {
    if (std::isfinite(number)) {
      exact_ += static_cast<Exact>(std::ldexp(number, kExactBits));
    } else {
      odd_ += number;  // infinity - infinity is no number
      is_odd_ = true;
    }
  }
  void AddWhole(uint64_t number) {
    exact_ += static_cast<Exact>(number) << kExactBits;
  }
  void AddNet(int64_t number) {
    exact_ += static_cast<Exact>(number) * (Exact{1} << kExactBits);
  }
  double Rounded() const {
    return is_odd_ ? odd_
                   : std::ldexp(static_cast<double>(exact_), -kExactBits);
  }

 private:
  Exact exact_ = 0;
  double odd_ = 0;
  bool is_odd_ = false;
};

uint64_t AddCounts(uint64_t a, uint64_t b) {
  return a > kMostCounts - b ? kMostCounts : a + b;
}

// What a file says about a family.
struct Opinion {
  std::string type;
  std::string mode;
  std::string help;

  bool operator<(const Opinion& other) const {
    return std::tie(type, mode, help) <
           std::tie(other.type, other.mode, other.help);
  }
};

std::string ModeOf(const Metric& metric) {
  return (metric.is_live_mode ? "live" : "") + metric.rule;
}

Opinion OpinionOf(const Share& share) {
  return {TypeOf(share.metric), ModeOf(share.metric), share.metric.help};
}

// ---- One series -------------------------------------------------------------

double SumOf(const std::vector<Share>& shares) {
  Sum sum;
  uint64_t whole = 0;
  for (const Share& share : shares) {
    sum.Add(share.number);
    sum.AddNet(share.net);
    if (share.metric.instrument == Instrument::kCounter) {
      whole = AddCounts(whole, share.whole);
    }
  }
  sum.AddWhole(whole);
  return sum.Rounded();
}

// NaN only if all are.
double LeastOf(const std::vector<Share>& shares, double sign) {
  double least = std::numeric_limits<double>::quiet_NaN();
  for (const Share& share : shares) {
    if (std::isnan(least) || sign * share.number < sign * least) {
      least = share.number;
    }
  }
  return least;
}

// Of worker and successor, with one `pid` label, the living or later one; else
// who has set it last.
const Share& WinnerOf(const std::vector<Share>& shares) {
  const bool is_recent = shares[0].metric.rule == "mostrecent";
  return *std::max_element(shares.begin(), shares.end(),
                           [is_recent](const Share& a, const Share& b) {
                             return is_recent
                                        ? a.set_order < b.set_order
                                        : std::tie(a.is_live, a.file_order) <
                                              std::tie(b.is_live, b.file_order);
                           });
}

double GaugeOf(const std::vector<Share>& shares) {
  const std::string& rule = shares[0].metric.rule;
  if (rule == "sum") {
    return SumOf(shares);
  }
  if (rule == "min" || rule == "max") {
    return LeastOf(shares, rule == "min" ? 1 : -1);
  }
  return WinnerOf(shares).number;
}

// How many observations the writer knows to be <= bound: those up to its
// greatest own bound that is.
uint64_t CountUpTo(const Share& share, double bound) {
  uint64_t count = 0;
  for (size_t i = 0; i < share.metric.bounds.size(); ++i) {
    count += share.metric.bounds[i] <= bound ? share.buckets[i] : 0;
  }
  return count;
}

ServedSeries HistogramOf(const std::vector<Share>& shares,
                         const std::vector<double>& bounds) {
  ServedSeries series;
  series.cumulative.resize(bounds.size() + 1);
  for (const Share& share : shares) {
    for (size_t i = 0; i < bounds.size(); ++i) {
      series.cumulative[i] += CountUpTo(share, bounds[i]);
    }
    for (const uint64_t count : share.buckets) {
      series.cumulative.back() += count;
    }
  }
  series.value = SumOf(shares);
  return series;
}

ServedSeries Merge(const std::vector<Share>& shares,
                   const std::vector<double>& bounds) {
  ServedSeries series;
  switch (shares[0].metric.instrument) {
    case Instrument::kCounter:
    case Instrument::kDoubleCounter:
    case Instrument::kUpDownCounter:
      series.value = SumOf(shares);
      break;
    case Instrument::kGauge:
    case Instrument::kInfo:
      series.value = GaugeOf(shares);
      break;
    case Instrument::kHistogram:
      return HistogramOf(shares, bounds);
    case Instrument::kSummary:
      series.value = SumOf(shares);
      for (const Share& share : shares) {
        series.count = AddCounts(series.count, share.whole);
      }
      break;
    case Instrument::kStateSet:  // MergeStates
      break;
  }
  return series;
}

// All states that any writer of this one set knows. Who wins does so with all
// of its states, and those that it does not know are false.
void MergeStates(const std::vector<Share>& shares, ServedFamily* family) {
  const Share& winner = WinnerOf(shares);
  for (const Share& share : shares) {
    double& value = family->series[LabelsText(share.labels)].value;
    if (share.metric.rule == "sum") {
      value += share.number;
    } else if (share.metric.rule == "max") {
      value = std::max(value, share.number);
    } else if (share.file_order == winner.file_order) {
      value = share.number;
    }
  }
}

// The labels of the whole set.
std::string LabelsOfSet(const Share& share) {
  Labels labels = share.labels;
  labels.erase(share.metric.name);
  return LabelsText(labels);
}

// ---- One family -------------------------------------------------------------

// What the family may be: what the living say whose file was born last, and
// when all are dead, what any of them says.
std::set<Opinion> PermittedOpinions(const std::vector<Share>& shares) {
  bool is_any_live = false;
  uint64_t last_birth_ns = 0;
  for (const Share& share : shares) {
    if (share.is_live) {
      is_any_live = true;
      last_birth_ns = std::max(last_birth_ns, share.birth_ns);
    }
  }
  std::set<Opinion> permitted;
  for (const Share& share : shares) {
    if (!is_any_live || (share.is_live && share.birth_ns == last_birth_ns)) {
      permitted.insert(OpinionOf(share));
    }
  }
  return permitted;
}

// With the bounds that are served, if they are enough.
ServedFamily FamilyOf(const Opinion& opinion, const std::vector<Share>& shares,
                      const std::vector<double>& served_bounds) {
  ServedFamily family;
  family.type = opinion.type;
  family.help = opinion.help;
  std::map<std::string, std::vector<Share>> by_labels;
  std::set<double> bounds(served_bounds.begin(), served_bounds.end());
  for (const Share& share : shares) {
    if (IsPresent(share) && TypeOf(share.metric) == opinion.type &&
        ModeOf(share.metric) == opinion.mode) {
      by_labels[share.state.empty() ? LabelsText(share.labels)
                                    : LabelsOfSet(share)]
          .push_back(share);
      bounds.insert(share.metric.bounds.begin(), share.metric.bounds.end());
    }
  }
  family.bounds.assign(bounds.begin(), bounds.end());
  for (const auto& [labels, same] : by_labels) {
    if (same[0].metric.instrument == Instrument::kStateSet) {
      MergeStates(same, &family);
    } else {
      family.series[labels] = Merge(same, family.bounds);
    }
  }
  return family;
}

bool IsSame(double a, double b) {
  return a == b || (std::isnan(a) && std::isnan(b));
}

bool IsSame(const ServedFamily& a, const ServedFamily& b) {
  if (a.series.empty() && b.series.empty()) {
    return true;  // not served
  }
  return a.type == b.type && a.help == b.help && a.bounds == b.bounds &&
         a.series.size() == b.series.size() &&
         std::equal(a.series.begin(), a.series.end(), b.series.begin(),
                    [](const auto& one, const auto& other) {
                      return one.first == other.first &&
                             IsSame(one.second.value, other.second.value) &&
                             one.second.count == other.second.count &&
                             one.second.cumulative == other.second.cumulative;
                    });
}

std::string TextOf(const std::string& name, const ServedFamily& family) {
  if (family.series.empty()) {
    return "    " + name + " is absent\n";
  }
  std::string text =
      "    " + name + " (" + family.type + ", \"" + family.help + "\")";
  for (const double bound : family.bounds) {
    text += " le " + std::to_string(bound);
  }
  text += "\n";
  for (const auto& [labels, series] : family.series) {
    char number[40];
    std::snprintf(number, sizeof(number), " %.17g", series.value);
    text += "      {" + labels + "}" + number;
    if (family.type == "summary") {
      text += " of " + std::to_string(series.count);
    }
    for (const uint64_t count : series.cumulative) {
      text += " [" + std::to_string(count) + "]";
    }
    text += "\n";
  }
  return text;
}

std::string DifferenceOf(const std::string& name,
                         const std::vector<Share>& shares,
                         const ServedFamily& served) {
  std::string expected;
  std::set<Opinion> opinions = PermittedOpinions(shares);
  if (opinions.empty()) {
    opinions.insert(Opinion());  // nobody has the family: absent
  }
  for (const Opinion& opinion : opinions) {
    const ServedFamily family = FamilyOf(opinion, shares, served.bounds);
    if (IsSame(family, served)) {
      return "";
    }
    expected +=
        (expected.empty() ? "  expected\n" : "  or\n") + TextOf(name, family);
  }
  return expected + "  served\n" + TextOf(name, served);
}

}  // namespace

std::string LabelsText(const Labels& labels) {
  std::string text;
  for (const auto& [name, value] : labels) {
    text += (text.empty() ? "" : ",") + name + "=" + value;
  }
  return text;
}

std::string TypeOf(const Metric& metric) {
  switch (metric.instrument) {
    case Instrument::kCounter:
    case Instrument::kDoubleCounter:
      return "counter";
    case Instrument::kUpDownCounter:
    case Instrument::kGauge:
      return "gauge";
    case Instrument::kHistogram:
      return "histogram";
    case Instrument::kSummary:
      return "summary";
    case Instrument::kStateSet:
      return "stateset";
    case Instrument::kInfo:
      return "info";
  }
  return "";
}

// What was removed is not there, nor what its mode forgets with the dead, nor
// what was never set: a state set without a time has all states false then.
bool IsPresent(const Share& share) {
  const Metric& metric = share.metric;
  const bool is_left =
      !share.is_removed && (share.is_live || !metric.is_live_mode);
  switch (metric.instrument) {
    case Instrument::kGauge:
    case Instrument::kInfo:
      return is_left && share.is_set;
    case Instrument::kStateSet:
      return is_left && (share.is_set || (metric.rule != "mostrecent" &&
                                          !metric.has_time_to_live));
    case Instrument::kUpDownCounter:
      return is_left;
    default:
      return true;
  }
}

std::string KeyOf(const Share& share) {
  return share.metric.name + " " + TypeOf(share.metric) + " " +
         ModeOf(share.metric) + " " + LabelsText(share.labels);
}

std::string DifferenceFrom(const std::vector<Share>& shares,
                           const Served& served) {
  std::map<std::string, std::vector<Share>> by_name;
  for (const Share& share : shares) {
    by_name[share.metric.name].push_back(share);
  }
  for (const auto& [name, family] : served) {
    by_name[name];  // must be expected
  }
  std::string difference;
  for (const auto& [name, same] : by_name) {
    const auto it = served.find(name);
    difference += DifferenceOf(
        name, same, it == served.end() ? ServedFamily() : it->second);
  }
  return difference;
}

}  // namespace tine::model
