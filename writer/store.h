#ifndef TINE_WRITER_STORE_H_
#define TINE_WRITER_STORE_H_

namespace tine {

// Where a process's numbers are kept. Chosen once, when the library starts, for
// the process and its later children. docs/STORES.md says when to take which.
enum class Store {
  // $TINE_STORE (mmap, pwrite, memory or none), else kMapped.
  kDefault = 0,
  // "mmap": a mapped metric file. An increment is one add to memory.
  kMapped = 1,
  // "pwrite": the same file without a mapping. Every change is made in private
  // memory and written to the file at once, by system calls: about a
  // microsecond. For disks, and for sandboxes that refuse mappings.
  kWritten = 2,
  // "memory": the same bytes in private memory, seen by nobody else and gone
  // with the process. For programs of one process and for tests.
  kMemory = 3,
  // "none": every call does nothing.
  kNone = 4,
};

}  // namespace tine

#endif  // TINE_WRITER_STORE_H_
