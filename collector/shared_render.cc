#include "collector/shared_render.h"

#include <utility>

namespace tine::collector {

std::shared_ptr<const std::string> SharedRender::Get() {
  Lock lock(mutex_);
  // A render under way may have read its numbers already: the next one will do.
  const uint64_t wanted = started_ + 1;
  ++waiting_count_;
  finished_changed_.wait(lock,
                         [&] { return finished_ >= wanted || !is_rendering_; });
  --waiting_count_;
  if (finished_ < wanted) {
    return RenderNext(&lock);
  }
  std::shared_ptr<const std::string> text = text_;
  if (waiting_count_ == 0) {
    text_ = nullptr;
  }
  return text;
}

std::shared_ptr<const std::string> SharedRender::RenderNext(Lock* lock) {
  is_rendering_ = true;
  const uint64_t number = ++started_;
  lock->unlock();
  std::shared_ptr<const std::string> text;
  try {
    text = std::make_shared<const std::string>(render_());
  } catch (...) {
    lock->lock();
    is_rendering_ = false;
    finished_changed_.notify_all();
    throw;
  }
  lock->lock();
  is_rendering_ = false;
  finished_ = number;
  text_ = waiting_count_ > 0 ? text : nullptr;
  finished_changed_.notify_all();
  return text;
}

}  // namespace tine::collector
