#ifndef TINE_WRITER_REAL_PAGES_H_
#define TINE_WRITER_REAL_PAGES_H_

#include <cstdint>

namespace tine::internal {

uint64_t PageBytes() noexcept;

// Backs these pages of a mapping with memory and makes them writable, or leaves
// them untouchable (false; errno). A store there cannot raise SIGBUS then.
// Async-signal-safe.
bool MakePagesReal(uint8_t* begin, uint64_t bytes) noexcept;

}  // namespace tine::internal

#endif  // TINE_WRITER_REAL_PAGES_H_
