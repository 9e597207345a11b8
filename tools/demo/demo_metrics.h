// What the demo counts. Namespace-scope families, made before main and before
// any fork; none has its file yet, because a family with (or without) label
// names makes none until a series is looked up.

#ifndef TINE_TOOLS_DEMO_DEMO_METRICS_H_
#define TINE_TOOLS_DEMO_DEMO_METRICS_H_

#include "writer/tine.h"

namespace tine::demo {

extern const CounterFamily kRequests;          // method, path, code
extern const HistogramFamily kRequestSeconds;  // path
extern const UpDownCounterFamily kInFlight;    // no labels
extern const GaugeFamily kWorkerGeneration;    // no labels
extern const CounterFamily kWorkersStarted;    // no labels
extern const CounterFamily kWorkerExits;       // reason

}  // namespace tine::demo

#endif  // TINE_TOOLS_DEMO_DEMO_METRICS_H_
