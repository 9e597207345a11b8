// A plug-in that counts, with a copy of the library of its own inside.

#include "tests/writer/plugin.h"

#include "writer/tine.h"

void PluginCount(uint64_t amount) {
  static const tine::Counter counter("c_total", "c");
  counter.Increment(amount);
}

void PluginSetGauge(double value) {
  static const tine::Gauge gauge("g", "g", tine::GaugeMode::kAll);
  gauge.Set(value);
}
