// What the demo counts. Namespace-scope families, made before main and before
// any fork; none has its file yet, because a family with (or without) label
// names makes none until a series is looked up.

#ifndef TINE_TOOLS_DEMO_DEMO_METRICS_H_
#define TINE_TOOLS_DEMO_DEMO_METRICS_H_

#include "writer/tine.h"

namespace tine::demo {

extern const CounterFamily g_requests;           // method, path, code
extern const HistogramFamily g_request_seconds;  // path
extern const UpDownCounterFamily g_in_flight;    // no labels
extern const GaugeFamily g_worker_generation;    // no labels
extern const CounterFamily g_workers_started;    // no labels
extern const CounterFamily g_worker_exits;       // reason

}  // namespace tine::demo

#endif  // TINE_TOOLS_DEMO_DEMO_METRICS_H_
