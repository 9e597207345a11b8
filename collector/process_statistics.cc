#include "collector/process_statistics.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

namespace tine::collector {
namespace {

// Fields of /proc/self/stat as proc(5) numbers them.
constexpr size_t kUserTicksField = 14;
constexpr size_t kSystemTicksField = 15;
constexpr size_t kStartTicksField = 22;
constexpr size_t kVirtualBytesField = 23;
constexpr size_t kResidentPagesField = 24;

std::string ReadWhole(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file),
          std::istreambuf_iterator<char>()};
}

// Fields 3 and up; field n is at index n - 3. Field 2 is the program's name,
// which may hold anything, so counting begins behind its last parenthesis.
std::vector<double> ReadStatFields() {
  const std::string text = ReadWhole("/proc/self/stat");
  const size_t name_end = text.rfind(')');
  if (name_end == std::string::npos || name_end + 3 > text.size()) {
    return {};
  }
  std::istringstream rest(text.substr(name_end + 1));
  rest.imbue(std::locale::classic());
  std::string state;
  rest >> state;
  std::vector<double> fields = {0};
  for (double value; rest >> value;) {
    fields.push_back(value);
  }
  return fields;
}

// Seconds since 1970.
std::optional<double> ReadBootTime() {
  std::istringstream text(ReadWhole("/proc/stat"));
  for (std::string line; std::getline(text, line);) {
    if (line.rfind("btime ", 0) == 0) {
      return std::stod(line.substr(6));
    }
  }
  return std::nullopt;
}

std::optional<double> CountOpenFds() {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(
      ::opendir("/proc/self/fd"), &::closedir);
  if (directory == nullptr) {
    return std::nullopt;
  }
  double count = -1;  // the directory's own descriptor
  while (const dirent* entry = ::readdir(directory.get())) {
    count += entry->d_name[0] != '.' ? 1 : 0;
  }
  return count;
}

}  // namespace

ProcessStatistics ReadProcessStatistics() {
  ProcessStatistics statistics;
  const std::vector<double> fields = ReadStatFields();
  if (fields.size() > kResidentPagesField - 3) {
    const auto field = [&fields](size_t number) { return fields[number - 3]; };
    const auto ticks_per_second = static_cast<double>(::sysconf(_SC_CLK_TCK));
    statistics.cpu_seconds =
        (field(kUserTicksField) + field(kSystemTicksField)) / ticks_per_second;
    statistics.virtual_memory_bytes = field(kVirtualBytesField);
    statistics.resident_memory_bytes =
        field(kResidentPagesField) *
        static_cast<double>(::sysconf(_SC_PAGESIZE));
    if (const std::optional<double> boot_time = ReadBootTime()) {
      statistics.start_time_seconds =
          *boot_time + field(kStartTicksField) / ticks_per_second;
    }
  }
  statistics.open_fds = CountOpenFds();
  rlimit limit;
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
      limit.rlim_cur != RLIM_INFINITY) {
    statistics.max_fds = static_cast<double>(limit.rlim_cur);
  }
  return statistics;
}

}  // namespace tine::collector
