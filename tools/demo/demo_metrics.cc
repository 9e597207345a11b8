#include "tools/demo/demo_metrics.h"

namespace tine::demo {

const CounterFamily kRequests("http_requests_total",
                              "Requests answered, by all workers.",
                              {"method", "path", "code"});
const HistogramFamily kRequestSeconds(
    "http_request_seconds", "Time from a request's first line to its answer.",
    {"path"}, DefaultBuckets(), {"seconds"});
const UpDownCounterFamily kInFlight("http_requests_in_flight",
                                    "Requests being worked on.", {},
                                    GaugeMode::kLiveSum);
const GaugeFamily kWorkerGeneration(
    "demo_worker_generation",
    "How many workers have had this worker's place, itself included.", {},
    GaugeMode::kLiveAll);
const CounterFamily kWorkersStarted("demo_workers_started_total",
                                    "Workers started by the parent.", {});
const CounterFamily kWorkerExits(
    "demo_worker_exits_total",
    "Workers that ended: recycled after their number of requests (or asked to "
    "stop), killed by a signal, or with an error.",
    {"reason"});

}  // namespace tine::demo
