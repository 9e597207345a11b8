#include "writer/record_appender.h"

#include <cassert>

#include "common/clock.h"
#include "common/record_codec.h"
#include "writer/metric_file.h"

namespace tine::internal {
namespace {

uint32_t FirstCellOf(const Series* series) {
  return series->address.chunk * format::kCellsPerBlock + series->address.cell;
}

}  // namespace

bool RecordAppender::Reserve(uint64_t bytes) {
  if (!HasRoomFor(bytes)) {
    return false;
  }
  return end_ + bytes <= file_->real_bytes ||
         GrowMetricFileLocked(process_, file_, end_ + bytes);
}

bool RecordAppender::HasFamily(const Family* family) const {
  return family->published_process ==
             g_image.process_number.load(std::memory_order_relaxed) &&
         family->published_file == file_number_;
}

uint64_t RecordAppender::FamilyBytes(const Family* family) const {
  return HasFamily(family) ? 0 : EncodedFamilyBytes(family->definition);
}

void RecordAppender::AppendFamily(Family* family) {
  if (HasFamily(family)) {
    return;
  }
  EncodeFamily(family->definition, at());
  family->published_process =
      g_image.process_number.load(std::memory_order_relaxed);
  family->published_file = file_number_;
  family->published_offset = static_cast<uint32_t>(end_);
  end_ += EncodedFamilyBytes(family->definition);
}

uint64_t RecordAppender::SeriesBytes(const Series* series) {
  SeriesView record;
  record.label_values = series->label_values;
  return EncodedSeriesBytes(record);
}

void RecordAppender::AppendSeries(const Series* series) {
  assert(HasFamily(series->family));
  SeriesView record;
  record.family_offset = series->family->published_offset;
  record.first_cell = FirstCellOf(series);
  record.cell_count = series->family->cell_count;
  record.created_wall_ns = NowNs(CLOCK_REALTIME);
  record.label_values = series->label_values;
  EncodeSeries(record, at());
  end_ += EncodedSeriesBytes(record);
}

void RecordAppender::AppendRemoved(const Series* series) {
  RemovedView record;
  record.first_cell = FirstCellOf(series);
  record.removed_wall_ns = NowNs(CLOCK_REALTIME);
  EncodeRemoved(record, at());
  end_ += sizeof(format::RemovedRecord);
}

Cell* RecordAppender::AppendCells(uint32_t slot, uint32_t chunk) {
  EncodeCellsHeader({slot, chunk}, at());
  auto* cells = reinterpret_cast<Cell*>(at() + format::kRecordAlignment);
  end_ += format::kCellsRecordBytes;
  return cells;
}

void RecordAppender::Publish() {
  assert(end_ <= file_->real_bytes);
  file_->used = end_;
  // Everything written above was invisible: readers stop at `used`. This
  // release store pairs with the reader's fence between its read of `used` and
  // its reads of records, and makes all of it visible at once. If the process
  // is killed before this line, the half-written records lie beyond `used` for
  // ever; nothing needs repair.
  file_->dynamic()->used.store(end_, std::memory_order_release);
}

}  // namespace tine::internal
