#include "writer/state_set.h"

#include "writer/registry.h"
#include "writer/shared_cell.h"

namespace tine {

StateSet::StateSet(const internal::Series* series) noexcept
    : Handle(series), times_(series) {
  if (series != nullptr) {
    state_count_ =
        static_cast<uint32_t>(series->family->definition.state_names.size());
  }
}

uint32_t StateSet::IndexOf(std::string_view state) const noexcept {
  uint32_t index = 0;
  if (series_ != nullptr) {
    for (const std::string_view name :
         series_->family->definition.state_names) {
      if (name == state) {
        break;
      }
      ++index;
    }
  }
  return index;
}

template <typename Change>
void StateSet::ChangeFor(uint32_t state, Change change) const noexcept {
  if (state >= state_count_) {
    internal::CountDroppedObservation();
    return;
  }
  internal::Cell* block = internal::SharedBlock(address_.chunk);
  if (block == nullptr) {
    internal::ChangeSharedCell(address_, times_, change);
    return;
  }
  change(block + address_.cell);
  times_.StoreAfter(block + address_.cell);
}

void StateSet::SetOnlySlow(uint32_t state) const noexcept {
  ChangeFor(state, [state](internal::Cell* cell) {
    internal::StoreCell(cell, uint64_t{1} << state);
  });
}

void StateSet::Set(uint32_t state, bool is_true) const noexcept {
  ChangeFor(state, [state, is_true](internal::Cell* cell) {
    const uint64_t bit = uint64_t{1} << state;
    if (is_true) {
      __atomic_fetch_or(cell, bit, __ATOMIC_RELAXED);
    } else {
      __atomic_fetch_and(cell, ~bit, __ATOMIC_RELAXED);
    }
  });
}

bool StateSet::IsTrue(uint32_t state) const noexcept {
  const internal::Cell* block = internal::SharedBlockToRead(address_.chunk);
  return block != nullptr && state < state_count_ &&
         (internal::LoadCell(block + address_.cell) >> state & 1) != 0;
}

}  // namespace tine
