#include "writer/written_file.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "common/retry_if_interrupted.h"
#include "writer/life_lock.h"
#include "writer/raised_signal.h"
#include "writer/registry.h"

namespace tine::internal {
namespace {

// SYS_pwrite64 takes an offset in one register.
static_assert(sizeof(long) == 8);

// Far above the numbers that a program gets, which are the lowest free ones:
// when it closes all that it does not know, the next file that it opens does
// not get our number. Not higher, because the kernel keeps a table up to the
// highest one.
constexpr rlim_t kHighestDescriptor = 1024;
constexpr rlim_t kDescriptorsBelowTheLimit = 64;
// Not one of the standard three, which a program may have closed.
constexpr int kLowestDescriptor = 3;

int FirstHighDescriptor() {
  rlimit limit;
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) {
    return kLowestDescriptor;
  }
  const rlim_t end = std::min(limit.rlim_cur, kHighestDescriptor);
  return end < 2 * kDescriptorsBelowTheLimit
             ? kLowestDescriptor
             : static_cast<int>(end - kDescriptorsBelowTheLimit);
}

// A signal handler that interrupts us cannot have closed it: signals are
// blocked. Another thread could, in just this moment; then the number, a high
// one, is hardly anybody's yet.
bool IsOurs(const FileDescriptor& descriptor, int fd) {
  if (fd < 0) {
    return false;
  }
  // Not fstat() at once: it asks for the times, too, and then each write has to
  // bring them up to date (since Linux 6.13).
  struct statx brief;
  if (::statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, &brief) ==
      0) {
    return brief.stx_ino == descriptor.inode &&
           ::makedev(brief.stx_dev_major, brief.stx_dev_minor) ==
               descriptor.device;
  }
  // Old sandboxes do not know it.
  struct stat info;
  return errno != EBADF && ::fstat(fd, &info) == 0 &&
         info.st_dev == descriptor.device && info.st_ino == descriptor.inode;
}

}  // namespace

bool OpenWrittenFileLocked(int directory_fd, const char* name,
                           MetricFile* file) noexcept {
  const uint32_t number =
      g_image.mapping_count.load(std::memory_order_relaxed) - 1;
  file->descriptor = &g_image.descriptors[number];
  return TakeLifeLockAndKeep(directory_fd, name, FirstHighDescriptor(),
                             file->descriptor);
}

void CloseDescriptor(FileDescriptor* descriptor) noexcept {
  if (descriptor == nullptr) {
    return;
  }
  const int saved_errno = errno;
  const int fd = descriptor->fd.load(std::memory_order_relaxed);
  if (IsOurs(*descriptor, fd)) {
    ::close(fd);
  }
  // Last, so that a child that is forked meanwhile closes it, too.
  descriptor->fd.store(-1, std::memory_order_relaxed);
  errno = saved_errno;
}

Written WriteAt(const MetricFile& file, const void* from, uint64_t size_bytes,
                uint64_t offset, bool may_be_pending) noexcept {
  const FileDescriptor* descriptor = file.descriptor;
  const int fd = descriptor->fd.load(std::memory_order_relaxed);
  const bool is_sealed = g_image.is_sealed.load(std::memory_order_relaxed);
  if (!is_sealed && !IsOurs(*descriptor, fd)) {
    return Written::kNotOurs;
  }
  // RLIMIT_FSIZE may have been lowered since the file was made.
  const RaisedSignal too_large(SIGXFSZ, may_be_pending && !is_sealed);
  const auto* at = static_cast<const uint8_t*>(from);
  while (size_bytes != 0) {
    // The C library's pwrite() is a cancellation point.
    const ssize_t count = RetryIfInterrupted(
        [&] { return ::syscall(SYS_pwrite64, fd, at, size_bytes, offset); });
    if (count <= 0) {
      if (count < 0 && errno == EFBIG && !is_sealed) {
        too_large.Take();
      }
      errno = count == 0 ? EIO : errno;
      return errno == EBADF && !is_sealed ? Written::kNotOurs : Written::kNot;
    }
    at += count;
    offset += static_cast<uint64_t>(count);
    size_bytes -= static_cast<uint64_t>(count);
  }
  return Written::kAll;
}

void LoseFilesLocked(ProcessState* process) noexcept {
  for (uint32_t i = 0; i < process->file_count; ++i) {
    CloseDescriptor(process->files[i].descriptor);
  }
  // Their memory stays: a thread that could not have the lock may be adding
  // there. It is little, and kMaxFiles bounds it.
  process->lost_file_count += process->file_count;
  for (uint32_t chunk = 0; chunk < g_registry.chunk_count(); ++chunk) {
    process->shared.blocks[chunk].store(nullptr, std::memory_order_release);
  }
  __atomic_store_n(&process->file_count, 0, __ATOMIC_RELEASE);
  g_image.process_number.fetch_add(1, std::memory_order_relaxed);
  process->is_file_behind.store(false, std::memory_order_relaxed);
  process->are_files_lost.store(false, std::memory_order_relaxed);
  // Not told on stderr: who has closed all descriptors may have a file of its
  // own there by now.
  process->last_error_errno.store(0, std::memory_order_relaxed);
  process->last_error.store(
      "the program has closed the metric file's descriptor: counting goes on "
      "in a further file",
      std::memory_order_release);
}

}  // namespace tine::internal
