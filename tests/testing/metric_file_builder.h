// Makes metric files without the writer library, sound ones and damaged ones.

#ifndef TINE_TESTS_TESTING_METRIC_FILE_BUILDER_H_
#define TINE_TESTS_TESTING_METRIC_FILE_BUILDER_H_

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/boot_id.h"
#include "common/metric_file_name.h"
#include "common/record_layout.h"
#include "common/unique_fd.h"

namespace tine::testing {

using Labels = std::vector<std::pair<std::string, std::string>>;

// What a test may want to say in a header. Zero boot id and namespaces are this
// machine's.
struct BuilderHeader {
  FileUuid uuid;  // all zero: a fresh one
  uint32_t pid = 4711;
  std::string worker_id;
  Labels process_labels;
  uint64_t created_wall_ns = 1'000'000'000;
  uint64_t created_boot_ns = 0;
  uint64_t process_start_ticks = 0;
  format::LifeLock life_lock = format::LifeLock::kHolds;
  BootId boot_id{};
  uint64_t pid_namespace = 0;
  uint64_t time_namespace = 0;
};

struct BuilderFamily {
  std::string name;
  format::MetricType type = format::MetricType::kCounter;
  format::ValueKind value_kind = format::ValueKind::kU64;
  format::GaugeMode gauge_mode = format::GaugeMode::kNone;
  std::vector<std::string> label_names;
  std::vector<double> bounds;
  std::string help = "Help.";
  std::string unit;
  double time_to_live_s = 0;  // of a gauge; 0: for ever
  std::vector<std::string> state_names;
};

BuilderFamily CounterFamily(std::string name,
                            std::vector<std::string> label_names = {});
BuilderFamily F64CounterFamily(std::string name,
                               std::vector<std::string> label_names = {});
BuilderFamily GaugeFamily(std::string name, format::GaugeMode mode,
                          std::vector<std::string> label_names = {});
BuilderFamily UpDownFamily(std::string name, format::GaugeMode mode);
BuilderFamily StateSetFamily(std::string name, format::GaugeMode mode,
                             std::vector<std::string> state_names);
BuilderFamily HistogramFamily(std::string name, std::vector<double> bounds,
                              std::vector<std::string> label_names = {});
BuilderFamily SummaryFamily(std::string name);

// One file, mapped into the test. It is whole before it gets its name, as a
// writer's is. Everything that is added is published at once.
class MetricFileBuilder {
 public:
  explicit MetricFileBuilder(const std::string& directory,
                             const BuilderHeader& header = {},
                             uint64_t file_bytes = 1 << 20);
  ~MetricFileBuilder();
  MetricFileBuilder(MetricFileBuilder&& other) noexcept;
  MetricFileBuilder(const MetricFileBuilder&) = delete;
  MetricFileBuilder& operator=(const MetricFileBuilder&) = delete;

  // Returns the record's offset, which names the family.
  uint32_t AddFamily(const BuilderFamily& family);
  // Takes the next free cells (with a slot 0 block for them) and returns the
  // first one's index.
  uint32_t AddSeries(uint32_t family_offset,
                     const std::vector<std::string>& label_values = {});
  void RemoveSeries(uint32_t first_cell);
  // Since when the process has the series that are added from now on.
  void set_series_created_wall_ns(uint64_t wall_ns) {
    series_created_wall_ns_ = wall_ns;
  }
  void AddBlock(uint32_t slot, uint32_t chunk);
  // `bytes` are published as they are: what a damaged record may look like.
  void AppendRaw(const std::vector<uint8_t>& bytes);

  void AddU64(uint32_t cell, uint64_t value, uint32_t slot = 0);
  void SetU64(uint32_t cell, uint64_t value, uint32_t slot = 0);
  void AddF64(uint32_t cell, double value, uint32_t slot = 0);
  void SetGauge(uint32_t cell, double value);
  void SetRecent(uint32_t cell, double value, uint64_t wall_ns);

  // A counter with a value, in one step.
  uint32_t AddCounter(const std::string& name, uint64_t value,
                      const Labels& labels = {});

  void SetUsed(uint64_t used);
  uint64_t used() const { return used_; }
  uint8_t* bytes() { return bytes_; }
  format::FileHeader* header();

  const std::string& name() const { return name_; }
  std::string path() const { return directory_ + "/" + name_; }
  const FileUuid& uuid() const { return uuid_; }

  // Renames the file into `directory`, on the same file system: how a locked
  // file appears under the eyes of a collector.
  void MoveTo(const std::string& directory);

  // The life lock, held by this process until it is released. (OFD locks belong
  // to the open description, so that the process may test its own.)
  void HoldLifeLock();
  void ReleaseLifeLock();       // closes the file, as a death does
  void UnlockWithoutClosing();  // as no death does: no event tells of it

 private:
  uint8_t* Reserve(size_t size_bytes);
  void Publish(size_t size_bytes);
  uint64_t* Cell(uint32_t cell, uint32_t slot);

  std::string directory_;
  std::string name_;
  FileUuid uuid_;
  uint8_t* bytes_ = nullptr;
  uint64_t file_bytes_;
  uint64_t used_ = format::kHeaderBytes;
  uint32_t next_cell_ = 0;
  uint64_t series_created_wall_ns_ = 1;
  std::map<uint32_t, uint32_t> cell_counts_;   // by family offset
  std::map<uint32_t, uint32_t> label_counts_;  // likewise
  std::map<std::string, uint32_t> counters_;   // by name
  std::map<std::pair<uint32_t, uint32_t>, uint64_t>
      blocks_;  // slot, chunk: offset
  UniqueFd lock_fd_;
};

// A process that holds the life lock of a file as a writer does: lock, map, do
// not fork it, close.
class LifeLockProcess {
 public:
  // Returns once the lock is held.
  explicit LifeLockProcess(const std::string& path);
  ~LifeLockProcess() { Kill(); }
  LifeLockProcess(const LifeLockProcess&) = delete;
  LifeLockProcess& operator=(const LifeLockProcess&) = delete;

  pid_t pid() const { return pid_; }
  // SIGKILL, and waits for the end.
  void Kill();

 private:
  pid_t pid_ = -1;
};

}  // namespace tine::testing

#endif  // TINE_TESTS_TESTING_METRIC_FILE_BUILDER_H_
