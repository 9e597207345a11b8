#ifndef TINE_TESTS_TESTING_READ_DESCRIPTORS_H_
#define TINE_TESTS_TESTING_READ_DESCRIPTORS_H_

#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>
#include <map>
#include <string>

namespace tine::testing {

struct ReadDescriptor {
  std::string path;  // " (deleted)" at its end when that is so
  uid_t owner_uid = 0;
};

// This process's descriptors that are open for reading alone on regular files
// below `directory`, by number.
inline std::map<int, ReadDescriptor> ReadDescriptorsIn(
    const std::string& directory) {
  std::map<int, ReadDescriptor> descriptors;
  for (const auto& entry :
       std::filesystem::directory_iterator("/proc/self/fd")) {
    const int fd = std::stoi(entry.path().filename());
    std::error_code error;
    const std::string path = std::filesystem::read_symlink(entry, error);
    struct stat info;
    if (path.rfind(directory + "/", 0) == 0 && ::fstat(fd, &info) == 0 &&
        S_ISREG(info.st_mode) &&
        (::fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY) {
      descriptors[fd] = {path, info.st_uid};
    }
  }
  return descriptors;
}

}  // namespace tine::testing

#endif  // TINE_TESTS_TESTING_READ_DESCRIPTORS_H_
