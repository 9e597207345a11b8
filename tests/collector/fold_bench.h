// A directory in which dead writers have left files, and folds that are stopped
// and killed at any of their system calls.

#ifndef TINE_TESTS_COLLECTOR_FOLD_BENCH_H_
#define TINE_TESTS_COLLECTOR_FOLD_BENCH_H_

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "collector/collect_loop.h"
#include "tests/testing/served_numbers.h"
#include "tests/testing/test_directory.h"

namespace tine::collector {

class FoldBench {
 public:
  enum class StateOn { kMemory, kDisk };

  explicit FoldBench(StateOn state_on = StateOn::kMemory);
  ~FoldBench();
  FoldBench(const FoldBench&) = delete;
  FoldBench& operator=(const FoldBench&) = delete;

  // Why a state directory cannot be on a disk here; empty if it can.
  static std::string WhyNoDisk();

  const std::string& path() const { return directory_.path(); }
  // In the state directory.
  std::string StatePath(const std::string& name) const;

  // Folds when told to.
  // No slow rescan comes within a test, unless `rescan_interval_ms` says so.
  std::unique_ptr<Collector> NewFolder(
      uint32_t rescan_interval_ms = 3'600'000) const;
  // What a reader that starts now serves. On an exception: nothing, and a
  // failure of the test.
  testing::ServedNumbers ServedOnce() const;
  static testing::ServedNumbers ServedBy(Collector* collector);

  // A dead writer's file; its path.
  std::string LeaveCounter(const std::string& name, uint64_t value) const;
  std::vector<std::string> MetricFiles() const;
  // Everything but the directory itself.
  void RemoveEverything() const;

  // An archive of several folds; one file that is in it and still there, since
  // its fold was killed; one that is in it and is kept, being damaged; and new
  // dead files.
  void LeaveEverything() const;
  // What is served then.
  static const testing::ServedNumbers& Everything();

  // From one stop that is tried to the next: 1 in a long run; else few enough
  // that nothing which takes two system calls lies between.
  static int Stride();

  // Runs `body` in a process of its own up to its `count`th stop (each system
  // call has one before and one after), calls `use` with its pid, and kills it
  // there. False when it was over before.
  static bool StopAt(int count, const std::function<void()>& body,
                     const std::function<void(pid_t)>& use);
  // The same, but it goes on to its end; its exit code is 0.
  static bool HoldAt(int count, const std::function<void()>& body,
                     const std::function<void()>& use);
  // Moves it on until `is_there` is true of its pid, and kills it there.
  // Returns the number of that stop.
  static int KillOnce(const std::function<bool(pid_t)>& is_there,
                      const std::function<void()>& body);

 private:
  uint64_t ArchiveInode() const;

  testing::TestDirectory directory_;
  std::string disk_path_;  // empty: the usual place
};

}  // namespace tine::collector

#endif  // TINE_TESTS_COLLECTOR_FOLD_BENCH_H_
