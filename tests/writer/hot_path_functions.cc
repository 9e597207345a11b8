// What a host's hot path compiles to, for hot_path_test.py to look at. Always
// optimised, in whatever mode the rest is built.

#include "writer/tine.h"

extern "C" {

void TineTestCounter(const tine::Counter* counter) { counter->Increment(); }

void TineTestCounterBy(const tine::Counter* counter, uint64_t amount) {
  counter->Increment(amount);
}

void TineTestDoubleCounter(const tine::DoubleCounter* counter, double amount) {
  counter->Increment(amount);
}

void TineTestUpDownCounter(const tine::UpDownCounter* counter) {
  counter->Decrement();
}

void TineTestGaugeSet(const tine::Gauge* gauge, double value) {
  gauge->Set(value);
}

void TineTestHistogram(const tine::Histogram* histogram, double value) {
  histogram->Observe(value);
}

void TineTestSummary(const tine::Summary* summary, double value) {
  summary->Observe(value);
}

// The control: what the test must find fault with.
void TineTestSharedAdd(uint64_t* cell) {
  tine::internal::SharedAddU64(cell, 1);
}

}  // extern "C"
