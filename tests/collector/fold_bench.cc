#include "tests/collector/fold_bench.h"

#include <gtest/gtest.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <utility>

#include "common/metrics_directory.h"
#include "tests/testing/metric_file_builder.h"
#include "tests/testing/one_shot_scrape.h"
#include "tests/testing/test_effort.h"

namespace tine::collector {
namespace {

using testing::MetricFileBuilder;
using testing::ServedNumbers;

std::string DiskRoot() {
  const char* given = std::getenv("TEST_TMPDIR");
  return given == nullptr ? "/tmp" : given;
}

// Stopped before its first step.
pid_t StartTraced(const std::function<void()>& body) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    ::raise(SIGSTOP);
    body();
    ::_exit(::testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  ::ptrace(PTRACE_SETOPTIONS, pid, nullptr, PTRACE_O_EXITKILL);
  return pid;
}

// False when it has ended, as it should.
bool Step(pid_t pid) {
  int status = 0;
  ::ptrace(PTRACE_SYSCALL, pid, nullptr, nullptr);
  ::waitpid(pid, &status, 0);
  if (WIFSTOPPED(status)) {
    return true;
  }
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  return false;
}

bool StepTo(int count, pid_t pid) {
  for (int i = 0; i < count; ++i) {
    if (!Step(pid)) {
      return false;
    }
  }
  return true;
}

void Kill(pid_t pid) {
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
}

}  // namespace

FoldBench::FoldBench(StateOn state_on) {
  if (state_on == StateOn::kDisk) {
    disk_path_ = DiskRoot() + "/tine-test-state-XXXXXX";
    if (::mkdtemp(disk_path_.data()) == nullptr) {
      ADD_FAILURE() << "cannot make " << disk_path_;
    }
  }
}

FoldBench::~FoldBench() {
  if (!disk_path_.empty()) {
    std::error_code ignored;
    std::filesystem::remove_all(disk_path_, ignored);
  }
}

std::string FoldBench::WhyNoDisk() {
  struct statfs info;
  if (::statfs(DiskRoot().c_str(), &info) != 0 ||
      FileSystemKindOf(static_cast<uint64_t>(info.f_type)) ==
          FileSystemKind::kMemory) {
    return DiskRoot() + " is not on a disk";
  }
  return "";
}

std::string FoldBench::StatePath(const std::string& name) const {
  return (disk_path_.empty() ? directory_.At(".collector") : disk_path_) + "/" +
         name;
}

std::unique_ptr<Collector> FoldBench::NewFolder(
    uint32_t rescan_interval_ms) const {
  CollectorOptions options;
  options.directory = path();
  options.folding.state_directory = disk_path_;
  options.folding.may_fold = true;
  options.rescan_interval_ms = rescan_interval_ms;
  return std::make_unique<Collector>(std::move(options));
}

ServedNumbers FoldBench::ServedBy(Collector* collector) {
  try {
    return testing::Scrape(collector).numbers;
  } catch (const std::exception& error) {
    ADD_FAILURE() << error.what();
    return {};
  }
}

ServedNumbers FoldBench::ServedOnce() const {
  CollectorOptions options;
  options.directory = path();
  options.folding.state_directory = disk_path_;
  Collector reader(std::move(options));
  return ServedBy(&reader);
}

std::string FoldBench::LeaveCounter(const std::string& name,
                                    uint64_t value) const {
  MetricFileBuilder file(path(), {}, 16 << 10);
  file.AddCounter(name, value);
  return file.path();
}

std::vector<std::string> FoldBench::MetricFiles() const {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(path())) {
    if (entry.path().extension() == ".tine") {
      names.push_back(entry.path().filename());
    }
  }
  return names;
}

void FoldBench::RemoveEverything() const {
  for (const std::string& root : {path(), disk_path_}) {
    if (!root.empty()) {
      for (const auto& entry : std::filesystem::directory_iterator(root)) {
        std::filesystem::remove_all(entry.path());
      }
    }
  }
}

uint64_t FoldBench::ArchiveInode() const {
  struct stat info;
  return ::stat(StatePath("archive").c_str(), &info) == 0 ? info.st_ino : 0;
}

void FoldBench::LeaveEverything() const {
  auto collector = NewFolder();
  LeaveCounter("c_total", 1);
  collector->FoldNow();
  {
    MetricFileBuilder damaged(path(), {}, 16 << 10);
    damaged.AddCounter("d_total", 5);
    damaged.AppendRaw(std::vector<uint8_t>(64, 0x5a));
  }
  collector->FoldNow();
  collector.reset();
  LeaveCounter("c_total", 10);
  const uint64_t before = ArchiveInode();
  KillOnce([&](pid_t) { return ArchiveInode() != before; },
           [this] { NewFolder()->FoldNow(); });
  for (int i = 0; i < 2; ++i) {
    LeaveCounter("c_total", 100);
    LeaveCounter("e_total", 7);
  }
}

const ServedNumbers& FoldBench::Everything() {
  static const auto* numbers = new ServedNumbers{
      {"c_total{}", 211}, {"d_total{}", 5}, {"e_total{}", 14}};
  return *numbers;
}

int FoldBench::Stride() { return testing::Rounds(1) == 1 ? 3 : 1; }

bool FoldBench::StopAt(int count, const std::function<void()>& body,
                       const std::function<void(pid_t)>& use) {
  const pid_t pid = StartTraced(body);
  if (!StepTo(count, pid)) {
    return false;
  }
  use(pid);
  Kill(pid);
  return true;
}

bool FoldBench::HoldAt(int count, const std::function<void()>& body,
                       const std::function<void()>& use) {
  const pid_t pid = StartTraced(body);
  if (!StepTo(count, pid)) {
    return false;
  }
  use();
  ::ptrace(PTRACE_DETACH, pid, nullptr, nullptr);
  int status = 0;
  ::waitpid(pid, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  return true;
}

int FoldBench::KillOnce(const std::function<bool(pid_t)>& is_there,
                        const std::function<void()>& body) {
  const pid_t pid = StartTraced(body);
  int count = 0;
  for (; !is_there(pid); ++count) {
    if (!Step(pid)) {
      ADD_FAILURE() << "it was over before";
      return count;
    }
  }
  Kill(pid);
  return count;
}

}  // namespace tine::collector
