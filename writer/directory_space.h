// Whether the metrics directory may take more. Never fill the host's file
// system: a full one, or a directory of a million files, harms programs that
// have nothing to do with us.

#ifndef TINE_WRITER_DIRECTORY_SPACE_H_
#define TINE_WRITER_DIRECTORY_SPACE_H_

#include <sys/statfs.h>

namespace tine::internal {

// Null when a file may be made in the directory; else what to say, a constant
// text, with errno where that says more (0 where not). `*info` is about its
// file system. Async-signal-safe.
const char* NewFileProblem(int directory_fd, struct statfs* info) noexcept;

// Null when a file in `directory` may grow. Async-signal-safe.
const char* GrowthProblem(const char* directory) noexcept;

// Once, to who asked for a disk with TINE_ALLOW_DISK=1.
void WarnOfDisk(const struct statfs& info) noexcept;

}  // namespace tine::internal

#endif  // TINE_WRITER_DIRECTORY_SPACE_H_
