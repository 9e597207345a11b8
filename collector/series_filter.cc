#include "collector/series_filter.h"

#include <re2/re2.h>

#include <algorithm>
#include <iterator>

namespace tine::collector {
namespace {

bool MatchesAny(const std::vector<std::unique_ptr<re2::RE2>>& patterns,
                std::string_view name) {
  const re2::StringPiece text(name.data(), name.size());
  return std::any_of(patterns.begin(), patterns.end(),
                     [text](const std::unique_ptr<re2::RE2>& pattern) {
                       return RE2::FullMatch(text, *pattern);
                     });
}

}  // namespace

SeriesFilter::SeriesFilter() = default;
SeriesFilter::~SeriesFilter() = default;
SeriesFilter::SeriesFilter(SeriesFilter&&) noexcept = default;
SeriesFilter& SeriesFilter::operator=(SeriesFilter&&) noexcept = default;

absl::Status SeriesFilter::ParsePatterns(std::string_view flag,
                                         const std::vector<std::string>& texts,
                                         Patterns* patterns) {
  for (const std::string& text : texts) {
    RE2::Options options;
    options.set_log_errors(false);  // the error goes to the caller instead
    auto pattern = std::make_unique<RE2>(text, options);
    if (!pattern->ok()) {
      return absl::InvalidArgumentError(std::string(flag) + "=\"" + text +
                                        "\": " + pattern->error());
    }
    patterns->push_back(std::move(pattern));
  }
  return absl::OkStatus();
}

absl::StatusOr<SeriesFilter> SeriesFilter::Parse(
    const std::vector<std::string>& include,
    const std::vector<std::string>& exclude) {
  SeriesFilter filter;
  absl::Status status =
      ParsePatterns("--series.include", include, &filter.include_);
  if (status.ok()) {
    status = ParsePatterns("--series.exclude", exclude, &filter.exclude_);
  }
  if (!status.ok()) {
    return status;
  }
  return filter;
}

bool SeriesFilter::Matches(std::string_view family_name) const {
  return (include_.empty() || MatchesAny(include_, family_name)) &&
         !MatchesAny(exclude_, family_name);
}

MergedFamilies SeriesFilter::Apply(const MergedFamilies& families) const {
  MergedFamilies matching;
  matching.reserve(families.size());
  std::copy_if(
      families.begin(), families.end(), std::back_inserter(matching),
      [this](const MergedFamily* family) { return Matches(family->name); });
  return matching;
}

}  // namespace tine::collector
