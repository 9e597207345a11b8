// Families with some labels given, scopes, and a family's own cap.

#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "tests/writer/writer_test_base.h"
#include "writer/tine.h"

namespace tine::testing {
namespace {

class PresetTest : public WriterTest {};

// At exit, threads may still use one that is at namespace scope.
static_assert(std::is_trivially_copyable_v<PresetFamily<Counter>> &&
              std::is_trivially_destructible_v<PresetFamily<Counter>>);

TEST_F(PresetTest, FindsTheSeriesOfTheWholeLabelSet) {
  Run([this] {
    const CounterFamily family("c_total", "c", {"method", "code", "site"});
    {
      std::string method = "GET";
      const auto get = family.Preset({{"method", method}});
      method = "???";  // it has a copy
      get.WithLabels("200", "a").Increment();
      get.With({{"site", "a"}, {"code", "200"}}).Increment();
      get.WithLabelValues({"200", "a"}).Increment();
      EXPECT_TRUE(get.status().ok());
    }
    // The labels that are left keep the family's order.
    family.Preset({{"code", "200"}}).WithLabels("GET", "a").Increment();
    family.Preset({{"site", "a"}}).WithLabels("GET", "200").Increment();
    family.Preset({{"site", "a"}, {"method", "GET"}})
        .WithLabels("200")
        .Increment();
    const auto nested =
        family.Preset({{"site", "a"}}).Preset({{"method", "GET"}});
    nested.WithLabels("200").Increment();
    nested.Preset({{"code", "200"}}).WithLabels().Increment();
    nested.Preset({}).With({{"code", "200"}}).Increment();
    EXPECT_EQ(family.WithLabels("GET", "200", "a").Value(), 9u);
    EXPECT_EQ(Read().at(0).series.size(), 1u);
    EXPECT_EQ(SumU64(Read(), "c_total{GET,200,a}"), 9u);
  });
}

TEST_F(PresetTest, WorksInForkedChildrenToo) {
  Run([this] {
    const CounterFamily family("c_total", "c", {"method", "code"});
    const auto get = family.Preset({{"method", "GET"}});
    get.WithLabels("200").Increment();
    const ChildOutcome child = RunInChild([&] {
      get.WithLabels("200").Increment();
      family.Preset({{"method", "GET"}}).WithLabels("200").Increment();
      family.Preset({{"code", "404"}}).WithLabels("GET").Increment();
    });
    EXPECT_TRUE(child.HasExited(0)) << child.Description();
    EXPECT_EQ(SumU64(Read(), "c_total{GET,200}"), 3u);
    EXPECT_EQ(SumU64(Read(), "c_total{GET,404}"), 1u);
  });
}

TEST_F(PresetTest, ManyLabelsAreFoundToo) {
  Run([] {
    std::vector<std::string> names;
    std::vector<std::string_view> views;
    for (int i = 0; i < 64; ++i) {
      names.push_back("l" + std::to_string(i));
    }
    views.assign(names.begin(), names.end());
    const CounterFamily family("c_total", "c", views);
    const std::vector<std::string_view> values(63, "v");
    family.Preset({{"l40", "x"}}).WithLabelValues(values).Increment();
    std::vector<std::string_view> all(64, "v");
    all[40] = "x";
    EXPECT_EQ(family.WithLabelValues(all).Value(), 1u);
  });
}

TEST_F(PresetTest, MistakesCountNothingAndAreTold) {
  const ChildOutcome outcome = Run([this] {
    const CounterFamily family("c_total", "c", {"method", "code"});
    const auto unknown = family.Preset({{"path", "/"}});
    EXPECT_EQ(unknown.status().code(), ErrorCode::kWrongLabels);
    EXPECT_NE(unknown.status().message().find("\"path\" of \"c_total\""),
              std::string::npos)
        << unknown.status().message();
    const auto twice =
        family.Preset({{"method", "GET"}}).Preset({{"method", "PUT"}});
    EXPECT_NE(twice.status().message().find("preset twice"), std::string::npos)
        << twice.status().message();
    EXPECT_FALSE(
        family.Preset({{"method", "a"}, {"method", "a"}}).status().ok());
    for (const auto& preset : {unknown, twice, twice.Preset({{"code", "1"}})}) {
      EXPECT_FALSE(preset.status().ok());
      EXPECT_FALSE(preset.WithLabels("200").is_valid());
      EXPECT_FALSE(preset.With({{"code", "200"}}).is_valid());
      preset.WithLabels("200").Increment();
    }
    const auto get = family.Preset({{"method", "GET"}});
    EXPECT_FALSE(get.WithLabels().is_valid());
    EXPECT_FALSE(get.WithLabels("200", "x").is_valid());
    EXPECT_FALSE(get.With({}).is_valid());
    EXPECT_FALSE(get.With({{"path", "/"}}).is_valid());
    EXPECT_FALSE(get.With({{"method", "GET"}}).is_valid());
    EXPECT_FALSE(get.With({{"method", "GET"}, {"code", "200"}}).is_valid());
    EXPECT_TRUE(get.WithLabels("200").is_valid());
    // Of a family that was refused: that is what its status says.
    const CounterFamily refused("c-total", "c", {"method"});
    EXPECT_EQ(refused.Preset({{"method", "GET"}}).status().code(),
              ErrorCode::kInvalidName);
    EXPECT_EQ(refused.Preset({{"method", "GET"}}).WithLabels().status().code(),
              ErrorCode::kInvalidName);
    EXPECT_EQ(Read().at(0).series.size(), 1u);
  });
  EXPECT_NE(outcome.stderr_text.find("that the metric does not have"),
            std::string::npos)
      << outcome.stderr_text;
}

// They are kept for ever, and each new one is compared with all.
TEST_F(PresetTest, ThereAreAThousandAtMostAndNoLongOnes) {
  Run([] {
    const CounterFamily family("c_total", "c", {"method", "code"});
    const auto preset = [&](int i) {
      return family.Preset({{"method", std::to_string(i)}});
    };
    for (int i = 0; i < 1000; ++i) {
      EXPECT_TRUE(preset(i).status().ok()) << preset(i).status().message();
    }
    EXPECT_EQ(preset(1000).status().code(), ErrorCode::kWrongLabels);
    EXPECT_FALSE(preset(1000).WithLabels("200").is_valid());
    EXPECT_TRUE(preset(7).WithLabels("200").is_valid());
    const CounterFamily other("d_total", "d", {"method", "code"});
    EXPECT_TRUE(
        other.Preset({{"code", std::string(65535, 'x')}}).status().ok());
    EXPECT_EQ(other.Preset({{"code", std::string(65536, 'x')}}).status().code(),
              ErrorCode::kWrongLabels);
  });
}

TEST_F(PresetTest, DisabledWriterHasNothingToSay) {
  ::setenv("TINE_DISABLE", "1", 1);
  const ChildOutcome outcome = Run([] {
    const CounterFamily family("c_total", "c", {"method", "code"});
    const auto get = family.Preset({{"nonsense", "GET"}});
    EXPECT_TRUE(get.status().ok());
    get.WithLabels("200").Increment();
  });
  EXPECT_EQ(LineCount(outcome.stderr_text), 0) << outcome.stderr_text;
}

class ScopesTest : public WriterTest {};

TEST_F(ScopesTest, InProgressIsOneWhileItLasts) {
  Run([] {
    const UpDownCounter open("u", "u", GaugeMode::kLiveSum);
    {
      const InProgress first(open);
      EXPECT_EQ(open.Value(), 1);
      try {
        const InProgress second(open);
        EXPECT_EQ(open.Value(), 2);
        throw std::runtime_error("");
      } catch (const std::exception&) {
      }
      EXPECT_EQ(open.Value(), 1);
    }
    EXPECT_EQ(open.Value(), 0);
  });
}

TEST_F(ScopesTest, ExceptionCounterCountsWhatLeavesTheScope) {
  Run([] {
    const Counter errors("e_total", "e");
    const auto enter = [&errors](bool throws) {
      const ExceptionCounter counter(errors);
      if (throws) {
        throw std::runtime_error("");
      }
    };
    enter(false);
    EXPECT_EQ(errors.Value(), 0u);
    EXPECT_THROW(enter(true), std::runtime_error);
    EXPECT_EQ(errors.Value(), 1u);
    {
      const ExceptionCounter counter(errors);
      try {
        throw std::runtime_error("");
      } catch (const std::exception&) {
      }
    }
    EXPECT_EQ(errors.Value(), 1u) << "caught within";
    // While another exception is on its way.
    struct CleanUp {
      explicit CleanUp(const Counter& of) : errors(of) {}
      ~CleanUp() { const ExceptionCounter counter(errors); }
      const Counter errors;
    };
    try {
      const CleanUp clean_up(errors);
      throw std::runtime_error("");
    } catch (const std::exception&) {
    }
    EXPECT_EQ(errors.Value(), 1u);
  });
}

TEST_F(ScopesTest, TimerTellsEveryInstrumentOnce) {
  Run([] {
    const Histogram histogram("h", "h", DefaultBuckets());
    const Summary summary("s", "s");
    const Gauge gauge("g", "g", GaugeMode::kMax);
    double value = -1;
    {
      const Timer first(histogram);
      const Timer second(summary);
      const Timer third(gauge);
      EXPECT_EQ(histogram.Count(), 0u);
      EXPECT_FALSE(gauge.Value(&value));
    }
    EXPECT_EQ(histogram.Count(), 1u);
    EXPECT_EQ(summary.Count(), 1u);
    EXPECT_TRUE(gauge.Value(&value));
    EXPECT_GE(value, 0);
    {
      Timer timer(histogram);
      const double seconds = timer.Stop();
      EXPECT_EQ(histogram.Count(), 2u);
      EXPECT_GE(seconds, 0);
      EXPECT_EQ(timer.Stop(), seconds);
    }
    EXPECT_EQ(histogram.Count(), 2u);
  });
}

class MaxSeriesTest : public WriterTest {};

TEST_F(MaxSeriesTest, FurtherLabelSetsCountInTheOverflowSeries) {
  Run([this] {
    MetricOptions options;
    options.max_series = 3;
    const CounterFamily family("c_total", "c", {"l"}, options);
    const CounterFamily other("d_total", "d", {"l"});
    for (int i = 0; i < 10; ++i) {
      family.WithLabels(std::to_string(i)).Increment();
      family.WithLabels(std::to_string(i)).Increment();
      other.WithLabels(std::to_string(i)).Increment();
    }
    auto files = Read();
    EXPECT_EQ(SumU64(files, "c_total{0}"), 2u);
    EXPECT_EQ(SumU64(files, "c_total{2}"), 2u);
    EXPECT_EQ(FilesWith(files, "c_total{3}"), 0u);
    EXPECT_EQ(SumU64(files, "c_total{__overflow__}"), 14u);
    EXPECT_EQ(SumU64(files, "d_total{9}"), 1u);
    EXPECT_EQ(files.at(0).series.size(), 3u + 1 + 10);
    EXPECT_EQ(family.WithLabels("7").status().code(), ErrorCode::kLimitReached);
    EXPECT_EQ(files.at(0).dropped_series, 14u);
    // One that goes makes room for one.
    EXPECT_TRUE(family.Remove("1"));
    family.WithLabels("new").Increment();
    family.WithLabels("newer").Increment();
    files = Read();
    EXPECT_EQ(SumU64(files, "c_total{new}"), 1u);
    EXPECT_EQ(FilesWith(files, "c_total{newer}"), 0u);
    EXPECT_EQ(SumU64(files, "c_total{__overflow__}"), 15u);
  });
}

TEST_F(MaxSeriesTest, AnotherCapIsAnotherDefinition) {
  Run([] {
    MetricOptions options;
    options.max_series = 1;
    // A metric without labels is one series.
    const Counter counter("c_total", "c", options);
    EXPECT_TRUE(counter.status().ok());
    const Status status = Counter("c_total", "c").status();
    EXPECT_EQ(status.code(), ErrorCode::kConflict);
    EXPECT_NE(status.message().find("max_series"), std::string::npos)
        << status.message();
  });
}

}  // namespace
}  // namespace tine::testing
