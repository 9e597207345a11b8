#include "collector/http_server.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/collector/http_client.h"

namespace tine::collector {
namespace {

class HttpServerTest : public testing::Test {
 protected:
  void Start(HttpHandlers handlers, HttpServerOptions options = {}) {
    std::vector<ListenSocket> sockets;
    auto socket = BindListenSocket({"127.0.0.1", 0});
    ASSERT_TRUE(socket.ok()) << socket.status();
    port_ = socket->bound_address.port;
    sockets.push_back(*std::move(socket));
    auto server =
        HttpServer::Start(std::move(sockets), std::move(handlers), options);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  uint16_t port_ = 0;
  std::unique_ptr<HttpServer> server_;
};

HttpHandler Constant(const std::string& text) {
  return [text](const HttpRequest&) { return PlainTextResponse(200, text); };
}

TEST_F(HttpServerTest, GetCallsTheHandlerOfThePath) {
  Start({{"/a", Constant("this is a")}, {"/b", Constant("this is b")}});
  const HttpAnswer answer = Fetch(port_, "GET", "/b");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "this is b\n");
  EXPECT_TRUE(answer.HasHeader("Content-Type: text/plain; charset=utf-8"));
  EXPECT_TRUE(answer.HasHeader("Content-Length: 10"));
}

TEST_F(HttpServerTest, HeadHasTheHeadersOfGetAndNoBody) {
  Start({{"/a", Constant("this is a")}});
  const HttpAnswer answer = Fetch(port_, "HEAD", "/a");
  EXPECT_EQ(answer.status, 200);
  EXPECT_TRUE(answer.HasHeader("Content-Length: 10")) << answer.headers;
  EXPECT_EQ(answer.body, "");
}

TEST_F(HttpServerTest, QueryIsNotPartOfThePath) {
  Start({{"/a", [](const HttpRequest& request) {
            return PlainTextResponse(200, std::string(request.path));
          }}});
  EXPECT_EQ(Fetch(port_, "GET", "/a?b=c&d").body, "/a\n");
}

TEST_F(HttpServerTest, PathMustMatchExactly) {
  Start({{"/metrics", Constant("x")}, {"/", Constant("root")}});
  for (const char* path :
       {"/metricsfoo", "/metrics/", "/metrics/foo", "/Metrics", "//metrics",
        "/x/../metrics", "/metric", "/%6detricsx"}) {
    EXPECT_EQ(Fetch(port_, "GET", path).status, 404) << path;
  }
  EXPECT_EQ(Fetch(port_, "HEAD", "/nothing").status, 404);
  EXPECT_EQ(Fetch(port_, "GET", "/").body, "root\n");
}

TEST_F(HttpServerTest, OtherMethodsAreNotAllowedAndToldWhichAre) {
  Start({{"/a", Constant("x")}});
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "PATCH"}) {
    const HttpAnswer answer = Fetch(port_, method, "/a");
    EXPECT_EQ(answer.status, 405) << method;
    EXPECT_TRUE(answer.HasHeader("Allow: GET, HEAD")) << answer.headers;
  }
  EXPECT_EQ(Fetch(port_, "POST", "/nothing").status, 404);
}

TEST_F(HttpServerTest, RequestBodyIsDropped) {
  Start({{"/a", Constant("x")}});
  EXPECT_EQ(Fetch(port_, "POST", "/a", false, std::string(100, 'b')).status,
            405);
  EXPECT_EQ(Fetch(port_, "GET", "/a", false, std::string(100, 'b')).status,
            200);
}

TEST_F(HttpServerTest, ExceptionIsAnswered500AndTheNextRequestIsServed) {
  Start({{"/throws",
          [](const HttpRequest&) -> HttpResponse {
            throw std::runtime_error("disk on fire");
          }},
         {"/throws_int", [](const HttpRequest&) -> HttpResponse { throw 1; }},
         {"/a", Constant("x")}});
  const HttpAnswer answer = Fetch(port_, "GET", "/throws");
  EXPECT_EQ(answer.status, 500);
  EXPECT_EQ(answer.body, "internal error: disk on fire\n");
  EXPECT_EQ(Fetch(port_, "GET", "/throws_int").status, 500);
  EXPECT_EQ(Fetch(port_, "GET", "/a").status, 200);
}

TEST_F(HttpServerTest, LargeBodyArrivesWhole) {
  const auto body = std::make_shared<const std::string>(20 * 1000 * 1000, 'x');
  Start({{"/large", [&](const HttpRequest&) {
            return HttpResponse{200, "text/plain", body};
          }}});
  const HttpAnswer answer = Fetch(port_, "GET", "/large");
  EXPECT_TRUE(answer.body == *body) << answer.body.size();
  EXPECT_TRUE(answer.HasHeader("Content-Length: 20000000"));
}

TEST_F(HttpServerTest, OneConnectionServesSeveralRequests) {
  Start({{"/a", Constant("x")}});
  const UniqueFd fd(ConnectToLoopback(port_));
  const std::string requests =
      "GET /a HTTP/1.1\r\nHost: t\r\n\r\n"
      "GET /a HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n";
  ::send(fd.get(), requests.data(), requests.size(), MSG_NOSIGNAL);
  const std::string text = ReadToEnd(fd.get());
  const size_t second = text.find("HTTP/1.1 200", 1);
  EXPECT_NE(second, std::string::npos) << text;
}

TEST_F(HttpServerTest, GarbageIsNoRequest) {
  HttpServerOptions options;
  options.idle_timeout = std::chrono::seconds(1);  // some looks half a request
  Start({{"/a", Constant("x")}}, options);
  for (const std::string& garbage :
       {std::string("\0\1\2\r\n\r\n", 7), std::string("GET\r\n\r\n"),
        "GET /" + std::string(100000, 'a') + " HTTP/1.1\r\n\r\n"}) {
    const UniqueFd fd(ConnectToLoopback(port_));
    ::send(fd.get(), garbage.data(), garbage.size(), MSG_NOSIGNAL);
    ::shutdown(fd.get(), SHUT_WR);
    ReadToEnd(fd.get());
  }
  EXPECT_EQ(Fetch(port_, "GET", "/a").status, 200);
}

TEST_F(HttpServerTest, RequestsRunAtTheSameTime) {
  std::promise<void> first_entered;
  std::promise<void> second_came;
  std::atomic<bool> first_saw_second{false};
  Start({{"/first",
          [&](const HttpRequest&) {
            first_entered.set_value();
            first_saw_second =
                second_came.get_future().wait_for(std::chrono::seconds(20)) ==
                std::future_status::ready;
            return PlainTextResponse(200, "first");
          }},
         {"/second", [&](const HttpRequest&) {
            second_came.set_value();
            return PlainTextResponse(200, "second");
          }}});
  std::thread first([&] { Fetch(port_, "GET", "/first"); });
  first_entered.get_future().wait();
  Fetch(port_, "GET", "/second");
  first.join();
  EXPECT_TRUE(first_saw_second);
}

TEST_F(HttpServerTest, StopLetsAnAnswerUnderWayFinish) {
  std::promise<void> entered;
  std::promise<void> leave;
  Start({{"/slow", [&](const HttpRequest&) {
            entered.set_value();
            leave.get_future().wait();
            return PlainTextResponse(200, "done");
          }}});
  HttpAnswer answer;
  std::thread client([&] { answer = Fetch(port_, "GET", "/slow"); });
  entered.get_future().wait();
  std::thread stopper([&] { server_->Stop(); });
  // Nobody new gets in while the old one is still being served.
  while (UniqueFd(ConnectToLoopback(port_)).valid()) {
    std::this_thread::yield();
  }
  leave.set_value();
  client.join();
  stopper.join();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "done\n");
}

TEST_F(HttpServerTest, StopClosesIdleConnections) {
  Start({{"/a", Constant("x")}});
  const UniqueFd idle(ConnectToLoopback(port_));
  EXPECT_EQ(Fetch(port_, "GET", "/a").status, 200);
  server_->Stop();
  server_->Stop();
  EXPECT_EQ(ReadToEnd(idle.get()), "");
  EXPECT_FALSE(UniqueFd(ConnectToLoopback(port_)).valid());
}

TEST_F(HttpServerTest, IdleConnectionIsClosedAfterTheTimeout) {
  HttpServerOptions options;
  options.idle_timeout = std::chrono::seconds(1);
  Start({{"/a", Constant("x")}}, options);
  const UniqueFd idle(ConnectToLoopback(port_));
  EXPECT_EQ(ReadToEnd(idle.get()), "");  // returns when the server closes
}

TEST_F(HttpServerTest, ConnectionsBeyondTheLimitWaitAndAreServedLater) {
  HttpServerOptions options;
  options.thread_count = 2;
  options.connection_limit = 2;
  Start({{"/a", Constant("x")}}, options);
  std::vector<std::thread> clients;
  std::atomic<int> served{0};
  for (int i = 0; i < 20; ++i) {
    clients.emplace_back(
        [&] { served += Fetch(port_, "GET", "/a").status == 200 ? 1 : 0; });
  }
  for (std::thread& client : clients) {
    client.join();
  }
  EXPECT_EQ(served, 20);
}

TEST(HttpServerSocketsTest, SeveralSocketsServeTheSamePages) {
  std::vector<ListenSocket> sockets;
  std::vector<std::pair<uint16_t, bool>> ports;
  for (const char* host : {"127.0.0.1", "127.0.0.1", "::1"}) {
    auto socket = BindListenSocket({host, 0});
    if (!socket.ok()) {
      continue;  // no IPv6 here
    }
    ports.emplace_back(socket->bound_address.port,
                       socket->bound_address.host == "::1");
    sockets.push_back(*std::move(socket));
  }
  ASSERT_GE(ports.size(), 2u);
  auto server =
      HttpServer::Start(std::move(sockets), {{"/a", Constant("x")}}, {});
  ASSERT_TRUE(server.ok()) << server.status();
  for (const auto& [port, use_ipv6] : ports) {
    EXPECT_EQ(Fetch(port, "GET", "/a", use_ipv6).status, 200);
  }
}

}  // namespace
}  // namespace tine::collector
