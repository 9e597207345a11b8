// --series.include and --series.exclude: which families are served. The
// collector's only user of RE2.

#ifndef TINE_COLLECTOR_SERIES_FILTER_H_
#define TINE_COLLECTOR_SERIES_FILTER_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "collector/merged_family.h"

namespace re2 {
class RE2;
}

namespace tine::collector {

// Immutable; any thread.
class SeriesFilter {
 public:
  // Serves everything.
  SeriesFilter();
  ~SeriesFilter();
  SeriesFilter(SeriesFilter&&) noexcept;
  SeriesFilter& operator=(SeriesFilter&&) noexcept;

  // Patterns in RE2 syntax. The error names the flag, the pattern and what RE2
  // says about it.
  static absl::StatusOr<SeriesFilter> Parse(
      const std::vector<std::string>& include,
      const std::vector<std::string>& exclude);

  // Is the whole name matched by some `include` (or is there none), and by no
  // `exclude`?
  bool Matches(std::string_view family_name) const;

  // The families whose names match, in their order.
  MergedFamilies Apply(const MergedFamilies& families) const;

 private:
  using Patterns = std::vector<std::unique_ptr<re2::RE2>>;

  static absl::Status ParsePatterns(std::string_view flag,
                                    const std::vector<std::string>& texts,
                                    Patterns* patterns);

  Patterns include_;
  Patterns exclude_;
};

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_SERIES_FILTER_H_
