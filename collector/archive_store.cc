#include "collector/archive_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "collector/aligned_buffer.h"
#include "collector/archive_file.h"

namespace tine::collector {
namespace {

constexpr char kArchive[] = "archive";
constexpr char kNext[] = "archive.next";
constexpr char kLock[] = "lock";
constexpr size_t kLeastReserveBytes = 64 * 1024;

absl::Status ErrnoStatus(const char* what) {
  return absl::UnavailableError(absl::StrCat(what, ": ", std::strerror(errno)));
}

// Root may work for the directory's owner, who has to be able to go on.
void GiveToOwnerOf(int directory_fd, int fd) {
  struct stat info;
  if (::geteuid() == 0 && ::fstat(directory_fd, &info) == 0 &&
      info.st_uid != 0) {
    [[maybe_unused]] const int ignored = ::fchown(fd, info.st_uid, info.st_gid);
  }
}

// Up to `size_bytes`; returns how many, or -1 with errno.
ssize_t ReadUpTo(int fd, uint8_t* bytes, size_t size_bytes) {
  size_t done = 0;
  while (done < size_bytes) {
    const ssize_t got =
        ::pread(fd, bytes + done, size_bytes - done, static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      return -1;
    }
    if (got == 0) {
      break;
    }
    done += static_cast<size_t>(got);
  }
  return static_cast<ssize_t>(done);
}

bool WriteAll(int fd, const std::vector<uint8_t>& bytes) {
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t put = ::pwrite(fd, bytes.data() + done, bytes.size() - done,
                                 static_cast<off_t>(done));
    if (put < 0 && errno == EINTR) {
      continue;
    }
    if (put <= 0) {
      return false;
    }
    done += static_cast<size_t>(put);
  }
  return true;
}

}  // namespace

bool ArchiveStore::IsLinked() const {
  struct stat info;
  return ::fstat(directory_.get(), &info) == 0 && info.st_nlink != 0;
}

bool ArchiveStore::TryLock(absl::Status* status) {
  *status = absl::OkStatus();
  if (lock_.valid()) {
    return true;
  }
  UniqueFd fd(::openat(directory_.get(), kLock,
                       O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
                       0600));
  if (!fd.valid()) {
    *status = ErrnoStatus("cannot open the folding lock");
    return false;
  }
  GiveToOwnerOf(directory_.get(), fd.get());
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  if (::fcntl(fd.get(), F_OFD_SETLK, &lock) != 0) {
    if (errno != EAGAIN && errno != EACCES) {
      *status = ErrnoStatus("cannot take the folding lock");
    }
    return false;
  }
  // A lock file that was removed meanwhile keeps nobody out.
  if (!IsNamedLock(fd.get())) {
    return false;
  }
  lock_ = std::move(fd);
  return true;
}

bool ArchiveStore::IsLockHeldByAnother() const {
  const UniqueFd fd(::openat(directory_.get(), kLock,
                             O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct flock lock = {};
  lock.l_type = F_RDLCK;
  lock.l_whence = SEEK_SET;
  return !holds_lock() && fd.valid() &&
         ::fcntl(fd.get(), F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

bool ArchiveStore::IsNamedLock(int fd) const {
  struct stat held;
  struct stat named;
  return ::fstat(fd, &held) == 0 &&
         ::fstatat(directory_.get(), kLock, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
         held.st_ino == named.st_ino;
}

bool ArchiveStore::KeepLock() {
  if (lock_.valid() && !IsNamedLock(lock_.get())) {
    lock_.Reset();
    is_lasting_ = false;  // the next holder's archive is another
  }
  return lock_.valid();
}

absl::Status ArchiveStore::ReadIdentity(ArchiveIdentity* identity) const {
  *identity = ArchiveIdentity();
  const UniqueFd fd(
      ::openat(directory_.get(), kArchive, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) {
    return errno == ENOENT ? absl::OkStatus()
                           : ErrnoStatus("cannot open the archive");
  }
  alignas(64) uint8_t head[kArchiveHeadBytes];
  const ssize_t size_bytes = ReadUpTo(fd.get(), head, sizeof(head));
  if (size_bytes < 0) {
    return ErrnoStatus("cannot read the archive");
  }
  return ReadArchiveIdentity(head, static_cast<size_t>(size_bytes), identity);
}

absl::Status ArchiveStore::Read(MergedView* view, Archive* archive) const {
  *archive = Archive();
  const UniqueFd fd(
      ::openat(directory_.get(), kArchive, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) {
    return errno == ENOENT ? absl::OkStatus()
                           : ErrnoStatus("cannot open the archive");
  }
  struct stat info;
  if (::fstat(fd.get(), &info) != 0) {
    return ErrnoStatus("cannot examine the archive");
  }
  AlignedBuffer buffer;
  const auto size_bytes = static_cast<size_t>(info.st_size);
  uint8_t* bytes = buffer.Reserve(size_bytes + 1);
  const ssize_t got_bytes = ReadUpTo(fd.get(), bytes, size_bytes);
  if (got_bytes < 0) {
    return ErrnoStatus("cannot read the archive");
  }
  return DecodeArchive(bytes, static_cast<size_t>(got_bytes), view, archive);
}

UniqueFd ArchiveStore::OpenNext() const {
  UniqueFd fd(::openat(directory_.get(), kNext,
                       O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
                       0600));
  if (fd.valid()) {
    GiveToOwnerOf(directory_.get(), fd.get());
  }
  return fd;
}

absl::Status ArchiveStore::Write(const std::vector<uint8_t>& bytes) {
  const UniqueFd fd = OpenNext();
  if (!fd.valid()) {
    return ErrnoStatus("cannot open the next archive");
  }
  if (!WriteAll(fd.get(), bytes) ||
      ::ftruncate(fd.get(), static_cast<off_t>(bytes.size())) != 0 ||
      (is_durable_ && ::fsync(fd.get()) != 0)) {
    return ErrnoStatus("cannot write the next archive");
  }
  is_lasting_ = false;
  // The one step that counts: whoever is killed before it has changed nothing,
  // whoever is killed after it has folded.
  if (::renameat(directory_.get(), kNext, directory_.get(), kArchive) != 0) {
    return ErrnoStatus("cannot name the next archive");
  }
  // If this fails the new archive is in place and yet may not last. The caller
  // then removes nothing, and finds at the next fold what it has here.
  if (!MakeLast()) {
    return ErrnoStatus("cannot make the next archive last");
  }
  return absl::OkStatus();
}

bool ArchiveStore::MakeLast() {
  is_lasting_ = is_lasting_ || !is_durable_ || ::fsync(directory_.get()) == 0;
  return is_lasting_;
}

bool ArchiveStore::Reserve(size_t size_bytes) {
  const size_t wanted_bytes = size_bytes + size_bytes / 4 + kLeastReserveBytes;
  const UniqueFd fd = OpenNext();
  struct stat info;
  if (!fd.valid() || ::fstat(fd.get(), &info) != 0) {
    return false;
  }
  if (static_cast<size_t>(info.st_size) >= wanted_bytes) {
    return true;
  }
  int error;
  do {
    error = ::posix_fallocate(fd.get(), 0, static_cast<off_t>(wanted_bytes));
  } while (error == EINTR);
  return error == 0;
}

absl::Status ArchiveStore::SetAsideDamaged() {
  char name[64];
  std::snprintf(name, sizeof(name), "archive.damaged-%08x",
                std::random_device{}());
  return ::renameat(directory_.get(), kArchive, directory_.get(), name) == 0
             ? absl::OkStatus()
             : ErrnoStatus("cannot set the damaged archive aside");
}

}  // namespace tine::collector
