// Durations as Prometheus writes them: 30d, 1h30m, 90s.

#ifndef TINE_COLLECTOR_PROMETHEUS_DURATION_H_
#define TINE_COLLECTOR_PROMETHEUS_DURATION_H_

#include <cstdint>
#include <optional>
#include <string_view>

namespace tine::collector {

// Milliseconds. "0", or numbers with units, each unit at most once and the
// longer ones first: y (365 days), w, d, h, m, s, ms (Prometheus,
// configuration, <duration>). Nothing when it is none, or longer than 100
// years.
std::optional<uint64_t> ParsePrometheusDuration(std::string_view text);

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_PROMETHEUS_DURATION_H_
