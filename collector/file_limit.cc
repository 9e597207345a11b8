#include "collector/file_limit.h"

#include <sys/resource.h>

#include <cstdint>

namespace tine::collector {
namespace {

// Connections, listening sockets, logs, the directory. Of a very small limit, a
// half.
constexpr size_t kReservedDescriptors = 256;

}  // namespace

void RaiseFileLimit() {
  rlimit limit;
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
}

size_t MaxOpenMetricFiles() {
  rlimit limit;
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 ||
      limit.rlim_cur == RLIM_INFINITY) {
    return SIZE_MAX;
  }
  const auto all = static_cast<size_t>(limit.rlim_cur);
  return all > 2 * kReservedDescriptors ? all - kReservedDescriptors : all / 2;
}

}  // namespace tine::collector
