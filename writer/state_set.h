#ifndef TINE_WRITER_STATE_SET_H_
#define TINE_WRITER_STATE_SET_H_

#include <cstdint>
#include <string_view>

#include "writer/family.h"
#include "writer/set_times.h"

namespace tine {

// Which of a few named states are true: `name{name="state"}` is 0 or 1 for each
// of them. The states, 1 to 64, are named when it is made, and numbered in that
// order from 0. A new one has no state that is true.
//
// `mode` says what several processes' states become: kAll, kLiveAll (one set
// for each, with a label `pid`), kSum, kLiveSum (how many processes are in the
// state), kMax, kLiveMax (1 if any is), kMostRecent, kLiveMostRecent (of the
// process that set them last; absent until one has). There is no kMin: a
// process that has set nothing yet would make every state false.
//
// All states are one word, so that a reader sees them before a change or after
// it, never half changed. Any thread, signal handlers and forked children too.
// A state that there is not is dropped and counted in WriterStatus.
class StateSet : public internal::Handle {
 public:
  StateSet() = default;
  StateSet(std::string_view name, std::string_view help, StringSpan states,
           GaugeMode mode, const MetricOptions& options = {}) noexcept
      : StateSet(internal::RegisterSingle(
            internal::Definition(name, help, {}, options)
                .OfType(format::MetricType::kStateSet, format::ValueKind::kU64,
                        mode)
                .WithStates(states))) {}
  explicit StateSet(const internal::Series* series) noexcept;

  // Makes this state true and all others false, as an enumeration has it: one
  // store.
  void SetOnly(uint32_t state) const noexcept {
    internal::Cell* block = internal::SharedBlock(address_.chunk);
    if (__builtin_expect(
            block == nullptr || state >= state_count_ || times_.any(), 0)) {
      SetOnlySlow(state);
      return;
    }
    internal::StoreCell(block + address_.cell, uint64_t{1} << state);
  }
  // Makes one state true or false: one atomic instruction.
  void Set(uint32_t state, bool is_true) const noexcept;
  // The same by name, which is looked for among the names.
  void SetOnly(std::string_view state) const noexcept {
    SetOnly(IndexOf(state));
  }
  void Set(std::string_view state, bool is_true) const noexcept {
    Set(IndexOf(state), is_true);
  }

  uint32_t state_count() const { return state_count_; }
  // The number of a state; state_count() when there is none of that name.
  uint32_t IndexOf(std::string_view state) const noexcept;

  // For the process's own tests.
  bool IsTrue(uint32_t state) const noexcept;

 private:
  // Changes the cell with `change(Cell*)`. No such state: a drop.
  template <typename Change>
  void ChangeFor(uint32_t state, Change change) const noexcept;
  void SetOnlySlow(uint32_t state) const noexcept;

  uint32_t state_count_ = 0;
  internal::SetTimes times_;
};

class StateSetFamily : public LabelledFamily<StateSet> {
 public:
  StateSetFamily(std::string_view name, std::string_view help,
                 StringSpan label_names, StringSpan states, GaugeMode mode,
                 const MetricOptions& options = {}) noexcept
      : LabelledFamily(internal::Definition(name, help, label_names, options)
                           .OfType(format::MetricType::kStateSet,
                                   format::ValueKind::kU64, mode)
                           .WithStates(states)) {}
};

}  // namespace tine

#endif  // TINE_WRITER_STATE_SET_H_
