#include "collector/directory_watcher.h"

#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "common/metrics_directory.h"

namespace tine::collector {
namespace {

// No IN_MODIFY: stores to a mapping raise none, and a file that is written with
// write() would fill the queue.
constexpr uint32_t kEvents = IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM |
                             IN_CLOSE_WRITE | IN_DELETE | IN_DELETE_SELF |
                             IN_MOVE_SELF | IN_ONLYDIR;
constexpr uint32_t kDirectoryGone =
    IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED;

constexpr size_t kReadBytes = 64 * 1024;

std::string ErrnoText(const char* what) {
  return std::string(what) + ": " + std::strerror(errno);
}

}  // namespace

DirectoryWatcher::DirectoryWatcher(std::string path, bool may_create)
    : path_(std::move(path)), may_create_(may_create) {}

bool DirectoryWatcher::IsCurrent() const {
  struct stat named;
  struct stat held;
  return directory_.valid() && ::stat(path_.c_str(), &named) == 0 &&
         ::fstat(directory_.get(), &held) == 0 && held.st_nlink != 0 &&
         named.st_dev == held.st_dev && named.st_ino == held.st_ino;
}

bool DirectoryWatcher::Refresh() {
  if (IsCurrent()) {
    if (mode_ != Mode::kWatching) {
      AddWatch();
    }
    return false;
  }
  const bool was_held = directory_.valid();
  RemoveWatch();
  const char* problem = nullptr;
  directory_.Reset(OpenMetricsDirectory(path_.c_str(), may_create_, &problem));
  if (!directory_.valid()) {
    mode_ = Mode::kMissing;
    problem_ = problem != nullptr ? problem : ErrnoText("open");
    return was_held;
  }
  AddWatch();
  return true;
}

void DirectoryWatcher::RemoveWatch() {
  if (watch_ >= 0) {
    ::inotify_rm_watch(inotify_.get(), watch_);
    watch_ = -1;
  }
}

void DirectoryWatcher::AddWatch() {
  mode_ = Mode::kPolling;
  if (!inotify_.valid()) {
    inotify_.Reset(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    if (!inotify_.valid()) {
      problem_ = ErrnoText("inotify_init1");
      return;
    }
  }
  watch_ = ::inotify_add_watch(inotify_.get(), path_.c_str(), kEvents);
  if (watch_ < 0) {
    problem_ = ErrnoText("inotify_add_watch");
    return;
  }
  // The path may have come to name another directory since it was opened. Then
  // IsCurrent() is false and the next Refresh() begins anew; until then the
  // listing decides.
  if (!IsCurrent()) {
    RemoveWatch();
    problem_ = "another directory has come to that path";
    return;
  }
  mode_ = Mode::kWatching;
  problem_.clear();
}

DirectoryWatcher::Changes DirectoryWatcher::Drain() {
  Changes changes;
  changes.is_rescan_needed = directory_.valid() && !IsCurrent();
  int queued_bytes = 0;
  if (!inotify_.valid() ||
      ::ioctl(inotify_.get(), FIONREAD, &queued_bytes) != 0) {
    return changes;
  }
  // Only what is queued now: a storm of events must not keep us here.
  alignas(inotify_event) char buffer[kReadBytes];
  while (queued_bytes > 0) {
    const ssize_t size_bytes = ::read(inotify_.get(), buffer, sizeof(buffer));
    if (size_bytes < 0 && errno == EINTR) {
      continue;
    }
    if (size_bytes <= 0) {
      break;
    }
    queued_bytes -= static_cast<int>(size_bytes);
    for (const char* at = buffer; at < buffer + size_bytes;) {
      inotify_event event;
      std::memcpy(&event, at, sizeof(event));
      TakeEvent(at, &changes);
      at += sizeof(event) + event.len;
    }
  }
  return changes;
}

void DirectoryWatcher::TakeEvent(const char* bytes, Changes* changes) {
  inotify_event event;
  std::memcpy(&event, bytes, sizeof(event));
  if ((event.mask & IN_Q_OVERFLOW) != 0) {
    changes->is_rescan_needed = true;
    ++changes->overflow_count;
    return;
  }
  if (event.wd != watch_) {
    return;  // of a watch that was taken off
  }
  if ((event.mask & IN_IGNORED) != 0) {
    // The kernel has taken the watch off. Refresh() puts it on again.
    watch_ = -1;
    mode_ = Mode::kPolling;
    problem_ = "the watch was taken off";
  }
  if ((event.mask & kDirectoryGone) != 0) {
    changes->is_rescan_needed = true;
    return;
  }
  if (event.len == 0) {
    return;  // of the directory itself
  }
  // `name` is padded with zeroes up to `len`.
  const char* name = bytes + sizeof(event);
  bool& is_closed =
      changes->names[std::string(name, ::strnlen(name, event.len))];
  is_closed |= (event.mask & IN_CLOSE_WRITE) != 0;
}

}  // namespace tine::collector
