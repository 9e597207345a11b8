#include "tools/emit_command.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <system_error>

#include "common/metric_names.h"

namespace tine::tools {
namespace {

using format::GaugeMode;
using format::MetricType;

// All of `text`, or nothing.
template <typename Number>
bool ParseNumber(std::string_view text, Number* number) {
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') {
    text.remove_prefix(1);
  }
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, *number);
  return result.ec == std::errc() && result.ptr == end;
}

bool ParseType(const std::string& word, MetricType* type) {
  const std::pair<const char*, MetricType> types[] = {
      {"counter", MetricType::kCounter},
      {"gauge", MetricType::kGauge},
      {"histogram", MetricType::kHistogram},
      {"summary", MetricType::kSummary},
      {"updown", MetricType::kUpDownCounter}};
  for (const auto& [name, value] : types) {
    if (word == name) {
      *type = value;
      return true;
    }
  }
  return false;
}

bool ParseBuckets(std::string_view text, std::vector<double>* buckets) {
  while (true) {
    const size_t comma = std::min(text.find(','), text.size());
    double bound;
    if (!ParseNumber(text.substr(0, comma), &bound)) {
      return false;
    }
    buckets->push_back(bound);
    if (comma == text.size()) {
      return true;
    }
    text.remove_prefix(comma + 1);
  }
}

class Parser {
 public:
  Parser(EmitCommand* command, std::string* error)
      : command_(command), error_(error) {}

  bool Run(const std::vector<std::string>& words) {
    if (words.empty() || !ParseType(words[0], &command_->type)) {
      return Fail(words.empty() ? "no command"
                                : "unknown command \"" + words[0] +
                                      "\": counter, gauge, histogram, summary "
                                      "or updown");
    }
    std::vector<std::string> plain;
    for (size_t i = 1; i < words.size(); ++i) {
      if (words[i].rfind("--", 0) == 0) {
        if (!TakeFlag(words[i])) {
          return false;
        }
      } else {
        plain.push_back(words[i]);
      }
    }
    if (plain.size() < 2) {
      return Fail(words[0] + " needs a name and a number");
    }
    return TakeName(plain[0]) && TakeLabels(plain) &&
           TakeNumber(plain.back()) && CheckMode();
  }

 private:
  bool Fail(const std::string& error) {
    *error_ = error;
    return false;
  }

  bool TakeFlag(const std::string& word) {
    const size_t equals = word.find('=');
    if (equals == std::string::npos) {
      return Fail("flag " + word + " needs a value: " + word + "=...");
    }
    const std::string flag = word.substr(0, equals);
    const std::string value = word.substr(equals + 1);
    const MetricType type = command_->type;
    if (flag == "--help-text") {
      command_->help_text = value;
      return IsValidUtf8(value) || Fail("the help text is not UTF-8");
    }
    if (flag == "--unit") {
      command_->unit = value;
      return IsValidUtf8(value) || Fail("the unit is not UTF-8");
    }
    if (flag == "--buckets" && type == MetricType::kHistogram) {
      command_->buckets.emplace();
      return ParseBuckets(value, &*command_->buckets) ||
             Fail("--buckets=" + value + " is not a list of numbers");
    }
    if (flag == "--op" && type == MetricType::kGauge) {
      command_->is_add = value == "add";
      return value == "add" || value == "set" || Fail("--op is set or add");
    }
    if (flag == "--mode" &&
        (type == MetricType::kGauge || type == MetricType::kUpDownCounter)) {
      command_->mode = ParseGaugeMode(value);
      return *command_->mode != GaugeMode::kNone ||
             Fail("--mode=" + value +
                  " is no mode: all, liveall, sum, "
                  "livesum, min, livemin, max, livemax, mostrecent or "
                  "livemostrecent");
    }
    return Fail("unknown flag " + flag + " for this command");
  }

  bool TakeName(const std::string& name) {
    command_->name = name;
    return IsValidMetricName(name) ||
           Fail("metric name \"" + name + "\" is not [a-zA-Z_:][a-zA-Z0-9_:]*");
  }

  // Everything between the name and the number.
  bool TakeLabels(const std::vector<std::string>& plain) {
    for (size_t i = 1; i + 1 < plain.size(); ++i) {
      const size_t equals = plain[i].find('=');
      if (equals == std::string::npos) {
        return Fail("\"" + plain[i] + "\" is no LABEL=VALUE");
      }
      const std::string name = plain[i].substr(0, equals);
      const std::string value = plain[i].substr(equals + 1);
      if (!IsValidLabelName(name) || IsReservedLabelName(name)) {
        return Fail("label name \"" + name +
                    "\" is not [a-zA-Z_][a-zA-Z0-9_]*, or is reserved");
      }
      if (!IsValidUtf8(value) || value.size() > kMaxLabelValueBytes) {
        return Fail("the value of label " + name +
                    " is not UTF-8, or longer than 65535 bytes");
      }
      command_->labels.emplace_back(name, value);
    }
    auto& labels = command_->labels;
    std::sort(labels.begin(), labels.end());
    for (size_t i = 1; i < labels.size(); ++i) {
      if (labels[i - 1].first == labels[i].first) {
        return Fail("label " + labels[i].first + " appears twice");
      }
    }
    return labels.size() <= kMaxLabelCount || Fail("more than 64 labels");
  }

  bool TakeNumber(const std::string& text) {
    if (command_->type == MetricType::kUpDownCounter) {
      int64_t amount = 0;
      command_->is_whole = ParseNumber(text, &amount);
      command_->whole = static_cast<uint64_t>(amount);
      return command_->is_whole || Fail("\"" + text + "\" is no whole number");
    }
    if (command_->type == MetricType::kCounter) {
      command_->is_whole = ParseNumber(text, &command_->whole);
      if (command_->is_whole) {
        command_->real = static_cast<double>(command_->whole);
        return true;
      }
    }
    if (!ParseNumber(text, &command_->real)) {
      return Fail("\"" + text + "\" is no number");
    }
    const bool is_digits_only =
        text.find_first_not_of("+0123456789") == std::string::npos;
    if (command_->type == MetricType::kCounter &&
        (is_digits_only || !(command_->real >= 0) ||
         !std::isfinite(command_->real))) {
      return Fail("a counter cannot count \"" + text +
                  "\": it takes finite numbers >= 0, whole ones below 2^64");
    }
    if (std::isnan(command_->real) && command_->type != MetricType::kGauge) {
      return Fail("NaN cannot be observed");
    }
    return true;
  }

  bool CheckMode() {
    if (command_->type == MetricType::kUpDownCounter && command_->mode &&
        *command_->mode != GaugeMode::kSum &&
        *command_->mode != GaugeMode::kLiveSum) {
      return Fail("the mode of an up-down counter is sum or livesum");
    }
    if (command_->is_add && command_->mode &&
        IsMostRecentMode(*command_->mode)) {
      return Fail("--op=add has no meaning in mode " +
                  std::string(GaugeModeName(*command_->mode)) +
                  ": choose another --mode, sum say");
    }
    return true;
  }

  EmitCommand* const command_;
  std::string* const error_;
};

}  // namespace

const char kEmitCommandHelp[] =
    R"(Commands, which flags --help-text=TEXT and --unit=UNIT may follow:
  counter NAME [LABEL=VALUE ...] ADD
      A whole number is counted exactly; one with '.' or 'e' as a double.
  gauge NAME [LABEL=VALUE ...] VALUE [--op=set|add] [--mode=MODE]
      MODE says what the values of several processes become: all, liveall, sum,
      livesum, min, livemin, max, livemax, mostrecent, livemostrecent. Without
      it: mostrecent, and with --op=add: sum. The live ones need --stdin, since
      a process that is gone has no value in them.
  histogram NAME [LABEL=VALUE ...] VALUE [--buckets=1,2,5]
  summary NAME [LABEL=VALUE ...] VALUE
  updown NAME [LABEL=VALUE ...] ADD [--mode=sum|livesum]
      Adds a whole number, negative ones too, to what all processes share.

With --stdin: one such command a line, words quoted as in a shell ('..', "..",
\), # begins a comment. What an earlier line said of a metric need not be said
again.

Exit codes: 0 done, 1 failed (a value did not reach a file), 2 usage.)";

bool ParseEmitCommand(const std::vector<std::string>& words,
                      EmitCommand* command, std::string* error) {
  *command = EmitCommand();
  return Parser(command, error).Run(words);
}

bool ParseLabelList(std::string_view text,
                    std::vector<std::pair<std::string, std::string>>* labels) {
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    const std::string_view item = text.substr(0, comma);
    const size_t equals = item.find('=');
    if (equals == std::string_view::npos) {
      return false;
    }
    labels->emplace_back(item.substr(0, equals), item.substr(equals + 1));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return true;
}

}  // namespace tine::tools
