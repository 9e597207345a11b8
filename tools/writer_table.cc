#include "tools/writer_table.h"

#include <dirent.h>
#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "collector/liveness.h"
#include "common/metric_file_name.h"
#include "tools/file_dump.h"
#include "tools/metric_file_reader.h"

namespace tine::tools {
namespace {

using Row = std::array<std::string, 6>;

const Row kTitles = {"PID", "STATE", "SERIES", "BYTES", "LABELS", "FILE"};
// Numbers stand to the right in their columns.
constexpr bool kIsNumber[] = {true, false, true, true, false, false};

Row RowOf(const MetricFileReader& file, const std::string& name) {
  Row row;
  row[0] = name.substr(0, name.find('.'));
  row[1] =
      file.has_header() ? collector::LivenessName(file.ProbeLife()) : "damaged";
  row[2] = std::to_string(std::count_if(
      file.series().begin(), file.series().end(),
      [](const SeriesEntry& series) { return !series.is_removed; }));
  row[3] = std::to_string(file.has_header() ? file.dynamic().used : 0);
  row[4] = file.has_header() ? ProcessLabelsText(file.header()) : "";
  std::string verdict;
  row[5] = name;
  if (!VerifyFile(file, name, &verdict)) {
    row[5] += "  " + verdict;
  }
  return row;
}

void PrintRow(const Row& row, const std::array<size_t, 6>& widths,
              std::ostream& out) {
  std::string line;
  for (size_t i = 0; i < row.size(); ++i) {
    const std::string padding(widths[i] - std::min(widths[i], row[i].size()),
                              ' ');
    line += i == 0 ? "" : "  ";
    line += kIsNumber[i] ? padding + row[i] : row[i] + padding;
  }
  line.erase(line.find_last_not_of(' ') + 1);
  out << line << '\n';
}

}  // namespace

bool ListMetricFiles(int directory_fd, std::vector<std::string>* names,
                     std::string* error) {
  const int fd =
      ::openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* directory = fd < 0 ? nullptr : ::fdopendir(fd);
  if (directory == nullptr) {
    *error = std::strerror(errno);
    return false;
  }
  while (const dirent* entry = ::readdir(directory)) {
    if (ParseMetricFileName(entry->d_name)) {
      names->emplace_back(entry->d_name);
    }
  }
  ::closedir(directory);
  std::sort(names->begin(), names->end(),
            [](const std::string& a, const std::string& b) {
              const uint32_t pid_a = ParseMetricFileName(a)->pid;
              const uint32_t pid_b = ParseMetricFileName(b)->pid;
              return pid_a != pid_b ? pid_a < pid_b : a < b;
            });
  return true;
}

void PrintWriterTable(int directory_fd, const std::vector<std::string>& names,
                      std::ostream& out) {
  std::vector<Row> rows = {kTitles};
  for (const std::string& name : names) {
    MetricFileReader file;
    std::string error;
    if (file.Open(directory_fd, name, &error)) {
      rows.push_back(RowOf(file, name));
    }
  }
  std::array<size_t, 6> widths = {};
  for (const Row& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], row[i].size());
    }
  }
  for (const Row& row : rows) {
    PrintRow(row, widths, out);
  }
}

}  // namespace tine::tools
