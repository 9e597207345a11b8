// The archive as bytes: a metric file with records of its own. FORMAT.md tells
// it to the byte.

#ifndef TINE_COLLECTOR_ARCHIVE_FILE_H_
#define TINE_COLLECTOR_ARCHIVE_FILE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "collector/archive.h"
#include "collector/merged_view.h"

namespace tine::collector {

// Bytes that ReadArchiveIdentity needs.
inline constexpr size_t kArchiveHeadBytes = 4096 + 64;

// `view` is the one whose indexes the archive's numbers have. Sets the
// archive's series_count and file_bytes.
std::vector<uint8_t> EncodeArchive(const MergedView& view, Archive* archive);

// From the first kArchiveHeadBytes of an archive. `bytes` is 8-byte aligned,
// here and below.
absl::Status ReadArchiveIdentity(const uint8_t* bytes, size_t size_bytes,
                                 ArchiveIdentity* identity);

// Declares everything in `view`, which is new, and fills `archive`. All or
// nothing: on an error both are to be thrown away.
absl::Status DecodeArchive(const uint8_t* bytes, size_t size_bytes,
                           MergedView* view, Archive* archive);

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_ARCHIVE_FILE_H_
