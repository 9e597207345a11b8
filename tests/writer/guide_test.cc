// The examples of docs/INSTRUMENTS.md compile, none of their metrics is
// refused, and they count what the guide says.

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <string>

#include "tests/testing/metric_file_sum.h"
#include "tests/testing/test_directory.h"
#include "writer/tine.h"

namespace guide {

// Before the metrics, which are made with their process.
const tine::testing::TestDirectory& Directory() {
  static const auto* const directory = new tine::testing::TestDirectory();
  return *directory;
}
const int kDirectoryIsSet = ::setenv("TINE_DIR", Directory().path().c_str(), 1);

// Its code blocks, one after the other.
#include "tests/writer/guide_blocks.inc"

TEST(GuideTest, ExamplesCountWhatTheGuideSays) {
  ASSERT_EQ(kDirectoryIsSet, 0);
  Serve("GET", 200);
  Work();
  Handle();
  guide::Run();
  Measure();
  EXPECT_GE(Answer(), 0);
  Send();
  Turn();
  Reload();
  Query();
  Count("u");
  EXPECT_EQ(tine::GetWriterStatus().last_error, "");
  const auto files = tine::testing::ReadMetricFiles(Directory().path());
  ASSERT_EQ(files.size(), 1u);
  EXPECT_EQ(tine::testing::SumU64(files, "http_requests_total{GET,200}"), 2u);
  EXPECT_EQ(tine::testing::SumU64(files, "restarts_total"), 2u);
  EXPECT_EQ(tine::testing::SumF64(files, "busy_seconds_total"), 0.25);
  EXPECT_EQ(tine::testing::SumU64(files, "requests_in_flight"), 0u);
  EXPECT_EQ(latency.Count(), 1u);
  EXPECT_EQ(sizes.Sum(), 512);
  EXPECT_TRUE(valve.IsTrue(kShut));
  EXPECT_TRUE(valve.IsTrue(kStuck));
  EXPECT_FALSE(valve.IsTrue(kOpen));
  EXPECT_EQ(files[0].series.count("build_info{1.5,99ab}"), 1u);
  EXPECT_EQ(files[0].series.count("build_info{1.4,8f2c}"), 0u);
  EXPECT_EQ(tine::testing::SumU64(files, "queries_total{shop,orders,ok}"), 1u);
  EXPECT_EQ(tine::testing::SumU64(files, "user_requests_total{u}"), 1u);
}

}  // namespace guide
