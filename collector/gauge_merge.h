#ifndef TINE_COLLECTOR_GAUGE_MERGE_H_
#define TINE_COLLECTOR_GAUGE_MERGE_H_

#include <cstdint>

#include "collector/writer_identity.h"
#include "common/exact_sum.h"
#include "common/record_layout.h"

namespace tine::collector {

// The values that several writers have for one gauge series become one, as the
// family's mode says. The order in which they are added never shows.
class GaugeMerge {
 public:
  GaugeMerge() = default;
  explicit GaugeMerge(format::GaugeMode mode) : mode_(mode) {}

  void Reset() {
    sum_ = ExactSum();
    writer_ = nullptr;
    is_present_ = false;
  }

  // A gauge that was set. `wall_ns` is when, in the mostrecent modes, else 0.
  // `writer` lives until the next Reset.
  void Add(double value, uint64_t wall_ns, const WriterRank& writer);

  // An up-down counter's share, exact.
  void AddCount(int64_t count);

  // False: nobody has set it.
  bool is_present() const { return is_present_; }
  double value() const { return sum_.value(); }

 private:
  bool IsBetter(double value, uint64_t wall_ns, const WriterRank& writer) const;

  ExactSum
      sum_;  // in the modes that add; else its high part alone is the value
  uint64_t wall_ns_ = 0;
  const WriterRank* writer_ = nullptr;  // whose value it is, where one wins
  format::GaugeMode mode_ = format::GaugeMode::kNone;
  bool is_present_ = false;
};

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_GAUGE_MERGE_H_
