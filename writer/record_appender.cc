#include "writer/record_appender.h"

#include <cassert>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "common/clock.h"
#include "common/record_codec.h"
#include "writer/metric_file.h"
#include "writer/written_file.h"

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

// The records first and then `used`, which a reader reads in the other order.
bool RecordAppender::WriteRecords() {
  const uint64_t begin = file_->used;
  Written written = WriteAt(*file_, file_->base + begin, end_ - begin, begin);
  if (written == Written::kAll) {
    written = WriteAt(*file_, &end_, sizeof(end_),
                      format::kHeaderDynamicOffset +
                          offsetof(format::FileHeaderDynamic, used));
  }
  if (written == Written::kAll) {
    return true;
  }
  if (written == Written::kNotOurs) {
    process_->are_files_lost.store(true, std::memory_order_relaxed);
  } else {
    NoteFailure(process_, "cannot write to a metric file", errno);
  }
  // The next records begin here, and with zeroes. Families that are among these
  // are not in the file.
  std::memset(file_->base + begin, 0, end_ - begin);
  for (Family* family = g_registry.FirstFamily(); family != nullptr;
       family = family->next) {
    if (HasFamily(family) && family->published_offset >= begin) {
      family->published_process = 0;
    }
  }
  return false;
}

bool RecordAppender::Publish() {
  assert(end_ <= file_->real_bytes);
  if (IsStoreWritten() && !WriteRecords()) {
    return false;
  }
  file_->used = end_;
  // Everything written above was invisible: readers stop at `used`. This
  // release store pairs with the reader's fence between its read of `used` and
  // its reads of records, and makes all of it visible at once. If the process
  // is killed before this line, the half-written records lie beyond `used` for
  // ever; nothing needs repair.
  file_->dynamic()->used.store(end_, std::memory_order_release);
  return true;
}

}  // namespace tine::internal
