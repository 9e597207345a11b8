#include <unistd.h>

#include <cstddef>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include "common/metric_names.h"
#include "tests/testing/sanitizers.h"
#include "tests/writer/writer_test_base.h"
#include "writer/tine.h"

namespace tine::testing {
namespace {

class RegistrationTest : public WriterTest {
 protected:
  void SetUp() override {
    WriterTest::SetUp();
    ::setenv("TINE_LOG", "off", 1);
  }
};

// A handle that was refused is safe, counts nothing and knows why.
void ExpectRefused(const Counter& counter, ErrorCode code,
                   const std::string& what) {
  EXPECT_EQ(counter.status().code(), code) << what;
  EXPECT_NE(counter.status().message(), "") << what;
  EXPECT_FALSE(counter.is_valid()) << what;
  counter.Increment();
  EXPECT_EQ(counter.Value(), 0u) << what;
}

TEST_F(RegistrationTest, MetricNames) {
  Run([] {
    const std::vector<std::string> accepted = {
        "a", "_", ":", "a:b_c9", "A_total", std::string(1024, 'n')};
    for (const std::string& name : accepted) {
      EXPECT_TRUE(Counter(name, "h").status().ok()) << name;
    }
    const std::vector<std::string> refused = {"",
                                              "9a",
                                              "a-b",
                                              "a b",
                                              "a.b",
                                              "\xc3\xa4",
                                              "a\n",
                                              "a{}",
                                              std::string(1025, 'n'),
                                              "\xff\xfe",
                                              std::string("a\0b", 3)};
    for (const std::string& name : refused) {
      ExpectRefused(Counter(name, "h"), ErrorCode::kInvalidName, name);
    }
  });
}

TEST_F(RegistrationTest, HelpTexts) {
  Run([] {
    EXPECT_TRUE(Counter("a_total", "").status().ok());
    EXPECT_TRUE(Counter("b_total", "\"\\\n\xc3\xa4").status().ok());
    EXPECT_TRUE(Counter("c_total", std::string(65536, 'h')).status().ok());
    ExpectRefused(Counter("d_total", std::string(65537, 'h')),
                  ErrorCode::kInvalidName, "long");
    ExpectRefused(Counter("e_total", "\xff"), ErrorCode::kInvalidName, "\\xff");
  });
}

TEST_F(RegistrationTest, Units) {
  Run([this] {
    EXPECT_TRUE(Counter("a_seconds_total", "", {"seconds"}).status().ok());
    EXPECT_TRUE(Gauge("a_bytes", "", GaugeMode::kSum, {"bytes"}).status().ok());
    ExpectRefused(Counter("b_seconds_total", "", {"bytes"}),
                  ErrorCode::kInvalidName, "bytes");
    ExpectRefused(Counter("c_milliseconds_total", "", {"seconds"}),
                  ErrorCode::kInvalidName, "a part of a word");
    ExpectRefused(Counter("seconds", "", {"seconds"}), ErrorCode::kInvalidName,
                  "nothing before the unit");
    EXPECT_EQ(Read().at(0).families.at("a_bytes").unit, "bytes");
  });
}

TEST_F(RegistrationTest, LabelNames) {
  Run([] {
    const std::vector<std::string_view> most(kMaxLabelCount, "");
    std::vector<std::string> names;
    std::vector<std::string_view> views;
    for (size_t i = 0; i <= kMaxLabelCount; ++i) {
      names.push_back("l" + std::to_string(i));
    }
    for (size_t i = 0; i < kMaxLabelCount; ++i) {
      views.push_back(names[i]);
    }
    const CounterFamily widest("widest_total", "", views);
    EXPECT_TRUE(widest.status().ok());
    EXPECT_TRUE(widest.WithLabelValues(most).is_valid());
    views.push_back(names.back());
    const CounterFamily too_wide("too_wide_total", "", views);
    EXPECT_EQ(too_wide.status().code(), ErrorCode::kInvalidLabel);
    EXPECT_TRUE(CounterFamily("a_total", "", {"a", "_b", "C9"}).status().ok());
    int number = 0;
    for (const char* name : {"", "9", "a-b", "le", "quantile", "__name__",
                             "__x", "a:b", "\xc3\xa4"}) {
      const CounterFamily family("x" + std::to_string(++number) + "_total", "",
                                 {name});
      EXPECT_EQ(family.status().code(), ErrorCode::kInvalidLabel) << name;
      ExpectRefused(family.WithLabels("v"), ErrorCode::kInvalidLabel, name);
      ExpectRefused(family.With({{name, "v"}}), ErrorCode::kInvalidLabel, name);
    }
    EXPECT_EQ(CounterFamily("y_total", "", {"a", "b", "a"}).status().code(),
              ErrorCode::kInvalidLabel);
  });
}

TEST_F(RegistrationTest, GaugeModes) {
  Run([] {
    for (int mode = 1; mode <= 10; ++mode) {
      const auto gauge_mode = static_cast<GaugeMode>(mode);
      EXPECT_TRUE(
          Gauge("g" + std::to_string(mode), "", gauge_mode).status().ok());
      const UpDownCounter counter("u" + std::to_string(mode), "", gauge_mode);
      EXPECT_EQ(counter.status().ok(), gauge_mode == GaugeMode::kSum ||
                                           gauge_mode == GaugeMode::kLiveSum);
    }
    for (const int mode : {0, 11, 255}) {
      const Gauge gauge("bad" + std::to_string(mode), "",
                        static_cast<GaugeMode>(mode));
      EXPECT_EQ(gauge.status().code(), ErrorCode::kInvalidMode) << mode;
      gauge.Set(1);
      gauge.Add(1);
    }
    for (const GaugeMode mode : {GaugeMode::kAll, GaugeMode::kLiveAll}) {
      const GaugeFamily family("pid" + std::to_string(static_cast<int>(mode)),
                               "", {"pid"}, mode);
      EXPECT_EQ(family.status().code(), ErrorCode::kInvalidLabel);
    }
    EXPECT_TRUE(
        GaugeFamily("pid_sum", "", {"pid"}, GaugeMode::kSum).status().ok());
  });
}

TEST_F(RegistrationTest, Buckets) {
  Run([] {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const Histogram with_infinity("a", "", {1, 2, kInfinity});
    EXPECT_TRUE(with_infinity.status().ok());
    EXPECT_EQ(with_infinity.bound_count(), 2u);
    EXPECT_TRUE(Histogram("b", "", LinearBuckets(0, 1, 510)).status().ok());
    const std::vector<std::vector<double>> refused = {
        {},
        {kInfinity},
        {1, 1},
        {2, 1},
        {nan},
        {1, nan, 2},
        {-kInfinity, 1},
        {1, kInfinity, kInfinity},
        LinearBuckets(0, 1, 511),
    };
    int number = 0;
    for (const auto& bounds : refused) {
      const Histogram histogram("x" + std::to_string(++number), "", bounds);
      EXPECT_EQ(histogram.status().code(), ErrorCode::kInvalidBuckets)
          << number;
      histogram.Observe(1);
      EXPECT_EQ(histogram.Count(), 0u);
      EXPECT_EQ(histogram.Sum(), 0);
    }
  });
}

TEST_F(RegistrationTest, SameDefinitionTwiceIsOneSeries) {
  Run([this] {
    const Counter first("c_total", "c");
    const Counter second("c_total", "c");
    first.Increment();
    second.Increment();
    EXPECT_EQ(first.Value(), 2u);
    const CounterFamily third("d_total", "d", {"a", "b"});
    const CounterFamily fourth("d_total", "d", {"a", "b"});
    third.WithLabels("1", "2").Increment();
    fourth.With({{"b", "2"}, {"a", "1"}}).Increment();
    EXPECT_EQ(SumU64(Read(), "d_total{1,2}"), 2u);
    EXPECT_EQ(Read().at(0).series.size(), 2u);
  });
}

TEST_F(RegistrationTest, EveryDifferenceIsAConflictAndLeavesTheFirstAlone) {
  Run([] {
    const CounterFamily family("c_total", "help", {"a", "b"});
    EXPECT_EQ(CounterFamily("c_total", "other", {"a", "b"}).status().code(),
              ErrorCode::kConflict);
    EXPECT_EQ(CounterFamily("c_total", "help", {"b", "a"}).status().code(),
              ErrorCode::kConflict);
    EXPECT_EQ(CounterFamily("c_total", "help", {"a"}).status().code(),
              ErrorCode::kConflict);
    EXPECT_EQ(Counter("c_total", "help").status().code(), ErrorCode::kConflict);
    EXPECT_EQ(
        DoubleCounterFamily("c_total", "help", {"a", "b"}).status().code(),
        ErrorCode::kConflict);
    EXPECT_EQ(Summary("c_total", "help").status().code(), ErrorCode::kConflict);
    const Gauge gauge("g", "", GaugeMode::kMax);
    EXPECT_EQ(Gauge("g", "", GaugeMode::kMin).status().code(),
              ErrorCode::kConflict);
    const Gauge bytes("g_bytes", "", GaugeMode::kMax, {"bytes"});
    EXPECT_EQ(Gauge("g_bytes", "", GaugeMode::kMax).status().code(),
              ErrorCode::kConflict);
    const Histogram histogram("h", "", {1, 2});
    EXPECT_EQ(Histogram("h", "", {1, 3}).status().code(), ErrorCode::kConflict);
    EXPECT_EQ(Histogram("h", "", {1}).status().code(), ErrorCode::kConflict);
    family.WithLabels("1", "2").Increment();
    EXPECT_EQ(family.WithLabels("1", "2").Value(), 1u);
    EXPECT_TRUE(family.status().ok());
  });
}

TEST_F(RegistrationTest, LookUpsWithWrongLabelsCountNothing) {
  Run([] {
    const CounterFamily family("c_total", "c", {"a", "b"});
    ExpectRefused(family.WithLabels("1"), ErrorCode::kWrongLabels, "few");
    ExpectRefused(family.WithLabels("1", "2", "3"), ErrorCode::kWrongLabels,
                  "many");
    ExpectRefused(family.WithLabels(), ErrorCode::kWrongLabels, "none");
    ExpectRefused(family.With({{"a", "1"}}), ErrorCode::kWrongLabels, "few");
    ExpectRefused(family.With({{"a", "1"}, {"c", "2"}}),
                  ErrorCode::kWrongLabels, "another");
    ExpectRefused(family.With({{"a", "1"}, {"a", "2"}}),
                  ErrorCode::kWrongLabels, "twice");
    ExpectRefused(family.With({{"a", "1"}, {"b", "2"}, {"c", "3"}}),
                  ErrorCode::kWrongLabels, "many");
    EXPECT_NE(GetWriterStatus().last_error, "");
  });
}

TEST_F(RegistrationTest, AnyTextIsALabelValue) {
  Run([this] {
    const CounterFamily family("c_total", "c", {"l"});
    const std::vector<std::string> values = {
        "", "a", "\"\\\n", "\xf0\x9f\x98\x80", std::string(65535, 'x')};
    for (const std::string& value : values) {
      family.WithLabels(value).Increment();
      EXPECT_TRUE(family.WithLabels(value).status().ok());
    }
    const auto files = Read();
    for (const std::string& value : values) {
      EXPECT_EQ(SumU64(files, "c_total{" + value + "}"), 1u);
    }
  });
}

TEST_F(RegistrationTest, FamiliesOfNoLabelsHaveOneSeries) {
  Run([] {
    const CounterFamily family("c_total", "c", {});
    family.WithLabels().Increment();
    family.With({}).Increment();
    EXPECT_EQ(family.WithLabels().Value(), 2u);
    EXPECT_EQ(Counter("c_total", "c").Value(), 2u);
  });
}

TEST_F(RegistrationTest, FamiliesArriveInTheFileAsDefined) {
  Run([this] {
    Histogram("h_seconds", "Line\nbreak \\ \"quote\"", {0.5, 1}, {"seconds"})
        .Observe(1);
    const FamilyText family = Read().at(0).families.at("h_seconds");
    EXPECT_EQ(family.type, format::MetricType::kHistogram);
    EXPECT_EQ(family.help, "Line\nbreak \\ \"quote\"");
    EXPECT_EQ(family.unit, "seconds");
    EXPECT_EQ(family.bounds, (std::vector<double>{0.5, 1}));
  });
}

TEST_F(RegistrationTest, EachMistakeIsToldOnStderrOnce) {
  ::unsetenv("TINE_LOG");
  const ChildOutcome outcome = Run([] {
    for (int i = 0; i < 100; ++i) {  // as in a function that serves a request
      const Counter bad("bad name", "");
      const Counter no_total("requests", "");
    }
    const CounterFamily family("c_total", "c", {"l"});
    for (int i = 0; i < 100; ++i) {
      family.WithLabels("1", "2").Increment();  // told once
    }
  });
  EXPECT_EQ(LineCount(outcome.stderr_text), 3) << outcome.stderr_text;
  for (const char* part : {"bad name", "_total", "c_total"}) {
    EXPECT_NE(outcome.stderr_text.find(part), std::string::npos) << part;
  }
}

// Address space of this process.
size_t MappedBytes() {
  size_t page_count = 0;
  std::ifstream("/proc/self/statm") >> page_count;
  return page_count * static_cast<size_t>(::sysconf(_SC_PAGESIZE));
}

TEST_F(RegistrationTest, TheSameMistakeAgainTakesNoMoreMemory) {
  if (kHasAsan || kHasTsan) {
    GTEST_SKIP() << "sanitizers keep freed memory";
  }
  Run([] {
    const Counter counter("c_total", "c");
    const auto make_mistakes = [] {
      const Counter bad("bad name", "");
      const Counter conflict("c_total", "another help text");
      EXPECT_EQ(conflict.status().code(), ErrorCode::kConflict);
    };
    make_mistakes();
    const size_t before_bytes = MappedBytes();
    for (int i = 0; i < 20'000; ++i) {
      make_mistakes();
    }
    EXPECT_LT(MappedBytes(), before_bytes + (1 << 20));
  });
}

}  // namespace
}  // namespace tine::testing
