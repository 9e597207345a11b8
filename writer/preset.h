// Families with some labels given already.

#ifndef TINE_WRITER_PRESET_H_
#define TINE_WRITER_PRESET_H_

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "writer/status.h"
#include "writer/string_span.h"

namespace tine {

namespace internal {

struct Family;
struct Series;

// Some labels of a family, with values of its own copy.
class PresetLabels {
 public:
  explicit PresetLabels(Family* family) noexcept : family_(family) {}

  // With these, too. On a mistake, which is told as a look-up tells it, one
  // that finds nothing and whose status() says why.
  PresetLabels With(std::initializer_list<LabelPair> labels) const noexcept;

  Series* Find(StringSpan rest) const noexcept;
  Series* FindByName(const LabelPair* rest, size_t rest_count) const noexcept;
  Status status() const;

 private:
  struct Label {
    uint32_t index;         // among the family's
    std::string_view name;  // the registry's
    std::string value;
  };

  Status Add(const LabelPair& label);
  // `max_count`: of the family's labels.
  template <size_t max_count>
  Series* FindAmong(StringSpan rest) const noexcept;

  Family* family_;
  std::vector<Label> labels_;  // by index
  Status status_;
};

}  // namespace internal

// What LabelledFamily::Preset() gives: the family as if it had only the labels
// that are left. Look-ups copy nothing and cost about what the family's own
// do. Any thread, and forked children. Copying it copies the values.
template <typename Instrument>
class PresetFamily {
 public:
  explicit PresetFamily(internal::PresetLabels labels) noexcept
      : labels_(std::move(labels)) {}

  // The labels that are left, by position, in the order of the family's.
  // Errors as of LabelledFamily::WithLabels.
  template <typename... Values>
  Instrument WithLabels(const Values&... values) const noexcept {
    const std::string_view list[sizeof...(values) + 1] = {
        std::string_view(values)...};
    return Instrument(labels_.Find(StringSpan(list, sizeof...(values))));
  }
  Instrument WithLabelValues(StringSpan values) const noexcept {
    return Instrument(labels_.Find(values));
  }
  // By name, in any order.
  Instrument With(std::initializer_list<LabelPair> labels) const noexcept {
    return Instrument(labels_.FindByName(labels.begin(), labels.size()));
  }

  // Further labels.
  PresetFamily Preset(std::initializer_list<LabelPair> labels) const noexcept {
    return PresetFamily(labels_.With(labels));
  }

  // Ok, or what is wrong with the labels or the family.
  Status status() const { return labels_.status(); }

 private:
  internal::PresetLabels labels_;
};

}  // namespace tine

#endif  // TINE_WRITER_PRESET_H_
