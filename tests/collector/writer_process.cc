#include "tests/collector/writer_process.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <new>

#include "tests/testing/child_process.h"

namespace tine::collector {

void WriterProcess::Sleep(const Counter& /*counter*/,
                          std::atomic<uint64_t>* /*mark*/) {
  for (;;) {
    ::pause();
  }
}

void WriterProcess::RunWriter(const std::string& directory,
                              const Body& then) const {
  ::setenv("TINE_DIR", directory.c_str(), 1);
  const Counter counter("c_total", "Counted by a test.");
  counter.Increment();
  Gauge("g", "Set by a test.", GaugeMode::kLiveAll).Set(1);
  shared_->is_ready = true;
  then(counter, &shared_->mark);
}

WriterProcess::WriterProcess(const std::string& directory, const Body& then,
                             int namespaces)
    : shared_(new (::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0)) Shared{}) {
  if (namespaces == 0) {
    child_ = testing::StartChild([&] { RunWriter(directory, then); });
    shared_->pid = child_;
  } else {
    child_ = testing::StartChild([&] {
      ASSERT_EQ(::unshare(namespaces), 0);
      shared_->pid = testing::StartChild([&] { RunWriter(directory, then); });
      ::waitpid(shared_->pid, nullptr, 0);
    });
  }
  EXPECT_TRUE(testing::WaitUntil(
      [this] { return shared_->is_ready.load() && shared_->pid.load() != 0; }));
}

WriterProcess::~WriterProcess() {
  Kill();
  ::waitpid(child_, nullptr, 0);
  ::munmap(shared_, sizeof(Shared));
}

void WriterProcess::Kill() {
  siginfo_t info = {};
  if (::waitid(P_PID, static_cast<id_t>(child_), &info,
               WEXITED | WNOWAIT | WNOHANG) == 0 &&
      info.si_pid == child_) {
    return;  // once is enough
  }
  ::kill(shared_->pid, SIGKILL);
  ::waitid(P_PID, static_cast<id_t>(child_), &info, WEXITED | WNOWAIT);
}

}  // namespace tine::collector
