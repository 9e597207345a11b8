// A core dump of a host holds nothing of its metric files: neither their pages
// nor the reserve, which dumping would make real.

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <string>

#include "tests/writer/run_mutant.h"
#include "tests/writer/writer_test_base.h"
#include "writer/tine.h"

namespace tine::testing {
namespace {

constexpr uint64_t kMiB = 1 << 20;
constexpr uint64_t kReserveBytes = 16 * kMiB;

class CoreDumpTest : public WriterTest {
 protected:
  void SetUp() override {
    WriterTest::SetUp();
    if (kHasAsan || kHasTsan) {
      GTEST_SKIP() << "sanitizers switch core dumps off";
    }
    std::ifstream file("/proc/sys/kernel/core_pattern");
    std::string pattern;
    std::getline(file, pattern);
    if (pattern.empty() || pattern.find_first_of("|/") != std::string::npos) {
      GTEST_SKIP() << "core dumps do not go to the working directory here: "
                   << pattern;
    }
    rlimit limit{};
    ::getrlimit(RLIMIT_CORE, &limit);
    if (limit.rlim_max != RLIM_INFINITY) {
      GTEST_SKIP() << "this process may not make core dumps";
    }
    ::setenv("TINE_LOG", "off", 1);
  }

  struct Dump {
    uint64_t file_bytes = 0;       // of the core file
    uint64_t allocated_bytes = 0;  // on its file system
  };

  // Dumps a child that has run `body`, with all kinds of mappings that a user
  // can ask for.
  Dump DumpAfter(const char* mutant, const std::function<void()>& body) const {
    const TestDirectory cwd;
    const ChildOutcome outcome = RunMutant(mutant, [&] {
      std::ofstream("/proc/self/coredump_filter") << "0x3b";
      const rlimit none{RLIM_INFINITY, RLIM_INFINITY};
      ::setrlimit(RLIMIT_CORE, &none);
      if (::chdir(cwd.path().c_str()) != 0) {
        ::_exit(2);
      }
      body();
      std::abort();
    });
    EXPECT_TRUE(outcome.WasKilledBy(SIGABRT)) << outcome.Description();
    Dump dump;
    for (const std::string& name : NamesIn(cwd.path())) {
      struct stat info {};
      ::stat(cwd.At(name).c_str(), &info);
      dump.file_bytes += static_cast<uint64_t>(info.st_size);
      dump.allocated_bytes += static_cast<uint64_t>(info.st_blocks) * 512;
    }
    EXPECT_GT(dump.file_bytes, 0u) << "no core file";
    return dump;
  }

  static void Count() { Counter("c_total", "c").Increment(); }

  // Counts in a process and in its child; the child is dumped alone, with its
  // parent's file covered and a file of its own.
  static void CountInChild() {
    Count();
    const pid_t pid = ::fork();
    if (pid == 0) {
      Count();
      return;
    }
    ::waitpid(pid, nullptr, 0);
    const rlimit zero{0, 0};
    ::setrlimit(RLIMIT_CORE, &zero);
  }

  uint64_t AllocatedBytes() const {
    struct stat info {};
    ::stat(dir_.At(NamesIn(dir_.path()).at(0)).c_str(), &info);
    return static_cast<uint64_t>(info.st_blocks) * 512;
  }

  static void Print(const char* what, const Dump& dump) {
    std::cout << what << ": " << dump.file_bytes / 1024 << " KiB, "
              << dump.allocated_bytes / 1024 << " KiB allocated\n";
  }
};

TEST_F(CoreDumpTest, ReserveIsNotDumped) {
  const Dump without = DumpAfter(nullptr, [] {});
  const Dump with = DumpAfter(nullptr, Count);
  ::setenv("TINE_MAX_BYTES", "65011712", 1);
  const Dump with_largest = DumpAfter(nullptr, Count);
  ::unsetenv("TINE_MAX_BYTES");
  const Dump of_child = DumpAfter(nullptr, CountInChild);
  Print("without the library", without);
  Print("with a reserve of 16 MiB", with);
  Print("with a reserve of 62 MiB", with_largest);
  Print("a child's, two reserves", of_child);
  // What is left: the tables and the registry, in private memory.
  EXPECT_LT(with.file_bytes, without.file_bytes + 4 * kMiB);
  EXPECT_LT(with_largest.file_bytes, without.file_bytes + 4 * kMiB);
  EXPECT_LT(of_child.file_bytes, without.file_bytes + 4 * kMiB);
  EXPECT_LT(with.allocated_bytes, without.allocated_bytes + kMiB);

  const Dump mutant = DumpAfter("reserve_is_dumped", Count);
  Print("without MADV_DONTDUMP", mutant);
  EXPECT_GT(mutant.file_bytes, without.file_bytes + kReserveBytes);
}

TEST_F(CoreDumpTest, DumpMakesNoReserveReal) {
  DumpAfter(nullptr, Count);
  EXPECT_LE(AllocatedBytes(), 64u << 10);
  std::filesystem::remove(dir_.At(NamesIn(dir_.path()).at(0)));
  DumpAfter("reserve_is_dumped", Count);
  EXPECT_GE(AllocatedBytes(), kReserveBytes);
}

}  // namespace
}  // namespace tine::testing
