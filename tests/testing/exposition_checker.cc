#include "tests/testing/exposition_checker.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <utility>
#include <vector>

#include "tests/testing/plain_text_rules.h"

namespace tine::testing {
namespace {

using Label = std::pair<std::string, std::string>;

struct Sample {
  std::string name;
  std::vector<Label> labels;
  double value = 0;
};

// Takes pieces off the front of one line. What does not fit makes it bad for
// good.
class Line {
 public:
  explicit Line(std::string_view text) : rest_(text) {}

  bool is_good() const { return is_good_; }
  bool is_empty() const { return rest_.empty(); }
  char next() const { return rest_.empty() ? '\0' : rest_[0]; }

  void Skip(std::string_view piece) {
    if (rest_.substr(0, piece.size()) != piece) {
      is_good_ = false;
      return;
    }
    rest_.remove_prefix(piece.size());
  }
  std::string TakeUntil(std::string_view ends) {
    const size_t end = std::min(rest_.find_first_of(ends), rest_.size());
    std::string taken(rest_.substr(0, end));
    rest_.remove_prefix(end);
    return taken;
  }
  // Up to an unescaped `end`, or to the end of the line if that is '\0'.
  std::string TakeEscaped(char end) {
    std::string taken;
    while (!rest_.empty() && rest_[0] != end) {
      if (rest_[0] != '\\') {
        taken += rest_[0];
        rest_.remove_prefix(1);
        continue;
      }
      const char escaped = rest_.size() > 1 ? rest_[1] : '\0';
      const bool is_known =
          escaped == 'n' || escaped == '\\' || (escaped == '"' && end == '"');
      is_good_ = is_good_ && is_known;
      taken += escaped == 'n' ? '\n' : escaped;
      rest_.remove_prefix(std::min<size_t>(2, rest_.size()));
    }
    is_good_ = is_good_ && IsPlainUtf8(taken);
    return taken;
  }

 private:
  std::string_view rest_;
  bool is_good_ = true;
};

// As Go's strconv.ParseFloat takes them, less what we never write: hexadecimal,
// underscores, a leading plus or point.
bool ParseValue(const std::string& text, double* value) {
  if (text == "NaN" || text == "+Inf" || text == "-Inf") {
    *value = std::strtod(text.c_str(), nullptr);
    return true;
  }
  const size_t digits = text[0] == '-' ? 1 : 0;
  if (text.size() <= digits || text[digits] < '0' || text[digits] > '9' ||
      text.find_first_not_of("0123456789.e+-") != std::string::npos) {
    return false;
  }
  char* end = nullptr;
  *value = std::strtod(text.c_str(), &end);
  return end == text.c_str() + text.size();
}

bool ParseSample(std::string_view text, Sample* sample) {
  Line line(text);
  sample->name = line.TakeUntil("{ ");
  std::set<std::string> names;
  if (line.next() == '{') {
    char separator = '{';
    do {
      line.Skip(std::string_view(&separator, 1));
      std::string name = line.TakeUntil("=");
      line.Skip("=\"");
      std::string value = line.TakeEscaped('"');
      line.Skip("\"");
      if (!IsPlainName(name, /*may_have_colon=*/false) ||
          !names.insert(name).second) {
        return false;
      }
      sample->labels.emplace_back(std::move(name), std::move(value));
      separator = ',';
    } while (line.is_good() && line.next() == ',');
    line.Skip("}");
  }
  line.Skip(" ");
  const std::string value = line.TakeUntil(" ");
  return line.is_good() && line.is_empty() &&
         IsPlainName(sample->name, /*may_have_colon=*/true) &&
         ParseValue(value, &sample->value);
}

class Checker {
 public:
  CheckedExposition Check(std::string_view text) {
    size_t line_number = 0;
    while (!text.empty() && result_.error.empty()) {
      ++line_number;
      const size_t end = text.find('\n');
      if (end == std::string_view::npos) {
        result_.error = "the last line does not end";
      } else {
        TakeLine(text.substr(0, end));
        text.remove_prefix(end + 1);
      }
      if (!result_.error.empty()) {
        result_.error += " (line " + std::to_string(line_number) + ")";
      }
    }
    if (result_.error.empty()) {
      EndFamily();
    }
    return std::move(result_);
  }

 private:
  void Fail(const std::string& error) {
    if (result_.error.empty()) {
      result_.error = error;
    }
  }

  void TakeLine(std::string_view text) {
    if (text.substr(0, 7) == "# HELP ") {
      Line line(text.substr(7));
      BeginFamily(line.TakeUntil(" "));
      line.Skip(" ");
      line.TakeEscaped('\0');
      has_help_ = true;
      if (!line.is_good()) {
        Fail("a HELP line is malformed");
      }
    } else if (text.substr(0, 7) == "# TYPE ") {
      Line line(text.substr(7));
      const std::string name = line.TakeUntil(" ");
      if (!has_help_ || name != family_) {
        BeginFamily(name);
      }
      has_help_ = false;
      line.Skip(" ");
      const std::string type = line.TakeUntil(" ");
      TakeType(type, line.is_good() && line.is_empty());
    } else {
      Sample sample;
      if (!ParseSample(text, &sample)) {
        Fail("a sample is malformed");
        return;
      }
      TakeSample(sample);
    }
  }

  void BeginFamily(const std::string& name) {
    EndFamily();
    if (!IsPlainName(name, /*may_have_colon=*/true) ||
        !families_.insert(name).second) {
      Fail("a second part of a family, or a bad name");
    }
    family_ = name;
    type_.clear();
    has_help_ = false;
  }

  void TakeType(const std::string& type, bool is_whole) {
    static const std::set<std::string> kTypes = {
        "counter", "gauge", "histogram", "summary", "untyped"};
    if (!is_whole || !type_.empty() || kTypes.count(type) == 0) {
      Fail("a TYPE line is malformed");
    }
    type_ = type;
    result_.types[family_] = type;
  }

  void TakeSample(const Sample& sample) {
    const bool is_family_name =
        sample.name.substr(0, family_.size()) == family_;
    const std::string suffix =
        is_family_name ? sample.name.substr(family_.size()) : "?";
    const bool is_histogram = type_ == "histogram";
    const bool is_part = is_histogram || type_ == "summary";
    const bool is_bucket = is_histogram && suffix == "_bucket";
    if (type_.empty() || has_help_ ||
        !(is_part ? is_bucket || suffix == "_sum" || suffix == "_count"
                  : suffix.empty())) {
      Fail("a sample stands outside of its family");
    }
    if ((type_ == "counter" || suffix == "_bucket" || suffix == "_count") &&
        !(sample.value >= 0)) {
      Fail("a counter is below zero");
    }
    std::string key = "{";
    double bound = 0;
    bool has_bound = false;
    for (const auto& [name, value] : sample.labels) {
      std::string text = value;
      if (name == "le" && is_bucket) {
        has_bound = ParseValue(value, &bound);
        char bound_text[32];
        std::snprintf(bound_text, sizeof(bound_text), "%.17g", bound);
        text = bound_text;
      } else {
        key += (key.size() > 1 ? "," : "") + name + "=" + text;
        continue;
      }
    }
    if (is_histogram) {
      TakeHistogramPart(suffix, key, has_bound ? bound : NAN, sample.value);
    }
    if (is_bucket) {
      char text[40];
      std::snprintf(text, sizeof(text), "%sle=%.17g", key.size() > 1 ? "," : "",
                    bound);
      key += text;
    }
    if (!result_.samples.emplace(sample.name + key + "}", sample.value)
             .second) {
      Fail("two samples are alike");
    }
  }

  // Buckets come before _sum and _count of their series.
  void TakeHistogramPart(const std::string& suffix, const std::string& key,
                         double bound, double value) {
    if (suffix == "_bucket") {
      const bool is_first = series_ != key || std::isinf(bound_);
      if (std::isnan(bound) || std::isnan(value) ||
          (!is_first && !(bound > bound_ && value >= bucket_))) {
        Fail("a bucket falls, or its bound does");
      }
      series_ = key;
      bound_ = bound;
      bucket_ = value;
      return;
    }
    if (series_ != key || bound_ != INFINITY) {
      Fail("a histogram does not end with its bucket +Inf");
    }
    if (suffix == "_count" && value != bucket_) {
      Fail("a histogram's count is not its bucket +Inf");
    }
  }

  void EndFamily() {
    if (has_help_ || (!family_.empty() && type_.empty())) {
      Fail("a family has no TYPE");
    }
    series_.clear();
    bound_ = INFINITY;
  }

  CheckedExposition result_;
  std::set<std::string> families_;
  std::string family_;
  std::string type_;
  bool has_help_ = false;
  // Of a histogram, the bucket before.
  std::string series_;
  double bound_ = INFINITY;
  double bucket_ = 0;
};

}  // namespace

CheckedExposition CheckExposition(std::string_view text) {
  return Checker().Check(text);
}

}  // namespace tine::testing
