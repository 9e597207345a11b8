#include "collector/liveness.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "common/unique_fd.h"

namespace tine::collector {
namespace {

enum class LockState { kHeld, kFree, kUnknown };

// Reads a small file of /proc whole; empty when that fails, with errno set.
std::string ReadSmallFile(const char* path) {
  const UniqueFd fd(::open(path, O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) {
    return {};
  }
  char text[1024];
  const ssize_t size = ::read(fd.get(), text, sizeof(text));
  return size > 0 ? std::string(text, static_cast<size_t>(size))
                  : std::string();
}

uint64_t InodeOf(const char* path) {
  struct stat info;
  return ::stat(path, &info) == 0 ? info.st_ino : 0;
}

// Is /proc that of this process's pid namespace?
bool IsProcOwn() {
  char text[16];
  const ssize_t size = ::readlink("/proc/self", text, sizeof(text));
  return size > 0 && std::string(text, static_cast<size_t>(size)) ==
                         std::to_string(::getpid());
}

// A read lock is asked for, so that only write locks are in its way: anybody
// who may read the file can hold a read lock on it, but only its owner can open
// it for writing, which a write lock needs.
LockState ProbeLock(int fd) {
  struct flock lock = {};
  lock.l_type = F_RDLCK;
  lock.l_whence = SEEK_SET;  // from byte 0 to the end, whatever the length
  if (::fcntl(fd, F_OFD_GETLK, &lock) != 0) {
    return LockState::kUnknown;
  }
  return lock.l_type == F_UNLCK ? LockState::kFree : LockState::kHeld;
}

}  // namespace

bool IsLifeLockHeld(int fd) { return ProbeLock(fd) == LockState::kHeld; }
bool IsLifeLockFree(int fd) { return ProbeLock(fd) == LockState::kFree; }

std::string_view LivenessName(Liveness liveness) {
  switch (liveness) {
    case Liveness::kLive:
      return "live";
    case Liveness::kDead:
      return "dead";
    case Liveness::kForeign:
      return "foreign";
    case Liveness::kUnproven:
      return "unproven";
  }
  return "";
}

HostIdentity HostIdentity::OfThisProcess() {
  HostIdentity host;
  host.boot_id = OwnBootId();
  host.pid_namespace = InodeOf("/proc/self/ns/pid");
  host.time_namespace = InodeOf("/proc/self/ns/time");
  return host;
}

Liveness LivenessProbe::Probe(int fd, const WriterIdentity& writer,
                              FileSystemKind directory_kind) const {
  const LockState lock = ProbeLock(fd);
  if (lock == LockState::kHeld) {
    return Liveness::kLive;
  }
  const bool is_boot_known =
      writer.boot_id != BootId{} && host_.boot_id != BootId{};
  if (!is_boot_known || writer.boot_id != host_.boot_id) {
    if (directory_kind != FileSystemKind::kDisk) {
      return Liveness::kForeign;
    }
    if (is_boot_known) {
      return Liveness::kDead;
    }
    // This boot or one before: what proves a death in this one proves it.
  }
  if (lock == LockState::kFree &&
      writer.life_lock == format::LifeLock::kHolds) {
    return Liveness::kDead;
  }
  return IsGone(writer) ? Liveness::kDead : Liveness::kUnproven;
}

bool LivenessProbe::IsGone(const WriterIdentity& writer) const {
  if (!IsPidOfThisNamespace(writer) || writer.pid == 0 ||
      writer.pid > static_cast<uint32_t>(INT_MAX)) {
    return false;
  }
  // The kernel hides no process from kill(), unlike /proc, which may hide other
  // users' processes.
  if (::kill(static_cast<pid_t>(writer.pid), 0) != 0 && errno == ESRCH) {
    return true;
  }
  // Start times are shifted by a time namespace, so only those of one namespace
  // compare; and /proc may be another pid namespace's.
  if (writer.process_start_ticks == 0 ||
      writer.time_namespace != host_.time_namespace || !IsProcOwn()) {
    return false;
  }
  char path[32];
  std::snprintf(path, sizeof(path), "/proc/%u/stat", writer.pid);
  const std::string stat = ReadSmallFile(path);
  // The command name, field 2, may hold spaces and brackets: count from its
  // last bracket. Field 22 is the start time.
  size_t at = stat.rfind(')');
  for (int field = 2; field < 22 && at != std::string::npos; ++field) {
    at = stat.find(' ', at + 1);
  }
  if (at == std::string::npos) {
    return false;
  }
  return std::strtoull(stat.c_str() + at + 1, nullptr, 10) !=
         writer.process_start_ticks;
}

}  // namespace tine::collector
