// What the kernel knows about this process: the numbers behind `process_*`.

#ifndef TINE_COLLECTOR_PROCESS_STATISTICS_H_
#define TINE_COLLECTOR_PROCESS_STATISTICS_H_

#include <optional>

namespace tine::collector {

// Absent: /proc does not say (another mount, a sandbox).
struct ProcessStatistics {
  std::optional<double> cpu_seconds;         // user and system
  std::optional<double> start_time_seconds;  // since 1970
  std::optional<double> resident_memory_bytes;
  std::optional<double> virtual_memory_bytes;
  std::optional<double> open_fds;
  std::optional<double> max_fds;  // the soft limit
};

// Reads /proc/self. Any thread.
ProcessStatistics ReadProcessStatistics();

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_PROCESS_STATISTICS_H_
