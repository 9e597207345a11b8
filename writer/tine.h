// Tine's writer: metrics for programs that run as many processes.
//
//   #include "writer/tine.h"
//
//   tine::CounterFamily requests("http_requests_total", "Requests served.",
//                                {"method", "code"});
//   tine::Histogram latency("http_request_seconds", "Time to serve.",
//                           tine::DefaultBuckets());
//
//   void Serve(const Request& r) {
//     tine::Timer t(latency);
//     requests.WithLabels(r.method, r.code).Increment();
//   }
//
// docs/INSTRUMENTS.md: which instrument for what, and what several processes'
// numbers become.
//
// Make metrics wherever you like, at namespace scope too, before or after fork.
// Making metrics, looking them up and counting never throws, waits for a reader
// or needs another library than libc and libstdc++. (What returns a string,
// like status(), allocates it.) When the metrics directory is missing or full,
// metrics become a counted no-op (process.h) and the program runs on.
//
// Families with labels let go of series that come no more: Remove() and Clear()
// (family.h says what becomes of counts and of handles that were kept).
//
// Any way of forking is safe: fork(), _Fork(), clone(). One limit, for
// completeness: a signal handler that calls clone() itself (not fork()) and
// happens to interrupt an increment exactly between its load and its add lets
// the child repeat that one add in the parent's file.
//
// Counting and looking up take less than 8 KiB of stack, making a file
// included; a handler on an alternate stack needs as much besides the kernel's
// frame.
//
// Any thread may count, cancelled ones too: the library is no cancellation
// point. Only asynchronous cancellation (PTHREAD_CANCEL_ASYNCHRONOUS) may not
// be on while a thread is in it, as POSIX has it for nearly every function.
//
// Environment, read once when the first metric is registered: TINE_DIR,
// TINE_PROCESS_LABELS, TINE_WORKER_ID, TINE_STORE (mmap, pwrite, memory or
// none: store.h), TINE_DISABLE=1 (count nothing, make no file), TINE_LOG=off
// (no line on stderr), TINE_MAX_BYTES (16777216: all of one process's files),
// TINE_MAX_FILES (100000: where as many are in the metrics directory, a tmpfs,
// no further one is made), TINE_MAX_SLOTS (threads with private blocks: 2 per
// CPU, at most 64), TINE_ALLOW_DISK=1 (accept ext2/3/4 and xfs, where a store
// can stall at writeback).

#ifndef TINE_WRITER_TINE_H_
#define TINE_WRITER_TINE_H_

#include "writer/counter.h"    // IWYU pragma: export
#include "writer/gauge.h"      // IWYU pragma: export
#include "writer/histogram.h"  // IWYU pragma: export
#include "writer/info.h"       // IWYU pragma: export
#include "writer/preset.h"     // IWYU pragma: export
#include "writer/process.h"    // IWYU pragma: export
#include "writer/scopes.h"     // IWYU pragma: export
#include "writer/state_set.h"  // IWYU pragma: export
#include "writer/status.h"     // IWYU pragma: export
#include "writer/store.h"      // IWYU pragma: export
#include "writer/summary.h"    // IWYU pragma: export
#include "writer/timer.h"      // IWYU pragma: export

#endif  // TINE_WRITER_TINE_H_
