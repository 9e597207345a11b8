#ifndef TINE_TOOLS_DEMO_SERVER_H_
#define TINE_TOOLS_DEMO_SERVER_H_

#include <atomic>
#include <cstdint>
#include <string_view>

#include "tools/demo/ledger.h"

struct MHD_Connection;
struct MHD_Daemon;

namespace tine::demo {

struct Request;

// One worker's HTTP server: a few threads that accept from a socket which other
// processes accept from, too. Start it after the fork.
class Server {
 public:
  // Writes to `limit_reached_fd` (an eventfd) once `request_limit` requests
  // were answered; 0: never.
  Server(int listen_fd, Ledger* ledger, uint64_t request_limit,
         int limit_reached_fd)
      : listen_fd_(listen_fd),
        ledger_(ledger),
        request_limit_(request_limit),
        limit_reached_fd_(limit_reached_fd) {}
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();

  bool Start();

  // Accepts nothing more, lets clients finish what they are at and returns when
  // they have, or when they take too long. Every request is either counted, in
  // the metrics and in the ledger, or was never seen.
  void Drain();

 private:
  friend struct ServerCallbacks;

  // The answer to a request, counted and handed to libmicrohttpd.
  bool Answer(MHD_Connection* connection, std::string_view url,
              std::string_view method, Request* request);
  bool Respond(MHD_Connection* connection, unsigned code,
               std::string_view text) const;
  void Count(const RequestClass& request_class);

  const int listen_fd_;
  Ledger* const ledger_;
  const uint64_t request_limit_;
  const int limit_reached_fd_;
  MHD_Daemon* daemon_ = nullptr;
  std::atomic<uint64_t> answered_count_{0};
  std::atomic<int64_t> connection_count_{0};
  std::atomic<int64_t> request_count_{0};  // in flight
  // From now on clients are told to close their connections.
  std::atomic<bool> is_closing_{false};
};

}  // namespace tine::demo

#endif  // TINE_TOOLS_DEMO_SERVER_H_
