#include "tests/testing/metric_file_builder.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

#include "common/record_codec.h"

namespace tine::testing {
namespace {

using format::GaugeMode;
using format::MetricType;
using format::ValueKind;

void Check(bool is_good, const char* what) {
  if (!is_good) {
    throw std::runtime_error(what);
  }
}

std::string PackStrings(const std::vector<std::string>& strings) {
  std::string packed;
  for (const std::string& text : strings) {
    uint8_t bytes[2 + 65535];
    const uint8_t* end = AppendString(bytes, text);
    packed.append(reinterpret_cast<const char*>(bytes),
                  static_cast<size_t>(end - bytes));
  }
  return packed;
}

StringListView ViewOf(const std::string& packed, size_t count) {
  return StringListView(reinterpret_cast<const uint8_t*>(packed.data()),
                        packed.size(), count);
}

uint64_t InodeOf(const char* path) {
  struct stat info;
  return ::stat(path, &info) == 0 ? info.st_ino : 0;
}

void FillHeader(const BuilderHeader& from, const FileUuid& uuid,
                uint64_t file_bytes, format::FileHeader* header) {
  const BootId boot_id = from.boot_id == BootId{} ? OwnBootId() : from.boot_id;
  std::memcpy(header->uuid, uuid.bytes, sizeof(header->uuid));
  std::memcpy(header->boot_id, boot_id.data(), sizeof(header->boot_id));
  header->life_lock = from.life_lock;
  header->pid_namespace = from.pid_namespace != 0
                              ? from.pid_namespace
                              : InodeOf("/proc/self/ns/pid");
  header->time_namespace = from.time_namespace != 0
                               ? from.time_namespace
                               : InodeOf("/proc/self/ns/time");
  header->pid = from.pid;
  header->uid = ::geteuid();
  header->process_start_ticks = from.process_start_ticks;
  header->created_wall_ns = from.created_wall_ns;
  header->created_boot_ns = from.created_boot_ns;
  header->reserve_bytes = file_bytes;
  std::vector<std::string> strings = {"test", from.worker_id};
  for (const auto& [name, value] : from.process_labels) {
    strings.push_back(name);
    strings.push_back(value);
  }
  const std::string packed = PackStrings(strings);
  std::memcpy(header->strings, packed.data(), packed.size());
  header->strings_bytes = static_cast<uint32_t>(packed.size());
  header->process_label_count =
      static_cast<uint16_t>(from.process_labels.size());
  SealFileHeader(header);
}

}  // namespace

BuilderFamily CounterFamily(std::string name,
                            std::vector<std::string> label_names) {
  BuilderFamily family;
  family.name = std::move(name);
  family.label_names = std::move(label_names);
  return family;
}

BuilderFamily F64CounterFamily(std::string name,
                               std::vector<std::string> label_names) {
  BuilderFamily family = CounterFamily(std::move(name), std::move(label_names));
  family.value_kind = ValueKind::kF64;
  return family;
}

BuilderFamily GaugeFamily(std::string name, GaugeMode mode,
                          std::vector<std::string> label_names) {
  BuilderFamily family =
      F64CounterFamily(std::move(name), std::move(label_names));
  family.type = MetricType::kGauge;
  family.gauge_mode = mode;
  return family;
}

BuilderFamily UpDownFamily(std::string name, GaugeMode mode) {
  BuilderFamily family = CounterFamily(std::move(name));
  family.type = MetricType::kUpDownCounter;
  family.value_kind = ValueKind::kI64;
  family.gauge_mode = mode;
  return family;
}

BuilderFamily StateSetFamily(std::string name, GaugeMode mode,
                             std::vector<std::string> state_names) {
  BuilderFamily family = CounterFamily(std::move(name));
  family.type = MetricType::kStateSet;
  family.gauge_mode = mode;
  family.state_names = std::move(state_names);
  return family;
}

BuilderFamily HistogramFamily(std::string name, std::vector<double> bounds,
                              std::vector<std::string> label_names) {
  BuilderFamily family =
      F64CounterFamily(std::move(name), std::move(label_names));
  family.type = MetricType::kHistogram;
  family.bounds = std::move(bounds);
  return family;
}

BuilderFamily SummaryFamily(std::string name) {
  BuilderFamily family = F64CounterFamily(std::move(name));
  family.type = MetricType::kSummary;
  return family;
}

MetricFileBuilder::MetricFileBuilder(const std::string& directory,
                                     const BuilderHeader& header,
                                     uint64_t file_bytes)
    : directory_(directory), uuid_(header.uuid), file_bytes_(file_bytes) {
  if (uuid_ == FileUuid()) {
    Check(
        ::getrandom(uuid_.bytes, sizeof(uuid_.bytes), 0) == sizeof(uuid_.bytes),
        "getrandom");
  }
  char name[kMaxMetricFileNameBytes + 1];
  FormatMetricFileName({header.pid, uuid_}, name);
  name_ = name;
  FileUuid random;
  Check(::getrandom(random.bytes, sizeof(random.bytes), 0) ==
            sizeof(random.bytes),
        "getrandom");
  char temp_name[kTempFileNameBytes + 1];
  FormatTempFileName(random, temp_name);
  const std::string temp_path = directory_ + "/" + temp_name;
  const UniqueFd fd(
      ::open(temp_path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640));
  Check(fd.valid(), "open");
  Check(::ftruncate(fd.get(), static_cast<off_t>(file_bytes_)) == 0,
        "ftruncate");
  void* mapping = ::mmap(nullptr, file_bytes_, PROT_READ | PROT_WRITE,
                         MAP_SHARED, fd.get(), 0);
  Check(mapping != MAP_FAILED, "mmap");
  bytes_ = static_cast<uint8_t*>(mapping);
  FillHeader(header, uuid_, file_bytes_,
             reinterpret_cast<format::FileHeader*>(bytes_));
  SetUsed(used_);
  Check(::rename(temp_path.c_str(), path().c_str()) == 0, "rename");
}

MetricFileBuilder::MetricFileBuilder(MetricFileBuilder&& other) noexcept
    : directory_(std::move(other.directory_)),
      name_(std::move(other.name_)),
      uuid_(other.uuid_),
      bytes_(std::exchange(other.bytes_, nullptr)),
      file_bytes_(other.file_bytes_),
      used_(other.used_),
      next_cell_(other.next_cell_),
      series_created_wall_ns_(other.series_created_wall_ns_),
      cell_counts_(std::move(other.cell_counts_)),
      label_counts_(std::move(other.label_counts_)),
      counters_(std::move(other.counters_)),
      blocks_(std::move(other.blocks_)),
      lock_fd_(std::move(other.lock_fd_)) {}

MetricFileBuilder::~MetricFileBuilder() {
  if (bytes_ != nullptr) {
    ::munmap(bytes_, file_bytes_);
  }
}

format::FileHeader* MetricFileBuilder::header() {
  return reinterpret_cast<format::FileHeader*>(bytes_);
}

uint8_t* MetricFileBuilder::Reserve(size_t size_bytes) {
  Check(used_ + size_bytes <= file_bytes_, "the test's file is full");
  return bytes_ + used_;
}

void MetricFileBuilder::Publish(size_t size_bytes) {
  SetUsed(used_ + size_bytes);
}

void MetricFileBuilder::SetUsed(uint64_t used) {
  used_ = used;
  reinterpret_cast<format::FileHeaderDynamic*>(bytes_ +
                                               format::kHeaderDynamicOffset)
      ->used.store(used, std::memory_order_release);
}

uint32_t MetricFileBuilder::AddFamily(const BuilderFamily& family) {
  const std::string label_names = PackStrings(family.label_names);
  FamilyView view;
  view.type = family.type;
  view.value_kind = family.value_kind;
  view.gauge_mode = family.gauge_mode;
  view.name = family.name;
  view.unit = family.unit;
  view.help = family.help;
  view.label_names = ViewOf(label_names, family.label_names.size());
  view.bounds = family.bounds.data();
  view.bound_count = family.bounds.size();
  view.time_to_live_s = family.time_to_live_s;
  const std::string state_names = PackStrings(family.state_names);
  view.state_names = ViewOf(state_names, family.state_names.size());
  const size_t record_bytes = EncodedFamilyBytes(view);
  const auto offset = static_cast<uint32_t>(used_);
  EncodeFamily(view, Reserve(record_bytes));
  Publish(record_bytes);
  cell_counts_[offset] =
      CellCountOf(family.type, family.gauge_mode, family.bounds.size(),
                  family.time_to_live_s != 0);
  return offset;
}

uint32_t MetricFileBuilder::AddSeries(
    uint32_t family_offset, const std::vector<std::string>& label_values) {
  const uint32_t cell_count = cell_counts_.at(family_offset);
  constexpr uint32_t kPerBlock = format::kCellsPerBlock;
  if (next_cell_ % kPerBlock + cell_count > kPerBlock) {
    next_cell_ = (next_cell_ / kPerBlock + 1) * kPerBlock;
  }
  const uint32_t first_cell = next_cell_;
  if (blocks_.count({0, first_cell / kPerBlock}) == 0) {
    AddBlock(0, first_cell / kPerBlock);
  }
  const std::string packed = PackStrings(label_values);
  SeriesView view;
  view.family_offset = family_offset;
  view.first_cell = first_cell;
  view.cell_count = cell_count;
  view.created_wall_ns = series_created_wall_ns_;
  view.label_values = ViewOf(packed, label_values.size());
  const size_t record_bytes = EncodedSeriesBytes(view);
  EncodeSeries(view, Reserve(record_bytes));
  Publish(record_bytes);
  next_cell_ += cell_count;
  return first_cell;
}

void MetricFileBuilder::RemoveSeries(uint32_t first_cell) {
  RemovedView view;
  view.first_cell = first_cell;
  view.removed_wall_ns = 2;
  EncodeRemoved(view, Reserve(format::kRecordAlignment));
  Publish(format::kRecordAlignment);
}

void MetricFileBuilder::AddBlock(uint32_t slot, uint32_t chunk) {
  const uint64_t offset = used_;
  EncodeCellsHeader({slot, chunk}, Reserve(format::kCellsRecordBytes));
  Publish(format::kCellsRecordBytes);
  blocks_[{slot, chunk}] = offset + format::kRecordAlignment;
}

void MetricFileBuilder::AppendRaw(const std::vector<uint8_t>& bytes) {
  std::memcpy(Reserve(bytes.size()), bytes.data(), bytes.size());
  Publish(bytes.size());
}

uint64_t* MetricFileBuilder::Cell(uint32_t cell, uint32_t slot) {
  const uint64_t block = blocks_.at({slot, cell / format::kCellsPerBlock});
  return reinterpret_cast<uint64_t*>(bytes_ + block) +
         cell % format::kCellsPerBlock;
}

void MetricFileBuilder::SetU64(uint32_t cell, uint64_t value, uint32_t slot) {
  __atomic_store_n(Cell(cell, slot), value, __ATOMIC_RELAXED);
}

void MetricFileBuilder::AddU64(uint32_t cell, uint64_t value, uint32_t slot) {
  SetU64(cell, *Cell(cell, slot) + value, slot);
}

void MetricFileBuilder::AddF64(uint32_t cell, double value, uint32_t slot) {
  double sum;
  std::memcpy(&sum, Cell(cell, slot), sizeof(sum));
  sum += value;
  uint64_t bits;
  std::memcpy(&bits, &sum, sizeof(bits));
  SetU64(cell, bits, slot);
}

void MetricFileBuilder::SetGauge(uint32_t cell, double value) {
  SetU64(cell, EncodeGaugeCell(value));
}

void MetricFileBuilder::SetRecent(uint32_t cell, double value,
                                  uint64_t wall_ns) {
  SetGauge(cell, value);
  __atomic_store_n(Cell(cell + 1, 0), wall_ns, __ATOMIC_RELEASE);
}

uint32_t MetricFileBuilder::AddCounter(const std::string& name, uint64_t value,
                                       const Labels& labels) {
  std::vector<std::string> names;
  std::vector<std::string> values;
  std::string key = name;
  for (const auto& [label_name, label_value] : labels) {
    names.push_back(label_name);
    values.push_back(label_value);
    key += "," + label_name;
  }
  const auto known = counters_.find(key);
  const uint32_t family = known != counters_.end()
                              ? known->second
                              : AddFamily(CounterFamily(name, names));
  counters_[key] = family;
  const uint32_t cell = AddSeries(family, values);
  AddU64(cell, value);
  return cell;
}

void MetricFileBuilder::MoveTo(const std::string& directory) {
  const std::string path_before = path();
  directory_ = directory;
  Check(::rename(path_before.c_str(), path().c_str()) == 0, "rename");
}

void MetricFileBuilder::HoldLifeLock() {
  lock_fd_.Reset(::open(path().c_str(), O_RDWR | O_CLOEXEC));
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_len = 1;
  Check(::fcntl(lock_fd_.get(), F_OFD_SETLK, &lock) == 0, "F_OFD_SETLK");
}

void MetricFileBuilder::ReleaseLifeLock() { lock_fd_.Reset(); }

void MetricFileBuilder::UnlockWithoutClosing() {
  struct flock lock = {};
  lock.l_type = F_UNLCK;
  lock.l_whence = SEEK_SET;
  Check(::fcntl(lock_fd_.get(), F_OFD_SETLK, &lock) == 0, "F_UNLCK");
}

namespace {

// In the child: async-signal-safe calls only.
[[noreturn]] void HoldLockForEver(const char* path, int ready_fd) {
  const int fd = ::open(path, O_RDWR | O_CLOEXEC);
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_len = 1;
  void* mapping = MAP_FAILED;
  if (fd >= 0 && ::fcntl(fd, F_OFD_SETLK, &lock) == 0) {
    mapping = ::mmap(nullptr, 4096, PROT_NONE, MAP_SHARED, fd, 0);
  }
  if (mapping == MAP_FAILED || ::madvise(mapping, 4096, MADV_DONTFORK) != 0) {
    ::_exit(1);
  }
  ::close(fd);
  if (::write(ready_fd, "x", 1) != 1) {
    ::_exit(1);
  }
  for (;;) {
    ::pause();
  }
}

}  // namespace

LifeLockProcess::LifeLockProcess(const std::string& path) {
  int pipe_fds[2];
  Check(::pipe2(pipe_fds, O_CLOEXEC) == 0, "pipe2");
  pid_ = ::fork();
  Check(pid_ >= 0, "fork");
  if (pid_ == 0) {
    HoldLockForEver(path.c_str(), pipe_fds[1]);
  }
  ::close(pipe_fds[1]);
  char ready = 0;
  const ssize_t got = ::read(pipe_fds[0], &ready, 1);
  ::close(pipe_fds[0]);
  Check(got == 1, "the child could not hold the lock");
}

void LifeLockProcess::Kill() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
}

}  // namespace tine::testing
