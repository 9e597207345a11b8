#ifndef TINE_TOOLS_SERIES_TEXT_H_
#define TINE_TOOLS_SERIES_TEXT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tools/metric_file_reader.h"

namespace tine::tools {

// The shortest text that reads back as the same double; NaN, +Inf, -Inf.
std::string NumberText(double number);

// "2025-06-01T12:00:00.000000000Z".
std::string TimeText(uint64_t wall_ns);

// `name{label="value",...}`, safe to print.
std::string SeriesName(const FamilyEntry& family, const SeriesEntry& series);

// The value that the cells of all slots come to, safe to print: `42`, `unset`,
// `count 3 sum 0.5 buckets 1:2 +Inf:1`.
std::string SeriesValue(const FamilyEntry& family,
                        const std::vector<std::vector<uint64_t>>& rows);

}  // namespace tine::tools

#endif  // TINE_TOOLS_SERIES_TEXT_H_
