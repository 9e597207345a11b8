// The writer as a whole: set-up, forks, and what it has to say about itself.

#ifndef TINE_WRITER_PROCESS_H_
#define TINE_WRITER_PROCESS_H_

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "writer/status.h"
#include "writer/store.h"
#include "writer/string_span.h"

namespace tine {

struct InitOptions {
  // The metrics directory; empty: $TINE_DIR, else /run/tine if it exists, else
  // /dev/shm/tine-<effective uid>.
  std::string_view directory;
  // Labels that every series of this process carries, besides those of
  // $TINE_PROCESS_LABELS ("app=web,zone=b"); on a clash these win. `le`,
  // `quantile` and names beginning with "__" are refused.
  std::vector<LabelPair> process_labels;
  // The label `pid` of this process's gauges of mode kAll and kLiveAll; empty:
  // $TINE_WORKER_ID, else the pid.
  std::string_view worker_id;
  // Where the numbers are kept; wins over $TINE_STORE.
  Store store = Store::kDefault;
  // No line on stderr from here on, as with TINE_LOG=off.
  bool is_quiet = false;
};

// Optional. Sets the above and makes the process's metric file now. Call it
// before anything is counted or looked up, and before metrics without labels
// are made (those make the file); in a forked child before the child counts.
// What it sets is inherited by later children. Errors: kAlreadyStarted (this
// process has its file: nothing was changed), kInvalidLabel, kFileUnavailable
// (counting goes on as a counted no-op and the file is tried again every 10 s).
// Not async-signal-safe.
Status Init(const InitOptions& options = {});

// Makes this process's metric file now instead of at its first count. For
// forked children that are about to chroot, change their user or enter a
// sandbox. No effect when the file is there. Errors: kFileUnavailable.
// Async-signal-safe but for the text of an error.
Status AfterFork();

// Promises no system call from here on, for seccomp: everything that exists
// counts on; what would need a system call (a new series, a new thread's
// private block, growth) is not made, and counts in shared blocks or is dropped
// and counted. Cannot be undone. With Store::kWritten each count is pwrite64(2)
// still, and that alone; RLIMIT_FSIZE and descriptors must be left alone.
void Seal() noexcept;

// Ends counting in this process and in what it forks from here on: every later
// count, look-up and registration is a no-op (dropped and counted; statuses say
// kShutDown). What was counted stays in the file (what Store::kWritten could
// not write yet does not), which is marked as left by a clean exit and folded
// when the process ends; its memory stays mapped, since other threads may be in
// the middle of an add. WriterStatus goes on with dropped_observations alone.
// Cannot be undone. Errors: kBusy
// (a thread is stopped in a change of the registry: nothing was ended),
// kShutDown (it was called before). Any thread; not async-signal-safe.
Status Shutdown();

// Directory, file, drops, last error: what a status page of the host may show.
struct WriterStatus {
  // False with TINE_DISABLE=1 or Store::kNone, after Shutdown(), or if there
  // was no memory to start.
  bool is_enabled = true;
  Store store = Store::kNone;  // never kDefault
  std::string directory;
  std::vector<std::string> files;  // names in the directory; empty: none (yet)
  // Look-ups of new label sets that went to an overflow series.
  uint64_t dropped_series = 0;
  uint64_t dropped_observations = 0;
  uint64_t children_without_file = 0;
  // Of Store::kWritten: changes that could not be written to the file when they
  // were made (a full disk, say). They are in memory and go out with the next
  // write that can be made.
  uint64_t failed_writes = 0;
  uint64_t file_bytes = 0;  // memory behind the files, or of this process
  std::string last_error;   // empty: none
};
WriterStatus GetWriterStatus();

// The bytes of this process's metric files as they are now, as common/FORMAT.md
// lays them out, up to the last published record; for a reader of
// Store::kMemory, whose bytes are nowhere else. Empty when there is none yet.
// Any thread; not async-signal-safe.
std::vector<std::string> GetMetricFileBytes();

}  // namespace tine

#endif  // TINE_WRITER_PROCESS_H_
