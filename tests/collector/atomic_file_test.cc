#include "collector/atomic_file.h"

#include <dirent.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace tine::collector {
namespace {

class AtomicFileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "/atomic_file.XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
  }
  void TearDown() override {
    for (const std::string& name : Names()) {
      ::unlink((directory_ + "/" + name).c_str());
      ::rmdir((directory_ + "/" + name).c_str());
    }
    ::rmdir(directory_.c_str());
  }
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    DIR* const directory = ::opendir(directory_.c_str());
    while (const dirent* entry = ::readdir(directory)) {
      const std::string name = entry->d_name;
      if (name != "." && name != "..") {
        names.push_back(name);
      }
    }
    ::closedir(directory);
    return names;
  }
  static std::string Read(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file),
            std::istreambuf_iterator<char>()};
  }

  std::string directory_;
};

TEST_F(AtomicFileTest, NewFileHasTheContentAndTheUsualMode) {
  const std::string path = directory_ + "/new.prom";
  const mode_t saved_umask = ::umask(022);
  EXPECT_TRUE(WriteFileAtomically(path, "a 1\n").ok());
  ::umask(saved_umask);
  EXPECT_EQ(Read(path), "a 1\n");
  struct stat info;
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0644u);
  EXPECT_EQ(Names(), std::vector<std::string>{"new.prom"});
}

TEST_F(AtomicFileTest, OldFileIsReplacedAndItsReadersKeepIt) {
  const std::string path = directory_ + "/f";
  ASSERT_TRUE(WriteFileAtomically(path, "old").ok());
  std::ifstream reader(path);
  ASSERT_TRUE(WriteFileAtomically(path, "new and longer").ok());
  std::string seen;
  reader >> seen;
  EXPECT_EQ(seen, "old");
  EXPECT_EQ(Read(path), "new and longer");
}

TEST_F(AtomicFileTest, MissingDirectoryIsNamedInTheError) {
  const std::string path = directory_ + "/no/such";
  const absl::Status status = WriteFileAtomically(path, "x");
  EXPECT_EQ(status.message(),
            "cannot write " + path + ": No such file or directory");
}

TEST_F(AtomicFileTest, TargetThatIsADirectoryLeavesNothingBehind) {
  const std::string path = directory_ + "/sub";
  ASSERT_EQ(::mkdir(path.c_str(), 0700), 0);
  EXPECT_FALSE(WriteFileAtomically(path, "x").ok());
  EXPECT_FALSE(WriteFileAtomically(path + "/", "x").ok());
  EXPECT_EQ(Names(), std::vector<std::string>{"sub"});
}

TEST_F(AtomicFileTest, FileTooLargeLeavesTheOldOne) {
  const std::string path = directory_ + "/f";
  ASSERT_TRUE(WriteFileAtomically(path, "old").ok());
  rlimit saved;
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &saved), 0);
  rlimit small = saved;
  small.rlim_cur = 4096;
  std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const absl::Status status =
      WriteFileAtomically(path, std::string(100000, 'x'));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &saved), 0);
  EXPECT_EQ(status.message(), "cannot write " + path + ": File too large");
  EXPECT_EQ(Read(path), "old");
  EXPECT_EQ(Names(), std::vector<std::string>{"f"});
}

TEST_F(AtomicFileTest, NameWithoutDirectoryIsInTheWorkingDirectory) {
  char saved[4096];
  ASSERT_NE(::getcwd(saved, sizeof(saved)), nullptr);
  ASSERT_EQ(::chdir(directory_.c_str()), 0);
  EXPECT_TRUE(WriteFileAtomically("plain", "x").ok());
  ASSERT_EQ(::chdir(saved), 0);
  EXPECT_EQ(Read(directory_ + "/plain"), "x");
}

}  // namespace
}  // namespace tine::collector
