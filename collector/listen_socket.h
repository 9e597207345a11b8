// A bound, listening TCP socket.

#ifndef TINE_COLLECTOR_LISTEN_SOCKET_H_
#define TINE_COLLECTOR_LISTEN_SOCKET_H_

#include <vector>

#include "absl/status/statusor.h"
#include "collector/listen_address.h"
#include "common/unique_fd.h"

namespace tine::collector {

struct ListenSocket {
  UniqueFd fd;  // non-blocking, close-on-exec
  // Where it really listens: numeric, and with the port that the system picked
  // if 0 was asked for.
  ListenAddress bound_address;
};

// No host, or `::`, is every interface, IPv6 and IPv4; where the kernel has no
// IPv6 it is every interface of IPv4. A name with several addresses is bound at
// one of them, IPv4 first, as in Go's net.Listen. Errors name the address and
// what the system said.
absl::StatusOr<ListenSocket> BindListenSocket(const ListenAddress& address);

// All of them, or the first error.
absl::StatusOr<std::vector<ListenSocket>> BindListenSockets(
    const std::vector<ListenAddress>& addresses);

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_LISTEN_SOCKET_H_
