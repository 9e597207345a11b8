#ifndef TINE_COMMON_BOOT_ID_H_
#define TINE_COMMON_BOOT_ID_H_

#include <array>
#include <cstdint>

namespace tine {

// Which kernel this is, and which of its boots.
using BootId = std::array<uint8_t, 16>;

// From /proc/sys/kernel/random/boot_id; all zero when that cannot be read.
// Async-signal-safe.
BootId OwnBootId() noexcept;

}  // namespace tine

#endif  // TINE_COMMON_BOOT_ID_H_
