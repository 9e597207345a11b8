#include "collector/listen_address.h"

#include <gtest/gtest.h>

#include <string>

namespace tine::collector {
namespace {

std::string HostOf(std::string_view text) {
  const auto address = ParseListenAddress(text);
  return address.ok() ? address->host : address.status().ToString();
}

int PortOf(std::string_view text) {
  const auto address = ParseListenAddress(text);
  return address.ok() ? address->port : -1;
}

TEST(ListenAddressTest, PortAloneIsEveryInterface) {
  EXPECT_EQ(HostOf(":9974"), "");
  EXPECT_EQ(PortOf(":9974"), 9974);
}

TEST(ListenAddressTest, HostNameOrIpv4AndPort) {
  EXPECT_EQ(HostOf("127.0.0.1:9974"), "127.0.0.1");
  EXPECT_EQ(HostOf("localhost:0"), "localhost");
  EXPECT_EQ(PortOf("localhost:0"), 0);
  EXPECT_EQ(PortOf("h:65535"), 65535);
}

TEST(ListenAddressTest, BracketsHoldAnAddressOfEitherFamily) {
  EXPECT_EQ(HostOf("[::1]:9974"), "::1");
  EXPECT_EQ(PortOf("[::1]:9974"), 9974);
  EXPECT_EQ(HostOf("[::]:1"), "::");
  EXPECT_EQ(HostOf("[fe80::1%eth0]:1"), "fe80::1%eth0");
  EXPECT_EQ(HostOf("[10.0.0.1]:9100"), "10.0.0.1");
}

TEST(ListenAddressTest, WhatIsNoAddressIsNamedInTheError) {
  for (const char* text :
       {"",      "9974",        "localhost",  "localhost:", ":",
        ":http", ":65536",      ":-1",        ":+1",        ": 1",
        ":1 ",   "::1:9974",    "[::1]",      "[::1]9974",  "[::1:9974",
        "[]:1",  "a b:1",       "http://h:1", "[a]b:1",     "h:1\n",
        "a]:1",  ":99999999999"}) {
    const auto address = ParseListenAddress(text);
    ASSERT_FALSE(address.ok()) << text;
    EXPECT_NE(std::string(address.status().message())
                  .find('"' + std::string(text) + '"'),
              std::string::npos)
        << address.status();
  }
}

TEST(ListenAddressTest, FormatIsTheOtherWay) {
  for (const char* text : {":9974", "h:1", "127.0.0.1:0", "[::1]:9974"}) {
    EXPECT_EQ(FormatListenAddress(*ParseListenAddress(text)), text);
  }
}

}  // namespace
}  // namespace tine::collector
