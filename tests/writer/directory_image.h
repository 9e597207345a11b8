// What is in a metrics directory at one instant, byte by byte.

#ifndef TINE_TESTS_WRITER_DIRECTORY_IMAGE_H_
#define TINE_TESTS_WRITER_DIRECTORY_IMAGE_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/unique_fd.h"

namespace tine::testing {

// All that readers may look at: names of metric files, their locks, headers and
// published bytes. Cheap enough to be asked after each instruction.
class PublishedImage {
 public:
  explicit PublishedImage(const std::string& directory);

  // Looks again. True when anything has changed.
  bool Refresh();

  // Writes the files as they were seen, unlocked as after a death, into
  // `directory`, and removes everything else there.
  void CopyTo(const std::string& directory) const;

  size_t file_count() const { return files_.size(); }
  // Of the longest file.
  uint64_t used_bytes() const;

 private:
  struct File {
    UniqueFd fd;
    uint64_t inode = 0;
    uint64_t size_bytes = 0;
    bool is_locked = false;
    std::vector<uint8_t> bytes;  // header and published
  };

  bool RefreshNames();
  bool RefreshFile(File* file);

  const UniqueFd directory_fd_;
  std::vector<uint8_t> listing_;  // as the kernel gave it
  std::vector<uint8_t> fresh_;
  std::map<std::string, File> files_;
};

// Every file in `directory` by name, whole; zeroes at the end left out.
std::map<std::string, std::string> BytesOfAllFiles(
    const std::string& directory);

}  // namespace tine::testing

#endif  // TINE_TESTS_WRITER_DIRECTORY_IMAGE_H_
