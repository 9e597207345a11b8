// A file that is replaced as a whole or not at all.

#ifndef TINE_COLLECTOR_ATOMIC_FILE_H_
#define TINE_COLLECTOR_ATOMIC_FILE_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace tine::collector {

// Writes `content` to a new file beside `path` and renames it over `path`, so
// that a reader sees the old content or the new one. The file has mode 0666
// less the umask. The temporary name, `.<name>.tmp-<random>`, has none of the
// endings that readers of whole directories look for. On error, which names the
// path and what the system said, `path` is as it was and nothing else is left
// behind.
absl::Status WriteFileAtomically(const std::string& path,
                                 std::string_view content);

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_ATOMIC_FILE_H_
