#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <limits>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "collector/text_encoder.h"
#include "common/metric_names.h"
#include "tests/collector/fold_bench.h"
#include "tests/collector/fold_scenarios.h"
#include "tests/testing/metric_file_builder.h"
#include "tests/testing/test_effort.h"

namespace tine::collector {
namespace {

using format::GaugeMode;
using testing::BuilderFamily;
using testing::BuilderHeader;
using testing::MetricFileBuilder;

using Random = std::mt19937_64;

bool OneIn(uint64_t count, Random* random) { return (*random)() % count == 0; }

template <typename T>
const T& OneOf(const std::vector<T>& choices, Random* random) {
  return choices[(*random)() % choices.size()];
}

// 53 random bits, and an exponent of its own.
double WildMagnitude(Random* random) {
  const double mantissa = static_cast<double>((*random)() >> 11);
  return std::ldexp(mantissa, static_cast<int>((*random)() % 100) - 90);
}

double WildGauge(Random* random) {
  switch ((*random)() % 24) {
    case 0:
      return std::numeric_limits<double>::quiet_NaN();
    case 1:
      return std::numeric_limits<double>::infinity();
    case 2:
      return -std::numeric_limits<double>::infinity();
    case 3:
      return -0.0;
    default:
      // Of both signs: within what a pair of doubles holds, whatever cancels.
      return std::ldexp(static_cast<double>(static_cast<int64_t>((*random)())),
                        static_cast<int>((*random)() % 30) - 60);
  }
}

std::vector<BuilderFamily> Families() {
  const std::vector<std::string> labels = {"a", "b"};
  std::vector<BuilderFamily> families = {
      testing::CounterFamily("u_total", labels),
      testing::F64CounterFamily("f_total", labels),
      testing::CounterFamily("m_total"),  // of both kinds
      testing::F64CounterFamily("m_total"),
      testing::SummaryFamily("s"),
      testing::UpDownFamily("ud_sum", GaugeMode::kSum),
      testing::UpDownFamily("ud_live", GaugeMode::kLiveSum),
      testing::HistogramFamily("h", {1, 3}, {"a"}),
      testing::HistogramFamily("h", {2, 3}, {"a"}),
      testing::HistogramFamily("h", {0.1, 1.5, 3, 1e9}, {"a"}),
  };
  for (int mode = 1; mode <= static_cast<int>(GaugeMode::kLiveMostRecent);
       ++mode) {
    families.push_back(testing::GaugeFamily(
        "g" + std::to_string(mode), static_cast<GaugeMode>(mode), {"a"}));
  }
  return families;
}

void SetSeries(const BuilderFamily& family, uint32_t cell, Random* random,
               MetricFileBuilder* file) {
  using format::MetricType;
  switch (family.type) {
    case MetricType::kCounter:
      if (family.value_kind == format::ValueKind::kU64) {
        file->AddU64(cell, (*random)() >> (8 + (*random)() % 56));
      } else {
        file->AddF64(cell, WildMagnitude(random));
      }
      break;
    case MetricType::kGauge:
      if (OneIn(8, random)) {
        break;  // never set
      }
      if (IsMostRecentMode(family.gauge_mode)) {
        file->SetRecent(cell, WildGauge(random), 1 + (*random)() % 4);
      } else {
        file->SetGauge(cell, WildGauge(random));
      }
      break;
    case MetricType::kUpDownCounter:
      file->AddU64(
          cell, static_cast<uint64_t>(static_cast<int64_t>((*random)()) >> 16));
      break;
    case MetricType::kSummary:
      file->AddU64(cell, (*random)() % 1000);
      file->AddF64(cell + 1, WildMagnitude(random));
      break;
    default:
      for (uint32_t i = 0; i <= family.bounds.size(); ++i) {
        file->AddU64(cell + i, (*random)() % 1000);
      }
      file->AddF64(cell + static_cast<uint32_t>(family.bounds.size()) + 1,
                   OneIn(20, random) ? std::numeric_limits<double>::infinity()
                                     : WildMagnitude(random));
  }
}

// A writer's file with a random part of `families`.
std::unique_ptr<MetricFileBuilder> NewFile(
    const std::string& directory, const std::vector<BuilderFamily>& families,
    Random* random) {
  static const std::vector<std::string> values = {
      "", "x", "quote\" back\\slash\nline", "\xc3\xa9", std::string(300, 'l')};
  BuilderHeader header;
  header.pid = 1 + static_cast<uint32_t>((*random)() % 5);
  header.created_wall_ns = 1 + (*random)() % 3;
  if (OneIn(2, random)) {
    header.process_labels = {{"app", OneOf(values, random)}};
  }
  auto file = std::make_unique<MetricFileBuilder>(directory, header, 256 << 10);
  std::set<std::string> names;
  for (size_t i = 0; i < families.size(); ++i) {
    const BuilderFamily& family = OneOf(families, random);
    if (!names.insert(family.name).second) {
      continue;
    }
    const uint32_t offset = file->AddFamily(family);
    std::set<std::vector<std::string>> known;
    for (uint64_t count = 1 + (*random)() % 3; count != 0; --count) {
      std::vector<std::string> labels;
      for (size_t j = 0; j < family.label_names.size(); ++j) {
        labels.push_back(OneOf(values, random));
      }
      if (known.insert(labels).second) {
        SetSeries(family, file->AddSeries(offset, labels), random, file.get());
      }
    }
  }
  return file;
}

// What is served, to the bit: a NaN is a NaN.
struct Served {
  std::string text;
  std::map<std::string, uint64_t> bits;
};

Served Serve(Collector* collector) {
  Served served;
  collector->WithScrape([&](const MergedFamilies& families, const auto&) {
    TextEncoder().Encode(families, &served.text);
    for (const auto& [name, value] : testing::NumbersOf(families)) {
      uint64_t bits = 0;
      if (!std::isnan(value)) {
        std::memcpy(&bits, &value, sizeof(bits));
      } else {
        bits = UINT64_MAX;
      }
      served.bits[name] = bits;
    }
  });
  return served;
}

Served ServeOnce(const std::string& path) {
  CollectorOptions options;
  options.directory = path;
  Collector reader(std::move(options));
  return Serve(&reader);
}

void ExpectSame(const Served& served, const Served& before) {
  EXPECT_EQ(served.text, before.text);
  EXPECT_EQ(served.bits, before.bits);
}

// `names` come into `directory` from `elsewhere`, some at a time, and are
// folded by one folder or by several.
void FoldInParts(const FoldBench& bench, const std::string& elsewhere,
                 std::vector<std::string> names, Random* random) {
  std::shuffle(names.begin(), names.end(), *random);
  const bool is_one_by_one = OneIn(2, random);
  auto folder = bench.NewFolder();
  while (!names.empty()) {
    const size_t count = is_one_by_one ? 1 : 1 + (*random)() % names.size();
    for (size_t i = 0; i < count; ++i) {
      std::filesystem::rename(elsewhere + "/" + names.back(),
                              bench.path() + "/" + names.back());
      names.pop_back();
    }
    folder->FoldNow();
    if (OneIn(2, random)) {
      folder.reset();
      folder = bench.NewFolder();
    }
  }
}

void RunRound(Random* random) {
  const FoldBench bench;
  const testing::TestDirectory elsewhere;
  // Without conflicts: which of several opinions that only dead writers held is
  // served is a matter of when they were folded.
  const std::vector<BuilderFamily> families = Families();
  std::unique_ptr<MetricFileBuilder> live;
  if (OneIn(2, random)) {
    live = NewFile(bench.path(), families, random);
    live->HoldLifeLock();
  }
  std::vector<std::string> names;
  for (uint64_t count = 2 + (*random)() % 10; count != 0; --count) {
    names.push_back(NewFile(bench.path(), families, random)->name());
  }
  const Served before = ServeOnce(bench.path());
  if (OneIn(3, random)) {
    bench.NewFolder()->FoldNow();
  } else {
    for (const std::string& name : names) {
      std::filesystem::rename(bench.path() + "/" + name, elsewhere.At(name));
    }
    FoldInParts(bench, elsewhere.path(), names, random);
  }
  EXPECT_EQ(bench.MetricFiles().size(), live == nullptr ? 0u : 1u);
  ExpectSame(ServeOnce(bench.path()), before);
}

void ScrapeIsThatOfTheCompactedFiles() {
  Random random(testing::TestSeed());
  const int round_count = testing::Rounds(150);
  for (int round = 0; round < round_count && !::testing::Test::HasFailure();
       ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    RunRound(&random);
  }
}

}  // namespace

std::vector<FoldScenario> FoldRandomScenarios() {
  return {{"ScrapeIsThatOfTheCompactedFiles", ScrapeIsThatOfTheCompactedFiles,
           nullptr}};
}

}  // namespace tine::collector
