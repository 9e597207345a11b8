// Families that do not come from metric files but from the collector itself.

#ifndef TINE_COLLECTOR_OWN_FAMILIES_H_
#define TINE_COLLECTOR_OWN_FAMILIES_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "collector/merged_family.h"

namespace tine::collector {

// Made anew for each scrape: there are a few dozen of them. Not thread-safe.
class OwnFamilies {
 public:
  using Labels = std::vector<std::pair<std::string_view, std::string_view>>;

  // Adds a series, and its family with the first one. Labels come sorted by
  // name; the series of a family are put in order. Name, type and help of a
  // family are literals, valid and the same at every call; label values may be
  // any valid UTF-8.
  void AddCounter(std::string_view name, std::string_view help, double value,
                  const Labels& labels = {}) {
    Add(name, help, format::MetricType::kCounter, value, labels);
  }
  void AddGauge(std::string_view name, std::string_view help, double value,
                const Labels& labels = {}) {
    Add(name, help, format::MetricType::kGauge, value, labels);
  }

  bool Has(std::string_view name) const { return families_.count(name) > 0; }

  // These families and `others`, in the order of their names. Of two with one
  // name it is ours: a scrape with a family twice would be refused as a whole.
  // Valid as long as both; add nothing in between.
  MergedFamilies MergeWith(const MergedFamilies& others);

 private:
  void Add(std::string_view name, std::string_view help,
           format::MetricType type, double value, const Labels& labels);

  std::map<std::string, MergedFamily, std::less<>> families_;  // by name
};

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_OWN_FAMILIES_H_
