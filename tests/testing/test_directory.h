#ifndef TINE_TESTS_TESTING_TEST_DIRECTORY_H_
#define TINE_TESTS_TESTING_TEST_DIRECTORY_H_

#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

namespace tine::testing {

// A metrics directory of the test's own in shared memory, mode 0700, removed at
// the end.
class TestDirectory {
 public:
  TestDirectory() {
    std::string name = NamesOf(::getpid()) + "XXXXXX";
    const char* made = ::mkdtemp(name.data());
    if (made == nullptr) {
      return;
    }
    // One deeper: what is right below /dev/shm has rules of its own.
    parent_ = made;
    ::chmod(made, 0755);
    path_ = parent_ + "/metrics";
    ::mkdir(path_.c_str(), 0700);
  }
  TestDirectory(const TestDirectory&) = delete;
  TestDirectory& operator=(const TestDirectory&) = delete;
  ~TestDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(parent_, ignored);
  }

  const std::string& path() const { return path_; }
  std::string At(const std::string& name) const { return path_ + "/" + name; }
  void SetMode(mode_t mode) const { ::chmod(path_.c_str(), mode); }

  // Removes what a process made that was killed before it could.
  static void RemoveThoseOf(pid_t pid) {
    const std::string prefix = NamesOf(pid);
    std::error_code ignored;
    std::filesystem::directory_iterator at("/dev/shm", ignored);
    for (; at != std::filesystem::directory_iterator(); at.increment(ignored)) {
      if (at->path().string().compare(0, prefix.size(), prefix) == 0) {
        std::filesystem::remove_all(at->path(), ignored);
      }
    }
  }

 private:
  static std::string NamesOf(pid_t pid) {
    return "/dev/shm/tine-test-" + std::to_string(pid) + "-";
  }

  std::string parent_;
  std::string path_;
};

}  // namespace tine::testing

#endif  // TINE_TESTS_TESTING_TEST_DIRECTORY_H_
