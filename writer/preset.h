// Families with some labels given already.

#ifndef TINE_WRITER_PRESET_H_
#define TINE_WRITER_PRESET_H_

#include <cstddef>
#include <initializer_list>
#include <string_view>

#include "writer/status.h"
#include "writer/string_span.h"

namespace tine {

namespace internal {

struct Family;
struct PresetValues;
struct Series;

// A family and values for some of its labels; null: for none. Trivial, and
// never dangles: the values are never freed, like series. The same preset made
// again is the same one.
struct PresetView {
  Family* family;
  const PresetValues* values = nullptr;
};

// `base` with these, too. On a mistake, which is told, a refused family.
PresetView AddPreset(const PresetView& base, const LabelPair* labels,
                     size_t label_count) noexcept;

// As FindOrAddSeries and FindOrAddSeriesByName, with the labels that are left.
Series* FindPreset(const PresetView& preset, StringSpan rest) noexcept;
Series* FindPresetByName(const PresetView& preset, const LabelPair* rest,
                         size_t rest_count) noexcept;

Status StatusOf(const Family* family);

}  // namespace internal

// What LabelledFamily::Preset() gives: the family as if it had only the labels
// that are left. Two words: copy it freely, at namespace scope too. Look-ups
// cost about what the family's own do. Any thread, and forked children.
//
// For values that the program knows, not for those of its users: a metric can
// have 1000 different presets; further ones, and values of more than 65535
// bytes, are refused, and count nothing.
template <typename Instrument>
class PresetFamily {
 public:
  explicit PresetFamily(const internal::PresetView& view) noexcept
      : view_(view) {}

  // The labels that are left, by position, in the order of the family's.
  // Errors as of LabelledFamily::WithLabels.
  template <typename... Values>
  Instrument WithLabels(const Values&... values) const noexcept {
    const std::string_view list[sizeof...(values) + 1] = {
        std::string_view(values)...};
    return Instrument(
        internal::FindPreset(view_, StringSpan(list, sizeof...(values))));
  }
  Instrument WithLabelValues(StringSpan values) const noexcept {
    return Instrument(internal::FindPreset(view_, values));
  }
  // By name, in any order.
  Instrument With(std::initializer_list<LabelPair> labels) const noexcept {
    return Instrument(
        internal::FindPresetByName(view_, labels.begin(), labels.size()));
  }

  // Further labels.
  PresetFamily Preset(std::initializer_list<LabelPair> labels) const noexcept {
    return PresetFamily(
        internal::AddPreset(view_, labels.begin(), labels.size()));
  }

  // Ok, or what is wrong with the labels or the family.
  Status status() const { return internal::StatusOf(view_.family); }

 private:
  internal::PresetView view_;
};

}  // namespace tine

#endif  // TINE_WRITER_PRESET_H_
