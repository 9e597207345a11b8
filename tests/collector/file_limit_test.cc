#include "collector/file_limit.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

namespace tine::collector {
namespace {

TEST(FileLimitTest, SoftLimitBecomesTheHardOne) {
  rlimit limit;
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  const rlim_t hard = limit.rlim_max;
  limit.rlim_cur = 64;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  RaiseFileLimit();
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_EQ(limit.rlim_cur, hard);
  EXPECT_EQ(limit.rlim_max, hard);
}

}  // namespace
}  // namespace tine::collector
