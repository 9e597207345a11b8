#include "collector/http_server.h"

#include <microhttpd.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <exception>
#include <thread>
#include <utility>

namespace tine::collector {
namespace {

// Request line and headers of one connection; a longer request is refused.
constexpr size_t kConnectionMemoryBytes = 32 * 1024;

constexpr char kAllowedMethods[] = "GET, HEAD";

bool IsAllowedMethod(std::string_view method) {
  return method == MHD_HTTP_METHOD_GET || method == MHD_HTTP_METHOD_HEAD;
}

HttpResponse CallHandler(const HttpHandler& handler,
                         const HttpRequest& request) {
  try {
    return handler(request);
  } catch (const std::exception& error) {
    return PlainTextResponse(500,
                             std::string("internal error: ") + error.what());
  } catch (...) {
    return PlainTextResponse(500, "internal error");
  }
}

void ReleaseBody(void* body) {
  delete static_cast<std::shared_ptr<const std::string>*>(body);
}

// MHD_NO closes the connection.
MHD_Result Send(MHD_Connection* connection, const HttpResponse& response) {
  // The response holds on to the body until its last byte is sent. It does not
  // write to it: the parameter is not const for the sake of C.
  auto owner =
      std::make_unique<std::shared_ptr<const std::string>>(response.body);
  MHD_Response* const raw =
      MHD_create_response_from_buffer_with_free_callback_cls(
          response.body->size(), const_cast<char*>(response.body->data()),
          &ReleaseBody, owner.get());
  if (raw == nullptr) {
    return MHD_NO;
  }
  static_cast<void>(owner.release());  // to ReleaseBody
  MHD_add_response_header(raw, MHD_HTTP_HEADER_CONTENT_TYPE,
                          response.content_type.c_str());
  if (response.status == MHD_HTTP_METHOD_NOT_ALLOWED) {
    MHD_add_response_header(raw, MHD_HTTP_HEADER_ALLOW, kAllowedMethods);
  }
  const MHD_Result result = MHD_queue_response(
      connection, static_cast<unsigned>(response.status), raw);
  MHD_destroy_response(raw);  // the connection keeps its own reference
  return result;
}

}  // namespace

HttpResponse PlainTextResponse(int status, std::string line) {
  line.push_back('\n');
  return {status, "text/plain; charset=utf-8",
          std::make_shared<const std::string>(std::move(line))};
}

struct HttpServer::Callbacks {
  static HttpResponse Answer(const HttpServer& server,
                             const HttpRequest& request) {
    const auto found = server.handlers_.find(request.path);
    if (found == server.handlers_.end()) {
      return PlainTextResponse(404, "404 page not found");
    }
    if (!IsAllowedMethod(request.method)) {
      return PlainTextResponse(405, "405 method not allowed");
    }
    return CallHandler(found->second, request);
  }

  // First called when the headers are there, then for each piece of a request
  // body, then once more when the request is complete. The parameters are
  // libmicrohttpd's. NOLINTNEXTLINE(readability-function-size)
  static MHD_Result OnRequest(void* server_pointer, MHD_Connection* connection,
                              const char* url, const char* method,
                              const char* /*version*/,
                              const char* /*upload_data*/,
                              size_t* upload_data_bytes, void** state) {
    auto* const server = static_cast<HttpServer*>(server_pointer);
    if (*state == nullptr) {
      server->requests_under_way_.fetch_add(1, std::memory_order_relaxed);
      *state = server;  // not null is all it says
      if (IsAllowedMethod(method)) {
        return MHD_YES;
      }
      // Answered before its body comes, which is then not read.
    } else if (*upload_data_bytes != 0) {
      *upload_data_bytes = 0;  // a body where none belongs: dropped
      return MHD_YES;
    }
    try {
      return Send(connection, Answer(*server, {method, url}));
    } catch (...) {
      return MHD_NO;  // out of memory: no C++ exception may enter C
    }
  }

  static void OnCompleted(void* server_pointer, MHD_Connection* /*connection*/,
                          void** state, MHD_RequestTerminationCode /*code*/) {
    if (*state != nullptr) {
      static_cast<HttpServer*>(server_pointer)
          ->requests_under_way_.fetch_sub(1, std::memory_order_release);
      *state = nullptr;
    }
  }
};

HttpServer::HttpServer(HttpHandlers handlers, const HttpServerOptions& options)
    : handlers_(std::move(handlers)), options_(options) {}

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(
    std::vector<ListenSocket> sockets, HttpHandlers handlers,
    const HttpServerOptions& options) {
  std::unique_ptr<HttpServer> server(
      new HttpServer(std::move(handlers), options));
  for (ListenSocket& socket : sockets) {
    // A daemon serves one socket. The port is ignored: the socket is bound.
    MHD_Daemon* const daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC, 0, nullptr, nullptr,
        &Callbacks::OnRequest, server.get(), MHD_OPTION_LISTEN_SOCKET,
        socket.fd.get(), MHD_OPTION_NOTIFY_COMPLETED, &Callbacks::OnCompleted,
        server.get(), MHD_OPTION_THREAD_POOL_SIZE, options.thread_count,
        MHD_OPTION_CONNECTION_LIMIT, options.connection_limit,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, kConnectionMemoryBytes,
        MHD_OPTION_CONNECTION_TIMEOUT,
        static_cast<unsigned>(options.idle_timeout.count()), MHD_OPTION_END);
    if (daemon == nullptr) {
      return absl::InternalError("cannot serve HTTP on " +
                                 FormatListenAddress(socket.bound_address) +
                                 ": " + std::strerror(errno));
    }
    socket.fd.Release();
    server->daemons_.push_back(daemon);
  }
  return server;
}

HttpServer::~HttpServer() { Stop(); }

void HttpServer::Stop() {
  std::vector<UniqueFd> listeners;
  for (MHD_Daemon* const daemon : daemons_) {
    listeners.emplace_back(MHD_quiesce_daemon(daemon));
    // Clients are refused from here on. Closed only when the threads are gone:
    // one of them may be about to use it.
    ::shutdown(listeners.back().get(), SHUT_RDWR);
  }
  const auto deadline =
      std::chrono::steady_clock::now() + options_.stop_timeout;
  while (requests_under_way_.load(std::memory_order_acquire) > 0 &&
         std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  for (MHD_Daemon* const daemon : daemons_) {
    MHD_stop_daemon(daemon);
  }
  daemons_.clear();
}

}  // namespace tine::collector
