// Puts records at the end of a metric file: room, encoding, and the one store
// that publishes. Everything here needs the slow-path lock.

#ifndef TINE_WRITER_RECORD_APPENDER_H_
#define TINE_WRITER_RECORD_APPENDER_H_

#include <cstdint>

#include "writer/process_state.h"
#include "writer/registry.h"

namespace tine::internal {

// Appends to one file; nothing is visible before Publish(). Records published
// together are seen together.
class RecordAppender {
 public:
  RecordAppender(ProcessState* process, uint32_t file_number)
      : process_(process),
        file_(&process->files[file_number]),
        file_number_(file_number),
        end_(file_->used) {}

  // True when the file can ever hold `bytes` more.
  bool HasRoomFor(uint64_t bytes) const {
    return end_ + bytes <= file_->reserve_bytes;
  }
  // Makes `bytes` more real. False: full, or noted in the process. Call it
  // once, for all that follows.
  bool Reserve(uint64_t bytes);

  // The FAMILY record, unless this file has it.
  void AppendFamily(Family* family);
  uint64_t FamilyBytes(const Family* family) const;
  void AppendSeries(const Series* series);
  static uint64_t SeriesBytes(const Series* series);
  void AppendRemoved(const Series* series);
  // Returns the block's cells.
  Cell* AppendCells(uint32_t slot, uint32_t chunk);

  // False: it could not be written to the file (Store::kWritten), which is
  // noted; nothing was published.
  bool Publish();

 private:
  bool WriteRecords();
  bool HasFamily(const Family* family) const;
  uint8_t* at() const { return file_->base + end_; }

  ProcessState* const process_;
  MetricFile* const file_;
  const uint32_t file_number_;
  uint64_t end_;  // behind the last record appended
};

}  // namespace tine::internal

#endif  // TINE_WRITER_RECORD_APPENDER_H_
