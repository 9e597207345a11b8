#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "tests/collector/hostile_directory.h"
#include "tests/collector/hostile_scenarios.h"

namespace tine::collector {

using testing::BuilderFamily;
using testing::MetricFileBuilder;
using Answer = HostileDirectory::Answer;

void LabelTextsAreEscaped() {
  HostileDirectory directory;
  MetricFileBuilder file = directory.NewFile(kAttackerUid);
  BuilderFamily family = testing::CounterFamily("text_total", {"label"});
  family.help = "\n# TYPE victim_total gauge\nvictim_total 7\n\\n\\";
  const uint32_t offset = file.AddFamily(family);
  const std::vector<std::string> values = {"\"} 1\nvictim_total 7\nx{y=\"",
                                           "\\",
                                           "\\\"",
                                           "\\n",
                                           "\n",
                                           "{}",
                                           "\r\t\x01\x7f",
                                           "\xEF\xBB\xBF\xE2\x80\xAE",
                                           "# HELP"};
  for (const std::string& value : values) {
    file.AddU64(file.AddSeries(offset, {value}), 1);
  }
  const Answer answer = directory.ScrapeAndCheckVictims();
  for (const std::string& value : values) {
    EXPECT_EQ(answer.numbers.count("text_total{label=" + value + "}"), 1u);
  }
  EXPECT_EQ(answer.text.find("\nvictim_total 7"), std::string::npos);
  EXPECT_EQ(answer.text.find("# TYPE victim_total gauge"),
            answer.text.find("\\n# TYPE victim_total gauge") + 2);
}

void InvalidTextsAreRefused() {
  HostileDirectory directory;
  std::vector<BuilderFamily> families;
  for (const char* name :
       {"", "a-b", "a b", "1a", "a\nb", "a{", "\xC3\xA4", "\xFF", "a\""}) {
    families.push_back(testing::CounterFamily(name));
  }
  for (const char* label : {"le", "quantile", "__name__", "__x", "", "a b",
                            "a\n", "\xFF", "1", "a=\"1\",b"}) {
    families.push_back(testing::CounterFamily("good_total", {label}));
  }
  families.push_back(testing::CounterFamily("good_total", {"a", "a"}));
  BuilderFamily help = testing::CounterFamily("good_total");
  help.help = "\xC0\x80";
  families.push_back(help);
  std::vector<MetricFileBuilder> files;
  for (const BuilderFamily& family : families) {
    files.push_back(directory.NewFile(kAttackerUid));
    files.back().AddSeries(
        files.back().AddFamily(family),
        std::vector<std::string>(family.label_names.size(), "x"));
  }
  for (const char* value : {"\xFF", "\xC0\x80", "\xED\xA0\x80", "a\x80"}) {
    files.push_back(directory.NewFile(kAttackerUid));
    const uint32_t family = files.back().AddFamily(
        testing::CounterFamily("sound_total", {"label"}));
    files.back().AddSeries(family, {"before"});
    files.back().AddSeries(family, {value});
  }
  const Answer answer = directory.ScrapeAndCheckVictims();
  EXPECT_EQ(answer.Problems("invalid_name") + answer.Problems("invalid_text"),
            files.size());
  EXPECT_FALSE(answer.Serves("good_total{}"));
  EXPECT_TRUE(answer.Serves("sound_total{label=before}"));
}

void ImpossibleNumbersTouchNobodyElse() {
  HostileDirectory directory;
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  const double max = std::numeric_limits<double>::max();
  std::vector<MetricFileBuilder> files;
  std::vector<uint32_t> cells;
  for (const double value : {nan, infinity, -infinity, -1.0, -0.0, max, max}) {
    files.push_back(directory.NewFile(kAttackerUid));
    files.back().HoldLifeLock();
    MetricFileBuilder& file = files.back();
    file.AddF64(
        file.AddSeries(file.AddFamily(testing::F64CounterFamily("odd_total"))),
        value);
    const uint32_t histogram =
        file.AddSeries(file.AddFamily(testing::HistogramFamily("odd", {1})));
    file.AddU64(histogram, std::numeric_limits<uint64_t>::max());
    file.AddF64(histogram + 2, value);
    file.SetGauge(file.AddSeries(file.AddFamily(testing::GaugeFamily(
                      "odd_gauge", format::GaugeMode::kMostRecent))),
                  value);
    cells.push_back(
        file.AddCounter("large_total", std::numeric_limits<uint64_t>::max()));
  }
  Answer answer = directory.ScrapeAndCheckVictims();
  EXPECT_GE(answer.statistics.files.saturated_sums, 1u);
  EXPECT_EQ(answer.numbers.at("large_total{}"), std::pow(2.0, 64));
  for (size_t i = 0; i < files.size(); ++i) {
    files[i].SetU64(cells[i], 1);  // falls
  }
  answer = directory.ScrapeAndCheckVictims();
  EXPECT_EQ(answer.Problems("counter_fell"), files.size());
  EXPECT_EQ(answer.numbers.at("large_total{}"), std::pow(2.0, 64));
}

void ReservedNamesStayTheCollectors() {
  HostileDirectory directory;
  MetricFileBuilder file = directory.NewFile(kAttackerUid);
  for (const char* name : {"tine_series", "tine_damage_total",
                           "process_open_fds", "up", "tine_family_conflicts"}) {
    file.AddCounter(name, 666);
  }
  directory.ScrapeAndCheckVictims();
}

}  // namespace tine::collector
