#include "tests/model/instruments.h"

#include <chrono>
#include <cstdlib>
#include <thread>
#include <variant>
#include <vector>

#include "writer/tine.h"

namespace tine::model {
namespace {

GaugeMode ModeOf(const Metric& metric) {
  static const auto* modes = new std::map<std::string, GaugeMode>{
      {"all", GaugeMode::kAll},
      {"liveall", GaugeMode::kLiveAll},
      {"sum", GaugeMode::kSum},
      {"livesum", GaugeMode::kLiveSum},
      {"min", GaugeMode::kMin},
      {"livemin", GaugeMode::kLiveMin},
      {"max", GaugeMode::kMax},
      {"livemax", GaugeMode::kLiveMax},
      {"mostrecent", GaugeMode::kMostRecent},
      {"livemostrecent", GaugeMode::kLiveMostRecent},
  };
  return modes->at((metric.is_live_mode ? "live" : "") + metric.rule);
}

using AnyHandle = std::variant<Counter, DoubleCounter, UpDownCounter, Gauge,
                               Histogram, Summary, StateSet>;
using AnyFamily =
    std::variant<CounterFamily, DoubleCounterFamily, UpDownCounterFamily,
                 GaugeFamily, HistogramFamily, SummaryFamily, StateSetFamily>;

// Longer than any test, and than any computer runs: it never ends.
constexpr std::chrono::hours kLongTime{24 * 365 * 20};

AnyFamily Register(const Metric& metric) {
  const std::string_view labels[] = {"l"};
  const StringSpan names(labels, 1);
  const std::vector<std::string_view> states(metric.states.begin(),
                                             metric.states.end());
  MetricOptions options;
  if (metric.has_time_to_live) {
    options.time_to_live = kLongTime;
  }
  switch (metric.instrument) {
    case Instrument::kCounter:
      return CounterFamily(metric.name, metric.help, names);
    case Instrument::kDoubleCounter:
      return DoubleCounterFamily(metric.name, metric.help, names);
    case Instrument::kUpDownCounter:
      return UpDownCounterFamily(metric.name, metric.help, names,
                                 ModeOf(metric));
    case Instrument::kGauge:
      return GaugeFamily(metric.name, metric.help, names, ModeOf(metric),
                         options);
    case Instrument::kHistogram:
      return HistogramFamily(metric.name, metric.help, names, metric.bounds);
    case Instrument::kStateSet:
      return StateSetFamily(metric.name, metric.help, names, states,
                            ModeOf(metric), options);
    case Instrument::kSummary:
    case Instrument::kInfo:  // Tell
      break;
  }
  return SummaryFamily(metric.name, metric.help, names);
}

// What can be done with each: an overload for every pair that a program may
// have.
struct Change {
  const Step& step;

  double number() const { return std::strtod(step.value().c_str(), nullptr); }

  void operator()(const Counter& counter) const {
    counter.Increment(std::strtoull(step.value().c_str(), nullptr, 10));
  }
  void operator()(const DoubleCounter& counter) const {
    counter.Increment(number());
  }
  void operator()(const UpDownCounter& counter) const {
    counter.Add(std::atoll(step.value().c_str()));
  }
  void operator()(const Gauge& gauge) const {
    if (step.verb() == "set") {
      gauge.Set(number());
    } else {
      gauge.Add(number());
    }
  }
  void operator()(const Histogram& histogram) const {
    histogram.Observe(number());
  }
  void operator()(const Summary& summary) const { summary.Observe(number()); }
  void operator()(const StateSet& states) const {
    if (step.verb() == "only") {
      states.SetOnly(step.value());
    } else {
      states.Set(step.value(), step.verb() == "raise");
    }
  }
};

}  // namespace

class Instruments::Handle {
 public:
  explicit Handle(const AnyHandle& handle) : handle_(handle) {}

  void Do(const Step& step) const { std::visit(Change{step}, handle_); }

 private:
  const AnyHandle handle_;
};

class Instruments::Family {
 public:
  explicit Family(const Metric& metric) : family_(Register(metric)) {}

  std::unique_ptr<Handle> LookUp(const std::string& label) const {
    return std::visit(
        [&label](const auto& family) {
          return std::make_unique<Handle>(family.WithLabels(label));
        },
        family_);
  }
  bool Remove(const std::string& label) const {
    return std::visit(
        [&label](const auto& family) { return family.Remove(label); }, family_);
  }
  bool Clear() const {
    return std::visit([](const auto& family) { return family.Clear(); },
                      family_);
  }

 private:
  const AnyFamily family_;
};

Instruments::Instruments(int variant) : variant_(variant) {}
Instruments::~Instruments() = default;

Instruments::Family* Instruments::FamilyOf(const std::string& metric) {
  std::unique_ptr<Family>& family = families_[metric];
  if (family == nullptr) {
    family = std::make_unique<Family>(MetricOf(metric, variant_));
  }
  return family.get();
}

Instruments::Handle* Instruments::HandleOf(const Step& step) {
  std::unique_ptr<Handle>& handle = handles_[{step.metric(), step.label()}];
  if (handle == nullptr) {
    handle = FamilyOf(step.metric())->LookUp(step.label());
  }
  return handle.get();
}

// Whoever tells it first defines it: forked children go on with it.
bool Instruments::Tell(const Step& step) {
  const std::string label = step.label();
  const auto known = infos_.find(step.metric());
  if (known != infos_.end()) {
    return known->second.Set({{"l", label}});
  }
  const Metric metric = MetricOf(step.metric(), variant_);
  const Info info(metric.name, metric.help, {{"l", label}});
  infos_.emplace(step.metric(), info);
  return info.status().ok();
}

bool Instruments::Do(const Step& step) {
  const std::string& verb = step.verb();
  if (verb == "tell") {
    return Tell(step);
  }
  if (verb == "clear") {
    for (auto it = handles_.begin(); it != handles_.end();) {
      it =
          it->first.first == step.metric() ? handles_.erase(it) : std::next(it);
    }
    return FamilyOf(step.metric())->Clear();
  }
  if (verb == "remove") {
    handles_.erase({step.metric(), step.label()});
    return FamilyOf(step.metric())->Remove(step.label());
  }
  const Handle* handle = HandleOf(step);
  if (verb == "thread") {
    std::thread([&] { handle->Do(step); }).join();
  } else if (verb != "touch") {
    handle->Do(step);
  }
  return true;
}

}  // namespace tine::model
