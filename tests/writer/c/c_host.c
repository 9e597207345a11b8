/* A C program that uses every function of tine.h. Its argument is what it does;
 * it ends with 1 and a line on stderr at the first thing that is not as it
 * should be. What it counted is checked from outside, by a collector. */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "writer/c/tine.h"

#define EXPECT(condition)                                             \
  do {                                                                \
    if (!(condition)) {                                               \
      fprintf(stderr, "line %d: not so: %s\n", __LINE__, #condition); \
      exit(1);                                                        \
    }                                                                 \
  } while (0)

static tine_definition definition(int32_t type, const char* name) {
  tine_definition d;
  memset(&d, 0, sizeof d);
  d.size = sizeof d;
  d.type = type;
  d.name = name;
  d.help = "From C.";
  return d;
}

static tine_series* single(tine_definition d) {
  tine_series* series = NULL;
  char message[256] = "not set";
  const tine_error error =
      tine_register_single(&d, &series, message, sizeof message);
  if (error != TINE_OK) {
    fprintf(stderr, "%s: %s: %s\n", d.name, tine_error_name(error), message);
    exit(1);
  }
  EXPECT(message[0] == '\0' && series != NULL);
  return series;
}

static tine_series* gauge(const char* name, int32_t mode) {
  tine_definition d = definition(TINE_GAUGE, name);
  d.mode = mode;
  return single(d);
}

static void count_everything(void) {
  static const double bounds[] = {1, 2.5, 5};
  tine_definition d = definition(TINE_COUNTER, "c_total");
  tine_series* counter = single(d);
  tine_series* doubles = single(definition(TINE_DOUBLE_COUNTER, "d_total"));
  tine_series* default_buckets = single(definition(TINE_HISTOGRAM, "b"));
  tine_series* summary = single(definition(TINE_SUMMARY, "s"));
  tine_series *up_down, *histogram, *last;
  uint64_t count = 0;
  int64_t signed_count = 0;
  double value = 0;

  EXPECT(single(d) == counter);
  EXPECT(tine_counter_add(counter, 40) == TINE_OK);
  EXPECT(tine_counter_add(counter, 2) == TINE_OK);
  EXPECT(tine_counter_value(counter, &count) == TINE_OK && count == 42);
  EXPECT(tine_double_counter_add(doubles, 0.5) == TINE_OK);
  EXPECT(tine_double_counter_add(doubles, -1) == TINE_INVALID_VALUE);
  EXPECT(tine_double_counter_value(doubles, &value) == TINE_OK && value == 0.5);

  d = definition(TINE_UP_DOWN_COUNTER, "u");
  d.mode = TINE_MODE_SUM;
  up_down = single(d);
  EXPECT(tine_up_down_counter_add(up_down, -7) == TINE_OK);
  EXPECT(tine_up_down_counter_value(up_down, &signed_count) == TINE_OK &&
         signed_count == -7);

  d = definition(TINE_HISTOGRAM, "h_seconds");
  d.unit = "seconds";
  d.bounds = bounds;
  d.bound_count = 3;
  histogram = single(d);
  EXPECT(tine_histogram_observe(histogram, 2.5) == TINE_OK);
  EXPECT(tine_histogram_observe(histogram, 100) == TINE_OK);
  EXPECT(tine_histogram_value(histogram, &count, &value) == TINE_OK &&
         count == 2 && value == 102.5);
  EXPECT(tine_histogram_observe(default_buckets, 0.07) == TINE_OK);
  EXPECT(tine_summary_observe(summary, 3) == TINE_OK);
  EXPECT(tine_summary_value(summary, &count, &value) == TINE_OK && count == 1 &&
         value == 3);

  last = gauge("g_max", TINE_MODE_MAX);
  EXPECT(tine_gauge_value(last, &value) == TINE_NOT_FOUND);
  EXPECT(tine_gauge_set(last, -0.25) == TINE_OK);
  EXPECT(tine_gauge_add(last, 1) == TINE_OK);
  EXPECT(tine_gauge_value(last, &value) == TINE_OK && value == 0.75);
  EXPECT(tine_gauge_set(gauge("g_all", TINE_MODE_ALL), 1) == TINE_OK);
  EXPECT(tine_gauge_set(gauge("g_sum", TINE_MODE_SUM), 2) == TINE_OK);
  EXPECT(tine_gauge_set(gauge("g_min", TINE_MODE_MIN), 3) == TINE_OK);
  last = gauge("g_most_recent", TINE_MODE_MOST_RECENT);
  EXPECT(tine_gauge_set(last, 4) == TINE_OK);
  EXPECT(tine_gauge_add(last, 4) == TINE_INVALID_MODE);
  EXPECT(tine_gauge_set(gauge("live_all", TINE_MODE_LIVE_ALL), 5) == TINE_OK);
  EXPECT(tine_gauge_set(gauge("live_sum", TINE_MODE_LIVE_SUM), 6) == TINE_OK);
  EXPECT(tine_gauge_set(gauge("live_min", TINE_MODE_LIVE_MIN), 7) == TINE_OK);
  EXPECT(tine_gauge_set(gauge("live_max", TINE_MODE_LIVE_MAX), 8) == TINE_OK);
  EXPECT(tine_gauge_set(gauge("live_most_recent", TINE_MODE_LIVE_MOST_RECENT),
                        9) == TINE_OK);
  last = gauge("since_seconds", TINE_MODE_MIN);
  EXPECT(tine_gauge_set_to_current_time(last) == TINE_OK);
  EXPECT(tine_gauge_value(last, &value) == TINE_OK && value > 1.6e9);
}

static void use_labels(void) {
  static const char* const names[] = {"method", "code"};
  static const char* const ok[] = {"GET", "200"};
  static const char* const unseen[] = {"PUT", "201"};
  static const char* const gone[] = {"GET", "410"};
  tine_definition d = definition(TINE_COUNTER, "requests_total");
  tine_family* family = NULL;
  tine_series *series = NULL, *other = NULL;
  char message[64] = "";

  d.label_names = names;
  d.label_count = 2;
  EXPECT(tine_register_single(&d, &series, NULL, 0) == TINE_WRONG_LABELS);
  EXPECT(tine_register(&d, &family, NULL, 0) == TINE_OK);
  EXPECT(tine_get_series(family, ok, 2, &series) == TINE_OK);
  EXPECT(tine_get_series(family, ok, 2, &other) == TINE_OK && other == series);
  EXPECT(tine_get_series(family, unseen, 2, &other) == TINE_OK);
  EXPECT(tine_counter_add(series, 3) == TINE_OK);
  EXPECT(tine_get_series(family, ok, 1, &other) == TINE_WRONG_LABELS &&
         other == NULL);

  d.type = TINE_GAUGE;
  d.mode = TINE_MODE_MAX;
  d.name = "peers";
  EXPECT(tine_register(&d, &family, NULL, 0) == TINE_OK);
  EXPECT(tine_get_series(family, ok, 2, &series) == TINE_OK);
  EXPECT(tine_gauge_set(series, 1) == TINE_OK);
  EXPECT(tine_get_series(family, gone, 2, &other) == TINE_OK);
  EXPECT(tine_gauge_set(other, 2) == TINE_OK);
  EXPECT(tine_remove(family, gone, 2) == TINE_OK);
  EXPECT(tine_remove(family, gone, 2) == TINE_NOT_FOUND);
  EXPECT(tine_series_status(series, message, sizeof message) == TINE_OK);
  EXPECT(tine_series_status(other, message, sizeof message) == TINE_REMOVED);
  EXPECT(strlen(message) == sizeof message - 1); /* cut, and ended by 0 */
  EXPECT(tine_gauge_set(other, 3) == TINE_OK);

  d.name = "cleared";
  EXPECT(tine_register(&d, &family, NULL, 0) == TINE_OK);
  EXPECT(tine_get_series(family, ok, 2, &other) == TINE_OK);
  EXPECT(tine_gauge_set(other, 4) == TINE_OK);
  EXPECT(tine_clear(family) == TINE_OK);

  d.help = "Another text.";
  EXPECT(tine_register(&d, &family, message, sizeof message) == TINE_CONFLICT);
  EXPECT(family == NULL && strstr(message, "help") != NULL);
}

static void set_states(void) {
  static const char* const states[] = {"idle", "busy", "draining"};
  tine_definition d = definition(TINE_STATE_SET, "worker_state");
  tine_series* series = NULL;
  int32_t is_true = 7;
  EXPECT(tine_register_single(&d, &series, NULL, 0) == TINE_INVALID_MODE);
  d.mode = TINE_MODE_MAX;
  EXPECT(tine_register_single(&d, &series, NULL, 0) == TINE_INVALID_STATE);
  d.state_names = states;
  d.state_count = 3;
  series = single(d);
  EXPECT(tine_state_set_set(series, 0, 1) == TINE_OK);
  EXPECT(tine_state_set_set_only(series, 1) == TINE_OK);
  EXPECT(tine_state_set_set(series, 2, 1) == TINE_OK);
  EXPECT(tine_state_set_set(series, 3, 1) == TINE_INVALID_VALUE);
  EXPECT(tine_state_set_set_only(series, UINT32_MAX) == TINE_INVALID_VALUE);
  EXPECT(tine_state_set_value(series, 0, &is_true) == TINE_OK && is_true == 0);
  EXPECT(tine_state_set_value(series, 2, &is_true) == TINE_OK && is_true == 1);
  EXPECT(tine_state_set_value(series, 3, &is_true) == TINE_INVALID_VALUE);
}

static void tell_infos(void) {
  static const char* const names[] = {"version"};
  static const char* const old_one[] = {"1"};
  static const char* const new_one[] = {"2"};
  tine_definition d = definition(TINE_INFO, "build_info");
  tine_family* family = NULL;
  d.label_names = names;
  d.label_count = 1;
  EXPECT(tine_register(&d, &family, NULL, 0) == TINE_OK);
  EXPECT(tine_info_set(family, old_one, 1) == TINE_OK);
  EXPECT(tine_info_set(family, old_one, 0) == TINE_WRONG_LABELS);
  EXPECT(tine_info_set(family, new_one, 1) == TINE_OK);
}

static void reach_limits(void) {
  static const char* const names[] = {"l"};
  static const char* const values[] = {"a", "b", "c"};
  tine_definition d = definition(TINE_COUNTER, "capped_total");
  tine_family* family = NULL;
  tine_series* series = NULL;
  int i;
  d.time_to_live_ms = 1000;
  EXPECT(tine_register(&d, &family, NULL, 0) == TINE_INVALID_TIME_TO_LIVE);
  d.time_to_live_ms = 0;
  d.label_names = names;
  d.label_count = 1;
  d.max_series = 2;
  EXPECT(tine_register(&d, &family, NULL, 0) == TINE_OK);
  for (i = 0; i < 3; ++i) {
    const tine_error error = tine_get_series(family, values + i, 1, &series);
    EXPECT(error == (i < 2 ? TINE_OK : TINE_LIMIT_REACHED));
    EXPECT(tine_counter_add(series, 1) == TINE_OK);
  }
  EXPECT(tine_series_status(series, NULL, 0) == TINE_LIMIT_REACHED);

  d = definition(TINE_GAUGE, "gone");
  d.mode = TINE_MODE_MAX;
  d.time_to_live_ms = 1;
  EXPECT(tine_gauge_set(single(d), 1) == TINE_OK);
  d.name = "stays";
  d.time_to_live_ms = 86400000;
  EXPECT(tine_gauge_set(single(d), 1) == TINE_OK);
}

/* What does not fit the library's structs is refused, and the rest is not. */
static void grow_structs(void) {
  struct {
    tine_definition known;
    uint64_t later;
  } newer = {definition(TINE_COUNTER, "newer_total"), 0};
  struct {
    tine_writer_status known;
    uint64_t later;
  } newer_status;
  tine_series* series = NULL;
  newer.known.size = 72; /* of the first version, which had no max_series */
  newer.known.max_series = 1;
  EXPECT(tine_register_single(&newer.known, &series, NULL, 0) == TINE_OK);
  newer.known.max_series = 0;
  newer.known.size = sizeof newer;
  EXPECT(tine_register_single(&newer.known, &series, NULL, 0) == TINE_OK);
  newer.later = 1;
  EXPECT(tine_register_single(&newer.known, &series, NULL, 0) ==
         TINE_UNSUPPORTED);
  newer.known.size = 71; /* less than the first version's */
  EXPECT(tine_register_single(&newer.known, &series, NULL, 0) ==
         TINE_INVALID_ARGUMENT);
  newer_status.known.size = sizeof newer_status;
  newer_status.later = 77;
  EXPECT(tine_status(&newer_status.known) == TINE_OK);
  EXPECT(newer_status.later == 77 && newer_status.known.file_count == 1);
}

static void initialise(void) {
  static const tine_label labels[] = {{"app", "c"}};
  tine_options options;
  tine_writer_status status;
  memset(&options, 0, sizeof options);
  options.size = sizeof options;
  options.directory = getenv("C_HOST_DIR");
  options.process_labels = labels;
  options.process_label_count = 1;
  options.worker_id = "w7";
  options.log = TINE_LOG_OFF;
  EXPECT(tine_init(&options, NULL, 0) == TINE_OK);
  EXPECT(tine_init(&options, NULL, 0) == TINE_ALREADY_STARTED);
  status.size = sizeof status;
  EXPECT(tine_status(&status) == TINE_OK);
  EXPECT(status.is_enabled == 1 && status.file_count == 1);
  EXPECT(strcmp(status.directory, options.directory) == 0);
  EXPECT(strstr(status.file, ".tine") != NULL && status.file_bytes > 0);
  EXPECT(status.last_error[0] == '\0');
}

static void use_store(int32_t store) {
  tine_options options;
  tine_writer_status status;
  tine_series* series;
  uint64_t count = 0;
  memset(&options, 0, sizeof options);
  options.size = sizeof options;
  options.store = store;
  EXPECT(tine_init(&options, NULL, 0) == TINE_OK);
  series = single(definition(TINE_COUNTER, "c_total"));
  EXPECT(tine_counter_add(series, 3) == TINE_OK);
  EXPECT(tine_histogram_observe(single(definition(TINE_HISTOGRAM, "h")), 1) ==
         TINE_OK);
  EXPECT(tine_gauge_set(gauge("g", TINE_MODE_MAX), 1) == TINE_OK);
  EXPECT(tine_counter_value(series, &count) == TINE_OK);
  EXPECT(count == 3);
  use_labels();
  set_states();
  tell_infos();
  status.size = sizeof status;
  EXPECT(tine_status(&status) == TINE_OK && status.store == store);
  EXPECT(status.failed_writes == 0);
}

/* Three children of one parent, by a handle from before the fork. */
static void fork_children(void) {
  tine_series* counter = single(definition(TINE_COUNTER, "c_total"));
  int i;
  EXPECT(tine_counter_add(counter, 1) == TINE_OK);
  for (i = 0; i < 3; ++i) {
    int status = 0;
    const pid_t child = fork();
    if (child == 0) {
      EXPECT(tine_after_fork(NULL, 0) == TINE_OK);
      EXPECT(tine_seal() == TINE_OK);
      EXPECT(tine_counter_add(counter, 10) == TINE_OK);
      _exit(0);
    }
    EXPECT(waitpid(child, &status, 0) == child && status == 0);
  }
}

static tine_series* handled;
static void on_signal(int number) {
  (void)number;
  tine_counter_add(handled, 1);
}

static void count_in_handlers(void) {
  struct sigaction action;
  int i;
  handled = single(definition(TINE_COUNTER, "c_total"));
  memset(&action, 0, sizeof action);
  action.sa_handler = on_signal;
  EXPECT(sigaction(SIGUSR1, &action, NULL) == 0);
  for (i = 0; i < 1000; ++i) {
    raise(SIGUSR1);
    tine_counter_add(handled, 1);
  }
}

static void shut_down(void) {
  tine_series* counter = single(definition(TINE_COUNTER, "c_total"));
  tine_writer_status status;
  int child_status = 0;
  pid_t child;
  EXPECT(tine_counter_add(counter, 5) == TINE_OK);
  EXPECT(tine_shutdown() == TINE_OK);
  EXPECT(tine_counter_add(counter, 100) == TINE_SHUT_DOWN);
  child = fork();
  if (child == 0) {
    EXPECT(tine_counter_add(counter, 100) == TINE_SHUT_DOWN);
    exit(0); /* the handlers of exit too */
  }
  EXPECT(waitpid(child, &child_status, 0) == child && child_status == 0);
  EXPECT(tine_shutdown() == TINE_SHUT_DOWN);
  status.size = sizeof status;
  EXPECT(tine_status(&status) == TINE_SHUT_DOWN && status.is_enabled == 0);
}

/* Exceptions are thrown and caught inside of the library. */
static void run_out_of_memory(void) {
  enum { kNameBytes = 64 << 20, kSpareBytes = 1 << 20 };
  tine_series* counter = single(definition(TINE_COUNTER, "c_total"));
  tine_family* family = NULL;
  tine_definition d;
  char message[256];
  char* name = malloc(kNameBytes);
  unsigned long pages = 0;
  struct rlimit limit;
  FILE* file = fopen("/proc/self/statm", "r");
  EXPECT(name != NULL && file != NULL && fscanf(file, "%lu", &pages) == 1);
  fclose(file);
  memset(name, 'n', kNameBytes - 1);
  name[kNameBytes - 1] = '\0';
  d = definition(TINE_COUNTER, name);
  EXPECT(getrlimit(RLIMIT_AS, &limit) == 0);
  limit.rlim_cur = pages * (rlim_t)sysconf(_SC_PAGESIZE) + kSpareBytes;
  EXPECT(setrlimit(RLIMIT_AS, &limit) == 0);
  EXPECT(tine_register(&d, &family, message, sizeof message) ==
         TINE_LIMIT_REACHED);
  EXPECT(family == NULL && strstr(message, "memory") != NULL);
  limit.rlim_cur = limit.rlim_max;
  EXPECT(setrlimit(RLIMIT_AS, &limit) == 0);
  EXPECT(tine_register(&d, &family, NULL, 0) == TINE_INVALID_NAME);
  EXPECT(tine_counter_add(counter, 7) == TINE_OK);
  free(name);
}

/* TINE_DISABLE=1: nothing is counted, and nothing is an error. */
static void count_nothing(void) {
  static const char* const names[] = {"l"};
  static const char* const values[] = {"v"};
  tine_definition d = definition(TINE_COUNTER, "c_total");
  tine_series* series = single(d);
  tine_family* family = NULL;
  uint64_t count = 1;
  double sum = 1;
  EXPECT(tine_counter_add(series, 1) == TINE_OK);
  EXPECT(tine_counter_value(series, &count) == TINE_OK && count == 0);
  EXPECT(tine_histogram_observe(single(definition(TINE_HISTOGRAM, "h")), 1) ==
         TINE_OK);
  EXPECT(tine_histogram_value(series, &count, &sum) == TINE_OK && sum == 0);
  EXPECT(tine_gauge_set(gauge("g", TINE_MODE_MAX), 1) == TINE_OK);
  d.name = "labelled_total";
  d.label_names = names;
  d.label_count = 1;
  EXPECT(tine_register(&d, &family, NULL, 0) == TINE_OK);
  EXPECT(tine_get_series(family, values, 1, &series) == TINE_OK);
  EXPECT(tine_counter_add(series, 1) == TINE_OK);
  EXPECT(tine_series_status(series, NULL, 0) == TINE_OK);
  EXPECT(tine_remove(family, values, 1) == TINE_OK);
  EXPECT(tine_clear(family) == TINE_OK);
  EXPECT(tine_state_set_set(series, 99, 1) == TINE_OK);
  EXPECT(tine_info_set(family, values, 1) == TINE_OK);
  EXPECT(tine_after_fork(NULL, 0) == TINE_OK);
  EXPECT(tine_init(NULL, NULL, 0) == TINE_OK);
}

int main(int argc, char** argv) {
  const char* what = argc == 2 ? argv[1] : "";
  EXPECT(tine_has_feature("counter") == 1 && tine_has_feature("magic") == 0);
  EXPECT(tine_version()[0] >= '0' && tine_version()[0] <= '9');
  EXPECT(strcmp(tine_error_name(TINE_BUSY), "TINE_BUSY") == 0);
  if (strcmp(what, "everything") == 0) {
    count_everything();
    use_labels();
    set_states();
    tell_infos();
    reach_limits();
    grow_structs();
  } else if (strcmp(what, "init") == 0) {
    initialise();
    EXPECT(tine_gauge_set(gauge("g_all", TINE_MODE_ALL), 1) == TINE_OK);
  } else if (strcmp(what, "written") == 0) {
    use_store(TINE_STORE_WRITTEN);
  } else if (strcmp(what, "in-memory") == 0) {
    use_store(TINE_STORE_MEMORY);
  } else if (strcmp(what, "none") == 0) {
    tine_options options;
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.store = TINE_STORE_NONE;
    EXPECT(tine_init(&options, NULL, 0) == TINE_OK);
    count_nothing();
  } else if (strcmp(what, "fork") == 0) {
    fork_children();
  } else if (strcmp(what, "signals") == 0) {
    count_in_handlers();
  } else if (strcmp(what, "shutdown") == 0) {
    shut_down();
  } else if (strcmp(what, "memory") == 0) {
    run_out_of_memory();
  } else if (strcmp(what, "disabled") == 0) {
    count_nothing();
  } else {
    fprintf(stderr, "c_host: what?\n");
    return 2;
  }
  if (getenv("C_HOST_STAYS") != NULL) { /* until its stdin ends */
    printf("ready\n");
    fflush(stdout);
    (void)getchar();
  }
  return 0;
}
