#include "collector/listen_socket.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

namespace tine::collector {
namespace {

struct AddressListDeleter {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};
using AddressList = std::unique_ptr<addrinfo, AddressListDeleter>;

absl::Status CannotListen(const ListenAddress& address, const char* reason) {
  return absl::UnavailableError("cannot listen on " +
                                FormatListenAddress(address) + ": " + reason);
}

// Null, and `*error` set, when there is no such host.
AddressList Resolve(const ListenAddress& address, int* error) {
  addrinfo hints = {};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const std::string port = std::to_string(address.port);
  *error = ::getaddrinfo(address.host.empty() ? nullptr : address.host.c_str(),
                         port.c_str(), &hints, &list);
  return AddressList(*error == 0 ? list : nullptr);
}

const addrinfo* FirstOfFamily(const addrinfo* list, int family) {
  while (list != nullptr && list->ai_family != family) {
    list = list->ai_next;
  }
  return list;
}

// -1 and errno when that did not work.
int OpenListener(const addrinfo& address) {
  UniqueFd fd(::socket(address.ai_family,
                       SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) {
    return -1;
  }
  const int on = 1;
  const int off = 0;
  // A restart must not wait for connections in TIME_WAIT.
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (address.ai_family == AF_INET6) {
    ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
  }
  if (::bind(fd.get(), address.ai_addr, address.ai_addrlen) != 0 ||
      ::listen(fd.get(), SOMAXCONN) != 0) {
    const int saved_errno = errno;
    fd.Reset();
    errno = saved_errno;
    return -1;
  }
  return fd.Release();
}

absl::StatusOr<ListenAddress> BoundAddress(int fd) {
  sockaddr_storage storage = {};
  socklen_t size = sizeof(storage);
  char host[NI_MAXHOST];
  char port[NI_MAXSERV];
  auto* const address = reinterpret_cast<sockaddr*>(&storage);
  if (::getsockname(fd, address, &size) != 0 ||
      ::getnameinfo(address, size, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return absl::InternalError("cannot tell where a socket is bound");
  }
  return ListenAddress{host, static_cast<uint16_t>(std::stoul(port))};
}

}  // namespace

absl::StatusOr<ListenSocket> BindListenSocket(const ListenAddress& address) {
  int error = 0;
  const AddressList list = Resolve(address, &error);
  if (list == nullptr) {
    return CannotListen(address, error == EAI_SYSTEM ? std::strerror(errno)
                                                     : ::gai_strerror(error));
  }
  const addrinfo* const ipv4 = FirstOfFamily(list.get(), AF_INET);
  const addrinfo* const ipv6 = FirstOfFamily(list.get(), AF_INET6);
  // Without a host an IPv6 socket serves both families.
  const bool ipv6_first = address.host.empty() || ipv4 == nullptr;
  const addrinfo* const first = ipv6_first && ipv6 != nullptr ? ipv6 : ipv4;
  if (first == nullptr) {
    return CannotListen(address, "the host has no IP address");
  }
  ListenSocket result;
  result.fd.Reset(OpenListener(*first));
  if (!result.fd.valid() && errno == EAFNOSUPPORT && first == ipv6 &&
      ipv4 != nullptr) {
    result.fd.Reset(OpenListener(*ipv4));
  }
  if (!result.fd.valid()) {
    return CannotListen(address, std::strerror(errno));
  }
  absl::StatusOr<ListenAddress> bound = BoundAddress(result.fd.get());
  if (!bound.ok()) {
    return bound.status();
  }
  result.bound_address = *std::move(bound);
  return result;
}

absl::StatusOr<std::vector<ListenSocket>> BindListenSockets(
    const std::vector<ListenAddress>& addresses) {
  std::vector<ListenSocket> sockets;
  for (const ListenAddress& address : addresses) {
    absl::StatusOr<ListenSocket> socket = BindListenSocket(address);
    if (!socket.ok()) {
      return socket.status();
    }
    sockets.push_back(*std::move(socket));
  }
  return sockets;
}

}  // namespace tine::collector
