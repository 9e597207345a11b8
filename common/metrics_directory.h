// The metrics directory: which one, and whether it may be used. One rule for
// both sides.

#ifndef TINE_COMMON_METRICS_DIRECTORY_H_
#define TINE_COMMON_METRICS_DIRECTORY_H_

#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace tine {

// An absolute path, the first of: `explicit_directory` (a flag or an API
// argument; may be empty), $TINE_DIR (ignored in set-uid programs), /run/tine
// if that exists, /dev/shm/tine-<effective uid>. Whether it exists or may be
// written is not looked at: an existing directory that cannot be used is an
// error later on, not a reason to fall through. Not async-signal-safe.
std::string ResolveMetricsDirectory(std::string_view explicit_directory);

// Opens the directory (O_RDONLY | O_CLOEXEC). `may_create` makes it first, mode
// 0700, when it is the default below /dev/shm and does not exist; no other
// directory is ever made. Returns a descriptor, or -1 with errno set and, where
// errno does not say it all, `*problem` set to a constant text. Refused
// (EPERM): a directory that is world-writable but not sticky (anybody could
// unlink or replace a live file), and a default below /dev/shm that is somebody
// else's or open to others. Async-signal-safe.
int OpenMetricsDirectory(const char* path, bool may_create,
                         const char** problem) noexcept;

// What a file system is to us, by f_type of statfs(2).
enum class FileSystemKind {
  kMemory,   // tmpfs, ramfs: made for this
  kDisk,     // ext2/3/4, xfs: a mapped file stalls its writer at writeback
  kRemote,   // network, FUSE, 9p, virtiofs: another kernel may be at work there
  kUnknown,  // anything else; copy-on-write ones can raise SIGBUS at any store
};
FileSystemKind FileSystemKindOf(uint64_t f_type) noexcept;

}  // namespace tine

#endif  // TINE_COMMON_METRICS_DIRECTORY_H_
