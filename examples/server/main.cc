// A server with a thread for each connection: server PORT

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <string>
#include <thread>

#include "writer/tine.h"

namespace {

tine::CounterFamily requests("requests_total", "Lines answered.", {"result"});
tine::Histogram request_seconds("request_seconds", "Time to answer.",
                                tine::DefaultBuckets());
// Gone with the process: its connections are, too.
tine::UpDownCounter connections("connections", "Open connections.",
                                tine::GaugeMode::kLiveSum);

void Serve(int fd) {
  connections.Increment();
  char line[512];
  for (ssize_t size; (size = ::read(fd, line, sizeof(line))) > 0;) {
    const tine::Timer timer(request_seconds);
    const std::string answer = std::to_string(size) + "\n";
    const bool is_sent =
        ::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL) > 0;
    requests.WithLabels(is_sent ? "ok" : "gone").Increment();
  }
  ::close(fd);
  connections.Decrement();
}

}  // namespace

int main(int argc, char** argv) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
  address.sin_port = ::htons(argc == 2 ? std::atoi(argv[1]) : 0);
  auto* where = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof(address);
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::bind(listener, where, size) != 0 || ::listen(listener, 64) != 0 ||
      ::getsockname(listener, where, &size) != 0) {
    std::cerr << "server: cannot listen" << std::endl;
    return 1;
  }
  std::cout << "port " << ::ntohs(address.sin_port) << std::endl;
  for (int fd; (fd = ::accept(listener, nullptr, nullptr)) >= 0;) {
    std::thread(Serve, fd).detach();
  }
}
