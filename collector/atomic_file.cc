#include "collector/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <random>

#include "common/unique_fd.h"

namespace tine::collector {
namespace {

std::string TempPath(const std::string& path) {
  const size_t slash = path.rfind('/');
  const size_t name_begin = slash == std::string::npos ? 0 : slash + 1;
  std::random_device random;
  return path.substr(0, name_begin) + "." + path.substr(name_begin) + ".tmp-" +
         std::to_string(random());
}

bool WriteAll(int fd, std::string_view content) {
  while (!content.empty()) {
    const ssize_t written = ::write(fd, content.data(), content.size());
    if (written < 0 && errno != EINTR) {
      return false;
    }
    content.remove_prefix(written < 0 ? 0 : static_cast<size_t>(written));
  }
  return true;
}

// False and errno on failure.
bool WriteThenRename(const std::string& temp_path, const std::string& path,
                     std::string_view content) {
  UniqueFd fd(::open(temp_path.c_str(),
                     O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                     0666));
  if (!fd.valid()) {
    return false;
  }
  // Without the fsync a crash of the machine can leave the new name on an empty
  // file. close() is where a network file system reports a failed write.
  const bool written = WriteAll(fd.get(), content) && ::fsync(fd.get()) == 0 &&
                       ::close(fd.Release()) == 0 &&
                       ::rename(temp_path.c_str(), path.c_str()) == 0;
  if (!written) {
    const int saved_errno = errno;
    ::unlink(temp_path.c_str());
    errno = saved_errno;
  }
  return written;
}

}  // namespace

absl::Status WriteFileAtomically(const std::string& path,
                                 std::string_view content) {
  if (path.empty() || path.back() == '/') {
    return absl::InvalidArgumentError("cannot write \"" + path +
                                      "\": not the name of a file");
  }
  if (!WriteThenRename(TempPath(path), path, content)) {
    return absl::UnavailableError("cannot write " + path + ": " +
                                  std::strerror(errno));
  }
  return absl::OkStatus();
}

}  // namespace tine::collector
