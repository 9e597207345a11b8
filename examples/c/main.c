/* A program with worker processes, in C. Every worker counts in a file of its
 * own; the collector serves one sum.
 *
 *   cc main.c $(pkg-config --cflags --libs tine) && ./a.out
 */

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "writer/c/tine.h" /* <tine.h>, once it is installed */

enum { kWorkers = 3, kJobs = 10 };

static tine_series *jobs, *job_seconds, *busy;

static tine_series* metric(tine_definition definition) {
  tine_series* series = NULL;
  char why[256];
  definition.size = sizeof definition;
  if (tine_register_single(&definition, &series, why, sizeof why) != TINE_OK) {
    fprintf(stderr, "no metric %s: %s\n", definition.name, why);
  }
  return series; /* counting on NULL is safe and does nothing */
}

static void work(void) {
  int i;
  tine_up_down_counter_add(busy, 1);
  for (i = 0; i < kJobs; ++i) {
    tine_counter_add(jobs, 1);
    tine_histogram_observe(job_seconds, 0.001 * i);
  }
  tine_up_down_counter_add(busy, -1);
}

int main(void) {
  int i;
  jobs = metric((tine_definition){
      .type = TINE_COUNTER, .name = "jobs_total", .help = "Jobs done."});
  job_seconds = metric((tine_definition){.type = TINE_HISTOGRAM,
                                         .name = "job_seconds",
                                         .help = "Time of a job.",
                                         .unit = "seconds"});
  busy = metric((tine_definition){.type = TINE_UP_DOWN_COUNTER,
                                  .mode = TINE_MODE_LIVE_SUM,
                                  .name = "busy_workers",
                                  .help = "Workers with a job."});
  for (i = 0; i < kWorkers; ++i) {
    if (fork() == 0) {
      work(); /* the handles are the child's too */
      return 0;
    }
  }
  while (wait(NULL) > 0) {
  }
  return 0;
}
