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
    expires_wall_ns_ = 0;
    is_present_ = false;
  }

  // A gauge that was set. `wall_ns` is when, in the mostrecent modes, else 0.
  // `expires_wall_ns`: when it is too old by its time to live; 0: never.
  void Add(double value, uint64_t wall_ns, const WriterRank& writer,
           uint64_t expires_wall_ns = 0);

  // An up-down counter's share, exact.
  void AddCount(int64_t count);

  // False: nobody has set it.
  bool is_present() const { return is_present_; }
  double value() const { return sum_.value(); }

  // What it takes to go on from here in another process: the value (in the
  // modes that add, both parts of the sum), and whose it is.
  const ExactSum& sum() const { return sum_; }
  uint64_t wall_ns() const { return wall_ns_; }
  const WriterRank& writer() const { return writer_; }
  // Of the value that has won; of a sum, that of the first of its parts: what
  // they were cannot be told any more. 0: never.
  uint64_t expires_wall_ns() const { return expires_wall_ns_; }
  bool IsExpired(uint64_t now_wall_ns) const {
    return expires_wall_ns_ != 0 && expires_wall_ns_ <= now_wall_ns;
  }
  void Restore(const ExactSum& sum, uint64_t wall_ns, const WriterRank& writer,
               uint64_t expires_wall_ns) {
    sum_ = sum;
    wall_ns_ = wall_ns;
    writer_ = writer;
    expires_wall_ns_ = expires_wall_ns;
    is_present_ = true;
  }

  // In the modes where one writer wins: is this writer's value the one, and
  // not `other`'s?
  bool Beats(const GaugeMerge& other) const {
    return other.IsBetter(value(), wall_ns_, writer_);
  }

 private:
  bool IsBetter(double value, uint64_t wall_ns, const WriterRank& writer) const;

  ExactSum
      sum_;  // in the modes that add; else its high part alone is the value
  uint64_t wall_ns_ = 0;
  WriterRank writer_;  // whose value it is, where one wins
  uint64_t expires_wall_ns_ = 0;
  format::GaugeMode mode_ = format::GaugeMode::kNone;
  bool is_present_ = false;
};

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_GAUGE_MERGE_H_
