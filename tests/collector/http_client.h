// Raw HTTP for tests: sends what it is told and reads until the other side
// closes, so that headers and bodies can be looked at byte by byte.

#ifndef TINE_TESTS_COLLECTOR_HTTP_CLIENT_H_
#define TINE_TESTS_COLLECTOR_HTTP_CLIENT_H_

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cstdint>
#include <string>

#include "common/unique_fd.h"

namespace tine::collector {

struct HttpAnswer {
  int status = 0;       // 0: no answer
  std::string headers;  // status line included
  std::string body;

  bool HasHeader(const std::string& line) const {
    return headers.find("\r\n" + line + "\r\n") != std::string::npos;
  }
};

// -1 when nobody listens.
inline int ConnectToLoopback(uint16_t port, bool use_ipv6 = false) {
  UniqueFd fd(::socket(use_ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM, 0));
  // A test that hangs is a test that fails.
  const timeval timeout = {20, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
  sockaddr_in ipv4 = {};
  ipv4.sin_family = AF_INET;
  ipv4.sin_port = htons(port);
  ipv4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sockaddr_in6 ipv6 = {};
  ipv6.sin6_family = AF_INET6;
  ipv6.sin6_port = htons(port);
  ipv6.sin6_addr = in6addr_loopback;
  const int result =
      use_ipv6 ? ::connect(fd.get(), reinterpret_cast<sockaddr*>(&ipv6),
                           sizeof(ipv6))
               : ::connect(fd.get(), reinterpret_cast<sockaddr*>(&ipv4),
                           sizeof(ipv4));
  return result == 0 ? fd.Release() : -1;
}

inline std::string ReadToEnd(int fd) {
  std::string text;
  char buffer[65536];
  for (ssize_t n; (n = ::recv(fd, buffer, sizeof(buffer), 0)) > 0;) {
    text.append(buffer, static_cast<size_t>(n));
  }
  return text;
}

inline HttpAnswer ParseAnswer(const std::string& text) {
  HttpAnswer answer;
  const size_t end = text.find("\r\n\r\n");
  if (text.rfind("HTTP/1.1 ", 0) == 0 && end != std::string::npos) {
    answer.status = std::stoi(text.substr(9, 3));
    answer.headers = text.substr(0, end + 2);
    answer.body = text.substr(end + 4);
  }
  return answer;
}

inline HttpAnswer Fetch(uint16_t port, const std::string& method,
                        const std::string& path, bool use_ipv6 = false,
                        const std::string& body = "") {
  const UniqueFd fd(ConnectToLoopback(port, use_ipv6));
  const std::string request =
      method + " " + path + " HTTP/1.1\r\nHost: test\r\nConnection: close\r\n" +
      (body.empty()
           ? ""
           : "Content-Length: " + std::to_string(body.size()) + "\r\n") +
      "\r\n" + body;
  ::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL);
  return ParseAnswer(ReadToEnd(fd.get()));
}

}  // namespace tine::collector

#endif  // TINE_TESTS_COLLECTOR_HTTP_CLIENT_H_
