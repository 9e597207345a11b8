#include "collector/process_statistics.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <ctime>

#include "common/unique_fd.h"

namespace tine::collector {
namespace {

TEST(ProcessStatisticsTest, NumbersAreThoseOfThisProcess) {
  const ProcessStatistics statistics = ReadProcessStatistics();
  const auto now = static_cast<double>(std::time(nullptr));
  ASSERT_TRUE(statistics.start_time_seconds.has_value());
  EXPECT_GT(*statistics.start_time_seconds, now - 3600);
  EXPECT_LT(*statistics.start_time_seconds, now + 60);
  EXPECT_GE(statistics.cpu_seconds.value(), 0);
  EXPECT_GT(statistics.resident_memory_bytes.value(), 100e3);
  EXPECT_GT(statistics.virtual_memory_bytes.value(),
            *statistics.resident_memory_bytes);
  EXPECT_GE(statistics.max_fds.value_or(1e9), *statistics.open_fds);
}

TEST(ProcessStatisticsTest, OneMoreDescriptorCountsAsOne) {
  const double before = ReadProcessStatistics().open_fds.value();
  const UniqueFd fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(ReadProcessStatistics().open_fds.value(), before + 1);
}

}  // namespace
}  // namespace tine::collector
