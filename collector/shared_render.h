// One rendered text for all who asked before its rendering began.

#ifndef TINE_COLLECTOR_SHARED_RENDER_H_
#define TINE_COLLECTOR_SHARED_RENDER_H_

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

namespace tine::collector {

// However many scrapers come at once, at most one render runs and at most one
// waits to run. A caller never gets a text whose rendering began before its
// call: what was published before a scrape came is in the scrape. Any thread.
class SharedRender {
 public:
  // `render` is never called twice at a time.
  explicit SharedRender(std::function<std::string()> render)
      : render_(std::move(render)) {}

  // Throws what `render` throws, to its caller only: others try for themselves.
  std::shared_ptr<const std::string> Get();

 private:
  using Lock = std::unique_lock<std::mutex>;
  std::shared_ptr<const std::string> RenderNext(Lock* lock);

  const std::function<std::string()> render_;
  std::mutex mutex_;
  std::condition_variable finished_changed_;
  // Renders are numbered 1, 2, 3, ...
  uint64_t started_ = 0;
  uint64_t finished_ = 0;  // the last one that succeeded
  bool is_rendering_ = false;
  size_t waiting_count_ = 0;
  // Of render `finished_`, for those who wait; null when there are none, so
  // that no body is kept from scrape to scrape.
  std::shared_ptr<const std::string> text_;
};

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_SHARED_RENDER_H_
