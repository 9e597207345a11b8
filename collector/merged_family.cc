#include "collector/merged_family.h"

#include <algorithm>

namespace tine::collector {

bool operator<(const LabelSet& a, const LabelSet& b) {
  const StringListView a_strings = a.strings();
  const StringListView b_strings = b.strings();
  auto a_it = a_strings.begin();
  auto b_it = b_strings.begin();
  for (; a_it != a_strings.end() && b_it != b_strings.end(); ++a_it, ++b_it) {
    const int order = (*a_it).compare(*b_it);
    if (order != 0) {
      return order < 0;
    }
  }
  return a.pair_count() < b.pair_count();
}

}  // namespace tine::collector
