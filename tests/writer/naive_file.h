// How one would write it without knowing: size the file, map it, store. The
// control of tests of faults that this does not survive.

#ifndef TINE_TESTS_WRITER_NAIVE_FILE_H_
#define TINE_TESTS_WRITER_NAIVE_FILE_H_

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <string>

namespace tine::testing {

class NaiveFile {
 public:
  NaiveFile(const std::string& directory, size_t bytes)
      : path_(directory + "/naive"), bytes_(bytes) {
    const int fd = ::open(path_.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0 || ::ftruncate(fd, static_cast<off_t>(bytes)) != 0) {
      map_errno_ = errno;
      return;
    }
    void* mapping =
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    map_errno_ = mapping == MAP_FAILED ? errno : 0;
    base_ = mapping == MAP_FAILED ? nullptr : static_cast<char*>(mapping);
    ::close(fd);
  }

  // 0: it is mapped.
  int map_errno() const { return map_errno_; }

  // One store to each page of the first `bytes`.
  void Store(size_t bytes) {
    for (size_t at = 0; at < bytes && at < bytes_; at += 4096) {
      static_cast<volatile char*>(base_)[at] = 1;
    }
  }

  size_t allocated_bytes() const {
    struct stat info {};
    ::stat(path_.c_str(), &info);
    return static_cast<size_t>(info.st_blocks) * 512;
  }

 private:
  std::string path_;
  size_t bytes_;
  char* base_ = nullptr;
  int map_errno_ = 0;
};

}  // namespace tine::testing

#endif  // TINE_TESTS_WRITER_NAIVE_FILE_H_
