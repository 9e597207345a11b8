// An HTTP/1.1 server for a handful of read-only pages. Knows no metrics.

#ifndef TINE_COLLECTOR_HTTP_SERVER_H_
#define TINE_COLLECTOR_HTTP_SERVER_H_

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "collector/listen_socket.h"

struct MHD_Daemon;  // libmicrohttpd, which only http_server.cc includes

namespace tine::collector {

struct HttpRequest {
  std::string_view method;  // "GET" or "HEAD": nothing else reaches a handler
  std::string_view path;    // decoded, without the query
};

struct HttpResponse {
  int status = 200;
  std::string content_type;
  // Shared, so that many clients can be sent one text. Never null.
  std::shared_ptr<const std::string> body;
};

// Called from several threads at once. HEAD is answered by the same handler:
// the server leaves the body out. An exception is answered with 500 and its
// text.
using HttpHandler = std::function<HttpResponse(const HttpRequest&)>;

// By exact path.
using HttpHandlers = std::map<std::string, HttpHandler, std::less<>>;

// text/plain, with a line end behind `line`.
HttpResponse PlainTextResponse(int status, std::string line);

struct HttpServerOptions {
  // For each address. A thread is busy while its handler runs.
  unsigned thread_count = 4;
  // For each address. Prometheus holds one connection per server; more than
  // these wait in the kernel's queue.
  unsigned connection_limit = 128;
  // Without a byte in either direction the connection is closed.
  std::chrono::seconds idle_timeout{30};
  // How long Stop() waits for answers that are being made or sent.
  std::chrono::milliseconds stop_timeout{5000};
};

// GET and HEAD of an exact path call its handler; another method is answered
// with 405 and an Allow header, an unknown path with 404. Public functions:
// from one thread.
class HttpServer {
 public:
  // Serves on all of `sockets`, which it takes over, until Stop().
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(
      std::vector<ListenSocket> sockets, HttpHandlers handlers,
      const HttpServerOptions& options);

  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Accepts no more, lets answers under way finish, closes all connections and
  // joins all threads. Calling it again does nothing.
  void Stop();

  // What the callbacks of libmicrohttpd need; defined in http_server.cc.
  struct Callbacks;

 private:
  HttpServer(HttpHandlers handlers, const HttpServerOptions& options);

  const HttpHandlers handlers_;
  const HttpServerOptions options_;
  std::vector<MHD_Daemon*> daemons_;
  std::atomic<int> requests_under_way_{0};
};

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_HTTP_SERVER_H_
