#include "collector/metric_file_reader.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <utility>

#include "collector/file_opener.h"

namespace tine::collector {
namespace {

using format::kCellsPerBlock;
using format::kCellsRecordBytes;
using format::kHeaderBytes;
using format::kHeaderDynamicOffset;
using format::kRecordAlignment;

// Records are read in pieces of this size: a new file of 100 series in one
// piece, a large one at memory speed.
constexpr size_t kScanPieceBytes = 64 * 1024;

// The part of the dynamic header that is read at each scrape.
constexpr size_t kDynamicBytes = 64;
static_assert(offsetof(format::FileHeaderDynamic, children_without_file) + 8 <=
              kDynamicBytes);

template <typename T>
T Load(const uint8_t* bytes, size_t offset) {
  T value;
  std::memcpy(&value, bytes + offset, sizeof(value));
  return value;
}

}  // namespace

// Keeps the CELLS records for the reader and passes families and series on.
class MetricFileReader::Visitor : public RecordVisitor {
 public:
  Visitor(MetricFileReader* reader, RecordVisitor* next)
      : reader_(reader), next_(next) {}

  void OnFamily(uint64_t offset, const FamilyView& family) override {
    next_->OnFamily(offset, family);
  }

  void OnSeries(uint64_t offset, const SeriesView& series,
                uint32_t family_number) override {
    // The scanner has checked that the chunk has a slot 0 block and that the
    // cells lie in it.
    const uint32_t chunk =
        reader_->dense_chunks_.find(series.first_cell / kCellsPerBlock)->second;
    const uint32_t first_in_block = series.first_cell % kCellsPerBlock;
    uint32_t& cell_count = reader_->chunk_cell_counts_[chunk];
    cell_count = std::max(cell_count, first_in_block + series.cell_count);
    SeriesView dense = series;
    dense.first_cell = chunk * kCellsPerBlock + first_in_block;
    next_->OnSeries(offset, dense, family_number);
  }

  void OnCells(uint64_t offset, const CellsView& cells) override {
    const auto [it, is_new] = reader_->dense_chunks_.try_emplace(
        cells.chunk, static_cast<uint32_t>(reader_->chunk_cell_counts_.size()));
    if (is_new) {
      reader_->chunk_cell_counts_.push_back(0);
    }
    reader_->blocks_.push_back(
        {offset + kRecordAlignment, 0, it->second, cells.slot});
  }

  void OnRemoved(uint64_t offset, const RemovedView& removed,
                 uint32_t cell_count) override {
    RemovedView dense = removed;
    dense.first_cell =
        reader_->dense_chunks_.find(removed.first_cell / kCellsPerBlock)
                ->second *
            kCellsPerBlock +
        removed.first_cell % kCellsPerBlock;
    next_->OnRemoved(offset, dense, cell_count);
  }

 private:
  MetricFileReader* const reader_;
  RecordVisitor* const next_;
};

MetricFileReader::MetricFileReader(UniqueFd fd, ReadCounters* counters)
    : fd_(std::move(fd)), counters_(counters) {
  ReadHeader();
}

void MetricFileReader::ReadHeader() {
  alignas(64) uint8_t header[kHeaderBytes];
  size_t size_bytes = sizeof(header);
  const ReadResult result = ReadAt(0, header, sizeof(header));
  if (result == ReadResult::kFailed) {
    Freeze(kHeaderNotRead, 0);
    return;
  }
  if (result != ReadResult::kOk) {
    size_bytes = 0;
  }
  FileHeaderView view;
  const DamageReason reason =
      DecodeFileHeaderUntrusted(header, size_bytes, &view);
  if (reason != DamageReason::kNone) {
    Freeze(DamageReasonName(reason), 0);
    return;
  }
  writer_ = CopyWriterIdentity(view);
}

void MetricFileReader::Freeze(std::string_view reason, uint64_t offset) {
  if (!is_damaged()) {
    damage_ = {reason, offset};
  }
  is_frozen_ = true;
}

MetricFileReader::ReadResult MetricFileReader::ReadAt(uint64_t offset,
                                                      uint8_t* bytes,
                                                      size_t size_bytes) {
  while (size_bytes > 0) {
    const ssize_t got =
        ::pread(fd_.get(), bytes, size_bytes, static_cast<off_t>(offset));
    ++counters_->system_call_count;
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      return got == 0 ? ReadResult::kShort : ReadResult::kFailed;
    }
    counters_->byte_count += static_cast<uint64_t>(got);
    bytes += got;
    offset += static_cast<uint64_t>(got);
    size_bytes -= static_cast<size_t>(got);
  }
  return ReadResult::kOk;
}

bool MetricFileReader::ReadUsed() {
  alignas(64) uint8_t dynamic[kDynamicBytes];
  switch (ReadAt(kHeaderDynamicOffset, dynamic, sizeof(dynamic))) {
    case ReadResult::kOk:
      break;
    case ReadResult::kShort:
      Freeze("truncated", kHeaderDynamicOffset);
      return false;
    case ReadResult::kFailed:
      ++failed_read_count_;
      return false;
  }
  // Pairs with the writer's release store of `used`. The payload comes in a
  // later pread: one pread may copy what it reads in any order (measured:
  // payload older than its count in 1 of 900 reads).
  std::atomic_thread_fence(std::memory_order_acquire);
  using Dynamic = format::FileHeaderDynamic;
  counts_.used_bytes = Load<uint64_t>(dynamic, offsetof(Dynamic, used));
  counts_.is_clean_exit = Load<uint32_t>(dynamic, offsetof(Dynamic, state)) ==
                          static_cast<uint32_t>(format::FileState::kCleanExit);
  counts_.dropped_series =
      Load<uint64_t>(dynamic, offsetof(Dynamic, dropped_series));
  counts_.dropped_observations =
      Load<uint64_t>(dynamic, offsetof(Dynamic, dropped_observations));
  counts_.children_without_file =
      Load<uint64_t>(dynamic, offsetof(Dynamic, children_without_file));
  return true;
}

bool MetricFileReader::ReadRecords(RecordVisitor* visitor,
                                   AlignedBuffer* scratch) {
  if (is_frozen_ || !ReadUsed()) {
    return false;
  }
  if (scanner_.damage().reason != DamageReason::kNone) {
    return true;
  }
  if (counts_.used_bytes == scanner_.used() && !scanner_.WantsBytes()) {
    return true;  // the usual case
  }
  FileFacts facts;
  bool is_regular = false;
  uint32_t link_count = 0;
  ++counters_->system_call_count;
  if (!ReadFileFacts(fd_.get(), &facts, &is_regular, &link_count)) {
    ++failed_read_count_;
    return false;
  }
  if (!scanner_.SetUsedUntrusted(counts_.used_bytes, facts.size_bytes)) {
    Freeze(DamageReasonName(scanner_.damage().reason),
           scanner_.damage().offset);
    return false;
  }
  return ScanRecords(visitor, scratch);
}

bool MetricFileReader::ScanRecords(RecordVisitor* visitor,
                                   AlignedBuffer* scratch) {
  Visitor own_visitor(this, visitor);
  const uint64_t records_before = scanner_.record_count();
  bool is_complete = true;
  while (scanner_.WantsBytes()) {
    const uint64_t left_bytes = scanner_.used() - scanner_.next_offset();
    const size_t piece_bytes = static_cast<size_t>(std::min<uint64_t>(
        left_bytes, std::max(scanner_.wanted_bytes(), kScanPieceBytes)));
    uint8_t* piece = scratch->Reserve(piece_bytes);
    const ReadResult result =
        ReadAt(scanner_.next_offset(), piece, piece_bytes);
    if (result != ReadResult::kOk) {
      is_complete = false;
      if (result == ReadResult::kShort) {
        Freeze("truncated", scanner_.next_offset());
      } else {
        ++failed_read_count_;
      }
      break;
    }
    scanner_.Scan(piece, piece_bytes, &own_visitor);
  }
  counters_->record_count += scanner_.record_count() - records_before;
  if (scanner_.damage().reason != DamageReason::kNone && !is_damaged()) {
    damage_ = {DamageReasonName(scanner_.damage().reason),
               scanner_.damage().offset};
  }
  PlaceBlocks();
  return is_complete;
}

void MetricFileReader::PlaceBlocks() {
  uint64_t next_offset = 0;
  for (CellBlock& block : blocks_) {
    block.buffer_offset = next_offset;
    // Neighbours in the file stay as far apart as they are there, so that one
    // pread brings them.
    next_offset += kCellsRecordBytes;
  }
  buffer_bytes_ = next_offset;
}

bool MetricFileReader::ReadCells(AlignedBuffer* buffer) {
  if (is_frozen_) {
    return false;
  }
  uint8_t* bytes = buffer->Reserve(buffer_bytes_);
  for (size_t i = 0; i < blocks_.size();) {
    const CellBlock& first = blocks_[i];
    size_t last = i;
    while (last + 1 < blocks_.size() &&
           blocks_[last + 1].cells_offset ==
               blocks_[last].cells_offset + kCellsRecordBytes) {
      ++last;
    }
    const uint64_t size_bytes = blocks_[last].cells_offset -
                                first.cells_offset + OwnedBytes(blocks_[last]);
    if (!ReadCellRange(first.cells_offset, bytes + first.buffer_offset,
                       size_bytes)) {
      return false;
    }
    i = last + 1;
  }
  return true;
}

bool MetricFileReader::ReadCellsAgain(const CellBlock& block,
                                      AlignedBuffer* buffer) {
  return ReadCellRange(block.cells_offset, buffer->data() + block.buffer_offset,
                       OwnedBytes(block));
}

uint64_t MetricFileReader::OffsetOfCell(uint32_t cell) const {
  for (const CellBlock& block : blocks_) {
    if (block.slot == 0 && block.chunk == cell / kCellsPerBlock) {
      return block.cells_offset + 8 * uint64_t{cell % kCellsPerBlock};
    }
  }
  return 0;
}

bool MetricFileReader::ReadCellRange(uint64_t offset, uint8_t* bytes,
                                     size_t size_bytes) {
  const ReadResult result = ReadAt(offset, bytes, size_bytes);
  if (result == ReadResult::kShort) {
    Freeze("truncated", offset);
  } else if (result == ReadResult::kFailed) {
    ++failed_read_count_;
  }
  return result == ReadResult::kOk;
}

}  // namespace tine::collector
