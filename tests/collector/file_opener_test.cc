#include "collector/file_opener.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "tests/testing/test_directory.h"

namespace tine::collector {
namespace {

class FileOpenerTest : public ::testing::Test {
 protected:
  FileOpenerTest()
      : fd_(::open(directory_.path().c_str(), O_RDONLY | O_DIRECTORY)) {}

  std::string Path(const std::string& name) const {
    return directory_.path() + "/" + name;
  }
  void Write(const std::string& name, const std::string& text) const {
    std::ofstream(Path(name)) << text;
  }
  OpenedFile Open(const std::string& name, uint64_t max_bytes = 100) const {
    return OpenUntrustedFile(fd_.get(), name.c_str(), max_bytes);
  }

  testing::TestDirectory directory_;
  UniqueFd fd_;
};

TEST_F(FileOpenerTest, OpensARegularFileReadOnlyAndTellsItsFacts) {
  Write("a", "hello");
  const OpenedFile file = Open("a");
  ASSERT_TRUE(file.fd.valid());
  struct stat info;
  ASSERT_EQ(::stat(Path("a").c_str(), &info), 0);
  EXPECT_EQ(file.facts.device, info.st_dev);
  EXPECT_EQ(file.facts.inode, info.st_ino);
  EXPECT_EQ(file.facts.size_bytes, 5u);
  EXPECT_EQ(file.facts.owner_uid, ::geteuid());
  EXPECT_EQ(::fcntl(file.fd.get(), F_GETFL) & O_ACCMODE, O_RDONLY);
  EXPECT_NE(::fcntl(file.fd.get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST_F(FileOpenerTest, FileThatIsNotThereIsGone) {
  EXPECT_TRUE(Open("a").is_gone);
}

TEST_F(FileOpenerTest, SymbolicLinkIsRefused) {
  Write("a", "hello");
  ASSERT_EQ(::symlink("a", Path("b").c_str()), 0);
  const OpenedFile file = Open("b");
  EXPECT_FALSE(file.fd.valid());
  EXPECT_EQ(file.problem, "symbolic_link");
  EXPECT_FALSE(file.is_retryable);
}

TEST_F(FileOpenerTest, FifoIsRefusedWithoutWaitingForItsWriter) {
  ASSERT_EQ(::mkfifo(Path("a").c_str(), 0600), 0);
  EXPECT_EQ(Open("a").problem, "not_regular");
}

TEST_F(FileOpenerTest, DirectoryIsRefused) {
  ASSERT_EQ(::mkdir(Path("a").c_str(), 0700), 0);
  EXPECT_EQ(Open("a").problem, "not_regular");
}

TEST_F(FileOpenerTest, FileWithTwoNamesIsRefused) {
  Write("a", "hello");
  ASSERT_EQ(::link(Path("a").c_str(), Path("b").c_str()), 0);
  EXPECT_EQ(Open("a").problem, "hard_link");
}

TEST_F(FileOpenerTest, FileOverTheCapIsRefusedEvenWhenItIsAllHoles) {
  Write("a", "");
  ASSERT_EQ(::truncate(Path("a").c_str(), int64_t{1} << 40), 0);
  EXPECT_EQ(Open("a").problem, "too_large");
}

TEST_F(FileOpenerTest, LeasedFileIsTriedLaterInsteadOfBlocking) {
  Write("a", "hello");
  ::signal(SIGIO, SIG_IGN);  // how the holder is told
  UniqueFd holder(::open(Path("a").c_str(), O_RDWR));
  ASSERT_EQ(::fcntl(holder.get(), F_SETLEASE, F_WRLCK), 0);
  const OpenedFile file = Open("a");
  EXPECT_FALSE(file.fd.valid());
  EXPECT_EQ(file.problem, "open_would_block");
  EXPECT_TRUE(file.is_retryable);
  holder.Reset();
  EXPECT_TRUE(Open("a").fd.valid());
}

TEST(FileFactsTest, NumberThatIsTakenAgainIsAnotherFile) {
  FileFacts facts;
  facts.device = 1;
  facts.inode = 2;
  facts.birth_ns = 3;
  facts.owner_uid = 4;
  FileFacts later = facts;
  EXPECT_TRUE(later.IsSameFile(facts));
  later.size_bytes = 5;
  later.owner_uid = 6;  // chown
  EXPECT_TRUE(later.IsSameFile(facts));
  later.birth_ns = 7;
  EXPECT_FALSE(later.IsSameFile(facts));
  // Where the file system keeps no birth, only the owner tells.
  facts.birth_ns = 0;
  later.birth_ns = 0;
  EXPECT_FALSE(later.IsSameFile(facts));
  later.owner_uid = facts.owner_uid;
  EXPECT_TRUE(later.IsSameFile(facts));
}

}  // namespace
}  // namespace tine::collector
