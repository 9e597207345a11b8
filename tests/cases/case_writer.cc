// A real writer that does what a test says: see case_steps.py.
//
//   case_writer SOCKET PREFIX
//
// Connects to the test's socket, says "hello PID" and answers each line that it
// gets with one line. A forked child connects by itself. Names of metrics get
// the prefix, so that the cases of one directory do not meet. A word's %41 is
// an A. Commands:
//
//   KIND NAME [LABEL=VALUE ...] NUMBER     -> ok, dropped, or error: why
//   look KIND NAME [LABEL=VALUE ...]       the same without a change
//   declare KIND NAME [LABEL ...]          the family alone
//   value KIND NAME [LABEL=VALUE ...]      -> what this process has counted
//   remove KIND NAME [LABEL=VALUE ...]     -> ok, or absent
//   clear KIND NAME [LABEL ...]
//     KIND: counter, double, updown, set, add (a gauge), observe, summary,
//     state (a state set: NUMBER is the state to be the only true one, and
//     --states=a,b are all of them)
//     --ttl=MILLISECONDS --max-series=N --preset=LABEL, which is given first
//     --help=TEXT --unit=UNIT --mode=MODE --threads=N --times=N --by-name
//     --buckets=1,2 (or linear:START,WIDTH,COUNT, exponential:...)
//     --names=a,b   the family's label names, when the labels are others
//   series NAME N      counts 1 for l="0" to l="N-1"
//   info NAME LABEL=VALUE ...   tells these labels, instead of others
//   init [LABEL=VALUE ...] [--worker-id=ID]
//   clock SECONDS      the time of day is this second of 2001 from now on
//   fork               -> ok; the child says hello
//   drops              -> dropped observations and series
//   files              -> how many metric files this process has
//   exit

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "common/metric_names.h"
#include "tests/cases/fixed_clock.h"
#include "tools/shell_words.h"
#include "writer/tine.h"

namespace tine::testing {
namespace {

struct Command {
  std::string verb;
  std::string kind;
  std::string name;
  std::vector<std::pair<std::string, std::string>> labels;
  std::string number;
  std::map<std::string, std::string> flags;

  std::string Flag(const std::string& flag,
                   const std::string& otherwise) const {
    const auto it = flags.find(flag);
    return it == flags.end() ? otherwise : it->second;
  }
  double real() const { return std::strtod(number.c_str(), nullptr); }
};

std::string Unescape(const std::string& word) {
  std::string text;
  for (size_t i = 0; i < word.size(); ++i) {
    if (word[i] == '%' && i + 2 < word.size()) {
      text += static_cast<char>(std::stoi(word.substr(i + 1, 2), nullptr, 16));
      i += 2;
    } else {
      text += word[i];
    }
  }
  return text;
}

std::vector<double> ParseBounds(const std::string& text) {
  const size_t colon = text.find(':');
  if (colon != std::string::npos) {
    const std::vector<double> of = ParseBounds(text.substr(colon + 1));
    const int count = static_cast<int>(of.at(2));
    return text[0] == 'l' ? LinearBuckets(of[0], of[1], count)
                          : ExponentialBuckets(of[0], of[1], count);
  }
  std::vector<double> bounds;
  const char* at = text.c_str();
  while (*at != '\0') {
    char* end = nullptr;
    bounds.push_back(std::strtod(at, &end));
    at = *end == ',' ? end + 1 : end;
  }
  return bounds;
}

// The words of a command about a metric. Verbs stand before a kind; a change
// has none, and its number last.
Command Parse(std::vector<std::string> words, const std::string& prefix) {
  Command command;
  std::vector<std::string> plain;
  for (std::string& word : words) {
    word = Unescape(word);
    const size_t equals = word.find('=');
    if (word.compare(0, 2, "--") != 0) {
      plain.push_back(word);
    } else if (equals == std::string::npos) {
      command.flags[word] = "";
    } else {
      command.flags[word.substr(0, equals)] = word.substr(equals + 1);
    }
  }
  size_t at = 0;
  for (const char* verb : {"look", "declare", "value", "remove", "clear"}) {
    if (!plain.empty() && plain[0] == verb) {
      command.verb = plain[at++];
    }
  }
  command.kind = at < plain.size() ? plain[at++] : "";
  if (at < plain.size()) {
    command.name = plain[at++];
    const bool is_name = IsValidMetricName(command.name.substr(0, 1));
    command.name = (is_name ? prefix : "") + command.name;
  }
  if (command.verb.empty() && at < plain.size()) {
    command.number = plain.back();
    plain.pop_back();
  }
  for (; at < plain.size(); ++at) {
    const size_t equals = std::min(plain[at].find('='), plain[at].size());
    command.labels.emplace_back(
        plain[at].substr(0, equals),
        plain[at].substr(std::min(equals + 1, plain[at].size())));
  }
  return command;
}

uint64_t Drops() {
  const WriterStatus status = GetWriterStatus();
  return status.dropped_observations + status.dropped_series;
}

std::vector<std::string_view> SplitNames(std::string_view text) {
  std::vector<std::string_view> names;
  for (size_t comma = 0; comma != std::string_view::npos;
       text.remove_prefix(std::min(comma + 1, text.size()))) {
    comma = text.find(',');
    names.push_back(text.substr(0, comma));
  }
  return names;
}

std::string Text(const Status& status) {
  return status.ok() ? "ok" : "error: " + status.message();
}

// In how many threads and how often a change is made.
template <typename Handle>
void Repeat(const Command& command, const Handle& handle,
            const std::function<void(const Handle&)>& change) {
  const int times = std::stoi(command.Flag("--times", "1"));
  std::vector<std::thread> threads;
  const auto run = [&] {
    for (int i = 0; i < times; ++i) {
      change(handle);
    }
  };
  for (int i = std::stoi(command.Flag("--threads", "0")); i > 0; --i) {
    threads.emplace_back(run);
  }
  if (threads.empty()) {
    run();
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
}

template <typename Family>
auto FindByName(const Family& family, const std::vector<LabelPair>& pairs) {
  switch (pairs.size()) {
    case 1:
      return family.With({pairs[0]});
    case 2:
      return family.With({pairs[0], pairs[1]});
    default:
      return family.With({pairs[0], pairs[1], pairs[2]});
  }
}

// One kind of instrument: `Single` without labels, `Family` with.
template <typename Single, typename Family, typename... Extra>
class Instrument {
 public:
  using Change = std::function<void(const Single&)>;
  using Read = std::function<std::string(const Single&)>;

  explicit Instrument(const Command& command, const Extra&... extra)
      : command_(command) {
    MetricOptions options;
    const std::string unit = command.Flag("--unit", "");
    options.unit = unit;
    options.time_to_live =
        std::chrono::milliseconds(std::stoi(command.Flag("--ttl", "0")));
    options.max_series =
        static_cast<uint32_t>(std::stoul(command.Flag("--max-series", "0")));
    const std::string help = command.Flag("--help", "");
    if (command.labels.empty() && command.flags.count("--names") == 0) {
      single_ = Single(command.name, help, extra..., options);
      status_ = single_.status();
      return;
    }
    std::vector<std::string_view> names;
    for (const auto& [name, value] : command.labels) {
      names.push_back(name);
      values_.push_back(value);
      pairs_.push_back({name, value});
    }
    const std::string other_names = command.Flag("--names", "");
    if (!other_names.empty()) {
      names = SplitNames(other_names);
    } else if (command.flags.count("--by-name") != 0) {
      // The order is free: it is the first command's that counts.
      std::vector<std::string>& first = FirstNames();
      if (first.empty()) {
        first.assign(names.begin(), names.end());
      }
      names.assign(first.begin(), first.end());
    }
    family_ =
        std::make_unique<Family>(command.name, help, names, extra..., options);
    status_ = family_->status();
  }

  std::string Run(const Change& change, const Read& read) {
    if (!status_.ok() || command_.verb == "declare") {
      return Text(status_);
    }
    if (command_.verb == "clear") {
      return family_->Clear() ? "ok" : "error: not cleared";
    }
    if (command_.verb == "remove") {
      return family_->RemoveLabelValues(values_) ? "ok" : "absent";
    }
    const Single series = Find();
    if (command_.verb == "value") {
      return read(series);
    }
    const Status status = series.status();
    if (!series.is_valid() || command_.verb == "look") {
      return Text(status);
    }
    const uint64_t drops_before = Drops();
    Repeat<Single>(command_, series, change);
    return Drops() == drops_before ? Text(status) : "dropped";
  }

 private:
  Single Find() const {
    if (family_ == nullptr) {
      return single_;
    }
    const std::string preset = command_.Flag("--preset", "");
    if (!preset.empty()) {
      std::vector<LabelPair> rest = pairs_;
      const auto first = std::find_if(
          rest.begin(), rest.end(),
          [&](const LabelPair& pair) { return pair.name == preset; });
      const LabelPair given = *first;
      rest.erase(first);
      return FindByName(family_->Preset({given}), rest);
    }
    return command_.flags.count("--by-name") != 0
               ? FindByName(*family_, pairs_)
               : family_->WithLabelValues(values_);
  }

  std::vector<std::string>& FirstNames() const {
    static std::map<std::string, std::vector<std::string>> names;
    return names[command_.name];
  }

  const Command& command_;
  Single single_;
  std::unique_ptr<Family> family_;
  std::vector<std::string_view> values_;
  std::vector<LabelPair> pairs_;
  Status status_;
};

std::string NumberText(double value) {
  char text[64];
  std::snprintf(text, sizeof(text), "%.17g", value);
  return text;
}

std::string RunGauge(const Command& command) {
  const GaugeMode mode = ParseGaugeMode(command.Flag("--mode", ""));
  return Instrument<Gauge, GaugeFamily, GaugeMode>(command, mode)
      .Run(
          [&](const Gauge& gauge) {
            if (command.kind == "add") {
              gauge.Add(command.real());
            } else if (command.number == "now") {
              gauge.SetToCurrentTime();
            } else {
              gauge.Set(command.real());
            }
          },
          [](const Gauge& gauge) {
            double value = 0;
            return gauge.Value(&value) ? NumberText(value) : "unset";
          });
}

std::string RunState(const Command& command) {
  const std::string states = command.Flag("--states", "");
  return Instrument<StateSet, StateSetFamily, std::vector<std::string_view>,
                    GaugeMode>(command, SplitNames(states),
                               ParseGaugeMode(command.Flag("--mode", "")))
      .Run([&](const StateSet& set) { set.SetOnly(command.number); },
           [](const StateSet& set) {
             std::string text;
             for (uint32_t i = 0; i < set.state_count(); ++i) {
               text += set.IsTrue(i) ? '1' : '0';
             }
             return text;
           });
}

// One object for each name, as programs have it.
std::string RunInfo(const std::vector<std::string>& words,
                    const std::string& prefix) {
  static std::map<std::string, Info> infos;
  const auto& name = words.at(1);
  std::vector<LabelPair> pairs;
  for (size_t i = 2; i < words.size(); ++i) {
    const std::string_view word = words[i];
    const size_t equals = word.find('=');
    pairs.push_back({word.substr(0, equals), word.substr(equals + 1)});
  }
  const auto it = infos.find(name);
  if (it == infos.end()) {
    const Info info = pairs.size() == 1
                          ? Info(prefix + name, "", {pairs[0]})
                          : Info(prefix + name, "", {pairs[0], pairs.at(1)});
    infos.emplace(name, info);
    return Text(info.status());
  }
  const bool is_told = pairs.size() == 1
                           ? it->second.Set({pairs[0]})
                           : it->second.Set({pairs[0], pairs.at(1)});
  return is_told ? "ok" : "error: not told";
}

std::string RunMetric(const Command& command) {
  if (command.kind == "state") {
    return RunState(command);
  }
  const double real = command.real();
  if (command.kind == "counter") {
    return Instrument<Counter, CounterFamily>(command).Run(
        [&](const Counter& counter) {
          counter.Increment(std::strtoull(command.number.c_str(), nullptr, 10));
        },
        [](const Counter& counter) { return std::to_string(counter.Value()); });
  }
  if (command.kind == "double") {
    return Instrument<DoubleCounter, DoubleCounterFamily>(command).Run(
        [&](const DoubleCounter& counter) { counter.Increment(real); },
        [](const DoubleCounter& counter) {
          return NumberText(counter.Value());
        });
  }
  if (command.kind == "updown") {
    const GaugeMode mode = ParseGaugeMode(command.Flag("--mode", ""));
    return Instrument<UpDownCounter, UpDownCounterFamily, GaugeMode>(command,
                                                                     mode)
        .Run(
            [&](const UpDownCounter& counter) {
              counter.Add(std::strtoll(command.number.c_str(), nullptr, 10));
            },
            [](const UpDownCounter& counter) {
              return std::to_string(counter.Value());
            });
  }
  if (command.kind == "set" || command.kind == "add") {
    return RunGauge(command);
  }
  if (command.kind == "observe") {
    const std::string text = command.Flag("--buckets", "default");
    const std::vector<double> bounds =
        text == "default" ? DefaultBuckets() : ParseBounds(text);
    return Instrument<Histogram, HistogramFamily, std::vector<double>>(command,
                                                                       bounds)
        .Run([&](const Histogram& histogram) { histogram.Observe(real); },
             [](const Histogram& histogram) {
               return NumberText(histogram.Sum());
             });
  }
  if (command.kind == "summary") {
    return Instrument<Summary, SummaryFamily>(command).Run(
        [&](const Summary& summary) { summary.Observe(real); },
        [](const Summary& summary) { return NumberText(summary.Sum()); });
  }
  return "error: no command " + command.kind;
}

class Session {
 public:
  Session(const char* socket, const char* prefix)
      : path_(socket), prefix_(prefix) {
    Connect();
  }

  // To the end of the input.
  void Run() {
    std::string line;
    while (ReadLine(&line)) {
      std::vector<std::string> words;
      std::string error;
      if (!tools::SplitShellWords(line, &words, &error) || words.empty()) {
        Answer("error: " + error);
        continue;
      }
      if (words[0] == "exit") {
        return;
      }
      Do(words);
    }
  }

 private:
  void Connect() {
    socket_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path_, sizeof(address.sun_path) - 1);
    if (::connect(socket_, reinterpret_cast<sockaddr*>(&address),
                  sizeof(address)) != 0) {
      std::perror("case_writer: connect");
      std::exit(1);
    }
    Answer("hello " + std::to_string(::getpid()));
  }

  void Do(const std::vector<std::string>& words) {
    if (words[0] == "fork") {
      const pid_t child = ::fork();
      if (child == 0) {
        ::close(socket_);
        input_.clear();
        Connect();
        return;
      }
      Answer(child > 0 ? "ok" : "error: fork");
    } else if (words[0] == "info") {
      Answer(RunInfo(words, prefix_));
    } else if (words[0] == "init") {
      Answer(RunInit(words));
    } else if (words[0] == "series") {
      const CounterFamily family(prefix_ + words.at(1), "", {"l"});
      for (int i = 0; i < std::stoi(words.at(2)); ++i) {
        family.WithLabels(std::to_string(i)).Increment();
      }
      Answer(Text(family.status()));
    } else if (words[0] == "clock") {
      FixClock(std::stoll(words.at(1)));
      Answer("ok");
    } else if (words[0] == "drops") {
      Answer(std::to_string(Drops()));
    } else if (words[0] == "files") {
      Answer(std::to_string(GetWriterStatus().files.size()));
    } else {
      const Command command = Parse(words, prefix_);
      Answer(RunMetric(command));
    }
  }

  std::string RunInit(const std::vector<std::string>& words) const {
    std::vector<std::string> with_kind = words;
    with_kind.insert(with_kind.begin() + 1, "-");  // stands for a name
    with_kind.insert(with_kind.begin(), "look");
    const Command command = Parse(with_kind, "");
    InitOptions options;
    const std::string worker_id = command.Flag("--worker-id", "");
    options.worker_id = worker_id;
    for (const auto& [name, value] : command.labels) {
      options.process_labels.push_back({name, value});
    }
    return Text(Init(options));
  }

  bool ReadLine(std::string* line) {
    size_t end = 0;
    while ((end = input_.find('\n')) == std::string::npos) {
      char buffer[65536];
      const ssize_t count = ::read(socket_, buffer, sizeof(buffer));
      if (count <= 0) {
        return false;
      }
      input_.append(buffer, static_cast<size_t>(count));
    }
    *line = input_.substr(0, end);
    input_.erase(0, end + 1);
    return true;
  }

  void Answer(std::string text) const {
    for (char& c : text) {
      c = c == '\n' ? ' ' : c;
    }
    text += '\n';
    if (::send(socket_, text.data(), text.size(), MSG_NOSIGNAL) < 0) {
      std::exit(1);
    }
  }

  const char* const path_;
  const std::string prefix_;
  int socket_ = -1;
  std::string input_;
};

}  // namespace
}  // namespace tine::testing

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "case_writer SOCKET PREFIX\n";
    return 2;
  }
  tine::testing::Session(argv[1], argv[2]).Run();
  return 0;
}
