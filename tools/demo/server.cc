#include "tools/demo/server.h"

#include <microhttpd.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "tools/demo/demo_metrics.h"

namespace tine::demo {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// From a request's first line to the end of its answer.
struct Request {
  steady_clock::time_point start = steady_clock::now();
  bool is_counted = false;  // /ledger is not
  bool is_answered = false;
  size_t path = 0;
};

namespace {

constexpr unsigned kThreads = 4;
constexpr unsigned kIdleTimeoutSeconds = 60;
constexpr milliseconds kSlowTime(3);
// A client that has been silent for so long is between two requests.
constexpr milliseconds kQuietTime(100);
constexpr milliseconds kLongestDrain(10'000);
constexpr milliseconds kDrainStep(2);

constexpr size_t kOtherPath = kPaths.size() - 1;
constexpr std::string_view kAnswers[] = {
    "Tine's demo: /hello, /slow, /ledger\n", "Hello.\n", "That took a while.\n",
    "not found\n"};

template <size_t size>
size_t IndexOf(const std::array<std::string_view, size>& table,
               std::string_view text) {
  size_t index = 0;
  while (index + 1 < size && table[index] != text) {
    ++index;
  }
  return index;  // the last one is "other"
}

RequestClass ClassOf(std::string_view url, std::string_view method) {
  RequestClass result;
  result.method = IndexOf(kMethods, method);
  result.path = IndexOf(kPaths, url);
  const bool is_reading = method == "GET" || method == "HEAD";
  if (!is_reading) {
    result.code = 2;  // 405
  } else if (result.path == kOtherPath) {
    result.code = 1;  // 404
  }
  return result;
}

}  // namespace

// What libmicrohttpd calls, on its threads.
struct ServerCallbacks {
  // NOLINTNEXTLINE(readability-function-size): its parameters are given.
  static MHD_Result OnRequest(void* self, MHD_Connection* connection,
                              const char* url, const char* method,
                              const char* /*version*/, const char* /*data*/,
                              size_t* data_bytes, void** slot) {
    auto* server = static_cast<Server*>(self);
    if (*slot == nullptr) {
      auto request = std::make_unique<Request>();
      request->is_counted = std::string_view(url) != "/ledger";
      server->request_count_.fetch_add(1);
      if (request->is_counted) {
        kInFlight.WithLabelValues({}).Increment();
      }
      *slot = request.release();
      return MHD_YES;  // an answer may follow once the request is whole
    }
    if (*data_bytes != 0) {
      *data_bytes = 0;  // a body, which nobody wants
      return MHD_YES;
    }
    return server->Answer(connection, url, method, static_cast<Request*>(*slot))
               ? MHD_YES
               : MHD_NO;
  }

  static void OnCompleted(void* self, MHD_Connection* /*connection*/,
                          void** slot, MHD_RequestTerminationCode /*code*/) {
    const std::unique_ptr<Request> request(static_cast<Request*>(*slot));
    *slot = nullptr;
    if (request == nullptr) {
      return;
    }
    if (request->is_counted) {
      kInFlight.WithLabelValues({}).Decrement();
    }
    if (request->is_counted && request->is_answered) {
      const std::chrono::duration<double> elapsed =
          steady_clock::now() - request->start;
      kRequestSeconds.WithLabels(kPaths[request->path])
          .Observe(elapsed.count());
    }
    static_cast<Server*>(self)->request_count_.fetch_sub(1);
  }

  static void OnConnection(void* self, MHD_Connection* /*connection*/,
                           void** /*slot*/,
                           MHD_ConnectionNotificationCode code) {
    static_cast<Server*>(self)->connection_count_.fetch_add(
        code == MHD_CONNECTION_NOTIFY_STARTED ? 1 : -1);
  }
};

Server::~Server() {
  if (daemon_ != nullptr) {
    MHD_stop_daemon(daemon_);
  }
}

bool Server::Start() {
  // poll, not epoll: its threads accept one connection at a time, so that the
  // workers share them.
  daemon_ = MHD_start_daemon(
      MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_ITC, 0, nullptr, nullptr,
      &ServerCallbacks::OnRequest, this, MHD_OPTION_LISTEN_SOCKET, listen_fd_,
      MHD_OPTION_THREAD_POOL_SIZE, kThreads, MHD_OPTION_CONNECTION_TIMEOUT,
      kIdleTimeoutSeconds, MHD_OPTION_NOTIFY_COMPLETED,
      &ServerCallbacks::OnCompleted, this, MHD_OPTION_NOTIFY_CONNECTION,
      &ServerCallbacks::OnConnection, this, MHD_OPTION_END);
  return daemon_ != nullptr;
}

void Server::Drain() {
  is_closing_.store(true);
  MHD_quiesce_daemon(daemon_);
  const auto begin = steady_clock::now();
  auto last_busy = begin;
  while (connection_count_.load() != 0) {
    const auto now = steady_clock::now();
    if (request_count_.load() != 0) {
      last_busy = now;
    }
    if (now - last_busy > kQuietTime || now - begin > kLongestDrain) {
      break;
    }
    std::this_thread::sleep_for(kDrainStep);
  }
  // Joins the threads: whoever is counting finishes.
  MHD_stop_daemon(daemon_);
  daemon_ = nullptr;
}

bool Server::Answer(MHD_Connection* connection, std::string_view url,
                    std::string_view method, Request* request) {
  if (!request->is_counted) {
    return Respond(connection, MHD_HTTP_OK, ledger_->Text());
  }
  const RequestClass request_class = ClassOf(url, method);
  if (kPaths[request_class.path] == "/slow") {
    std::this_thread::sleep_for(kSlowTime);
  }
  request->path = request_class.path;
  request->is_answered = true;
  // Before the answer leaves: a client that has it finds it counted.
  Count(request_class);
  const std::string_view code = kCodes[request_class.code];
  return Respond(
      connection, static_cast<unsigned>(std::stoi(std::string(code))),
      code == "405" ? "method not allowed\n" : kAnswers[request_class.path]);
}

bool Server::Respond(MHD_Connection* connection, unsigned code,
                     std::string_view text) const {
  MHD_Response* response = MHD_create_response_from_buffer(
      text.size(), const_cast<char*>(text.data()), MHD_RESPMEM_MUST_COPY);
  if (response == nullptr) {
    return false;
  }
  MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                          "text/plain; charset=utf-8");
  if (code == MHD_HTTP_METHOD_NOT_ALLOWED) {
    MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
  }
  if (is_closing_.load()) {
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
  }
  const bool is_queued =
      MHD_queue_response(connection, code, response) == MHD_YES;
  MHD_destroy_response(response);
  return is_queued;
}

void Server::Count(const RequestClass& request_class) {
  ledger_->Attempt(request_class);
  kRequests
      .WithLabels(kMethods[request_class.method], kPaths[request_class.path],
                  kCodes[request_class.code])
      .Increment();
  ledger_->Done(request_class);
  if (answered_count_.fetch_add(1) + 1 == request_limit_) {
    is_closing_.store(true);
    const uint64_t one = 1;
    const ssize_t written = ::write(limit_reached_fd_, &one, sizeof(one));
    static_cast<void>(written);  // an eventfd takes it
  }
}

}  // namespace tine::demo
