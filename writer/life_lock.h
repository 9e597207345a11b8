// The proof that a process lives: an OFD write lock on its metric file that has
// no descriptor.
//
// A lock of an open file description lasts as long as anything refers to the
// description. Here only a mapping does: PROT_NONE, MADV_DONTFORK, its
// descriptor closed. So the lock survives closefrom(), chroot and setuid; a
// forked child does not inherit it; exec, exit and SIGKILL free it; and a probe
// (F_OFD_GETLK with F_RDLCK on a read-only descriptor) sees it from any pid
// namespace. POSIX locks will not do: they vanish when the process closes any
// descriptor of the file.

#ifndef TINE_WRITER_LIFE_LOCK_H_
#define TINE_WRITER_LIFE_LOCK_H_

#include "common/record_layout.h"
#include "writer/block_table.h"
#include "writer/process_state.h"

namespace tine::internal {

// How long a fork and the taking of a life lock wait for each other at most. A
// stopped thread must not stop every fork.
inline constexpr uint64_t kLongestForkDelayNs = 100'000'000;

// Is the calling thread between the handlers before and after its fork()?
extern __thread bool t_is_forking TINE_TLS_MODEL;

// Takes the life lock of file `name` in `directory_fd`, for the rest of this
// process image. Returns the mapping that holds it; null: errno says why.
// Async-signal-safe. A concurrent fork() waits for it (fork_guard.h).
void* TakeLifeLock(int directory_fd, const char* name) noexcept;

// The same through a descriptor that stays open, its number at least
// `lowest_fd` if one is free there: for a file that may not be mapped. Noted in
// `*descriptor`. A fork's child must close it. False: errno says why.
bool TakeLifeLockAndKeep(int directory_fd, const char* name, int lowest_fd,
                         FileDescriptor* descriptor) noexcept;

// Gives it up again; `life_lock` may be null. For a file that is not going to
// be used after all.
void ReleaseLifeLock(void* life_lock) noexcept;

// Does a prober see the lock that was just taken? Some file systems accept
// locks and forget them. kUnknown when it cannot be tried now.
format::LifeLock TestLifeLock(int directory_fd, const char* name) noexcept;

}  // namespace tine::internal

#endif  // TINE_WRITER_LIFE_LOCK_H_
