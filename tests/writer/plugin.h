#ifndef TINE_TESTS_WRITER_PLUGIN_H_
#define TINE_TESTS_WRITER_PLUGIN_H_

#include <cstdint>

// All that a plug-in shows of itself (plugin.lds).
extern "C" {
// Adds to the counter c_total.
void PluginCount(uint64_t amount);
// Sets g, a gauge of mode kAll.
void PluginSetGauge(double value);
}

#endif  // TINE_TESTS_WRITER_PLUGIN_H_
