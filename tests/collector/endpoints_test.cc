#include "collector/endpoints.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "version.h"

namespace tine::collector {
namespace {

class EndpointsTest : public testing::Test {
 protected:
  HttpResponse Get(const std::string& path) {
    return handlers_.at(path)({"GET", path});
  }
  EndpointSources Sources() {
    return {[this] { return is_ready_; },
            [this]() -> std::string {
              if (fails_) {
                throw std::runtime_error("no memory");
              }
              return "up 1\n";
            }};
  }

  bool is_ready_ = true;
  bool fails_ = false;
  HttpHandlers handlers_ = MakeEndpoints("/metrics", Sources());
};

TEST_F(EndpointsTest, MetricsAreTextWithItsVersion) {
  const HttpResponse response = Get("/metrics");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.content_type, "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_EQ(*response.body, "up 1\n");
}

TEST_F(EndpointsTest, UntilReadyMetricsAre503WithOneLine) {
  is_ready_ = false;
  for (const char* path : {"/metrics", "/-/ready"}) {
    const HttpResponse response = Get(path);
    EXPECT_EQ(response.status, 503) << path;
    EXPECT_EQ(response.body->find('\n'), response.body->size() - 1) << path;
  }
  EXPECT_EQ(Get("/-/healthy").status, 200);
  is_ready_ = true;
  EXPECT_EQ(Get("/metrics").status, 200);
  EXPECT_EQ(Get("/-/ready").status, 200);
}

TEST_F(EndpointsTest, FailedScrapeThrowsAndTheNextIsServed) {
  fails_ = true;
  EXPECT_THROW(Get("/metrics"), std::runtime_error);
  fails_ = false;
  EXPECT_EQ(Get("/metrics").status, 200);
}

TEST_F(EndpointsTest, LandingPageNamesVersionAndLinks) {
  const HttpResponse response = Get("/");
  EXPECT_EQ(response.content_type, "text/html; charset=utf-8");
  for (const std::string& part :
       {std::string("Tine collector"), std::string(kVersion),
        std::string("href=\"/metrics\""), std::string("href=\"/-/ready\"")}) {
    EXPECT_NE(response.body->find(part), std::string::npos) << part;
  }
}

TEST_F(EndpointsTest, OtherTelemetryPathMovesThePage) {
  handlers_ = MakeEndpoints("/a<b&\"c", Sources());
  EXPECT_EQ(*Get("/a<b&\"c").body, "up 1\n");
  EXPECT_EQ(handlers_.count("/metrics"), 0u);
  EXPECT_NE(Get("/").body->find("href=\"/a&lt;b&amp;&quot;c\""),
            std::string::npos);
  handlers_ = MakeEndpoints("/", Sources());
  EXPECT_EQ(*Get("/").body, "up 1\n");
}

TEST(TelemetryPathTest, MustBeAPlainPathThatIsFree) {
  for (const char* path : {"/metrics", "/", "/a/b", "/-/metrics"}) {
    EXPECT_TRUE(CheckTelemetryPath(path).ok()) << path;
  }
  for (const char* path : {"", "metrics", "/-/ready", "/-/healthy", "/a?b",
                           "/a#b", "/a b", "/%41"}) {
    EXPECT_FALSE(CheckTelemetryPath(path).ok()) << path;
  }
}

}  // namespace
}  // namespace tine::collector
