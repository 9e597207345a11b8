#include "tools/series_text.h"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "common/exact_sum.h"
#include "common/metric_names.h"
#include "common/record_codec.h"
#include "tools/printable.h"

namespace tine::tools {
namespace {

using format::MetricType;
using format::ValueKind;
using Rows = std::vector<std::vector<uint64_t>>;

uint64_t WholeSum(const Rows& rows, size_t cell) {
  uint64_t sum = 0;
  for (const auto& row : rows) {
    sum += row[cell];  // modulo 2^64: a slot may hold a negative number
  }
  return sum;
}

double RealSum(const Rows& rows, size_t cell) {
  ExactSum sum;
  for (const auto& row : rows) {
    double value;
    std::memcpy(&value, &row[cell], sizeof(value));
    sum.Add(value);
  }
  return sum.value();
}

std::string GaugeText(const FamilyEntry& family, const Rows& rows) {
  double value;
  if (!DecodeGaugeCell(rows[0][0], &value)) {
    return "unset";
  }
  std::string text = NumberText(value);
  if (IsMostRecentMode(family.gauge_mode)) {
    text += " set " + TimeText(rows[0][1]);
  }
  return text;
}

std::string StatesText(const FamilyEntry& family, const Rows& rows) {
  std::string text;
  for (size_t i = 0; i < family.state_names.size(); ++i) {
    if ((rows[0][0] >> i & 1) != 0) {
      text += (text.empty() ? "" : " ") + Printable(family.state_names[i]);
    }
  }
  text = '[' + text + ']';
  if (IsMostRecentMode(family.gauge_mode)) {
    text += rows[0][1] == 0 ? " unset" : " set " + TimeText(rows[0][1]);
  }
  return text;
}

std::string HistogramText(const FamilyEntry& family, const Rows& rows) {
  uint64_t count = 0;
  std::string buckets;
  for (size_t i = 0; i <= family.bounds.size(); ++i) {
    const uint64_t in_bucket = WholeSum(rows, i);
    count += in_bucket;
    buckets += ' ';
    buckets += i < family.bounds.size() ? NumberText(family.bounds[i]) : "+Inf";
    buckets += ':' + std::to_string(in_bucket);
  }
  return "count " + std::to_string(count) + " sum " +
         NumberText(RealSum(rows, family.bounds.size() + 1)) + " buckets" +
         buckets;
}

}  // namespace

std::string NumberText(double number) {
  if (std::isnan(number)) {
    return "NaN";
  }
  if (std::isinf(number)) {
    return number > 0 ? "+Inf" : "-Inf";
  }
  char text[32];
  const auto result = std::to_chars(text, text + sizeof(text), number);
  return std::string(text, result.ptr);
}

std::string TimeText(uint64_t wall_ns) {
  const auto seconds = static_cast<time_t>(wall_ns / 1'000'000'000);
  struct tm parts;
  char text[64];
  if (::gmtime_r(&seconds, &parts) == nullptr) {
    return std::to_string(wall_ns) + " ns";
  }
  const size_t length =
      std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text + length, sizeof(text) - length, ".%09uZ",
                static_cast<unsigned>(wall_ns % 1'000'000'000));
  return text;
}

std::string SeriesName(const FamilyEntry& family, const SeriesEntry& series) {
  std::string text = family.name;
  for (size_t i = 0; i < series.label_values.size(); ++i) {
    text += i == 0 ? '{' : ',';
    text +=
        family.label_names[i] + "=\"" + Printable(series.label_values[i]) + '"';
  }
  return series.label_values.empty() ? text : text + '}';
}

std::string SeriesValue(const FamilyEntry& family, const Rows& rows) {
  switch (family.type) {
    case MetricType::kCounter:
      return family.value_kind == ValueKind::kF64
                 ? NumberText(RealSum(rows, 0))
                 : std::to_string(WholeSum(rows, 0));
    case MetricType::kUpDownCounter:
      return std::to_string(static_cast<int64_t>(WholeSum(rows, 0)));
    case MetricType::kStateSet:
      // (In an archive a state is a gauge.)
      return family.state_names.empty() ? GaugeText(family, rows)
                                        : StatesText(family, rows);
    case MetricType::kGauge:
    case MetricType::kInfo:
      return GaugeText(family, rows);
    case MetricType::kHistogram:
      return HistogramText(family, rows);
    case MetricType::kSummary:
      return "count " + std::to_string(WholeSum(rows, 0)) + " sum " +
             NumberText(RealSum(rows, 1));
    case MetricType::kNone:
      break;
  }
  return "";
}

}  // namespace tine::tools
