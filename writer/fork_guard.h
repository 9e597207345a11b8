// What a fork does to the writer. The rule: a child never writes to its
// parent's file, however it was made.
//
// fork() runs the child handler; _Fork(), clone() and a fork whose handler has
// not come yet are noticed at the first null test, because the tables are
// wiped. Whichever is first resets, once. vfork() children share the parent's
// memory and are the parent.

#ifndef TINE_WRITER_FORK_GUARD_H_
#define TINE_WRITER_FORK_GUARD_H_

#include "writer/process_state.h"

namespace tine::internal {

bool InstallForkHandlers() noexcept;

// Called when `process` is found wiped. Returns when it is ready.
// Async-signal-safe.
void ResetAfterRawFork(ProcessState* process) noexcept;

}  // namespace tine::internal

#endif  // TINE_WRITER_FORK_GUARD_H_
