// Families and handles: what the instruments have in common.

#ifndef TINE_WRITER_FAMILY_H_
#define TINE_WRITER_FAMILY_H_

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <vector>

#include "common/record_layout.h"
#include "writer/block_table.h"
#include "writer/preset.h"
#include "writer/status.h"
#include "writer/string_span.h"

namespace tine {

using GaugeMode = format::GaugeMode;

// What a definition may say beyond name, help and labels.
struct MetricOptions {
  // A base unit such as "seconds" or "bytes"; must be the end of the name
  // (before "_total"). Empty: none.
  std::string_view unit;
  // Of a gauge or state set: one that was not set for so long is absent until
  // it is set again, in each process for itself, and in what dead processes
  // left. Zero: for ever. An error for every other instrument.
  std::chrono::milliseconds time_to_live{0};
  // How many label sets this process may have of the family at a time; further
  // ones count in its overflow series, whose label values are all
  // "__overflow__". 0: as many as there is room for.
  uint32_t max_series = 0;
};

namespace internal {

struct Family;
struct Series;

// What is to be registered. Views the caller's arguments, for the length of the
// call.
struct Definition {
  Definition(std::string_view name_text, std::string_view help_text,
             StringSpan labels, const MetricOptions& options)
      : name(name_text),
        help(help_text),
        label_names(labels),
        unit(options.unit),
        time_to_live(options.time_to_live),
        max_series(options.max_series) {}

  Definition& OfType(format::MetricType new_type, format::ValueKind kind,
                     GaugeMode mode = GaugeMode::kNone) {
    type = new_type;
    value_kind = kind;
    gauge_mode = mode;
    return *this;
  }
  Definition& WithBounds(const std::vector<double>& new_bounds) {
    bounds = &new_bounds;
    return *this;
  }
  Definition& WithStates(StringSpan names) {
    state_names = names;
    return *this;
  }

  std::string_view name;
  std::string_view help;
  StringSpan label_names;
  std::string_view unit;
  format::MetricType type = format::MetricType::kNone;
  format::ValueKind value_kind = format::ValueKind::kNone;
  GaugeMode gauge_mode = GaugeMode::kNone;
  const std::vector<double>* bounds = nullptr;
  StringSpan state_names;
  std::chrono::milliseconds time_to_live;
  uint32_t max_series;
};

// Registers, or finds the same definition registered before. Never null; a
// refused definition gives a family that counts nothing and knows why. Not
// async-signal-safe.
Family* RegisterFamily(const Definition& definition) noexcept;

// A refused family whose status says what is wrong with a label of `family`.
Family* RefuseLabel(const Family* family, std::string_view label,
                    const char* what) noexcept;

// The series of a label set, made (and published as 0) if it is new. Null when
// the labels do not fit the family.
Series* FindOrAddSeries(Family* family, StringSpan label_values) noexcept;
Series* FindOrAddSeriesByName(Family* family, const LabelPair* labels,
                              size_t label_count) noexcept;

// See LabelledFamily.
bool RemoveSeries(Family* family, StringSpan label_values) noexcept;
bool RemoveSeriesByName(Family* family, const LabelPair* labels,
                        size_t label_count) noexcept;
// All but `kept`, which may be null.
bool ClearFamily(Family* family, const Series* kept = nullptr) noexcept;

// A metric without labels: its family and its one series.
inline Series* RegisterSingle(const Definition& definition) noexcept {
  return FindOrAddSeries(RegisterFamily(definition), {});
}

Status StatusOf(const Family* family);
// Why a handle is not counting in a series of its own; ok if it is.
Status StatusOf(const Series* series);

CellAddress AddressOf(const Series* series) noexcept;
const double* BoundsOf(const Series* series, uint32_t* count) noexcept;

// Sums a series' cell over all slots of this process.
uint64_t ReadU64(CellAddress address) noexcept;
double ReadF64(CellAddress address) noexcept;

// What every handle is: two words that say where the cells are, and one for
// questions about it. Trivially copyable and destructible; never dangles,
// because series are never freed; works in a forked child, where it counts in
// the child's own file.
class Handle {
 public:
  // False when it counts nowhere: default-made, refused at registration, or
  // looked up with wrong labels.
  bool is_valid() const { return address_.chunk != kNoChunk; }
  Status status() const { return StatusOf(series_); }

 protected:
  Handle() = default;
  explicit Handle(const Series* series)
      : address_(AddressOf(series)), series_(series) {}

  CellAddress At(uint32_t cell) const {
    return {address_.chunk, address_.cell + cell};
  }

  CellAddress address_;
  const Series* series_ = nullptr;
};

}  // namespace internal

// A family with labels, whose series are handles of type `Instrument`. Make it
// at namespace scope or keep it for the life of the process; making the same
// one twice gives the same series. Any thread.
template <typename Instrument>
class LabelledFamily {
 public:
  // By position: WithLabels("GET", "200"). A wrong number of values gives a
  // handle that counts nothing (is_valid() false), one line on stderr and
  // WriterStatus::last_error. Making the series publishes it at once, as 0. The
  // look-up of an existing series takes no lock and is tens of nanoseconds;
  // keep the handle where that matters.
  template <typename... Values>
  Instrument WithLabels(const Values&... values) const noexcept {
    // One more than needed: an array of none is no array.
    const std::string_view list[sizeof...(values) + 1] = {
        std::string_view(values)...};
    return Instrument(internal::FindOrAddSeries(
        family_, StringSpan(list, sizeof...(values))));
  }

  // By name, in any order: With({{"method", "GET"}, {"code", "200"}}). Errors
  // as above.
  Instrument With(std::initializer_list<LabelPair> labels) const noexcept {
    return Instrument(internal::FindOrAddSeriesByName(family_, labels.begin(),
                                                      labels.size()));
  }

  // The family as if some labels were given already: for a part of the program
  // that always has the same. Takes a copy of the values, once for each preset
  // that is different, for the life of the process. A label that there is not,
  // or that is given twice, is told on stderr; then status() of what is
  // returned says so, and what it finds counts nothing. Not async-signal-safe.
  // (preset.h)
  PresetFamily<Instrument> Preset(
      std::initializer_list<LabelPair> labels) const noexcept {
    return PresetFamily<Instrument>(internal::AddPreset(
        internal::PresetView{family_}, labels.begin(), labels.size()));
  }

  // By position, for a number of labels that is known at run time only.
  Instrument WithLabelValues(StringSpan values) const noexcept {
    return Instrument(internal::FindOrAddSeries(family_, values));
  }

  // Lets go of one series, found as by the look-ups above: for what is known to
  // come no more, like a tenant or a peer that is gone. True when there was
  // one. False when there was none, the labels do not fit (told as a look-up
  // tells it), or there is no room to write it down or the registry was busy
  // for a second (WriterStatus::last_error): then it is still there.
  //
  // A gauge of this process is gone from the next scrape on. What a counter,
  // histogram or summary has counted stays in the sum as long as another
  // living process has the series, and leaves the exposition when none has
  // (unless processes of other users are part of it).
  //
  // Handles that were kept stay safe for ever, but what they count from then
  // on is not served (until the collector has taken the series' value, within
  // some seconds, it may be), and their status() says so. The next look-up
  // makes a new series, which begins at zero. It is a new one in every way:
  // removing and adding again takes its records (about 140 bytes for a counter
  // with short labels) from TINE_MAX_BYTES each time, which are not given back
  // while the process lives: some 60,000 times by default.
  //
  // Any thread, and forked children, for whom a series that was removed before
  // the fork is not there; not after tine_seal(). The series of label sets
  // beyond the cap ("__overflow__") stays.
  template <typename... Values>
  bool Remove(const Values&... values) const noexcept {
    const std::string_view list[sizeof...(values) + 1] = {
        std::string_view(values)...};
    return internal::RemoveSeries(family_, StringSpan(list, sizeof...(values)));
  }
  bool Remove(std::initializer_list<LabelPair> labels) const noexcept {
    return internal::RemoveSeriesByName(family_, labels.begin(), labels.size());
  }
  bool RemoveLabelValues(StringSpan values) const noexcept {
    return internal::RemoveSeries(family_, values);
  }

  // Removes all series of the family that are there when it is called. False
  // when some could not be, as above.
  bool Clear() const noexcept { return internal::ClearFamily(family_); }

  // Ok, or what is wrong with the definition. Counting on a refused family is
  // safe and does nothing.
  Status status() const { return internal::StatusOf(family_); }

 protected:
  explicit LabelledFamily(const internal::Definition& definition) noexcept
      : family_(internal::RegisterFamily(definition)) {}

 private:
  internal::Family* family_;
};

}  // namespace tine

#endif  // TINE_WRITER_FAMILY_H_
