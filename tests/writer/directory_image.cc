#include "tests/writer/directory_image.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <utility>

#include "common/metric_file_name.h"
#include "common/record_layout.h"

namespace tine::testing {
namespace {

constexpr size_t kListingBytes = 8192;

void List(int directory_fd, std::vector<uint8_t>* listing) {
  listing->resize(kListingBytes);
  ::lseek(directory_fd, 0, SEEK_SET);
  const long size =
      ::syscall(SYS_getdents64, directory_fd, listing->data(), listing->size());
  listing->resize(size > 0 ? static_cast<size_t>(size) : 0);
}

// Name and inode of each metric file.
std::map<std::string, uint64_t> MetricFilesIn(
    const std::vector<uint8_t>& listing) {
  // linux_dirent64: inode, offset, length of the entry, type, name.
  constexpr size_t kLengthOffset = 16;
  constexpr size_t kNameOffset = 19;
  std::map<std::string, uint64_t> names;
  uint16_t entry_bytes = 0;
  for (size_t at = 0; at + kNameOffset < listing.size(); at += entry_bytes) {
    uint64_t inode;
    std::memcpy(&inode, listing.data() + at, sizeof(inode));
    std::memcpy(&entry_bytes, listing.data() + at + kLengthOffset,
                sizeof(entry_bytes));
    const std::string name =
        reinterpret_cast<const char*>(listing.data() + at + kNameOffset);
    if (ParseMetricFileName(name).has_value()) {
      names[name] = inode;
    }
  }
  return names;
}

bool IsLocked(int fd) {
  struct flock lock = {};
  lock.l_type = F_RDLCK;
  lock.l_whence = SEEK_SET;
  return ::fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

}  // namespace

PublishedImage::PublishedImage(const std::string& directory)
    : directory_fd_(
          ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {}

bool PublishedImage::Refresh() {
  bool has_changed = RefreshNames();
  for (auto& [name, file] : files_) {
    has_changed |= RefreshFile(&file);
  }
  return has_changed;
}

bool PublishedImage::RefreshNames() {
  List(directory_fd_.get(), &fresh_);
  if (fresh_ == listing_) {
    return false;
  }
  listing_ = fresh_;
  const std::map<std::string, uint64_t> names = MetricFilesIn(listing_);
  bool has_changed = false;
  for (auto it = files_.begin(); it != files_.end();) {
    const auto current = it++;
    const auto named = names.find(current->first);
    if (named == names.end() || named->second != current->second.inode) {
      files_.erase(current);
      has_changed = true;
    }
  }
  for (const auto& [name, inode] : names) {
    File& file = files_[name];
    if (file.fd.valid()) {
      continue;
    }
    file.fd.Reset(
        ::openat(directory_fd_.get(), name.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat info = {};
    ::fstat(file.fd.get(), &info);
    file.inode = inode;
    file.size_bytes = static_cast<uint64_t>(info.st_size);
    has_changed = true;
  }
  return has_changed;
}

bool PublishedImage::RefreshFile(File* file) {
  const bool is_locked = IsLocked(file->fd.get());
  uint64_t used = 0;
  ::pread(file->fd.get(), &used, sizeof(used), format::kHeaderDynamicOffset);
  fresh_.assign(std::clamp<uint64_t>(
                    used, format::kHeaderBytes,
                    std::max<uint64_t>(format::kHeaderBytes, file->size_bytes)),
                0);
  const ssize_t got =
      ::pread(file->fd.get(), fresh_.data(), fresh_.size(), /*offset=*/0);
  fresh_.resize(got > 0 ? static_cast<size_t>(got) : 0);
  if (is_locked == file->is_locked && fresh_ == file->bytes) {
    return false;
  }
  file->is_locked = is_locked;
  file->bytes.swap(fresh_);
  return true;
}

uint64_t PublishedImage::used_bytes() const {
  uint64_t used_bytes = 0;
  for (const auto& [name, file] : files_) {
    used_bytes = std::max<uint64_t>(used_bytes, file.bytes.size());
  }
  return used_bytes;
}

void PublishedImage::CopyTo(const std::string& directory) const {
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    std::filesystem::remove(entry.path());
  }
  for (const auto& [name, file] : files_) {
    const UniqueFd copy(::open((directory + "/" + name).c_str(),
                               O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640));
    ::pwrite(copy.get(), file.bytes.data(), file.bytes.size(), 0);
    ::ftruncate(copy.get(), static_cast<off_t>(file.size_bytes));
  }
}

std::map<std::string, std::string> BytesOfAllFiles(
    const std::string& directory) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    const UniqueFd fd(::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC));
    // Data has no end of its own in a sparse file: the last hole begins there.
    off_t end = 0;
    for (off_t data = 0; (data = ::lseek(fd.get(), end, SEEK_DATA)) >= 0;) {
      end = ::lseek(fd.get(), data, SEEK_HOLE);
    }
    std::string& bytes = files[entry.path().filename().string()];
    bytes.resize(static_cast<size_t>(end));
    const ssize_t got = ::pread(fd.get(), bytes.data(), bytes.size(), 0);
    bytes.resize(got > 0 ? static_cast<size_t>(got) : 0);
  }
  return files;
}

}  // namespace tine::testing
