// The collector against a second merge that is slow and obvious: it keeps every
// contribution and adds them up anew.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "collector/collect_loop.h"
#include "common/clock.h"
#include "common/metric_names.h"
#include "tests/testing/metric_file_builder.h"
#include "tests/testing/one_shot_scrape.h"
#include "tests/testing/test_directory.h"

namespace tine::collector {
namespace {

using format::GaugeMode;
using format::MetricType;
using format::ValueKind;
using testing::BuilderFamily;
using testing::BuilderHeader;
using testing::MetricFileBuilder;
using testing::ServedNumbers;

// Sums of these are exact as doubles, so that results can be compared for
// equality.
double RandomValue(std::mt19937* random) {
  return (static_cast<double>((*random)() % 2000001) - 1000000) / 1024;
}

// One series of one writer, and what was written to it.
struct Series {
  BuilderFamily family;
  uint32_t cell = 0;
  std::string labels;  // "{a=1,b=2}", process labels included, empty ones not
  uint64_t count = 0;  // u64 counter, summary
  double value = 0;    // f64 counter, gauge, up-down counter, sum
  std::vector<uint64_t> buckets;
  std::set<std::string> true_states;
  bool is_set = false;
  uint64_t wall_ns = 0;
};

struct Writer {
  explicit Writer(MetricFileBuilder own_file) : file(std::move(own_file)) {}
  MetricFileBuilder file;
  BuilderHeader header;
  bool is_live = true;
  uint32_t slot_count = 1;
  uint32_t chunk_count = 0;
  std::map<std::string, uint32_t> families;  // by name and label names
  std::vector<std::vector<double>> bounds;   // declared for "h"
  std::vector<Series> series;

  bool IsNewerThan(const Writer& other) const {
    return header.created_wall_ns != other.header.created_wall_ns
               ? header.created_wall_ns > other.header.created_wall_ns
               : other.file.uuid() < file.uuid();
  }
};
using Writers = std::vector<std::unique_ptr<Writer>>;

// ---- The slow merge ---------------------------------------------------------

struct Contribution {
  const Writer* writer;
  const Series* series;
};

// In the modes where one wins.
const Series& Winner(GaugeMode mode, std::vector<Contribution> all) {
  const bool is_by_time = IsMostRecentMode(mode);
  std::sort(all.begin(), all.end(),
            [&](const Contribution& a, const Contribution& b) {
              if (is_by_time && a.series->wall_ns != b.series->wall_ns) {
                return a.series->wall_ns > b.series->wall_ns;
              }
              if (!is_by_time && a.writer->is_live != b.writer->is_live) {
                return a.writer->is_live;
              }
              return a.writer->IsNewerThan(*b.writer);
            });
  return *all.front().series;
}

// `labels` and one more.
std::string WithLabel(const std::string& labels, const std::string& label) {
  std::set<std::string> all = {label};
  std::stringstream text(labels.substr(1, labels.size() - 2));
  for (std::string one; std::getline(text, one, ',');) {
    all.insert(one);
  }
  std::string joined;
  for (const std::string& one : all) {
    joined += (joined.empty() ? "" : ",") + one;
  }
  return "{" + joined + "}";
}

void AddStates(const std::string& name, const std::string& labels,
               const std::vector<Contribution>& all, ServedNumbers* expected) {
  const GaugeMode mode = all.front().series->family.gauge_mode;
  for (const Contribution& any : all) {
    for (const std::string& state : any.series->family.state_names) {
      double value = 0;
      if (HasOneWinner(mode)) {
        value = static_cast<double>(Winner(mode, all).true_states.count(state));
      }
      for (const Contribution& c : all) {
        const auto own =
            static_cast<double>(c.series->true_states.count(state));
        if (mode == GaugeMode::kSum || mode == GaugeMode::kLiveSum) {
          value += own;
        } else if (!HasOneWinner(mode)) {
          value = std::max(value, own);
        }
      }
      (*expected)[name + WithLabel(labels, name + "=" + state)] = value;
    }
  }
}

double MergeGauge(GaugeMode mode, const std::vector<Contribution>& all) {
  double result = all.front().series->value;
  switch (mode) {
    case GaugeMode::kSum:
    case GaugeMode::kLiveSum:
      result = 0;
      for (const Contribution& c : all) result += c.series->value;
      return result;
    case GaugeMode::kMin:
    case GaugeMode::kLiveMin:
      for (const Contribution& c : all)
        result = std::min(result, c.series->value);
      return result;
    case GaugeMode::kMax:
    case GaugeMode::kLiveMax:
      for (const Contribution& c : all)
        result = std::max(result, c.series->value);
      return result;
    default:
      break;
  }
  return Winner(mode, all).value;
}

void AddHistogram(const std::string& name, const std::string& labels,
                  const std::set<double>& bounds,
                  const std::vector<Contribution>& all,
                  ServedNumbers* expected) {
  double below = 0;
  for (const double bound : bounds) {
    double total = 0;  // observations <= bound, as far as each writer knows
    for (const Contribution& c : all) {
      const std::vector<double>& own = c.series->family.bounds;
      for (size_t i = 0; i < own.size() && own[i] <= bound; ++i) {
        total += static_cast<double>(c.series->buckets[i]);
      }
    }
    char text[32];
    std::snprintf(text, sizeof(text), "[%.17g]", bound);
    (*expected)[name + "_bucket" + labels + text] = total - below;
    below = total;
  }
  double count = 0;
  double sum = 0;
  for (const Contribution& c : all) {
    for (const uint64_t bucket : c.series->buckets) {
      count += static_cast<double>(bucket);
    }
    sum += c.series->value;
  }
  (*expected)[name + "_bucket" + labels + "[+Inf]"] = count - below;
  (*expected)[name + "_sum" + labels] = sum;
}

ServedNumbers MergeSlowly(const Writers& writers) {
  std::map<std::pair<std::string, std::string>, std::vector<Contribution>> all;
  std::set<double> bounds;
  for (const auto& writer : writers) {
    for (const std::vector<double>& own : writer->bounds) {
      bounds.insert(own.begin(), own.end());
    }
    for (const Series& series : writer->series) {
      const bool is_gauge = series.family.type == MetricType::kGauge ||
                            (series.family.type == MetricType::kStateSet &&
                             IsMostRecentMode(series.family.gauge_mode));
      if ((IsLiveMode(series.family.gauge_mode) && !writer->is_live) ||
          (is_gauge && !series.is_set)) {
        continue;
      }
      all[{series.family.name, series.labels}].push_back(
          {writer.get(), &series});
    }
  }
  ServedNumbers expected;
  for (const auto& [key, contributions] : all) {
    const auto& [name, labels] = key;
    const BuilderFamily& family = contributions.front().series->family;
    double count = 0;
    double value = 0;
    for (const Contribution& c : contributions) {
      count += static_cast<double>(c.series->count);
      value += c.series->value;
    }
    switch (family.type) {
      case MetricType::kHistogram:
        AddHistogram(name, labels, bounds, contributions, &expected);
        break;
      case MetricType::kSummary:
        expected[name + "_count" + labels] = count;
        expected[name + "_sum" + labels] = value;
        break;
      case MetricType::kStateSet:
        AddStates(name, labels, contributions, &expected);
        break;
      case MetricType::kGauge:
        expected[name + labels] = MergeGauge(family.gauge_mode, contributions);
        break;
      default:
        expected[name + labels] = count + value;
        break;
    }
  }
  return expected;
}

// Empty when they are the same.
std::string Difference(const ServedNumbers& served,
                       const ServedNumbers& expected) {
  std::string text;
  const auto add = [&text](const ServedNumbers& numbers,
                           const std::string& key) {
    const auto it = numbers.find(key);
    text += it == numbers.end() ? " absent" : " " + std::to_string(it->second);
  };
  std::set<std::string> keys;
  for (const auto& [key, value] : served) keys.insert(key);
  for (const auto& [key, value] : expected) keys.insert(key);
  for (const std::string& key : keys) {
    const auto a = served.find(key);
    const auto b = expected.find(key);
    if (a == served.end() || b == expected.end() || a->second != b->second) {
      text += key + ": served";
      add(served, key);
      text += ", expected";
      add(expected, key);
      text += "\n";
    }
  }
  return text;
}

// ---- Random writers ---------------------------------------------------------

class MergeOracleTest : public ::testing::TestWithParam<uint32_t> {
 protected:
  MergeOracleTest() : random_(GetParam()) {}

  uint32_t Random(uint32_t bound) { return random_() % bound; }
  template <typename T>
  const T& OneOf(const std::vector<T>& choices) {
    return choices[Random(static_cast<uint32_t>(choices.size()))];
  }

  void AddWriter() {
    BuilderHeader header;
    header.pid = 100 + static_cast<uint32_t>(writers_.size());
    header.created_wall_ns = 1000 + Random(3);
    if (Random(3) == 0) header.process_labels = {{"app", "web"}};
    if (Random(3) == 0) header.worker_id = std::to_string(Random(3));
    if (Random(4) == 0) header.pid_namespace = 1;
    auto writer = std::make_unique<Writer>(
        MetricFileBuilder(workshop_.path(), header, 4 << 20));
    writer->header = header;
    writer->file.HoldLifeLock();
    writer->file.MoveTo(directory_.path());
    writers_.push_back(std::move(writer));
  }

  BuilderFamily RandomFamily() {
    BuilderFamily family;
    switch (Random(7)) {
      case 0:
        family = testing::CounterFamily("c_total");
        break;
      case 1:
        family = testing::F64CounterFamily("c_total");
        break;
      case 2:
        family = testing::HistogramFamily(
            "h", OneOf<std::vector<double>>({{1, 10}, {1, 5, 10}, {0.5}}));
        break;
      case 3:
        family = testing::SummaryFamily("s");
        break;
      case 4:
        family = Random(2) == 0
                     ? testing::UpDownFamily("u_live", GaugeMode::kLiveSum)
                     : testing::UpDownFamily("u_sum", GaugeMode::kSum);
        break;
      case 5: {
        const auto mode = OneOf<GaugeMode>(
            {GaugeMode::kAll, GaugeMode::kLiveAll, GaugeMode::kSum,
             GaugeMode::kLiveSum, GaugeMode::kMax, GaugeMode::kLiveMax,
             GaugeMode::kMostRecent, GaugeMode::kLiveMostRecent});
        family = testing::StateSetFamily(
            "states_" + std::string(GaugeModeName(mode)), mode,
            OneOf<std::vector<std::string>>(
                {{"off", "on"}, {"on", "stuck"}, {"stuck", "off", "new"}}));
        break;
      }
      default: {
        const auto mode = static_cast<GaugeMode>(1 + Random(10));
        family =
            testing::GaugeFamily("g_" + std::string(GaugeModeName(mode)), mode);
        family.time_to_live_s = Random(3) == 0 ? 3600 : 0;
        break;
      }
    }
    family.label_names =
        OneOf<std::vector<std::string>>({{}, {"x"}, {"y", "x"}, {"x", "app"}});
    return family;
  }

  static std::string LabelsText(const Writer& writer,
                                const BuilderFamily& family,
                                const std::vector<std::string>& values) {
    std::map<std::string, std::string> labels;
    for (const auto& [name, value] : writer.header.process_labels) {
      labels[name] = value;
    }
    for (size_t i = 0; i < values.size(); ++i) {
      labels[family.label_names[i]] = values[i];
    }
    if (IsAllMode(family.gauge_mode)) {
      std::string pid = std::to_string(writer.header.pid);
      if (!writer.header.worker_id.empty()) {
        pid = writer.header.worker_id;
      } else if (writer.header.pid_namespace == 1) {
        pid += "-" +
               writer.file.name().substr(writer.file.name().find('.') + 1, 8);
      }
      labels["pid"] = pid;
    }
    std::string text;
    for (const auto& [name, value] : labels) {
      if (!value.empty()) {
        text += (text.empty() ? "" : ",") + name + "=" + value;
      }
    }
    return "{" + text + "}";
  }

  void AddSeries(Writer* writer) {
    Series series;
    series.family = RandomFamily();
    std::string key = series.family.name;
    key += static_cast<char>('0' + static_cast<int>(series.family.value_kind));
    for (const double bound : series.family.bounds) {
      key += "," + std::to_string(bound);
    }
    key += "," + std::to_string(series.family.time_to_live_s);
    for (const std::string& state : series.family.state_names) {
      key += "," + state;
    }
    std::vector<std::string> values;
    for (const std::string& name : series.family.label_names) {
      key += "," + name;
      values.push_back(OneOf<std::string>({"", "a", "b", "c"}));
    }
    series.labels = LabelsText(*writer, series.family, values);
    // A writer has a series once.
    for (const Series& known : writer->series) {
      if (known.family.name == series.family.name &&
          known.labels == series.labels) {
        return;
      }
    }
    if (writer->families.count(key) == 0) {
      writer->families[key] = writer->file.AddFamily(series.family);
      if (series.family.type == MetricType::kHistogram) {
        writer->bounds.push_back(series.family.bounds);
      }
    }
    series.buckets.resize(series.family.bounds.size() + 1);
    series.cell = writer->file.AddSeries(writer->families[key], values);
    const uint32_t chunk = series.cell / format::kCellsPerBlock;
    for (; writer->chunk_count <= chunk; ++writer->chunk_count) {
      for (uint32_t slot = 1; slot < 3; ++slot) {
        writer->file.AddBlock(slot, writer->chunk_count);
      }
    }
    writer->series.push_back(std::move(series));
  }

  void Write(Writer* writer, Series* series) {
    MetricFileBuilder& file = writer->file;
    const uint32_t slot = Random(3);
    const uint64_t count = Random(1000);
    const double value = RandomValue(&random_);
    switch (series->family.type) {
      case MetricType::kCounter:
        if (series->family.value_kind == ValueKind::kU64) {
          file.AddU64(series->cell, count, slot);
          series->count += count;
        } else {
          file.AddF64(series->cell, std::abs(value), slot);
          series->value += std::abs(value);
        }
        break;
      case MetricType::kUpDownCounter: {
        const auto step = static_cast<int64_t>(value);
        file.AddU64(series->cell, static_cast<uint64_t>(step), slot);
        series->value += static_cast<double>(step);
        break;
      }
      case MetricType::kHistogram: {
        const auto bucket =
            Random(static_cast<uint32_t>(series->buckets.size()));
        file.AddU64(series->cell + bucket, count, slot);
        series->buckets[bucket] += count;
        file.AddF64(
            series->cell + static_cast<uint32_t>(series->buckets.size()), value,
            slot);
        series->value += value;
        break;
      }
      case MetricType::kSummary:
        file.AddU64(series->cell, count, slot);
        file.AddF64(series->cell + 1, value, slot);
        series->count += count;
        series->value += value;
        break;
      case MetricType::kGauge:
        series->is_set = true;
        series->value = value;
        if (IsMostRecentMode(series->family.gauge_mode)) {
          series->wall_ns = 1 + Random(5);
          file.SetRecent(series->cell, value, series->wall_ns);
        } else {
          file.SetGauge(series->cell, value);
        }
        if (series->family.time_to_live_s != 0) {
          series->is_set = Random(3) != 0;
          file.SetU64(
              series->cell +
                  (IsMostRecentMode(series->family.gauge_mode) ? 2 : 1),
              NowNs(CLOCK_BOOTTIME) - (series->is_set ? 0 : kTwoHoursNs));
        }
        break;
      case MetricType::kStateSet:
        WriteStates(writer, series);
        break;
      case MetricType::kInfo:
      case MetricType::kNone:
        break;
    }
  }

  void WriteStates(Writer* writer, Series* series) {
    const std::vector<std::string>& states = series->family.state_names;
    uint64_t bits = 0;
    series->is_set = true;
    series->true_states.clear();
    for (size_t i = 0; i < states.size(); ++i) {
      if (Random(2) == 0) {
        bits |= uint64_t{1} << i;
        series->true_states.insert(states[i]);
      }
    }
    writer->file.SetU64(series->cell, bits);
    if (IsMostRecentMode(series->family.gauge_mode)) {
      series->wall_ns = 1 + Random(5);
      writer->file.SetU64(series->cell + 1, series->wall_ns);
    }
  }

  static constexpr uint64_t kTwoHoursNs = 7'200'000'000'000;

  void Step() {
    if (writers_.empty() || Random(4) == 0) {
      AddWriter();
    }
    for (const auto& writer : writers_) {
      if (!writer->is_live) {
        continue;
      }
      for (uint32_t i = Random(8); i > 0; --i) {
        AddSeries(writer.get());
      }
      for (Series& series : writer->series) {
        if (Random(2) == 0) {
          Write(writer.get(), &series);
        }
      }
      if (Random(12) == 0) {
        writer->file.ReleaseLifeLock();
        writer->is_live = false;
      }
    }
  }

  std::mt19937 random_;
  testing::TestDirectory workshop_;
  testing::TestDirectory directory_;
  Writers writers_;
};

TEST_P(MergeOracleTest,
       CollectorThatFollowsAndOneThatStartsNowGiveTheSlowMerge) {
  CollectorOptions options;
  options.directory = directory_.path();
  Collector follower(options);
  for (int step = 0; step < 25 && !HasFailure(); ++step) {
    SCOPED_TRACE("step " + std::to_string(step));
    Step();
    const ServedNumbers expected = MergeSlowly(writers_);
    EXPECT_EQ(Difference(testing::Scrape(&follower).numbers, expected), "");
    EXPECT_EQ(
        Difference(testing::ScrapeOnce(directory_.path()).numbers, expected),
        "");
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, MergeOracleTest,
                         ::testing::Range(uint32_t{1}, uint32_t{25}));

}  // namespace
}  // namespace tine::collector
