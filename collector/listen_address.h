// The value of --web.listen-address, as text.

#ifndef TINE_COLLECTOR_LISTEN_ADDRESS_H_
#define TINE_COLLECTOR_LISTEN_ADDRESS_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace tine::collector {

struct ListenAddress {
  std::string host;   // a name or a numeric address; empty: every interface
  uint16_t port = 0;  // 0: the system picks one
};

// Takes `:9974`, `host:9974`, `127.0.0.1:9974`, `[::1]:9974`, and
// `[127.0.0.1]:9974`, which Kubernetes manifests write so as to fit both
// families. The error quotes `text` and says what is wrong with it.
absl::StatusOr<ListenAddress> ParseListenAddress(std::string_view text);

// The other way; a host with a colon in it gets its brackets.
std::string FormatListenAddress(const ListenAddress& address);

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_LISTEN_ADDRESS_H_
