// Prometheus's instant vector selectors, without offsets and ranges.

#ifndef TINE_TOOLS_SERIES_SELECTOR_H_
#define TINE_TOOLS_SERIES_SELECTOR_H_

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace re2 {
class RE2;
}

namespace tine::tools {

// `name`, `name{label="v",other=~"re",third!="x",fourth!~"re"}`,
// `{__name__=~"re"}`, `{"name", "label"="v"}`. Strings are in double or single
// quotes with Go's escapes, or raw in backquotes; regular expressions are RE2's
// and must match the whole value; a label that a series lacks is an empty one.
// The name is a family's: that of a histogram, not of its buckets. Immutable;
// any thread.
class SeriesSelector {
 public:
  // INVALID_ARGUMENT says what is wrong, and at which byte (from 1). As in
  // Prometheus, some matcher must refuse the empty value, or everything would
  // be selected by accident.
  static absl::StatusOr<SeriesSelector> Parse(std::string_view text);

  ~SeriesSelector();
  SeriesSelector(SeriesSelector&&) noexcept;
  SeriesSelector& operator=(SeriesSelector&&) noexcept;

  // Labels in any order, each name once.
  using Labels = std::vector<std::pair<std::string_view, std::string_view>>;
  bool Matches(std::string_view family, const Labels& labels) const;

  const std::string& text() const { return text_; }

 private:
  friend class SelectorParser;

  enum class Operation { kEqual, kNotEqual, kMatch, kNoMatch };
  struct Matcher {
    std::string label;
    Operation operation;
    std::string value;
    std::unique_ptr<re2::RE2> pattern;  // of the last two

    bool Accepts(std::string_view text) const;
  };

  SeriesSelector();

  std::string text_;
  std::vector<Matcher> matchers_;
};

}  // namespace tine::tools

#endif  // TINE_TOOLS_SERIES_SELECTOR_H_
