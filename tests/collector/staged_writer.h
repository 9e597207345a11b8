// A writer in a process of its own, that does what it is told step by step.

#ifndef TINE_TESTS_COLLECTOR_STAGED_WRITER_H_
#define TINE_TESTS_COLLECTOR_STAGED_WRITER_H_

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "tests/testing/child_process.h"

namespace tine::collector {

class StagedWriter {
 public:
  using Steps = std::vector<std::function<void()>>;

  // Does the first step before it returns.
  StagedWriter(const std::string& directory, Steps steps)
      : shared_(new (::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0)) Shared{}) {
    pid_ = testing::StartChild([this, &directory, &steps] {
      ::setenv("TINE_DIR", directory.c_str(), 1);
      for (size_t i = 0; i < steps.size(); ++i) {
        while (shared_->wanted_count.load() <= i) {
          ::usleep(1'000);
        }
        steps[i]();
        shared_->done_count = i + 1;
      }
      while (!shared_->may_end.load()) {
        ::usleep(1'000);
      }
    });
    Step();
  }
  ~StagedWriter() {
    Kill();
    ::munmap(shared_, sizeof(Shared));
  }
  StagedWriter(const StagedWriter&) = delete;
  StagedWriter& operator=(const StagedWriter&) = delete;

  // The next one; returns when it is done.
  void Step() const {
    const size_t count = ++shared_->wanted_count;
    EXPECT_TRUE(testing::WaitUntil(
        [this, count] { return shared_->done_count.load() >= count; }));
  }

  pid_t pid() const { return pid_; }

  // SIGKILL. Returns when it is gone.
  void Kill() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      testing::WaitFor(std::exchange(pid_, -1));
    }
  }
  // Its end in good order, with what it has expected.
  void End() {
    shared_->may_end = true;
    EXPECT_TRUE(testing::IsSuccess(testing::WaitFor(std::exchange(pid_, -1))));
  }

 private:
  struct Shared {
    std::atomic<size_t> wanted_count;
    std::atomic<size_t> done_count;
    std::atomic<bool> may_end;
  };
  Shared* const shared_;
  pid_t pid_ = -1;
};

}  // namespace tine::collector

#endif  // TINE_TESTS_COLLECTOR_STAGED_WRITER_H_
