// The text encoder against others: prometheus-cpp's TextSerializer on random
// families where that is right, an independent rule where it is not, and the
// parsers of promtool and client_python on a text with odd values.

#include <gtest/gtest.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <map>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "collector/prometheus_collectable.h"
#include "collector/text_encoder.h"
#include "tests/collector/family_builder.h"

namespace tine::collector {
namespace {

using format::MetricType;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::string OurText(const MergedFamilies& families) {
  TextEncoder encoder;
  std::string text;
  encoder.Encode(families, &text);
  return text;
}

std::string TheirText(const MergedFamilies& families) {
  return prometheus::TextSerializer().Serialize(ToPrometheusFamilies(families));
}

// prometheus-cpp writes a histogram's and a summary's count and sum before the
// buckets; the order of the samples of one series means nothing. As the lines
// of one family, sorted, with the families in their order.
std::vector<std::string> SortedLinesPerFamily(const std::string& text) {
  std::vector<std::string> result;
  std::vector<std::string> family;
  const auto flush = [&] {
    std::sort(family.begin(), family.end());
    result.insert(result.end(), family.begin(), family.end());
    family.clear();
  };
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line[0] == '#') {
      flush();
      result.push_back(line);
    } else {
      family.push_back(line);
    }
  }
  flush();
  return result;
}

// ---- Random families
// ---------------------------------------------------------

// Makes families on which prometheus-cpp 1.0.1 is right: no HELP to escape, and
// numbers and bounds that 16 digits of iostream write as Go does.
class FamilyGenerator {
 public:
  explicit FamilyGenerator(uint64_t seed) : random_(seed) {}

  FamilyBuilder Make() {
    FamilyBuilder builder;
    const int family_count = Below(8);
    for (int i = 0; i < family_count; ++i) {
      AddFamily("family_" + std::to_string(i), &builder);
    }
    return builder;
  }

 private:
  int Below(int bound) {
    return std::uniform_int_distribution<int>(0, bound - 1)(random_);
  }

  void AddFamily(const std::string& name, FamilyBuilder* builder) {
    constexpr MetricType kTypes[] = {
        MetricType::kCounter, MetricType::kGauge, MetricType::kHistogram,
        MetricType::kSummary, MetricType::kUpDownCounter};
    const MetricType type = kTypes[Below(5)];
    const std::vector<double> bounds = {0.005, 0.25, 1, 10, 25};
    const bool is_histogram = type == MetricType::kHistogram;
    builder->Family(name, type, "Help with \"quotes\" and grün.",
                    is_histogram ? bounds : std::vector<double>());
    const int series_count = Below(6);
    for (int i = 0; i < series_count; ++i) {
      Labels labels = RandomLabels();
      labels["series"] = std::to_string(i);
      if (is_histogram) {
        std::vector<uint64_t> buckets(bounds.size() + 1);
        for (uint64_t& bucket : buckets) {
          bucket = static_cast<uint64_t>(Below(1000));
        }
        builder->AddHistogram(labels, RandomValue(), buckets);
      } else {
        builder->AddSummary(labels, RandomValue(),
                            static_cast<uint64_t>(Below(1 << 30)));
      }
      builder->last_series().is_present = Below(4) != 0;
    }
  }

  Labels RandomLabels() {
    constexpr const char* kTexts[] = {
        "plain",     "with space", "quote\"", "back\\slash", "line\nend",
        "a=\"b\",c", "東京",       "}{",      "\\n",         "1"};
    Labels labels;
    for (const char* name : {"a", "b_2", "Z"}) {
      if (Below(2) != 0) {
        labels[name] = kTexts[Below(10)];
      }
    }
    return labels;
  }

  double RandomValue() {
    switch (Below(6)) {
      case 0:
        return Below(1 << 30);
      case 1:
        return -Below(1 << 30);
      case 2:
        return Below(1 << 20) / 64.0;  // 14 digits and short of 1e+06
      case 3:
        return kInfinity;
      case 4:
        return -kInfinity;
      default:
        return Below(10000) / 4.0;
    }
  }

  std::mt19937_64 random_;
};

TEST(TextReferenceTest, RandomFamiliesEqualPrometheusCpp) {
  for (uint64_t seed = 1; seed <= 500; ++seed) {
    const FamilyBuilder builder = FamilyGenerator(seed).Make();
    ASSERT_EQ(SortedLinesPerFamily(OurText(builder.Get())),
              SortedLinesPerFamily(TheirText(builder.Get())))
        << "seed " << seed;
  }
}

// ---- Where prometheus-cpp 1.0.1 is wrong
// ----------------------------------------

TEST(TextReferenceDeviationTest, PrometheusCppDoesNotEscapeHelp) {
  prometheus::MetricFamily family;
  family.name = "g";
  family.help = "first\nforged 1";
  family.type = prometheus::MetricType::Gauge;
  family.metric.emplace_back();
  const std::string theirs = prometheus::TextSerializer().Serialize({family});
  EXPECT_NE(theirs.find("\nforged 1\n"), std::string::npos)
      << "prometheus-cpp escapes HELP now: ToPrometheusFamilies() must stop\n"
      << theirs;

  // Handed over by us it is escaped already, so both texts agree.
  FamilyBuilder builder;
  builder.Family("g", MetricType::kGauge, "first\nforged 1 \\").Add({}, 0);
  EXPECT_EQ(OurText(builder.Get()), TheirText(builder.Get()));
  EXPECT_EQ(OurText(builder.Get()),
            "# HELP g first\\nforged 1 \\\\\n# TYPE g gauge\ng 0\n");
}

// The value of the only sample in `text`.
std::string OnlyValue(const std::string& text) {
  const size_t space = text.rfind(' ');
  return text.substr(space + 1, text.size() - space - 2);
}

TEST(TextReferenceDeviationTest, SixteenDigitsDoNotReadBack) {
  std::mt19937_64 random(99);
  std::uniform_real_distribution<double> distribution(0, 1000);
  int lossy_count = 0;
  for (int i = 0; i < 2000; ++i) {
    FamilyBuilder builder;
    const double value = distribution(random);
    builder.Family("g", MetricType::kGauge).Add({}, value);
    const std::string theirs = OnlyValue(TheirText(builder.Get()));
    lossy_count += std::strtod(theirs.c_str(), nullptr) != value ? 1 : 0;
    // Ours is the same double, and never longer than 17 digits need.
    const std::string ours = OnlyValue(OurText(builder.Get()));
    ASSERT_EQ(std::strtod(ours.c_str(), nullptr), value);
    char longest[64];
    std::snprintf(longest, sizeof(longest), "%.17g", value);
    ASSERT_LE(ours.size(), std::string(longest).size());
  }
  EXPECT_GT(lossy_count, 100) << "prometheus-cpp writes exact doubles now";
}

TEST(TextReferenceDeviationTest, NotANumberIsSpelledAsInGo) {
  FamilyBuilder builder;
  builder.Family("g", MetricType::kGauge).Add({}, std::nan(""));
  EXPECT_EQ(OnlyValue(TheirText(builder.Get())), "Nan");
  EXPECT_EQ(OnlyValue(OurText(builder.Get())), "NaN");
}

TEST(TextReferenceDeviationTest, BoundsHaveGosText) {
  FamilyBuilder builder;
  builder.Family("h", MetricType::kHistogram, "", {0.1 + 0.2, 1e6, 123456789})
      .AddHistogram({}, 0, {0, 0, 0, 0});
  const std::string theirs = TheirText(builder.Get());
  EXPECT_NE(theirs.find("le=\"0.3\""), std::string::npos) << theirs;
  EXPECT_NE(theirs.find("le=\"1000000\""), std::string::npos) << theirs;
  EXPECT_NE(theirs.find("le=\"123456789\""), std::string::npos) << theirs;
  const std::string ours = OurText(builder.Get());
  // strconv.FormatFloat(bound, 'g', -1, 64).
  EXPECT_NE(ours.find("le=\"0.30000000000000004\""), std::string::npos);
  EXPECT_NE(ours.find("le=\"1e+06\""), std::string::npos);
  EXPECT_NE(ours.find("le=\"1.23456789e+08\""), std::string::npos);
}

// ---- Other parsers
// -----------------------------------------------------------------

// A bit of everything that a parser may stumble over.
FamilyBuilder OddFamilies() {
  FamilyBuilder builder;
  builder.Family("odd_a", MetricType::kGauge, "C:\\dir\nsecond line")
      .Add({{"v", "\"quoted\" \\ \n"}}, std::nan(""))
      .Add({{"v", "}"}}, -0.0)
      .Add({{"v", "東京"}}, 5e-324);
  builder.Family("odd_inf", MetricType::kGauge, "Both.")
      .Add({{"sign", "+"}}, kInfinity)
      .Add({{"sign", "-"}}, -kInfinity);
  builder
      .Family("odd_seconds", MetricType::kHistogram, "Bounds of all kinds.",
              {-1, 1e-9, 0.1, 1, 1e6})
      .AddHistogram({}, 0.30000000000000004, {1, 2, 3, 4, 5, 6})
      .AddHistogram({{"a", "b"}}, 1e300, {0, 0, 0, 0, 0, 0});
  builder.Family("odd_size_bytes", MetricType::kSummary, "No quantiles.")
      .AddSummary({{"k", "x y"}}, 1.7e308, 9007199254740993u);
  builder.Family("odd_total", MetricType::kCounter, "Counts.")
      .Add({}, 9007199254740992.0)
      .Add({{"code", "200"}}, 1e16);
  return builder;
}

constexpr char kOddText[] =
    "# HELP odd_a C:\\\\dir\\nsecond line\n"
    "# TYPE odd_a gauge\n"
    "odd_a{v=\"\\\"quoted\\\" \\\\ \\n\"} NaN\n"
    "odd_a{v=\"}\"} -0\n"
    "odd_a{v=\"東京\"} 5e-324\n"
    "# HELP odd_inf Both.\n"
    "# TYPE odd_inf gauge\n"
    "odd_inf{sign=\"+\"} +Inf\n"
    "odd_inf{sign=\"-\"} -Inf\n"
    "# HELP odd_seconds Bounds of all kinds.\n"
    "# TYPE odd_seconds histogram\n"
    "odd_seconds_bucket{le=\"-1\"} 1\n"
    "odd_seconds_bucket{le=\"1e-09\"} 3\n"
    "odd_seconds_bucket{le=\"0.1\"} 6\n"
    "odd_seconds_bucket{le=\"1\"} 10\n"
    "odd_seconds_bucket{le=\"1e+06\"} 15\n"
    "odd_seconds_bucket{le=\"+Inf\"} 21\n"
    "odd_seconds_sum 0.30000000000000004\n"
    "odd_seconds_count 21\n"
    "odd_seconds_bucket{a=\"b\",le=\"-1\"} 0\n"
    "odd_seconds_bucket{a=\"b\",le=\"1e-09\"} 0\n"
    "odd_seconds_bucket{a=\"b\",le=\"0.1\"} 0\n"
    "odd_seconds_bucket{a=\"b\",le=\"1\"} 0\n"
    "odd_seconds_bucket{a=\"b\",le=\"1e+06\"} 0\n"
    "odd_seconds_bucket{a=\"b\",le=\"+Inf\"} 0\n"
    "odd_seconds_sum{a=\"b\"} 1e+300\n"
    "odd_seconds_count{a=\"b\"} 0\n"
    "# HELP odd_size_bytes No quantiles.\n"
    "# TYPE odd_size_bytes summary\n"
    "odd_size_bytes_sum{k=\"x y\"} 1.7e+308\n"
    "odd_size_bytes_count{k=\"x y\"} 9007199254740993\n"
    "# HELP odd_total Counts.\n"
    "# TYPE odd_total counter\n"
    "odd_total 9007199254740992\n"
    "odd_total{code=\"200\"} 1e+16\n";

TEST(TextGoldenTest, OddValues) {
  EXPECT_EQ(OurText(OddFamilies().Get()), kOddText);
}

// Writes the odd text to a file and runs `command` with its path behind it.
// Returns what the command printed and, in `*exit_status`, how it ended.
std::string RunOnOddText(const std::string& command, int* exit_status) {
  const std::string path =
      testing::TempDir() + "/odd_text." + std::to_string(::getpid());
  std::ofstream(path) << OurText(OddFamilies().Get());
  const std::string shell = command + " < " + path + " 2>&1";
  FILE* const pipe = ::popen(shell.c_str(), "r");
  std::string output;
  for (int c; (c = std::fgetc(pipe)) != EOF;) {
    output.push_back(static_cast<char>(c));
  }
  *exit_status = ::pclose(pipe);
  std::remove(path.c_str());
  return output;
}

TEST(TextParserTest, PromtoolAccepts) {
  if (std::system("command -v promtool >/dev/null") != 0) {
    GTEST_SKIP() << "promtool (Debian package prometheus) is not installed";
  }
  int exit_status = 0;
  const std::string output =
      RunOnOddText("promtool check metrics", &exit_status);
  EXPECT_EQ(exit_status, 0) << output;
  EXPECT_EQ(output, "");
}

TEST(TextParserTest, ClientPythonReadsTheSameValues) {
  if (std::system("/usr/bin/python3 -c 'import prometheus_client' "
                  "2>/dev/null") != 0) {
    GTEST_SKIP() << "python3-prometheus-client is not installed";
  }
  const std::string script =
      "import sys\n"
      "from prometheus_client.parser import text_string_to_metric_families\n"
      "families = {f.name: f for f in\n"
      "            text_string_to_metric_families(sys.stdin.read())}\n"
      "def value(family, **labels):\n"
      "    return [s.value for s in families[family].samples\n"
      "            if s.labels == labels]\n"
      "assert families[\"odd_a\"].documentation == \\\n"
      "    \"C:\\\\dir\\nsecond line\"\n"
      "assert str(value(\"odd_a\", v=\"\\\"quoted\\\" \\\\ \\n\")) == "
      "\"[nan]\"\n"
      "assert str(value(\"odd_a\", v=\"}\")) == \"[-0.0]\"\n"
      "assert value(\"odd_a\", v=\"東京\") == [5e-324]\n"
      "assert value(\"odd_inf\", sign=\"-\") == [float(\"-inf\")]\n"
      "assert value(\"odd_seconds\", a=\"b\", le=\"1e+06\") == [0]\n"
      "assert value(\"odd_seconds\") == [0.30000000000000004, 21]\n"
      "assert value(\"odd\", code=\"200\") == [1e16]\n"
      "assert len(families) == 5, families.keys()\n";
  int exit_status = 0;
  const std::string output =
      RunOnOddText("/usr/bin/python3 -c '" + script + "'", &exit_status);
  EXPECT_EQ(exit_status, 0) << output;
}

}  // namespace
}  // namespace tine::collector
