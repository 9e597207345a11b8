// What one owner of sources may still add to the merged view.

#ifndef TINE_COLLECTOR_SERIES_BUDGET_H_
#define TINE_COLLECTOR_SERIES_BUDGET_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace tine::collector {

// What the view has forgotten.
struct ReturnedBudget {
  size_t families = 0;
  size_t series = 0;
  uint64_t text_bytes = 0;
  bool is_overflow = false;  // from that allowance
};

// Spent by what is new to the view, and given back when the view forgets it.
// What is there already costs nothing, so an owner whose budget is used up goes
// on counting in the series that it has, and in the overflow series of its
// families. Those have an allowance of their own: they are what is left when
// the rest is used up.
struct SeriesBudget {
  static constexpr uint64_t kNoOwner = UINT64_MAX;

  uint64_t owner = kNoOwner;  // a user id
  size_t families_left = SIZE_MAX;
  size_t series_left = SIZE_MAX;
  // Of exposition text, roughly: a bucket's line has all labels of its series,
  // so a few bytes in a file can be megabytes in a scrape.
  uint64_t text_bytes_left = UINT64_MAX;
  size_t overflow_series_left = SIZE_MAX;
  uint64_t overflow_text_bytes_left = UINT64_MAX;
  // Of what dead writers left: nobody's limit makes a part of it.
  bool is_of_archive = false;

  void SpendText(uint64_t bytes) {
    text_bytes_left -= std::min(bytes, text_bytes_left);
  }

  // A list that all owners share is not filled by one of them: may it take a
  // further entry? Entries tell their `owner`.
  template <typename List>
  bool MayLengthen(const List& list, size_t max_count) const {
    const auto own_count = static_cast<size_t>(
        std::count_if(list.begin(), list.end(), [this](const auto& entry) {
          return !entry.is_free && entry.owner == owner;
        }));
    const auto count = static_cast<size_t>(
        std::count_if(list.begin(), list.end(),
                      [](const auto& entry) { return !entry.is_free; }));
    return count < max_count &&
           (owner == kNoOwner || own_count < max_count / 2);
  }
};

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_SERIES_BUDGET_H_
