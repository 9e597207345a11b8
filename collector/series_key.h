// What makes two series of two files one: the family's name and all labels, the
// process's included.

#ifndef TINE_COLLECTOR_SERIES_KEY_H_
#define TINE_COLLECTOR_SERIES_KEY_H_

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "collector/merged_family.h"
#include "common/record_codec.h"

namespace tine::collector {

// Makes the label sets of one family of one writer. Of two labels with one
// name, `pid` (which tells processes apart) beats the family's own, and that
// beats the process's. A label with an empty value is left out: it equals an
// absent one. All views must outlive the builder.
class SeriesKeyBuilder {
 public:
  // `pid_label` empty: no label `pid` is added.
  SeriesKeyBuilder(const StringListView& label_names,
                   const StringListView& process_labels,
                   std::string_view pid_label);

  // `values` belong to the constructor's label names, one for each.
  LabelSet Build(const StringListView& values);

  // The labels of the overflow series: all that a series of the family can
  // have.
  LabelSet BuildOverflow() const;

  // Labels that lost against another of the same name.
  size_t clash_count() const { return clash_count_; }

 private:
  static constexpr uint32_t kFixedValue = UINT32_MAX;
  struct Label {
    std::string_view name;
    uint32_t value_index;    // among Build's values, or kFixedValue
    std::string_view value;  // if fixed
  };
  void Add(const Label& label);
  LabelSet Pack() const;

  std::vector<Label> labels_;  // sorted by name once constructed
  std::vector<std::string_view> values_;
  size_t clash_count_ = 0;
};

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_SERIES_KEY_H_
