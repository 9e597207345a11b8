// CRC-32 as in zlib, gzip and PNG (reflected polynomial 0xEDB88320), so that
// any language's standard library can check a metric file. Own code because the
// writer links nothing but libc and libstdc++.

#ifndef TINE_COMMON_CHECKSUM_H_
#define TINE_COMMON_CHECKSUM_H_

#include <cstddef>
#include <cstdint>

namespace tine {

// The CRC-32 of `size_bytes` bytes, going on from `crc` (0 to begin). Crc32(b,
// Crc32(a)) == Crc32(a + b). Any thread, async-signal-safe, no allocation.
uint32_t Crc32(const void* data, size_t size_bytes, uint32_t crc = 0) noexcept;

}  // namespace tine

#endif  // TINE_COMMON_CHECKSUM_H_
