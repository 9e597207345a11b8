#include "tools/series_selector.h"

#include <re2/re2.h>

#include <algorithm>
#include <cstdint>
#include <optional>

#include "absl/strings/str_cat.h"
#include "common/metric_names.h"

namespace tine::tools {
namespace {

constexpr std::string_view kNameLabel = "__name__";

bool IsNameStart(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool IsNamePart(char c) { return IsNameStart(c) || (c >= '0' && c <= '9'); }

// The value of a digit, at least `base` if it is none.
uint32_t DigitOf(char c) {
  if (c >= '0' && c <= '9') {
    return static_cast<uint32_t>(c - '0');
  }
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? static_cast<uint32_t>(lower - 'a') + 10
                                      : UINT32_MAX;
}

void AppendUtf8(uint32_t rune, std::string* text) {
  const auto tail = [&](int shift) {
    text->push_back(static_cast<char>(0x80 | ((rune >> shift) & 0x3F)));
  };
  if (rune < 0x80) {
    text->push_back(static_cast<char>(rune));
  } else if (rune < 0x800) {
    text->push_back(static_cast<char>(0xC0 | (rune >> 6)));
    tail(0);
  } else if (rune < 0x10000) {
    text->push_back(static_cast<char>(0xE0 | (rune >> 12)));
    tail(6);
    tail(0);
  } else {
    text->push_back(static_cast<char>(0xF0 | (rune >> 18)));
    tail(12);
    tail(6);
    tail(0);
  }
}

}  // namespace

// ---- Parsing ----------------------------------------------------------------

class SelectorParser {
 public:
  explicit SelectorParser(std::string_view text) : text_(text) {}

  absl::StatusOr<SeriesSelector> Parse() {
    selector_.text_ = std::string(text_);
    SkipSpace();
    if (!IsAtEnd() && (IsNameStart(Peek()) || Peek() == ':')) {
      AddNameMatcher(TakeName(/*may_have_colon=*/true));
    } else if (IsAtEnd() || Peek() != '{') {
      Error("a metric name or \"{\" is expected");
    }
    SkipSpace();
    if (error_.ok() && Take("{")) {
      ParseMatchers();
    }
    SkipSpace();
    if (!IsAtEnd()) {
      Error("the selector has ended, and something follows");
    }
    CheckMatchers();
    if (!error_.ok()) {
      return error_;
    }
    return std::move(selector_);
  }

 private:
  using Matcher = SeriesSelector::Matcher;
  using Operation = SeriesSelector::Operation;

  bool IsAtEnd() const { return at_ == text_.size(); }
  char Peek() const { return text_[at_]; }
  bool Take(std::string_view token) {
    const bool is_there = text_.substr(at_, token.size()) == token;
    at_ += is_there ? token.size() : 0;
    return is_there;
  }
  void SkipSpace() {
    while (!IsAtEnd() &&
           std::string_view(" \t\r\n").find(Peek()) != std::string_view::npos) {
      ++at_;
    }
  }

  // The first error stays.
  void ErrorAt(size_t at, std::string_view what) {
    if (error_.ok()) {
      error_ = absl::InvalidArgumentError(
          absl::StrCat("at byte ", at + 1, ": ",
                       absl::string_view(what.data(), what.size())));
    }
  }
  void Error(std::string_view what) { ErrorAt(at_, what); }

  std::string TakeName(bool may_have_colon) {
    const size_t begin = at_;
    while (!IsAtEnd() &&
           (IsNamePart(Peek()) || (may_have_colon && Peek() == ':'))) {
      ++at_;
    }
    return std::string(text_.substr(begin, at_ - begin));
  }

  void AddNameMatcher(std::string name) {
    has_name_ = true;
    selector_.matchers_.push_back(
        {std::string(kNameLabel), Operation::kEqual, std::move(name), nullptr});
  }

  // Behind "{", up to and with "}".
  void ParseMatchers() {
    for (;;) {
      SkipSpace();
      if (Take("}") || !error_.ok()) {
        return;
      }
      ParseMatcher();
      SkipSpace();
      if (error_.ok() && !Take(",") && (IsAtEnd() || Peek() != '}')) {
        Error("\",\" or \"}\" is expected");
      }
    }
  }

  void ParseMatcher() {
    const size_t begin = at_;
    std::string label;
    const bool is_quoted = !IsAtEnd() && (Peek() == '"' || Peek() == '\'');
    if (is_quoted) {
      label = TakeString();
    } else if (!IsAtEnd() && IsNameStart(Peek())) {
      label = TakeName(/*may_have_colon=*/false);
    } else {
      Error(IsAtEnd() ? "\"}\" is missing" : "a label name is expected");
    }
    SkipSpace();
    if (!error_.ok()) {
      return;
    }
    if (is_quoted && (IsAtEnd() || Peek() == ',' || Peek() == '}')) {
      TakeNameOfString(begin, std::move(label));
      return;
    }
    const std::optional<Operation> operation = TakeOperation();
    if (!operation.has_value()) {
      Error("\"=\", \"!=\", \"=~\" or \"!~\" is expected");
      return;
    }
    SkipSpace();
    const size_t value_at = at_;
    if (IsAtEnd() ||
        std::string_view("\"'`").find(Peek()) == std::string_view::npos) {
      Error("a value in quotes is expected");
      return;
    }
    AddMatcher(begin, value_at, std::move(label), *operation, TakeString());
  }

  void TakeNameOfString(size_t begin, std::string name) {
    if (has_name_) {
      ErrorAt(begin, "the metric name is there already");
    } else if (name.empty()) {
      ErrorAt(begin, "the metric name is empty");
    } else {
      AddNameMatcher(std::move(name));
    }
  }

  std::optional<Operation> TakeOperation() {
    if (Take("=~")) {
      return Operation::kMatch;
    }
    if (Take("!~")) {
      return Operation::kNoMatch;
    }
    if (Take("!=")) {
      return Operation::kNotEqual;
    }
    return Take("=") ? std::optional(Operation::kEqual) : std::nullopt;
  }

  void AddMatcher(size_t begin, size_t value_at, std::string label,
                  Operation operation, std::string value) {
    if (label == kNameLabel && has_name_) {
      ErrorAt(begin, "the metric name is there already");
    } else if (label == "le" || label == "quantile") {
      ErrorAt(begin, label +
                         " is no label of a series here: a histogram is one"
                         " series with all its buckets");
    }
    Matcher matcher = {std::move(label), operation, std::move(value), nullptr};
    if (operation == Operation::kMatch || operation == Operation::kNoMatch) {
      RE2::Options options;
      options.set_log_errors(false);
      options.set_dot_nl(true);
      matcher.pattern = std::make_unique<RE2>(matcher.value, options);
      if (!matcher.pattern->ok()) {
        ErrorAt(value_at, "regular expression: " + matcher.pattern->error());
      }
    }
    if (error_.ok()) {
      selector_.matchers_.push_back(std::move(matcher));
    }
  }

  std::string TakeString() {
    const size_t begin = at_;
    const char quote = Peek();
    std::string value;
    for (++at_; !IsAtEnd() && Peek() != quote && error_.ok();) {
      if (quote != '`' && Peek() == '\n') {
        break;
      }
      if (quote != '`' && Peek() == '\\') {
        TakeEscape(quote, &value);
      } else {
        value.push_back(Peek());
        ++at_;
      }
    }
    if (error_.ok() && !Take(std::string_view(&quote, 1))) {
      ErrorAt(begin, "the string has no end");
    }
    if (error_.ok() && !IsValidUtf8(value)) {
      ErrorAt(begin, "the string is not UTF-8");
    }
    return value;
  }

  void TakeEscape(char quote, std::string* value) {
    constexpr std::string_view kNames = "abfnrtv\\";
    constexpr std::string_view kMeanings = "\a\b\f\n\r\t\v\\";
    const size_t begin = at_++;
    const char c = IsAtEnd() ? '\0' : Peek();
    const size_t known = kNames.find(c);
    if (c != '\0' && (known != std::string_view::npos || c == quote)) {
      value->push_back(c == quote ? quote : kMeanings[known]);
      ++at_;
      return;
    }
    if (c >= '0' && c <= '7') {
      TakeNumber(begin, 3, 8, value);
      return;
    }
    at_ += IsAtEnd() ? 0 : 1;
    if (c == 'x') {
      TakeNumber(begin, 2, 16, value);
    } else if (c == 'u') {
      TakeNumber(begin, 4, 16, value);
    } else if (c == 'U') {
      TakeNumber(begin, 8, 16, value);
    } else {
      ErrorAt(begin, "there is no such escape");
    }
  }

  // Two or three digits are a byte, more a code point.
  void TakeNumber(size_t begin, int digit_count, uint32_t base,
                  std::string* value) {
    uint32_t number = 0;
    for (int i = 0; i < digit_count; ++i, ++at_) {
      const uint32_t digit = IsAtEnd() ? UINT32_MAX : DigitOf(Peek());
      if (digit >= base) {
        ErrorAt(begin,
                absl::StrCat("the escape needs ", digit_count,
                             base == 8 ? " octal" : " hexadecimal", " digits"));
        return;
      }
      number = number * base + digit;
    }
    const bool is_byte = digit_count <= 3;
    if (is_byte ? number > 0xFF
                : number > 0x10FFFF || (number >= 0xD800 && number <= 0xDFFF)) {
      ErrorAt(begin, "there is no such character");
    } else if (is_byte) {
      value->push_back(static_cast<char>(number));
    } else {
      AppendUtf8(number, value);
    }
  }

  void CheckMatchers() {
    if (std::all_of(selector_.matchers_.begin(), selector_.matchers_.end(),
                    [](const Matcher& m) { return m.Accepts(""); })) {
      ErrorAt(0,
              "at least one matcher must refuse the empty value, or everything "
              "is selected");
    }
  }

  const std::string_view text_;
  size_t at_ = 0;
  bool has_name_ = false;
  absl::Status error_;
  SeriesSelector selector_;
};

// ---- Matching ---------------------------------------------------------------

SeriesSelector::SeriesSelector() = default;
SeriesSelector::~SeriesSelector() = default;
SeriesSelector::SeriesSelector(SeriesSelector&&) noexcept = default;
SeriesSelector& SeriesSelector::operator=(SeriesSelector&&) noexcept = default;

absl::StatusOr<SeriesSelector> SeriesSelector::Parse(std::string_view text) {
  return SelectorParser(text).Parse();
}

bool SeriesSelector::Matcher::Accepts(std::string_view text) const {
  switch (operation) {
    case Operation::kEqual:
      return text == value;
    case Operation::kNotEqual:
      return text != value;
    case Operation::kMatch:
    case Operation::kNoMatch:
      break;
  }
  const bool is_match =
      RE2::FullMatch(re2::StringPiece(text.data(), text.size()), *pattern);
  return is_match == (operation == Operation::kMatch);
}

bool SeriesSelector::Matches(std::string_view family,
                             const Labels& labels) const {
  return std::all_of(
      matchers_.begin(), matchers_.end(), [&](const Matcher& matcher) {
        if (matcher.label == kNameLabel) {
          return matcher.Accepts(family);
        }
        const auto it = std::find_if(
            labels.begin(), labels.end(),
            [&](const auto& label) { return label.first == matcher.label; });
        return matcher.Accepts(it == labels.end() ? std::string_view()
                                                  : it->second);
      });
}

}  // namespace tine::tools
