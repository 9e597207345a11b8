#include "collector/listen_socket.h"

#include <gtest/gtest.h>
#include <netdb.h>

#include <string>

#include "tests/collector/http_client.h"

namespace tine::collector {
namespace {

TEST(ListenSocketTest, PortZeroIsPickedAndReported) {
  const auto socket = BindListenSocket({"127.0.0.1", 0});
  ASSERT_TRUE(socket.ok()) << socket.status();
  EXPECT_EQ(socket->bound_address.host, "127.0.0.1");
  EXPECT_NE(socket->bound_address.port, 0);
  EXPECT_TRUE(UniqueFd(ConnectToLoopback(socket->bound_address.port)).valid());
}

TEST(ListenSocketTest, WithoutHostBothFamiliesReachIt) {
  const auto socket = BindListenSocket({"", 0});
  ASSERT_TRUE(socket.ok()) << socket.status();
  const uint16_t port = socket->bound_address.port;
  EXPECT_TRUE(UniqueFd(ConnectToLoopback(port)).valid());
  if (!BindListenSocket({"::1", 0}).ok()) {
    GTEST_SKIP() << "this machine has no IPv6";
  }
  EXPECT_TRUE(UniqueFd(ConnectToLoopback(port, /*use_ipv6=*/true)).valid());
}

TEST(ListenSocketTest, NameIsResolved) {
  addrinfo* found = nullptr;
  if (::getaddrinfo("localhost", nullptr, nullptr, &found) != 0) {
    GTEST_SKIP() << "this machine does not know localhost (no /etc/hosts)";
  }
  ::freeaddrinfo(found);
  const auto socket = BindListenSocket({"localhost", 0});
  ASSERT_TRUE(socket.ok()) << socket.status();
}

TEST(ListenSocketTest, AddressInUseIsNamedInTheError) {
  const auto first = BindListenSocket({"127.0.0.1", 0});
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = BindListenSocket(first->bound_address);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(std::string(second.status().message()),
            "cannot listen on 127.0.0.1:" +
                std::to_string(first->bound_address.port) +
                ": Address already in use");
}

TEST(ListenSocketTest, AddressOfAnotherMachineIsNamedInTheError) {
  const auto socket = BindListenSocket({"192.0.2.1", 0});  // RFC 5737
  ASSERT_FALSE(socket.ok());
  EXPECT_EQ(socket.status().message(),
            "cannot listen on 192.0.2.1:0: Cannot assign requested address");
}

TEST(ListenSocketTest, HostThatDoesNotExistIsNamedInTheError) {
  const auto socket = BindListenSocket({"no-such-host.invalid", 1});
  ASSERT_FALSE(socket.ok());
  EXPECT_EQ(std::string(socket.status().message())
                .rfind("cannot listen on no-such-host.invalid:1: ", 0),
            0u)
      << socket.status();
}

}  // namespace
}  // namespace tine::collector
