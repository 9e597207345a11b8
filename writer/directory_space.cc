#include "writer/directory_space.h"

#include <linux/magic.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

#include "common/metrics_directory.h"
#include "common/retry_if_interrupted.h"
#include "writer/process_state.h"

namespace tine::internal {
namespace {

constexpr uint64_t kFreeSpaceFloorBytes = 16 << 20;
// What a name adds to the size of its directory on a tmpfs (BOGO_DIRENT_SIZE in
// the kernel), "." and ".." included.
constexpr uint64_t kTmpfsEntryBytes = 20;

FileSystemKind KindOf(const struct statfs& info) {
  return FileSystemKindOf(static_cast<uint64_t>(info.f_type));
}

// Nothing is made or grown when less than a tenth of the file system is free,
// or less than 16 MiB of a large one.
const char* SpaceProblem(const struct statfs& info) {
  const auto total_bytes = static_cast<uint64_t>(info.f_blocks) *
                           static_cast<uint64_t>(info.f_bsize);
  const auto free_bytes = static_cast<uint64_t>(info.f_bavail) *
                          static_cast<uint64_t>(info.f_bsize);
  // A tmpfs without a limit says 0 blocks.
  if (total_bytes != 0 &&
      free_bytes < std::min(total_bytes / 10, kFreeSpaceFloorBytes)) {
    return "the metrics directory's file system is nearly full";
  }
  return nullptr;
}

// Nor is anything made when less than a tenth of the inodes is free.
const char* NewFileSpaceProblem(const struct statfs& info) {
  if (info.f_files != 0 && info.f_ffree < info.f_files / 10) {
    return "the metrics directory's file system has nearly no inodes left";
  }
  return SpaceProblem(info);
}

// A file without a mapping may be on any file system of this machine: what a
// write cannot do is an error, not a SIGBUS.
const char* WrittenFileSystemProblem(const struct statfs& info) {
  return KindOf(info) == FileSystemKind::kRemote
             ? "the metrics directory is on a network or FUSE file system, "
               "where counting can hang: use a tmpfs or a disk"
             : NewFileSpaceProblem(info);
}

const char* FileSystemProblem(const struct statfs& info) {
  if (g_image.settings.store == Store::kWritten) {
    return WrittenFileSystemProblem(info);
  }
  switch (KindOf(info)) {
    case FileSystemKind::kMemory:
      return NewFileSpaceProblem(info);
    case FileSystemKind::kDisk:
      return g_image.settings.may_use_disk
                 ? NewFileSpaceProblem(info)
                 : "the metrics directory is on a disk, where counting can "
                   "stall at writeback: use a tmpfs or TINE_STORE=pwrite, or "
                   "set TINE_ALLOW_DISK=1";
    case FileSystemKind::kRemote:
    case FileSystemKind::kUnknown:
      break;
  }
  return "the metrics directory's file system cannot be used for mapped files: "
         "use a tmpfs such as /run or /dev/shm, or TINE_STORE=pwrite";
}

// Nobody counts the names one by one for each new file, so there is a cap only
// where the directory's size tells their number. Processes that look at the
// same moment may go a little beyond it.
const char* FileCountProblem(int directory_fd, const struct statfs& info) {
  struct stat directory;
  if (info.f_type != TMPFS_MAGIC) {
    return nullptr;
  }
  if (RetryIfInterrupted([&] { return ::fstat(directory_fd, &directory); }) !=
      0) {
    return "cannot examine the metrics directory";
  }
  const bool is_full = static_cast<uint64_t>(directory.st_size) >=
                       (g_image.settings.max_files + 2) * kTmpfsEntryBytes;
  return is_full ? "the metrics directory holds TINE_MAX_FILES files (100000 "
                   "unless set): is a collector running there?"
                 : nullptr;
}

}  // namespace

const char* NewFileProblem(int directory_fd, struct statfs* info) noexcept {
  if (RetryIfInterrupted([&] { return ::fstatfs(directory_fd, info); }) != 0) {
    return "cannot examine the metrics directory's file system";
  }
  errno = 0;
  const char* problem = FileSystemProblem(*info);
  return problem != nullptr ? problem : FileCountProblem(directory_fd, *info);
}

const char* GrowthProblem(const char* directory) noexcept {
  struct statfs info;
  // The path may mean nothing after a chroot; then the request for pages alone
  // must tell.
  const bool is_known =
      RetryIfInterrupted([&] { return ::statfs(directory, &info); }) == 0;
  errno = 0;
  return is_known ? SpaceProblem(info) : nullptr;
}

void WarnOfDisk(const struct statfs& info) noexcept {
  if (KindOf(info) == FileSystemKind::kDisk &&
      g_image.settings.store == Store::kMapped &&
      !g_image.has_warned_of_disk.exchange(true, std::memory_order_relaxed)) {
    Complain(
        "the metrics directory is on a disk: a store to a mapped file can "
        "stall this program for 100s of ms at writeback",
        g_image.settings.directory, 0);
  }
}

}  // namespace tine::internal
