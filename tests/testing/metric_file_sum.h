// Reads a metrics directory back for tests: the slow, obvious way, with the
// real scanner and pread.

#ifndef TINE_TESTS_TESTING_METRIC_FILE_SUM_H_
#define TINE_TESTS_TESTING_METRIC_FILE_SUM_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/record_codec.h"
#include "common/record_layout.h"

namespace tine::testing {

struct FamilyText {
  format::MetricType type = format::MetricType::kNone;
  format::GaugeMode mode = format::GaugeMode::kNone;
  std::string help;
  std::string unit;
  std::vector<double> bounds;
};

// A series' cells, in their order, each summed over all slots in both kinds;
// which kind a cell is, its family says.
struct SeriesCells {
  std::vector<uint64_t> u64;
  std::vector<double> f64;
  std::vector<uint64_t> slot0;  // of slot 0 alone, as they are

  // Of a gauge. False when unset.
  bool GaugeValue(double* value) const {
    return DecodeGaugeCell(slot0.at(0), value);
  }
};

// One metric file as it was when it was read.
struct MetricFileText {
  std::string name;
  DamageReason damage = DamageReason::kNone;
  uint32_t pid = 0;
  uint32_t uid = 0;
  format::LifeLock life_lock = format::LifeLock::kUnknown;
  format::FileState state = format::FileState::kUnknown;
  uint64_t used = 0;
  uint64_t dropped_series = 0;
  uint64_t dropped_observations = 0;
  uint64_t children_without_file = 0;
  std::string executable;
  std::string worker_id;
  std::string process_labels;  // "a=b,c=d"
  std::map<std::string, FamilyText> families;
  // By "name", or "name{value,value}" where there are labels.
  std::map<std::string, SeriesCells> series;
  std::map<std::string, SeriesCells> removed;  // and no longer among `series`
  size_t removed_count = 0;                    // REMOVED records
  std::vector<CellsView> blocks;
};

// Everything in `directory` with a metric file's name, in the order of names.
std::vector<MetricFileText> ReadMetricFiles(const std::string& directory);

// All names in `directory`, temporary files and strangers too.
std::vector<std::string> NamesIn(const std::string& directory);

// The sum over all files of a series' first cell; 0 where no file has it.
uint64_t SumU64(const std::vector<MetricFileText>& files,
                const std::string& series, size_t cell = 0);
double SumF64(const std::vector<MetricFileText>& files,
              const std::string& series, size_t cell = 0);

// How many of `files` have the series.
size_t FilesWith(const std::vector<MetricFileText>& files,
                 const std::string& series);

// Empty when every file is sound; else names and reasons.
std::string DamageIn(const std::vector<MetricFileText>& files);

}  // namespace tine::testing

#endif  // TINE_TESTS_TESTING_METRIC_FILE_SUM_H_
