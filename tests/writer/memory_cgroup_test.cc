// Whose memory the pages of a metric file are: the writer's memory cgroup pays
// for them, and nobody's reading adds to it.

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "common/unique_fd.h"
#include "tests/writer/writer_test_base.h"
#include "writer/tine.h"

namespace tine::testing {
namespace {

constexpr uint64_t kMiB = 1 << 20;

// A memory cgroup of the test's own, version 2 or 1.
class MemoryCgroup {
 public:
  MemoryCgroup() {
    std::ifstream controllers("/sys/fs/cgroup/cgroup.subtree_control");
    for (std::string name; controllers >> name;) {
      if (name == "memory") {
        root_ = "/sys/fs/cgroup";
      }
    }
    if (root_.empty()) {
      root_ = "/sys/fs/cgroup/memory";
      usage_file_ = "/memory.usage_in_bytes";
    }
    std::string name = root_ + "/tine-test-XXXXXX";
    path_ = ::mkdtemp(name.data()) == nullptr ? "" : name;
  }
  MemoryCgroup(const MemoryCgroup&) = delete;
  MemoryCgroup& operator=(const MemoryCgroup&) = delete;
  ~MemoryCgroup() {
    if (!path_.empty()) {
      ::rmdir(path_.c_str());
    }
  }

  bool is_usable() const { return !path_.empty() && UsageBytes() != kUnknown; }
  // Moves the calling process in, or to the root.
  bool Enter() const { return MoveTo(path_); }
  bool Leave() const { return MoveTo(root_); }

  // All memory; exact to some 100 KiB at any moment, and a fork takes some.
  uint64_t UsageBytes() const {
    std::ifstream file(path_ + usage_file_);
    uint64_t bytes = kUnknown;
    file >> bytes;
    return file ? bytes : kUnknown;
  }
  // Pages of tmpfs files; exact after at most some seconds.
  uint64_t ShmemBytes() const {
    std::ifstream file(path_ + "/memory.stat");
    std::string name;
    for (uint64_t bytes; file >> name >> bytes;) {
      if (name == "shmem") {
        return bytes;
      }
    }
    return kUnknown;
  }

 private:
  static constexpr uint64_t kUnknown = UINT64_MAX;

  static bool MoveTo(const std::string& cgroup) {
    std::ofstream file(cgroup + "/cgroup.procs");
    file << ::getpid() << std::flush;
    return file.good();
  }

  std::string root_;
  std::string path_;
  std::string usage_file_ = "/memory.current";
};

class MemoryCgroupTest : public WriterTest {
 protected:
  void SetUp() override {
    WriterTest::SetUp();
    if (!cgroup_.is_usable()) {
      GTEST_SKIP() << "no memory cgroup can be made here";
    }
  }

  std::string FilePath() const { return dir_.At(NamesIn(dir_.path()).at(0)); }

  uint64_t AllocatedBytes() const {
    struct stat info {};
    ::stat(FilePath().c_str(), &info);
    return static_cast<uint64_t>(info.st_blocks) * 512;
  }

  // Reads all of the file, outside of the cgroup, as a collector would.
  void ReadFromOutside(bool by_mapping) const {
    const int status = WaitFor(StartChild([&] {
      ASSERT_TRUE(cgroup_.Leave());
      const UniqueFd fd(::open(FilePath().c_str(), O_RDONLY | O_CLOEXEC));
      struct stat info {};
      ::fstat(fd.get(), &info);
      const auto size = static_cast<size_t>(info.st_size);
      if (by_mapping) {
        const void* base =
            ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd.get(), 0);
        for (size_t at = 0; at < size; at += 4096) {
          static_cast<void>(static_cast<const volatile char*>(base)[at]);
        }
      } else {
        std::vector<char> bytes(size);
        ASSERT_EQ(::pread(fd.get(), bytes.data(), size, 0), info.st_size);
      }
    }));
    EXPECT_TRUE(IsSuccess(status)) << EndingText(status);
  }

  const MemoryCgroup cgroup_;
};

TEST_F(MemoryCgroupTest, WriterPaysForItsPagesAndNobodyForReading) {
  Run([this] {
    ASSERT_TRUE(cgroup_.Enter());
    const uint64_t before_bytes = cgroup_.ShmemBytes();
    const CounterFamily family("c_total", "c", {"l"});
    for (int i = 0; i < 100; ++i) {
      family.WithLabels(std::to_string(i)).Increment();
    }
    const uint64_t file_bytes = AllocatedBytes();
    EXPECT_TRUE(WaitUntil([&] {
      return cgroup_.ShmemBytes() - before_bytes == file_bytes;
    })) << cgroup_.ShmemBytes()
        << " - " << before_bytes;
    std::cout << "1 thread, 100 counters: " << file_bytes / 1024
              << " KiB charged\n";

    const uint64_t usage_bytes = cgroup_.UsageBytes();
    ReadFromOutside(/*by_mapping=*/false);
    EXPECT_EQ(AllocatedBytes(), file_bytes);
    EXPECT_LT(cgroup_.UsageBytes(), usage_bytes + 8 * kMiB);
    // What it would be if readers mapped the file.
    ReadFromOutside(/*by_mapping=*/true);
    EXPECT_GE(AllocatedBytes(), 16 * kMiB);
  });
}

}  // namespace
}  // namespace tine::testing
