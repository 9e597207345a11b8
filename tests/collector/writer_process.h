// A real writer in a process of its own.

#ifndef TINE_TESTS_COLLECTOR_WRITER_PROCESS_H_
#define TINE_TESTS_COLLECTOR_WRITER_PROCESS_H_

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include "writer/tine.h"

namespace tine::collector {

// It counts 1 in c_total, sets a gauge `g` (mode liveall) to 1, and does
// `then`.
class WriterProcess {
 public:
  // `mark` is shared with the test, which has it as mark().
  using Body = std::function<void(const Counter&, std::atomic<uint64_t>* mark)>;

  // Sleeps until it is killed.
  static void Sleep(const Counter& counter, std::atomic<uint64_t>* mark);

  // Returns once it has counted. `namespaces`: CLONE_NEW... flags; a parent of
  // its own makes them.
  explicit WriterProcess(const std::string& directory, const Body& then = Sleep,
                         int namespaces = 0);
  ~WriterProcess();
  WriterProcess(const WriterProcess&) = delete;
  WriterProcess& operator=(const WriterProcess&) = delete;

  // In this process's pid namespace.
  pid_t pid() const { return shared_->pid; }
  std::atomic<uint64_t>& mark() { return shared_->mark; }

  // SIGKILL; returns when it is a zombie, which is not reaped before the end of
  // this object (or when a parent of its own has reaped it).
  void Kill();

 private:
  struct Shared {
    std::atomic<pid_t> pid;
    std::atomic<bool> is_ready;
    std::atomic<uint64_t> mark;
  };
  void RunWriter(const std::string& directory, const Body& then) const;

  Shared* const shared_;
  pid_t child_ = -1;  // the writer, or its parent
};

}  // namespace tine::collector

#endif  // TINE_TESTS_COLLECTOR_WRITER_PROCESS_H_
