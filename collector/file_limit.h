// How many file descriptors this process may have open.

#ifndef TINE_COLLECTOR_FILE_LIMIT_H_
#define TINE_COLLECTOR_FILE_LIMIT_H_

#include <cstddef>

namespace tine::collector {

// Raises the soft limit to the hard one: the collector keeps a descriptor for
// each metric file, as far as they go. What cannot be raised stays; there is no
// select() in here that large descriptors would break.
void RaiseFileLimit();

// How many descriptors metric files may take, so that there are always some to
// answer a scrape with.
size_t MaxOpenMetricFiles();

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_FILE_LIMIT_H_
