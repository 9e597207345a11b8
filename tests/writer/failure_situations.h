// Failures that take more than one call's errno, each played to a host in a
// child. Compiled with the library, and with mutants of it.

#ifndef TINE_TESTS_WRITER_FAILURE_SITUATIONS_H_
#define TINE_TESTS_WRITER_FAILURE_SITUATIONS_H_

#include <string>

namespace tine::testing {

// Each returns what was wrong; "" if nothing was. They need WhyNotTraced() to
// be empty.

// A thread is stopped for good in the middle of making the process's file, so
// it holds the slow path's lock. The others count, look up and ask for the
// status, at no system calls and without waiting but once; then it goes on.
std::string StoppedLockHolder();

// A forked child has no memory for one step or another of leaving its parent's
// data; an add that its parent had begun ends in the child.
std::string ChildWithoutMemoryToLeaveItsParent();

// There is no memory for further series. Look-ups of new label sets go to the
// overflow series, at no system calls.
std::string LookUpsWithoutMemory();

// The host's stderr is a pipe without a reader, and a file at its size limit.
std::string StderrThatRaisesSignals();

// The host's stderr is a full pipe that nobody reads.
std::string StderrThatIsFull(int deadline_seconds);

}  // namespace tine::testing

#endif  // TINE_TESTS_WRITER_FAILURE_SITUATIONS_H_
