// Counting through the C interface. The checks are loads of what is in the
// cache anyway, and branches that are never taken.

#include <cfloat>

#include "common/metric_names.h"
#include "writer/c/arguments.h"
#include "writer/family.h"
#include "writer/gauge.h"
#include "writer/histogram.h"
#include "writer/state_set.h"

namespace {

using tine::c::CheckSeries;
using tine::c::SeriesOf;
using tine::internal::CellAddress;
using tine::internal::CountDroppedObservation;

bool IsNaN(double value) { return value != value; }

tine_error InvalidValue() {
  CountDroppedObservation();
  return TINE_INVALID_VALUE;
}

// The second of a series' cells, a summary's sum.
CellAddress SecondCell(const tine_series* series) {
  const CellAddress first = SeriesOf(series)->address;
  return {first.chunk, first.cell + 1};
}

// Where nothing is counted, no state is wrong.
bool IsStateOf(const tine::StateSet& states, uint32_t state) {
  return state < states.state_count() || !states.is_valid();
}

// Reads a series of `instrument` by `read`, if there are places for what it
// says.
template <typename Read>
tine_error ReadInto(const tine_series* series, tine::c::Instrument instrument,
                    bool has_places, Read read) {
  const tine_error error = CheckSeries(SeriesOf(series), instrument);
  if (error != TINE_OK || !has_places) {
    return error != TINE_OK ? error : TINE_NULL_ARGUMENT;
  }
  read(SeriesOf(series));
  return TINE_OK;
}

}  // namespace

extern "C" {

tine_error tine_counter_add(tine_series* series, uint64_t amount) {
  const tine_error error = CheckSeries(SeriesOf(series), tine::c::kCounter);
  if (error == TINE_OK) {
    tine::internal::AddU64(SeriesOf(series)->address, amount);
  }
  return error;
}

tine_error tine_double_counter_add(tine_series* series, double amount) {
  const tine_error error =
      CheckSeries(SeriesOf(series), tine::c::kDoubleCounter);
  if (error != TINE_OK) {
    return error;
  }
  if (!(amount >= 0 && amount <= DBL_MAX)) {
    return InvalidValue();
  }
  tine::internal::AddF64(SeriesOf(series)->address, amount);
  return TINE_OK;
}

tine_error tine_up_down_counter_add(tine_series* series, int64_t amount) {
  const tine_error error =
      CheckSeries(SeriesOf(series), tine::c::kUpDownCounter);
  if (error == TINE_OK) {
    tine::internal::AddU64(SeriesOf(series)->address,
                           static_cast<uint64_t>(amount));
  }
  return error;
}

tine_error tine_gauge_set(tine_series* series, double value) {
  const tine_error error = CheckSeries(SeriesOf(series), tine::c::kGauge);
  if (error == TINE_OK) {
    tine::Gauge(SeriesOf(series)).Set(value);
  }
  return error;
}

tine_error tine_gauge_add(tine_series* series, double amount) {
  const tine_error error = CheckSeries(SeriesOf(series), tine::c::kGauge);
  if (error != TINE_OK) {
    return error;
  }
  tine::Gauge(SeriesOf(series)).Add(amount);
  return tine::IsMostRecentMode(SeriesOf(series)->family->definition.gauge_mode)
             ? TINE_INVALID_MODE
             : TINE_OK;
}

tine_error tine_gauge_set_to_current_time(tine_series* series) {
  const tine_error error = CheckSeries(SeriesOf(series), tine::c::kGauge);
  if (error == TINE_OK) {
    tine::Gauge(SeriesOf(series)).SetToCurrentTime();
  }
  return error;
}

tine_error tine_histogram_observe(tine_series* series, double value) {
  const tine_error error = CheckSeries(SeriesOf(series), tine::c::kHistogram);
  if (error != TINE_OK) {
    return error;
  }
  if (IsNaN(value)) {
    return InvalidValue();
  }
  tine::Histogram(SeriesOf(series)).Observe(value);
  return TINE_OK;
}

tine_error tine_summary_observe(tine_series* series, double value) {
  const tine_error error = CheckSeries(SeriesOf(series), tine::c::kSummary);
  if (error != TINE_OK) {
    return error;
  }
  if (IsNaN(value)) {
    return InvalidValue();
  }
  const CellAddress count = SeriesOf(series)->address;
  tine::internal::Observe(count.chunk, count.cell, SecondCell(series).cell,
                          value);
  return TINE_OK;
}

tine_error tine_state_set_set_only(tine_series* series, uint32_t state) {
  const tine_error error = CheckSeries(SeriesOf(series), tine::c::kStateSet);
  if (error != TINE_OK) {
    return error;
  }
  const tine::StateSet states(SeriesOf(series));
  states.SetOnly(state);
  return IsStateOf(states, state) ? TINE_OK : TINE_INVALID_VALUE;
}

tine_error tine_state_set_set(tine_series* series, uint32_t state,
                              int32_t is_true) {
  const tine_error error = CheckSeries(SeriesOf(series), tine::c::kStateSet);
  if (error != TINE_OK) {
    return error;
  }
  const tine::StateSet states(SeriesOf(series));
  states.Set(state, is_true != 0);
  return IsStateOf(states, state) ? TINE_OK : TINE_INVALID_VALUE;
}

tine_error tine_counter_value(const tine_series* series, uint64_t* value) {
  return ReadInto(series, tine::c::kCounter, value != nullptr,
                  [&](const auto* found) {
                    *value = tine::internal::ReadU64(found->address);
                  });
}

tine_error tine_double_counter_value(const tine_series* series, double* value) {
  return ReadInto(series, tine::c::kDoubleCounter, value != nullptr,
                  [&](const auto* found) {
                    *value = tine::internal::ReadF64(found->address);
                  });
}

tine_error tine_up_down_counter_value(const tine_series* series,
                                      int64_t* value) {
  return ReadInto(
      series, tine::c::kUpDownCounter, value != nullptr,
      [&](const auto* found) {
        *value = static_cast<int64_t>(tine::internal::ReadU64(found->address));
      });
}

tine_error tine_gauge_value(const tine_series* series, double* value) {
  bool is_set = false;
  const tine_error error = ReadInto(
      series, tine::c::kGauge, value != nullptr,
      [&](const auto* found) { is_set = tine::Gauge(found).Value(value); });
  return error == TINE_OK && !is_set ? TINE_NOT_FOUND : error;
}

tine_error tine_histogram_value(const tine_series* series, uint64_t* count,
                                double* sum) {
  return ReadInto(series, tine::c::kHistogram,
                  count != nullptr && sum != nullptr, [&](const auto* found) {
                    const tine::Histogram histogram(found);
                    *count = histogram.Count();
                    *sum = histogram.Sum();
                  });
}

tine_error tine_summary_value(const tine_series* series, uint64_t* count,
                              double* sum) {
  return ReadInto(series, tine::c::kSummary, count != nullptr && sum != nullptr,
                  [&](const auto* found) {
                    *count = tine::internal::ReadU64(found->address);
                    *sum = tine::internal::ReadF64(SecondCell(series));
                  });
}

tine_error tine_state_set_value(const tine_series* series, uint32_t state,
                                int32_t* is_true) {
  bool is_state = false;
  const tine_error error = ReadInto(series, tine::c::kStateSet,
                                    is_true != nullptr, [&](const auto* found) {
                                      const tine::StateSet states(found);
                                      is_state = IsStateOf(states, state);
                                      *is_true = states.IsTrue(state) ? 1 : 0;
                                    });
  return error == TINE_OK && !is_state ? TINE_INVALID_VALUE : error;
}

}  // extern "C"
