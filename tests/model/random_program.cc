#include "tests/model/random_program.h"

#include <cstddef>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/model/metrics.h"

namespace tine::model {
namespace {

using Words = std::vector<std::string>;

class Generator {
 public:
  // Each program has tastes of its own, so that some things happen often in
  // some programs.
  explicit Generator(uint64_t seed) : random_(seed) {
    for (size_t count = 1 + Below(3); count != 0; --count) {
      metrics_.push_back(OneOf(
          Below(3) == 0 ? Words{"f_total", "g_all", "g_sum", "h", "m_total",
                                "st_all", "st_mostrecent", "v_info", "x_total"}
                        : MetricNames()));
    }
    labels_ = Some({"a", "a", "b", "-"});
    process_labels_ = Some({"-", "-", "app=web", "l=own"});
    workers_ = Some({"-", "-", "w"});
    has_odd_numbers_ = Below(3) == 0;
    has_large_counts_ = Below(3) == 0;
  }

  Program Generate() {
    for (size_t count = 2 + Below(2); count != 0; --count) {
      Start();
    }
    for (size_t count = 12 + Below(14); count != 0; --count) {
      AddStep();
    }
    while (!alive_.empty()) {
      End();
    }
    Add({"fold"});
    return std::move(program_);
  }

 private:
  // std distributions differ from library to library.
  size_t Below(size_t limit) { return random_() % limit; }
  const std::string& OneOf(const Words& words) {
    return words[Below(words.size())];
  }
  Words Some(const Words& words) {
    return Below(2) == 0 ? Words{OneOf(words)} : words;
  }
  void Add(Words words) { program_.push_back({std::move(words)}); }
  std::string Alive() { return std::to_string(alive_[Below(alive_.size())]); }

  // False: there are enough.
  bool TakeNumber(std::string* number) {
    if (process_count_ == kMaxProcesses) {
      return false;
    }
    *number = std::to_string(process_count_);
    alive_.push_back(process_count_++);
    return true;
  }

  void Start() {
    std::string number;
    if (TakeNumber(&number)) {
      Add({"start", number, std::to_string(Below(kVariants)),
           OneOf(process_labels_), OneOf(workers_)});
    }
  }

  void Fork() {
    const std::string parent = Alive();
    std::string child;
    if (TakeNumber(&child)) {
      Add({Below(4) == 0 ? "clone" : "fork", parent, child});
    }
  }

  void End() {
    const size_t index = Below(alive_.size());
    Add({Below(3) == 0 ? "exit" : "kill", std::to_string(alive_[index])});
    alive_.erase(alive_.begin() + static_cast<ptrdiff_t>(index));
  }

  std::string Count() {
    return has_large_counts_ ? OneOf({"1", "9223372036854775808"})
                             : OneOf({"1", "2", "7", "4294967297"});
  }

  std::string Number() {
    static const Words usual = {"0",   "0.1", "0.3", "0.75", "1",
                                "2.5", "3",   "0.7", "4",    "1000000000.1"};
    static const Words odd = {"nan", "nan", "inf", "-inf", "-0.1", "-5"};
    return has_odd_numbers_ && Below(2) == 0 ? OneOf(odd) : OneOf(usual);
  }

  void Change() {
    const std::string metric = OneOf(metrics_);
    const std::string label = OneOf(labels_);
    const Instrument instrument = MetricOf(metric, 0).instrument;
    const std::string number = Alive();
    if (instrument == Instrument::kInfo) {
      Add({"tell", number, metric, label});
      return;
    }
    switch (Below(8)) {
      case 0:
        Add({"touch", number, metric, label});
        return;
      case 1:
        Add({"remove", number, metric, label});
        return;
      case 2:
        if (Below(3) == 0) {
          Add({"clear", number, metric});
          return;
        }
        break;
      default:
        break;
    }
    switch (instrument) {
      case Instrument::kCounter:
        if (metric == "x_total" && Below(2) == 0) {
          Add({"set", number, metric, label, OneOf({"1", "2", "7"})});
        } else {
          AddToCount(number, metric, label, Count());
        }
        break;
      case Instrument::kDoubleCounter:
        // (Anything else is dropped.)
        Add({"add", number, metric, label,
             OneOf({"0.1", "0.3", "0.7", "1000000000.1"})});
        break;
      case Instrument::kUpDownCounter:
        AddToCount(number, metric, label, OneOf({"1", "5", "-1", "-3"}));
        break;
      case Instrument::kGauge:
        Add({Below(4) == 0 ? "add" : "set", number, metric, label, Number()});
        break;
      case Instrument::kHistogram:
      case Instrument::kSummary: {
        const std::string value = Number();
        // (NaN is dropped.)
        Add({"observe", number, metric, label, value == "nan" ? "2" : value});
        break;
      }
      case Instrument::kStateSet:
        // (Nobody knows all of them.)
        Add({OneOf({"only", "only", "raise", "lower"}), number, metric, label,
             OneOf({"open", "open", "shut", "stuck", "torn"})});
        break;
      case Instrument::kInfo:
        break;
    }
  }

  void AddToCount(const std::string& number, const std::string& metric,
                  const std::string& label, const std::string& value) {
    Add({Below(5) == 0 ? "thread" : "add", number, metric, label, value});
  }

  void AddStep() {
    const size_t choice = Below(100);
    if (alive_.empty() || choice < 5) {
      Start();
    }
    if (choice < 13) {
      Add({"fold"});
      if (Below(3) == 0) {
        Add({"restart"});
      }
    } else if (choice < 17) {
      Add({"age"});
      Add({"fold"});
    } else if (choice < 19) {
      Add({"tick"});
    } else if (alive_.empty()) {
      return;
    } else if (choice < 28) {
      Fork();
    } else if (choice < 37) {
      End();
    } else {
      Change();
    }
  }

  std::mt19937_64 random_;
  Words metrics_;
  Words labels_;
  Words process_labels_;
  Words workers_;
  bool has_odd_numbers_ = false;
  bool has_large_counts_ = false;
  int process_count_ = 0;
  std::vector<int> alive_;
  Program program_;
};

}  // namespace

Program RandomProgram(uint64_t seed) { return Generator(seed).Generate(); }

}  // namespace tine::model
