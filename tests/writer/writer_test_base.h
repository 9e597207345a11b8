#ifndef TINE_TESTS_WRITER_WRITER_TEST_BASE_H_
#define TINE_TESTS_WRITER_WRITER_TEST_BASE_H_

#include <fcntl.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/metric_file_name.h"
#include "common/record_layout.h"
#include "common/unique_fd.h"
#include "gtest/gtest.h"
#include "tests/testing/child_process.h"
#include "tests/testing/metric_file_sum.h"
#include "tests/testing/sanitizers.h"
#include "tests/testing/test_directory.h"
#include "writer/process.h"

namespace tine::testing {

// Is it what TINE_STORE says, as the test's target has set it
// (store_tests.bzl)?
inline bool IsStore(std::string_view name) {
  const char* store = std::getenv("TINE_STORE");
  return store != nullptr && store == name;
}

// The library resolves its directory once per process image, so each scenario
// runs in a forked child that meets the library for the first time. The test
// process itself never uses it.
class WriterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(dir_.path(), "");
    ::setenv("TINE_DIR", dir_.path().c_str(), 1);
    for (const char* name :
         {"TINE_PROCESS_LABELS", "TINE_WORKER_ID", "TINE_DISABLE", "TINE_LOG",
          "TINE_MAX_BYTES", "TINE_MAX_FILES", "TINE_MAX_SLOTS",
          "TINE_ALLOW_DISK"}) {
      ::unsetenv(name);
    }
  }

  // Runs the scenario and expects it to end well.
  ChildOutcome Run(const std::function<void()>& scenario,
                   Ending ending = Ending::kQuick) {
    ChildOutcome outcome = RunInChild(
        [&] {
          scenario();
          SaveMemoryStore();
        },
        ending);
    EXPECT_TRUE(outcome.HasExited(0)) << outcome.Description();
    return outcome;
  }

  // All files, each expected to be sound.
  std::vector<MetricFileText> Read() const {
    SaveMemoryStore();
    std::vector<MetricFileText> files = ReadMetricFiles(dir_.path());
    EXPECT_EQ(DamageIn(files), "");
    return files;
  }

  // What a process counts in memory, as the files that it would have been.
  void SaveMemoryStore() const {
    if (!IsStore("memory")) {
      return;
    }
    for (const std::string& bytes : GetMetricFileBytes()) {
      format::FileHeader header;
      std::memcpy(&header, bytes.data(), sizeof(header));
      MetricFileName parts{header.pid, {}};
      std::memcpy(parts.uuid.bytes, header.uuid, sizeof(header.uuid));
      char name[kMaxMetricFileNameBytes + 1];
      FormatMetricFileName(parts, name);
      std::ofstream(dir_.At(name), std::ios::binary) << bytes;
    }
  }

  // As a collector asks: is there a write lock on the file?
  bool IsHeld(const std::string& name) const {
    const UniqueFd fd(::open(dir_.At(name).c_str(), O_RDONLY | O_CLOEXEC));
    EXPECT_TRUE(fd.valid()) << name;
    struct flock lock {};
    lock.l_type = F_RDLCK;
    lock.l_whence = SEEK_SET;
    EXPECT_EQ(::fcntl(fd.get(), F_OFD_GETLK, &lock), 0);
    return lock.l_type == F_WRLCK;
  }

  TestDirectory dir_;
};

// How many lines "tine: ..." the library wrote.
inline int LineCount(const std::string& stderr_text) {
  int count = 0;
  for (size_t at = stderr_text.find("tine: "); at != std::string::npos;
       at = stderr_text.find("tine: ", at + 1)) {
    ++count;
  }
  return count;
}

}  // namespace tine::testing

#endif  // TINE_TESTS_WRITER_WRITER_TEST_BASE_H_
