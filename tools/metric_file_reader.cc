#include "tools/metric_file_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "collector/writer_identity.h"
#include "common/metrics_directory.h"

namespace tine::tools {
namespace {

using format::kCellsPerBlock;
using format::RecordKind;

constexpr size_t kPieceBytes = 256 << 10;

std::vector<std::string> ToVector(const StringListView& list) {
  std::vector<std::string> strings;
  for (const std::string_view text : list) {
    strings.emplace_back(text);
  }
  return strings;
}

FileSystemKind KindOf(int fd) {
  struct statfs info;
  return ::fstatfs(fd, &info) == 0
             ? FileSystemKindOf(static_cast<uint64_t>(info.f_type))
             : FileSystemKind::kUnknown;
}

}  // namespace

bool MetricFileReader::Open(int directory_fd, const std::string& name,
                            std::string* error) {
  return OpenRegular(directory_fd, name, error) && ReadHeader(error) &&
         (!has_header() || ReadRecords(error));
}

bool MetricFileReader::OpenRegular(int directory_fd, const std::string& name,
                                   std::string* error) {
  // O_NONBLOCK: a pipe under this name must not stop us.
  fd_.Reset(::openat(directory_fd, name.c_str(),
                     O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat info;
  if (!fd_.valid() || ::fstat(fd_.get(), &info) != 0) {
    *error = errno == ELOOP ? "a symbolic link, which is not followed"
                            : std::strerror(errno);
    return false;
  }
  if (!S_ISREG(info.st_mode)) {
    *error = "not a regular file";
    return false;
  }
  file_bytes_ = static_cast<uint64_t>(info.st_size);
  return true;
}

bool MetricFileReader::ReadAt(uint64_t offset, size_t size_bytes, uint8_t* out,
                              size_t* read_bytes) const {
  *read_bytes = 0;
  while (*read_bytes < size_bytes) {
    const ssize_t count =
        ::pread(fd_.get(), out + *read_bytes, size_bytes - *read_bytes,
                static_cast<off_t>(offset + *read_bytes));
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count < 0) {
      return false;
    }
    if (count == 0) {
      break;
    }
    *read_bytes += static_cast<size_t>(count);
  }
  return true;
}

bool MetricFileReader::ReadBytes(uint64_t offset, size_t size_bytes,
                                 uint8_t* out) const {
  size_t read_bytes;
  return ReadAt(offset, size_bytes, out, &read_bytes) &&
         read_bytes == size_bytes;
}

bool MetricFileReader::ReadHeader(std::string* error) {
  uint64_t used = 0;
  size_t read_bytes;
  header_bytes_ = std::make_unique<uint64_t[]>(format::kHeaderBytes / 8);
  auto* bytes = reinterpret_cast<uint8_t*>(header_bytes_.get());
  const bool is_used_read =
      ReadAt(format::kHeaderDynamicOffset, sizeof(used),
             reinterpret_cast<uint8_t*>(&used), &read_bytes);
  // Pairs with the writer's release store of `used`: what it covers is read by
  // the preads below.
  std::atomic_thread_fence(std::memory_order_acquire);
  if (!is_used_read || !ReadAt(0, format::kHeaderBytes, bytes, &read_bytes)) {
    *error = std::strerror(errno);
    return false;
  }
  damage_.reason = DecodeFileHeaderUntrusted(bytes, read_bytes, &header_);
  if (damage_.reason != DamageReason::kNone) {
    header_ = FileHeaderView();
    return true;
  }
  const auto* dynamic = reinterpret_cast<const format::FileHeaderDynamic*>(
      bytes + format::kHeaderDynamicOffset);
  dynamic_ = {used, dynamic->state.load(), dynamic->dropped_series.load(),
              dynamic->dropped_observations.load(),
              dynamic->children_without_file.load()};
  return true;
}

bool MetricFileReader::ReadRecords(std::string* error) {
  RecordScanner scanner;
  // An archive may be larger than any writer's file.
  format::RecordHeader first = {};
  ReadBytes(format::kHeaderBytes, sizeof(first),
            reinterpret_cast<uint8_t*>(&first));
  scanner.SetUsedUntrusted(dynamic_.used,
                           first.kind == RecordKind::kArchive
                               ? file_bytes_
                               : std::min(file_bytes_, format::kMaxFileBytes));
  std::vector<uint64_t> buffer(kPieceBytes / 8);
  while (scanner.WantsBytes()) {
    const size_t wanted = std::max(kPieceBytes, scanner.wanted_bytes());
    buffer.resize(std::max(buffer.size(), (wanted + 7) / 8));
    auto* bytes = reinterpret_cast<uint8_t*>(buffer.data());
    const uint64_t left = scanner.used() - scanner.next_offset();
    size_t read_bytes;
    if (!ReadAt(scanner.next_offset(), std::min<uint64_t>(wanted, left), bytes,
                &read_bytes)) {
      *error = std::strerror(errno);
      return false;
    }
    if (read_bytes < std::min<uint64_t>(scanner.wanted_bytes(), left)) {
      // It has shrunk since fstat().
      damage_ = {DamageReason::kUsedOutOfRange, format::kHeaderDynamicOffset};
      return true;
    }
    scanner.Scan(bytes, read_bytes, this);
  }
  for (size_t i = 0; i < records_.size(); ++i) {
    const uint64_t end = i + 1 < records_.size() ? records_[i + 1].offset
                                                 : scanner.next_offset();
    records_[i].record_bytes = static_cast<uint32_t>(end - records_[i].offset);
  }
  damage_ = scanner.damage();
  return true;
}

void MetricFileReader::AddRecord(uint64_t offset, uint16_t kind, size_t index) {
  records_.push_back({offset, 0, kind, index});
}

void MetricFileReader::OnFamily(uint64_t offset, const FamilyView& family) {
  AddRecord(offset, static_cast<uint16_t>(RecordKind::kFamily),
            families_.size());
  families_.push_back(
      {family.type, family.value_kind, family.gauge_mode,
       std::string(family.name), std::string(family.unit),
       std::string(family.help), ToVector(family.label_names),
       std::vector<double>(family.bounds, family.bounds + family.bound_count),
       family.time_to_live_s, ToVector(family.state_names)});
}

void MetricFileReader::OnSeries(uint64_t offset, const SeriesView& series,
                                uint32_t family_number) {
  AddRecord(offset, static_cast<uint16_t>(RecordKind::kSeries), series_.size());
  series_by_cell_[series.first_cell] = series_.size();
  series_.push_back({family_number, series.first_cell, series.cell_count,
                     series.created_wall_ns, ToVector(series.label_values),
                     false});
}

void MetricFileReader::OnRemoved(uint64_t offset, const RemovedView& removed,
                                 uint32_t /*cell_count*/) {
  AddRecord(offset, static_cast<uint16_t>(RecordKind::kRemoved),
            removed_.size());
  const size_t number = series_by_cell_.at(removed.first_cell);
  series_[number].is_removed = true;
  removed_.push_back({number, removed.removed_wall_ns});
}

void MetricFileReader::OnCells(uint64_t offset, const CellsView& cells) {
  AddRecord(offset, static_cast<uint16_t>(RecordKind::kCells), blocks_.size());
  blocks_.push_back({offset, cells.slot, cells.chunk});
}

void MetricFileReader::OnUnknown(uint64_t offset, uint16_t kind,
                                 uint32_t /*record_bytes*/) {
  AddRecord(offset, kind, 0);
}

collector::Liveness MetricFileReader::ProbeLife() const {
  using collector::HostIdentity;
  return collector::LivenessProbe(HostIdentity::OfThisProcess())
      .Probe(fd_.get(), collector::CopyWriterIdentity(header_),
             KindOf(fd_.get()));
}

std::vector<std::vector<uint64_t>> MetricFileReader::ReadCells(
    const SeriesEntry& series) const {
  const uint32_t chunk = series.first_cell / kCellsPerBlock;
  const uint32_t first = series.first_cell % kCellsPerBlock;
  std::vector<std::vector<uint64_t>> rows;
  for (const BlockEntry& block : blocks_) {
    if (block.chunk != chunk) {
      continue;
    }
    std::vector<uint64_t> row(series.cell_count);
    // From the last cell to the first, each in a pread of its own: a mostrecent
    // gauge's time is read before its value.
    for (uint32_t i = series.cell_count; i-- > 0;) {
      size_t read_bytes;
      const uint64_t offset = block.record_offset +
                              offsetof(format::CellsRecord, cells) +
                              8 * (uint64_t{first} + i);
      ReadAt(offset, 8, reinterpret_cast<uint8_t*>(&row[i]), &read_bytes);
    }
    // The scanner has made sure that slot 0's block comes first.
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace tine::tools
