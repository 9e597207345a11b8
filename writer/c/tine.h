/* Tine in C: exact metrics for programs that run as many processes.
 *
 *   tine_definition d = {.size = sizeof d, .type = TINE_COUNTER,
 *                        .name = "requests_total", .help = "Requests served."};
 *   tine_series* requests;
 *   tine_register_single(&d, &requests, NULL, 0);
 *   tine_counter_add(requests, 1);
 *
 * docs/C_API.md is the guide. What holds for every function:
 *
 * ERRORS. Each returns a tine_error, TINE_OK (0) or why nothing was done. NULL
 * where a pointer is needed, unknown enum values and sizes, series of another
 * instrument and calls after tine_shutdown() are errors like any other. Nothing
 * crashes, no C++ exception comes out, and a program that ignores every result
 * runs on without the metric. What cannot be written because there is no metric
 * file (disk full, no permission) is no error of the call: it is dropped and
 * counted in tine_writer_status.
 *
 * MESSAGES. Where a function has `message` and `message_size`, it writes there,
 * into the caller's memory, what is wrong and what to do: at most message_size
 * bytes with the final 0, an empty string for TINE_OK. NULL and 0: no message.
 *
 * MEMORY. All arguments are the caller's and are copied; none is kept. What a
 * function hands out (tine_family*, tine_series*, const char*) belongs to the
 * library, stays valid until the process ends, in its forked children too, and
 * is never freed. Handles stay safe after tine_remove() and tine_shutdown().
 *
 * THREADS, FORKS, SIGNALS. Every function may be called from any thread at any
 * time, and in a child made by fork(), where it counts in the child's own file.
 * "Signal-safe" below: also in a signal handler. "Sealed": makes no system call
 * after tine_seal(). No function is a cancellation point.
 *
 * STRUCTS begin with `size`, to be set to sizeof the struct. They grow at their
 * end: whoever was compiled with an older tine.h leaves out new fields, which
 * then are as if 0; a newer one's are refused (TINE_UNSUPPORTED) unless they
 * are 0. Zero always means "as if not said". Strings are UTF-8, ended by 0.
 */
#ifndef TINE_H_
#define TINE_H_

#include <stddef.h>
#include <stdint.h>

/* NOLINTBEGIN(readability-identifier-naming): names as in C. */

#ifdef __cplusplus
extern "C" {
#endif

/* A metric of one name, and one of its time series. */
typedef struct tine_family tine_family;
typedef struct tine_series tine_series;

typedef int32_t tine_error;
enum {
  TINE_OK = 0,
  TINE_INVALID_NAME = 1,     /* metric name, unit or help text */
  TINE_INVALID_LABEL = 2,    /* a label name, or two alike, or too many */
  TINE_INVALID_BUCKETS = 3,  /* too many, not ascending, not finite */
  TINE_INVALID_MODE = 4,     /* a gauge mode that this metric cannot have */
  TINE_CONFLICT = 5,         /* the name has a different definition already */
  TINE_WRONG_LABELS = 6,     /* the wrong number of label values */
  TINE_ALREADY_STARTED = 7,  /* this process has its metric file already */
  TINE_LIMIT_REACHED = 8,    /* no memory or no room; see tine_get_series() */
  TINE_FILE_UNAVAILABLE = 9, /* no metric file can be made (yet) */
  TINE_BUSY = 10,            /* another thread was in the way for a second */
  TINE_REMOVED = 11,         /* the series was removed: it is not served */
  TINE_SHUT_DOWN = 12,       /* tine_shutdown() was called */
  TINE_INVALID_STATE = 13,   /* of a state set: none, too many, two alike */
  TINE_INVALID_TIME_TO_LIVE = 14, /* negative, or not of a gauge or state set */
  TINE_NULL_ARGUMENT = 64,        /* a pointer that is needed is NULL */
  TINE_INVALID_ARGUMENT = 65, /* an enum value or struct size that is none */
  TINE_INVALID_VALUE = 66,    /* NaN, or a negative amount for a counter */
  TINE_UNSUPPORTED = 67,      /* a struct says more than this library knows */
  TINE_WRONG_TYPE = 68,       /* the series is of another instrument */
  TINE_NOT_FOUND = 69,        /* no such series; a gauge that is not set */
  TINE_NO_MEMORY = 70
};

/* What a metric is. Every process that uses a name must say the same of it. */
enum {
  TINE_COUNTER = 1,         /* whole things, only grows */
  TINE_DOUBLE_COUNTER = 2,  /* amounts, only grows */
  TINE_UP_DOWN_COUNTER = 3, /* whole things that come and go, add-only */
  TINE_GAUGE = 4,           /* a value that is set */
  TINE_HISTOGRAM = 5,
  TINE_SUMMARY = 6,   /* count and sum, no quantiles */
  TINE_STATE_SET = 7, /* which of up to 64 named states are true */
  TINE_INFO = 8       /* told by labels alone: `x_info{version="1"} 1` */
};

/* What the values of several processes become: gauges, which need one, state
 * sets (all but the minima) and up-down counters (TINE_MODE_SUM or
 * TINE_MODE_LIVE_SUM). The live modes forget a process as soon as it is gone.
 */
enum {
  TINE_MODE_NONE = 0,
  TINE_MODE_ALL = 1, /* one series each, with a label `pid` */
  TINE_MODE_LIVE_ALL = 2,
  TINE_MODE_SUM = 3,
  TINE_MODE_LIVE_SUM = 4,
  TINE_MODE_MIN = 5,
  TINE_MODE_LIVE_MIN = 6,
  TINE_MODE_MAX = 7,
  TINE_MODE_LIVE_MAX = 8,
  TINE_MODE_MOST_RECENT = 9,
  TINE_MODE_LIVE_MOST_RECENT = 10
};

/* Where the numbers are kept. docs/STORES.md says when to take which. */
enum {
  TINE_STORE_DEFAULT = 0, /* $TINE_STORE, else mapped */
  TINE_STORE_MAPPED = 1,
  TINE_STORE_WRITTEN = 2, /* a file without a mapping: a microsecond a count */
  TINE_STORE_MEMORY = 3,  /* this process alone sees them */
  TINE_STORE_NONE = 4     /* every call does nothing */
};

/* Lines on stderr: at most one for each kind of trouble. */
enum {
  TINE_LOG_FROM_ENVIRONMENT = 0, /* unless TINE_LOG=off */
  TINE_LOG_OFF = 1
};

typedef struct tine_definition {
  size_t size;  /* sizeof(tine_definition) */
  int32_t type; /* TINE_COUNTER ... */
  int32_t mode; /* TINE_MODE_... of what needs one; else TINE_MODE_NONE */
  const char* name;
  const char* help; /* NULL: none */
  const char* unit; /* "seconds", "bytes": the end of the name. NULL: none */
  const char* const* label_names;
  size_t label_count;
  const double* bounds; /* of a histogram: upper bounds, ascending, without */
  size_t bound_count;   /* +Inf. 0: .005 .01 .025 .05 .1 .25 .5 1 2.5 5 10 */
  const char* const* state_names; /* of a state set: numbered from 0 */
  size_t state_count;
  /* Of a gauge or state set: one that was not set for so long is absent until
   * it is set again. 0: for ever. */
  int64_t time_to_live_ms;
  /* How many label sets this process may have at a time; further ones count in
   * the overflow series. 0: as many as there is room for. */
  uint32_t max_series;
  uint32_t reserved;
} tine_definition;

typedef struct tine_label {
  const char* name;
  const char* value;
} tine_label;

typedef struct tine_options {
  size_t size; /* sizeof(tine_options) */
  /* NULL: $TINE_DIR, else /run/tine if it exists, else
   * /dev/shm/tine-<effective uid>. */
  const char* directory;
  /* Labels of every series of this process, besides $TINE_PROCESS_LABELS. */
  const tine_label* process_labels;
  size_t process_label_count;
  /* The label `pid` of gauges of the modes ALL and LIVE_ALL. NULL:
   * $TINE_WORKER_ID, else the pid. */
  const char* worker_id;
  int32_t log;   /* TINE_LOG_... */
  int32_t store; /* TINE_STORE_... */
} tine_options;

typedef struct tine_writer_status {
  size_t size;             /* sizeof(tine_writer_status); set by the caller */
  int32_t is_enabled;      /* 0: TINE_DISABLE=1, shut down, or no memory */
  uint32_t file_count;     /* 0: no file (yet) */
  uint64_t dropped_series; /* went to an overflow series */
  uint64_t dropped_observations; /* were not counted anywhere */
  uint64_t children_without_file;
  uint64_t file_bytes;    /* memory behind the files */
  char directory[4096];   /* where the files are */
  char file[64];          /* the first one's name; "": none */
  char last_error[256];   /* "": none */
  uint64_t failed_writes; /* with TINE_STORE_WRITTEN */
  int32_t store;          /* TINE_STORE_... */
  int32_t reserved;
} tine_writer_status;

/* ---- The library ---- */

/* "0.1.0": static. Signal-safe. Sealed. */
const char* tine_version(void);
/* 1 if this build has what the name says, else 0: "counter",
 * "double_counter", "up_down_counter", "gauge", "histogram", "summary",
 * "state_set", "info", "time_to_live", "max_series", "stores", "remove",
 * "shutdown", "initial_exec_tls". For what may come with a later version.
 * Signal-safe. Sealed. */
int32_t tine_has_feature(const char* name);
/* "TINE_CONFLICT"; "TINE_ERROR_UNKNOWN" for what is no error code. Static.
 * Signal-safe. Sealed. */
const char* tine_error_name(tine_error error);

/* ---- The process ---- */

/* Optional. Sets the options (NULL: none) and makes the metric file now. Before
 * anything is counted or looked up; in a forked child before the child counts.
 * Later children inherit what it sets. Errors: TINE_ALREADY_STARTED (nothing
 * was changed), TINE_INVALID_LABEL, TINE_FILE_UNAVAILABLE (goes on without and
 * tries again every 10 s), TINE_BUSY. Not signal-safe. */
tine_error tine_init(const tine_options* options, char* message,
                     size_t message_size);
/* Makes a forked child's metric file now instead of at its first count: before
 * chroot(), setuid() or a sandbox. No effect when it is there. Errors:
 * TINE_FILE_UNAVAILABLE, TINE_BUSY. Not signal-safe. */
tine_error tine_after_fork(char* message, size_t message_size);
/* No system call from here on, for seccomp: everything that exists counts on;
 * what would need a system call counts in shared memory or is dropped and
 * counted. Cannot be undone. Not signal-safe. */
tine_error tine_seal(void);
/* Ends counting, in children forked from here on too. What was counted is kept
 * and stays served; the file is marked as left by a clean exit. Every later
 * call does nothing and returns TINE_SHUT_DOWN. Its memory stays mapped. Not
 * needed at exit. Errors: TINE_BUSY (nothing was ended), TINE_SHUT_DOWN. Not
 * signal-safe. */
tine_error tine_shutdown(void);
/* Fills in as much of `status` as its size has room for. After tine_shutdown()
 * too, and then returns TINE_SHUT_DOWN. Not signal-safe. */
tine_error tine_status(tine_writer_status* status);

/* ---- Metrics ---- */

/* Registers a metric, or finds it again. *family is NULL after an error.
 * Errors: TINE_INVALID_NAME, _LABEL, _BUCKETS, _MODE, _STATE, _TIME_TO_LIVE,
 * TINE_CONFLICT, TINE_LIMIT_REACHED (10000 families; no memory). Not
 * signal-safe. */
tine_error tine_register(const tine_definition* definition,
                         tine_family** family, char* message,
                         size_t message_size);
/* The same for a metric without labels, and gives its one series, which is
 * served as 0 at once (a gauge when it is first set). Errors: as above, and
 * TINE_WRONG_LABELS if there are labels. *series is NULL after an error, but
 * see tine_get_series() for TINE_LIMIT_REACHED. Not signal-safe. */
tine_error tine_register_single(const tine_definition* definition,
                                tine_series** series, char* message,
                                size_t message_size);
/* The series with these label values, in the order of the label names. A new
 * one is made, and served as 0 at once (a gauge when it is first set): so this
 * is also how label sets are initialised. Tens of nanoseconds for one that is
 * there; keep the handle where that matters. Errors: TINE_WRONG_LABELS;
 * TINE_LIMIT_REACHED with a *series that works: there is no room for another,
 * or a value is too long or no UTF-8, and it counts in the metric's overflow
 * series; without one: *series is NULL. Signal-safe. Sealed. */
tine_error tine_get_series(tine_family* family, const char* const* values,
                           size_t value_count, tine_series** series);
/* Why what `series` counts is not served as its own: TINE_REMOVED,
 * TINE_LIMIT_REACHED (the overflow series). Not signal-safe. */
tine_error tine_series_status(const tine_series* series, char* message,
                              size_t message_size);
/* Lets go of one series: a gauge is gone from the next scrape on; what a
 * counter, histogram or summary counted stays in the sum as long as another
 * living process has the series. Handles stay safe; what they count is not
 * served. A later look-up makes a new series. Errors: TINE_NOT_FOUND,
 * TINE_WRONG_LABELS, TINE_LIMIT_REACHED (it is still there: no room to write
 * it down, sealed or busy, as tine_status() says, or it is the overflow
 * series). Not signal-safe. */
tine_error tine_remove(tine_family* family, const char* const* values,
                       size_t value_count);
/* What an info tells, and nothing else from here on: its label values, in the
 * order of the label names. A scrape in the very moment may find neither the
 * old nor the new, or both. A forked child tells nothing until it calls this.
 * Errors: TINE_WRONG_TYPE, TINE_WRONG_LABELS, TINE_LIMIT_REACHED (no room: it
 * is not told). Any thread, but not two at once. Not signal-safe. */
tine_error tine_info_set(tine_family* family, const char* const* values,
                         size_t value_count);
/* Removes all series that are there when it is called. Errors:
 * TINE_LIMIT_REACHED (some are left). Not signal-safe. */
tine_error tine_clear(tine_family* family);

/* ---- Counting. All signal-safe; sealed (but for TINE_STORE_WRITTEN, where
 * each count is pwrite64(2) and no other call). ---- */

tine_error tine_counter_add(tine_series* series, uint64_t amount);
/* TINE_INVALID_VALUE: negative, NaN, infinite; dropped and counted. */
tine_error tine_double_counter_add(tine_series* series, double amount);
tine_error tine_up_down_counter_add(tine_series* series, int64_t amount);
tine_error tine_gauge_set(tine_series* series, double value);
/* An unset gauge counts as 0. TINE_INVALID_MODE in the most recent modes, where
 * it is dropped and counted. */
tine_error tine_gauge_add(tine_series* series, double amount);
/* Seconds since 1970. */
tine_error tine_gauge_set_to_current_time(tine_series* series);
/* TINE_INVALID_VALUE: NaN; dropped and counted. */
tine_error tine_histogram_observe(tine_series* series, double value);
tine_error tine_summary_observe(tine_series* series, double value);

/* Makes a state true and all others false. TINE_INVALID_VALUE: there is no
 * state of that number; dropped and counted. */
tine_error tine_state_set_set_only(tine_series* series, uint32_t state);
/* Makes one state true (not 0) or false. Errors as above. */
tine_error tine_state_set_set(tine_series* series, uint32_t state,
                              int32_t is_true);

/* ---- What this process has counted, for its own tests. Signal-safe; sealed.
 * ---- */

tine_error tine_counter_value(const tine_series* series, uint64_t* value);
tine_error tine_double_counter_value(const tine_series* series, double* value);
tine_error tine_up_down_counter_value(const tine_series* series,
                                      int64_t* value);
/* TINE_NOT_FOUND while it is not set. */
tine_error tine_gauge_value(const tine_series* series, double* value);
tine_error tine_histogram_value(const tine_series* series, uint64_t* count,
                                double* sum);
tine_error tine_summary_value(const tine_series* series, uint64_t* count,
                              double* sum);

/* TINE_INVALID_VALUE: there is no state of that number. */
tine_error tine_state_set_value(const tine_series* series, uint32_t state,
                                int32_t* is_true);

#ifdef __cplusplus
} /* extern "C" */
#endif

/* NOLINTEND(readability-identifier-naming) */

#endif /* TINE_H_ */
