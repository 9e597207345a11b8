#ifndef TINE_TOOLS_DEMO_LISTEN_SOCKET_H_
#define TINE_TOOLS_DEMO_LISTEN_SOCKET_H_

#include <string>

#include "common/unique_fd.h"

namespace tine::demo {

// Listens on "127.0.0.1:8080", "[::1]:8080" or ":8080" (all addresses); port 0
// is any free one. `bound_address` gets what it became. Not valid: `error` says
// why. The socket does not block, since several processes accept from it.
UniqueFd ListenOn(const std::string& address, std::string* bound_address,
                  std::string* error);

}  // namespace tine::demo

#endif  // TINE_TOOLS_DEMO_LISTEN_SOCKET_H_
