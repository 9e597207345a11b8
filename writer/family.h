// Families and handles: what the instruments have in common.

#ifndef TINE_WRITER_FAMILY_H_
#define TINE_WRITER_FAMILY_H_

#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <vector>

#include "common/record_layout.h"
#include "writer/block_table.h"
#include "writer/status.h"
#include "writer/string_span.h"

namespace tine {

using GaugeMode = format::GaugeMode;

// What a definition may say beyond name, help and labels.
struct MetricOptions {
  // A base unit such as "seconds" or "bytes"; must be the end of the name
  // (before "_total"). Empty: none.
  std::string_view unit;
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
        unit(options.unit) {}

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

  std::string_view name;
  std::string_view help;
  StringSpan label_names;
  std::string_view unit;
  format::MetricType type = format::MetricType::kNone;
  format::ValueKind value_kind = format::ValueKind::kNone;
  GaugeMode gauge_mode = GaugeMode::kNone;
  const std::vector<double>* bounds = nullptr;
};

// Registers, or finds the same definition registered before. Never null; a
// refused definition gives a family that counts nothing and knows why. Not
// async-signal-safe.
Family* RegisterFamily(const Definition& definition) noexcept;

// The series of a label set, made (and published as 0) if it is new. Null when
// the labels do not fit the family.
Series* FindOrAddSeries(Family* family, StringSpan label_values) noexcept;
Series* FindOrAddSeriesByName(Family* family, const LabelPair* labels,
                              size_t label_count) noexcept;

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

  // By position, for a number of labels that is known at run time only.
  Instrument WithLabelValues(StringSpan values) const noexcept {
    return Instrument(internal::FindOrAddSeries(family_, values));
  }

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
