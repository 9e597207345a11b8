// Temporary files: whose writer did not live to name them, and only those.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ctime>
#include <filesystem>
#include <fstream>
#include <string>

#include "collector/collect_loop.h"
#include "common/unique_fd.h"
#include "tests/testing/test_directory.h"

namespace {

// Nobody can give a file another time of birth, so the clock goes on instead.
time_t g_skipped_s = 0;

}  // namespace

// Linked in, it takes the place of the C library's.
extern "C" time_t time(time_t* out) noexcept {
  timespec now;
  ::clock_gettime(CLOCK_REALTIME, &now);
  if (out != nullptr) {
    *out = now.tv_sec + g_skipped_s;
  }
  return now.tv_sec + g_skipped_s;
}

namespace tine::collector {
namespace {

using ::testing::ElementsAre;

class TempFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    g_skipped_s = 0;
    struct statx info;
    ASSERT_EQ(
        ::statx(AT_FDCWD, directory_.path().c_str(), 0, STATX_BTIME, &info), 0);
    if ((info.stx_mask & STATX_BTIME) == 0) {
      GTEST_SKIP() << "this file system keeps no time of birth";
    }
  }

  Collector NewCollector(bool may_fold) const {
    CollectorOptions options;
    options.directory = directory_.path();
    options.folding.may_fold = may_fold;
    return Collector(std::move(options));
  }

  std::string Leave(const std::string& name) const {
    const std::string path = directory_.At(name);
    std::ofstream(path) << "half a file";
    return path;
  }

  const std::string name_ = ".tine-tmp-" + std::string(32, 'a');
  testing::TestDirectory directory_;
};

TEST_F(TempFileTest, OldOneGoesAndAYoungOneStays) {
  const std::string path = Leave(name_);
  NewCollector(true).FoldNow();
  EXPECT_TRUE(std::filesystem::exists(path));
  EXPECT_THAT(NewCollector(false).PlanFold({}).temp_files, ElementsAre());
  g_skipped_s = 62;
  EXPECT_THAT(NewCollector(false).PlanFold({}).temp_files, ElementsAre(name_));
  EXPECT_TRUE(std::filesystem::exists(path));
  Collector folder = NewCollector(true);
  folder.FoldNow();
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_EQ(folder.statistics().folding.removed_temp_files, 1u);
}

TEST_F(TempFileTest, LockedOneStaysWhateverItsAge) {
  const std::string path = Leave(name_);
  {
    const UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    struct flock lock = {};
    lock.l_type = F_WRLCK;
    ASSERT_EQ(::fcntl(fd.get(), F_OFD_SETLK, &lock), 0);
    g_skipped_s = 3600;
    NewCollector(true).FoldNow();
    EXPECT_TRUE(std::filesystem::exists(path));
  }
  NewCollector(true).FoldNow();
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(TempFileTest, OtherNamesAreNobodysBusiness) {
  const std::string other = Leave(".tine-tmp-of-mine");
  std::filesystem::create_symlink("/etc/passwd", directory_.At(name_));
  g_skipped_s = 3600;
  NewCollector(true).FoldNow();
  EXPECT_TRUE(std::filesystem::exists(other));
  EXPECT_TRUE(std::filesystem::is_symlink(directory_.At(name_)));
}

}  // namespace
}  // namespace tine::collector
