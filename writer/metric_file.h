// One metric file's life: made, grown, left behind. All functions need the
// slow-path lock and are async-signal-safe.

#ifndef TINE_WRITER_METRIC_FILE_H_
#define TINE_WRITER_METRIC_FILE_H_

#include <cstdint>

#include "writer/process_state.h"

namespace tine::internal {

// Makes the process's next file, complete with header and life lock, under its
// final name. False: the failure is noted in `process` (NoteFailure), and
// nothing is left behind.
bool CreateMetricFileLocked(ProcessState* process) noexcept;

// Makes `file` real up to `wanted_bytes` (within its reserve), so that stores
// there cannot raise SIGBUS. False: noted.
bool GrowMetricFileLocked(ProcessState* process, MetricFile* file,
                          uint64_t wanted_bytes) noexcept;

// Marks the process's files as left by a clean exit; counting may go on. Needs
// no lock.
void MarkCleanExit(ProcessState* process) noexcept;

}  // namespace tine::internal

#endif  // TINE_WRITER_METRIC_FILE_H_
