// The metric file of Store::kWritten: the bytes of a mapped file, in private
// memory, and a descriptor through which they are written. No mapping at all.
//
// The descriptor also holds the life lock, which a mapping holds elsewhere. So
// it stays open, and three things need care that a mapped file does not know:
// a forked child closes it (fork_guard.cc); the program may close it, as
// daemons close all they do not know; and its number may then be somebody
// else's. Each write therefore asks first whether the number still means our
// file.

#ifndef TINE_WRITER_WRITTEN_FILE_H_
#define TINE_WRITER_WRITTEN_FILE_H_

#include <cstdint>

#include "writer/process_state.h"

namespace tine::internal {

// And has it started? Whoever counts has a process then.
inline bool IsStoreWritten() {
  return g_image.settings.store == Store::kWritten &&
         g_image.process.load(std::memory_order_relaxed) != nullptr;
}

// Opens `name` in `directory_fd` for good, takes the life lock through the
// descriptor and notes it in the file and, for forked children, in the
// newest entry of g_image.descriptors. False: errno. A concurrent fork() waits
// for it.
bool OpenWrittenFileLocked(int directory_fd, const char* name,
                           MetricFile* file) noexcept;

// Closes it, and so gives the life lock up, if it still is ours.
void CloseDescriptor(FileDescriptor* descriptor) noexcept;

enum class Written {
  kAll,
  kNot,      // errno says why; some of it may be in the file
  kNotOurs,  // the program has closed our descriptor
};

// Writes `size_bytes` from `from` to `offset` in the file. Raises no signal if
// signals are blocked, as they are for all who come here (not after Seal(),
// which leaves one system call: the write). `may_be_pending`: whether a SIGXFSZ
// of the host's could be waiting. Async-signal-safe.
Written WriteAt(const MetricFile& file, const void* from, uint64_t size_bytes,
                uint64_t offset, bool may_be_pending = true) noexcept;

// The program has closed our descriptor, and the collector will take the file
// for that of a dead process: rightly, since all that was counted is in it. The
// process goes on like a forked child, with a further file and from zero. The
// caller holds the lock of the cells too (WrittenChange).
void LoseFilesLocked(ProcessState* process) noexcept;

}  // namespace tine::internal

#endif  // TINE_WRITER_WRITTEN_FILE_H_
