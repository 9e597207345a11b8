// How long it takes to render 100,000 counter series as text 0.0.4, against
// prometheus-cpp, which builds its MetricFamily model and serializes it. Prints
// the ratio of CPU times; the goal is 10.
//
//   bazel run -c opt //tools:render_benchmark

#include <benchmark/benchmark.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "collector/merged_family.h"
#include "collector/prometheus_collectable.h"
#include "collector/text_encoder.h"
#include "common/record_codec.h"

namespace tine::collector {
namespace {

constexpr int kSeriesCount = 100000;

LabelSet MakeLabels(int i) {
  const std::string texts[] = {"code",   i % 2 == 0 ? "200" : "500",
                               "method", i % 3 == 0 ? "GET" : "POST",
                               "path",   "/api/v1/items/" + std::to_string(i)};
  std::string packed;
  for (const std::string& text : texts) {
    const size_t begin = packed.size();
    packed.resize(begin + 2 + text.size());
    AppendString(reinterpret_cast<uint8_t*>(packed.data() + begin), text);
  }
  return LabelSet(std::move(packed), 3);
}

const MergedFamily& Counters() {
  static const MergedFamily* const family = [] {
    auto* const made = new MergedFamily;
    made->name = "http_requests_total";
    made->help = "Requests served.";
    made->type = format::MetricType::kCounter;
    made->layout_id = 1;
    made->series.resize(kSeriesCount);
    for (int i = 0; i < kSeriesCount; ++i) {
      made->series[i].labels = MakeLabels(i);
      made->series[i].is_present = true;
      made->series[i].value = 1000.0 * i + 7;
    }
    return made;
  }();
  return *family;
}

void BM_TineEncode(benchmark::State& state) {
  const MergedFamilies families = {&Counters()};
  TextEncoder encoder;
  for (auto _ : state) {
    std::string text;  // as a scrape does: the last one belongs to its client
    encoder.Encode(families, &text);
    benchmark::DoNotOptimize(text.data());
  }
  state.SetItemsProcessed(state.iterations() * kSeriesCount);
}
BENCHMARK(BM_TineEncode)->Unit(benchmark::kMillisecond);

void BM_TineEncodeNewLayout(benchmark::State& state) {
  const MergedFamilies families = {&Counters()};
  for (auto _ : state) {
    TextEncoder encoder;
    std::string text;
    encoder.Encode(families, &text);
    benchmark::DoNotOptimize(text.data());
  }
}
BENCHMARK(BM_TineEncodeNewLayout)->Unit(benchmark::kMillisecond);

void BM_PrometheusCppBuildAndSerialize(benchmark::State& state) {
  const MergedFamilies families = {&Counters()};
  const prometheus::TextSerializer serializer;
  for (auto _ : state) {
    const std::string text =
        serializer.Serialize(ToPrometheusFamilies(families));
    benchmark::DoNotOptimize(text.data());
  }
  state.SetItemsProcessed(state.iterations() * kSeriesCount);
}
BENCHMARK(BM_PrometheusCppBuildAndSerialize)->Unit(benchmark::kMillisecond);

// Prints the usual table and keeps the two times that the ratio is made of.
class RatioReporter : public benchmark::ConsoleReporter {
 public:
  RatioReporter() : ConsoleReporter(OO_Tabular) {}
  void ReportRuns(const std::vector<Run>& runs) override {
    ConsoleReporter::ReportRuns(runs);
    for (const Run& run : runs) {
      const std::string name = run.benchmark_name();
      if (name == "BM_TineEncode") {
        ours_ = run.GetAdjustedCPUTime();
      } else if (name == "BM_PrometheusCppBuildAndSerialize") {
        theirs_ = run.GetAdjustedCPUTime();
      }
    }
  }
  void PrintRatio() const {
    if (ours_ > 0 && theirs_ > 0) {
      std::printf(
          "render of 100k series: %.1f times faster than "
          "prometheus-cpp (goal: 10)\n",
          theirs_ / ours_);
    }
  }

 private:
  double ours_ = 0;
  double theirs_ = 0;
};

}  // namespace
}  // namespace tine::collector

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
    return 2;
  }
  tine::collector::RatioReporter reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter);
  reporter.PrintRatio();
  return 0;
}
