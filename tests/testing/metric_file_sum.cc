#include "tests/testing/metric_file_sum.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>

#include "common/exact_sum.h"
#include "common/metric_file_name.h"
#include "common/record_scanner.h"
#include "common/unique_fd.h"

namespace tine::testing {
namespace {

using format::kCellsPerBlock;

// Up to `size_bytes` from `offset`, in memory aligned for any record.
std::vector<uint64_t> ReadAt(int fd, uint64_t offset, size_t size_bytes) {
  std::vector<uint64_t> words((size_bytes + 7) / 8);
  size_t done = 0;
  auto* bytes = reinterpret_cast<uint8_t*>(words.data());
  while (done < size_bytes) {
    const ssize_t count = ::pread(fd, bytes + done, size_bytes - done,
                                  static_cast<off_t>(offset + done));
    if (count <= 0) {
      break;
    }
    done += static_cast<size_t>(count);
  }
  return words;
}

struct SeriesPlace {
  std::string key;
  uint32_t first_cell;
  uint32_t cell_count;
  bool is_removed = false;
};

class Collected : public RecordVisitor {
 public:
  explicit Collected(MetricFileText* text) : text_(text) {}

  void OnFamily(uint64_t /*offset*/, const FamilyView& family) override {
    FamilyText& text = text_->families[std::string(family.name)];
    text.type = family.type;
    text.mode = family.gauge_mode;
    text.help = family.help;
    text.unit = family.unit;
    text.bounds.assign(family.bounds, family.bounds + family.bound_count);
    family_names_.emplace_back(family.name);
  }
  void OnSeries(uint64_t /*offset*/, const SeriesView& series,
                uint32_t family_number) override {
    std::string values;
    for (const std::string_view value : series.label_values) {
      values += (values.empty() ? "" : ",") + std::string(value);
    }
    std::string key = family_names_.at(family_number);
    if (series.label_values.size() != 0) {
      key += "{" + values + "}";
    }
    places.push_back({key, series.first_cell, series.cell_count, false});
  }
  void OnRemoved(uint64_t /*offset*/, const RemovedView& removed,
                 uint32_t cell_count) override {
    const auto place = std::find_if(
        places.rbegin(), places.rend(), [&](const SeriesPlace& of) {
          return of.first_cell == removed.first_cell &&
                 of.cell_count == cell_count;
        });
    place->is_removed = true;
    ++text_->removed_count;
  }
  void OnCells(uint64_t offset, const CellsView& cells) override {
    text_->blocks.push_back(cells);
    block_offsets.push_back(offset + format::kRecordAlignment);
  }

  std::vector<SeriesPlace> places;
  std::vector<uint64_t> block_offsets;

 private:
  MetricFileText* const text_;
  std::vector<std::string> family_names_;
};

void CopyHeader(const std::vector<uint64_t>& page, MetricFileText* text) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(page.data());
  FileHeaderView view;
  text->damage = DecodeFileHeaderUntrusted(bytes, format::kHeaderBytes, &view);
  if (text->damage != DamageReason::kNone) {
    return;
  }
  text->pid = view.header->pid;
  text->uid = view.header->uid;
  text->life_lock = view.header->life_lock;
  text->executable = view.executable;
  text->worker_id = view.worker_id;
  bool is_name = true;
  for (const std::string_view label : view.process_labels) {
    text->process_labels +=
        (is_name ? (text->process_labels.empty() ? "" : ",") : "=") +
        std::string(label);
    is_name = !is_name;
  }
}

uint64_t DynamicU64(int fd, size_t offset) {
  return ReadAt(fd, format::kHeaderDynamicOffset + offset, 8)[0];
}

void CopyDynamicHeader(int fd, MetricFileText* text) {
  text->used = DynamicU64(fd, offsetof(format::FileHeaderDynamic, used));
  text->state = static_cast<format::FileState>(static_cast<uint32_t>(
      DynamicU64(fd, offsetof(format::FileHeaderDynamic, state))));
  text->dropped_series =
      DynamicU64(fd, offsetof(format::FileHeaderDynamic, dropped_series));
  text->dropped_observations =
      DynamicU64(fd, offsetof(format::FileHeaderDynamic, dropped_observations));
  text->children_without_file = DynamicU64(
      fd, offsetof(format::FileHeaderDynamic, children_without_file));
}

void Scan(int fd, MetricFileText* text, Collected* visitor) {
  struct stat info {};
  ::fstat(fd, &info);
  RecordScanner scanner;
  if (scanner.SetUsedUntrusted(text->used,
                               static_cast<uint64_t>(info.st_size))) {
    while (scanner.WantsBytes()) {
      const size_t size = std::max<size_t>(scanner.wanted_bytes(), 64 << 10);
      const uint64_t from = scanner.next_offset();
      const size_t readable = std::min<uint64_t>(size, text->used - from);
      const auto words = ReadAt(fd, from, readable);
      scanner.Scan(reinterpret_cast<const uint8_t*>(words.data()), readable,
                   visitor);
    }
  }
  text->damage = scanner.damage().reason;
}

double AsDouble(uint64_t bits) {
  double value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

SeriesCells CellsOf(const SeriesPlace& place, const MetricFileText& text,
                    const std::vector<std::vector<uint64_t>>& blocks) {
  SeriesCells cells;
  cells.u64.resize(place.cell_count);
  cells.slot0.resize(place.cell_count);
  std::vector<ExactSum> sums(place.cell_count);
  for (size_t i = 0; i < blocks.size(); ++i) {
    if (text.blocks[i].chunk != place.first_cell / kCellsPerBlock) {
      continue;
    }
    for (uint32_t k = 0; k < place.cell_count; ++k) {
      const uint64_t cell = blocks[i][place.first_cell % kCellsPerBlock + k];
      cells.u64[k] += cell;
      sums[k].Add(AsDouble(cell));
      if (text.blocks[i].slot == 0) {
        cells.slot0[k] = cell;
      }
    }
  }
  for (const ExactSum& sum : sums) {
    cells.f64.push_back(sum.value());
  }
  return cells;
}

// Two SERIES records of the same labels are added.
void AddSeries(const std::string& key, const SeriesCells& more,
               std::map<std::string, SeriesCells>* series) {
  const auto [at, is_new] = series->emplace(key, more);
  for (size_t k = 0; !is_new && k < more.u64.size(); ++k) {
    at->second.u64.at(k) += more.u64[k];
    at->second.f64.at(k) += more.f64[k];
    at->second.slot0.at(k) = more.slot0[k];
  }
}

MetricFileText ReadMetricFile(const std::string& path,
                              const std::string& name) {
  MetricFileText text;
  text.name = name;
  const UniqueFd fd(
      ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  CopyHeader(ReadAt(fd.get(), 0, format::kHeaderBytes), &text);
  if (text.damage != DamageReason::kNone) {
    return text;
  }
  CopyDynamicHeader(fd.get(), &text);
  std::atomic_thread_fence(std::memory_order_acquire);
  Collected visitor(&text);
  Scan(fd.get(), &text, &visitor);
  std::vector<std::vector<uint64_t>> blocks;
  for (const uint64_t offset : visitor.block_offsets) {
    blocks.push_back(ReadAt(fd.get(), offset, 8 * kCellsPerBlock));
  }
  for (const SeriesPlace& place : visitor.places) {
    AddSeries(place.key, CellsOf(place, text, blocks),
              place.is_removed ? &text.removed : &text.series);
  }
  return text;
}

}  // namespace

std::vector<std::string> NamesIn(const std::string& directory) {
  std::vector<std::string> names;
  DIR* stream = ::opendir(directory.c_str());
  if (stream == nullptr) {
    return names;
  }
  while (const dirent* entry = ::readdir(stream)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") {
      names.push_back(name);
    }
  }
  ::closedir(stream);
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<MetricFileText> ReadMetricFiles(const std::string& directory) {
  std::vector<MetricFileText> files;
  for (const std::string& name : NamesIn(directory)) {
    if (ParseMetricFileName(name)) {
      files.push_back(ReadMetricFile(directory + "/" + name, name));
    }
  }
  return files;
}

uint64_t SumU64(const std::vector<MetricFileText>& files,
                const std::string& series, size_t cell) {
  uint64_t sum = 0;
  for (const MetricFileText& file : files) {
    const auto at = file.series.find(series);
    sum += at == file.series.end() ? 0 : at->second.u64.at(cell);
  }
  return sum;
}

double SumF64(const std::vector<MetricFileText>& files,
              const std::string& series, size_t cell) {
  ExactSum sum;
  for (const MetricFileText& file : files) {
    const auto at = file.series.find(series);
    sum.Add(at == file.series.end() ? 0 : at->second.f64.at(cell));
  }
  return sum.value();
}

size_t FilesWith(const std::vector<MetricFileText>& files,
                 const std::string& series) {
  return static_cast<size_t>(std::count_if(
      files.begin(), files.end(),
      [&](const auto& file) { return file.series.count(series) != 0; }));
}

std::string DamageIn(const std::vector<MetricFileText>& files) {
  std::string text;
  for (const MetricFileText& file : files) {
    if (file.damage != DamageReason::kNone) {
      text +=
          file.name + ": " + std::string(DamageReasonName(file.damage)) + "\n";
    }
  }
  return text;
}

}  // namespace tine::testing
