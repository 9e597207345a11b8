#include "common/metrics_directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "common/unique_fd.h"
#include "gtest/gtest.h"

namespace tine {
namespace {

// A directory of its own in shared memory, removed at the end.
class MetricsDirectoryTest : public ::testing::Test {
 protected:
  MetricsDirectoryTest() {
    char name[] = "/dev/shm/directory-test-XXXXXX";
    root_ = ::mkdtemp(name);
    ::unsetenv("TINE_DIR");
  }
  ~MetricsDirectoryTest() override { std::filesystem::remove_all(root_); }

  std::string Make(const std::string& name, mode_t mode) {
    std::string path = root_ + "/" + name;
    EXPECT_EQ(::mkdir(path.c_str(), 0700), 0);
    EXPECT_EQ(::chmod(path.c_str(), mode), 0);
    return path;
  }

  UniqueFd Open(const std::string& path, bool may_create = false) {
    errno = 0;
    problem_ = nullptr;
    return UniqueFd(OpenMetricsDirectory(path.c_str(), may_create, &problem_));
  }

  std::string root_;
  const char* problem_ = nullptr;
};

TEST_F(MetricsDirectoryTest, ExplicitDirectoryWinsOverTheEnvironment) {
  ::setenv("TINE_DIR", "/from/environment", 1);
  EXPECT_EQ(ResolveMetricsDirectory("/explicit"), "/explicit");
  EXPECT_EQ(ResolveMetricsDirectory(""), "/from/environment");
}

TEST_F(MetricsDirectoryTest, EmptyEnvironmentIsNone) {
  ::setenv("TINE_DIR", "", 1);
  const std::string expected =
      std::filesystem::exists("/run/tine")
          ? "/run/tine"
          : "/dev/shm/tine-" + std::to_string(::geteuid());
  EXPECT_EQ(ResolveMetricsDirectory(""), expected);
}

TEST_F(MetricsDirectoryTest, RelativePathsAreTakenFromHere) {
  const std::string here = std::filesystem::current_path();
  EXPECT_EQ(ResolveMetricsDirectory("a/b"), here + "/a/b");
  ::setenv("TINE_DIR", "metrics", 1);
  EXPECT_EQ(ResolveMetricsDirectory(""), here + "/metrics");
}

TEST_F(MetricsDirectoryTest, MissingDirectoryIsNotMade) {
  EXPECT_FALSE(Open(root_ + "/missing", /*may_create=*/true).valid());
  EXPECT_EQ(errno, ENOENT);
  EXPECT_FALSE(std::filesystem::exists(root_ + "/missing"));
}

TEST_F(MetricsDirectoryTest, FileIsNoDirectory) {
  const std::string path = root_ + "/file";
  const UniqueFd file(::open(path.c_str(), O_CREAT | O_WRONLY, 0600));
  EXPECT_FALSE(Open(path).valid());
  EXPECT_EQ(errno, ENOTDIR);
}

TEST_F(MetricsDirectoryTest, WorldWritableOnesMustBeSticky) {
  EXPECT_FALSE(Open(Make("open", 0777)).valid());
  EXPECT_EQ(errno, EPERM);
  ASSERT_NE(problem_, nullptr);
  EXPECT_NE(std::string(problem_).find("sticky"), std::string::npos);
  EXPECT_TRUE(Open(Make("sticky", 01777)).valid());
  EXPECT_EQ(problem_, nullptr);
  EXPECT_TRUE(Open(Make("group", 03770)).valid());
  EXPECT_TRUE(Open(Make("own", 0700)).valid());
}

TEST_F(MetricsDirectoryTest, DescriptorIsNotInherited) {
  const UniqueFd fd = Open(Make("own", 0700));
  EXPECT_EQ(::fcntl(fd.get(), F_GETFD), FD_CLOEXEC);
}

// A name of the default's form, but not the default itself.
class PrivateDefaultTest : public MetricsDirectoryTest {
 protected:
  PrivateDefaultTest()
      : path_("/dev/shm/tine-99" + std::to_string(::getpid())) {}
  ~PrivateDefaultTest() override { std::filesystem::remove_all(path_); }

  const std::string path_;
};

TEST_F(PrivateDefaultTest, IsMadeForItsUserAloneWhateverTheUmask) {
  const mode_t old_umask = ::umask(0);
  EXPECT_FALSE(Open(path_, /*may_create=*/false).valid());
  EXPECT_TRUE(Open(path_, /*may_create=*/true).valid());
  ::umask(old_umask);
  struct stat info;
  ASSERT_EQ(::stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0700u);
  EXPECT_TRUE(Open(path_, /*may_create=*/true).valid());
}

TEST_F(PrivateDefaultTest, IsRefusedWhenOpenToOthers) {
  ASSERT_EQ(::mkdir(path_.c_str(), 0700), 0);
  ASSERT_EQ(::chmod(path_.c_str(), 0750), 0);
  EXPECT_FALSE(Open(path_, /*may_create=*/true).valid());
  EXPECT_EQ(errno, EPERM);
  EXPECT_NE(problem_, nullptr);
}

TEST_F(PrivateDefaultTest, IsRefusedWhenSomebodyElses) {
  if (::geteuid() != 0) {
    GTEST_SKIP() << "only root can give a directory away";
  }
  ASSERT_EQ(::mkdir(path_.c_str(), 0700), 0);
  ASSERT_EQ(::chown(path_.c_str(), 12345, 12345), 0);
  EXPECT_FALSE(Open(path_, /*may_create=*/true).valid());
  EXPECT_EQ(errno, EPERM);
}

TEST_F(PrivateDefaultTest, IsNotFollowedThroughALink) {
  ASSERT_EQ(::symlink(root_.c_str(), path_.c_str()), 0);
  EXPECT_FALSE(Open(path_, /*may_create=*/true).valid());
  EXPECT_TRUE(errno == ELOOP || errno == ENOTDIR) << errno;
}

TEST(FileSystemKindTest, NumbersAreWhatStatfsSays) {
  struct statfs info;
  ASSERT_EQ(::statfs("/dev/shm", &info), 0);
  EXPECT_EQ(FileSystemKindOf(static_cast<uint64_t>(info.f_type)),
            FileSystemKind::kMemory);
  ASSERT_EQ(::statfs("/proc", &info), 0);
  EXPECT_EQ(FileSystemKindOf(static_cast<uint64_t>(info.f_type)),
            FileSystemKind::kUnknown);
  EXPECT_EQ(FileSystemKindOf(0xef53), FileSystemKind::kDisk);
  EXPECT_EQ(FileSystemKindOf(0x65735546), FileSystemKind::kRemote);
  EXPECT_EQ(FileSystemKindOf(0x9123683e), FileSystemKind::kUnknown);  // btrfs
  EXPECT_EQ(FileSystemKindOf(0), FileSystemKind::kUnknown);
}

TEST(UniqueFdTest, OwnsItsDescriptorOnce) {
  const int number = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  {
    UniqueFd first(number);
    UniqueFd second(std::move(first));
    EXPECT_FALSE(first.valid());  // NOLINT(bugprone-use-after-move)
    EXPECT_EQ(second.get(), number);
    first = std::move(second);
    EXPECT_EQ(::fcntl(number, F_GETFD), FD_CLOEXEC);
  }
  EXPECT_EQ(::fcntl(number, F_GETFD), -1);
  UniqueFd released(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const int kept = released.Release();
  EXPECT_FALSE(released.valid());
  EXPECT_EQ(::close(kept), 0);
}

}  // namespace
}  // namespace tine
