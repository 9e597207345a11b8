// The protocol as thread sanitizer sees it. It follows neither another process
// nor a second mapping nor pread, so here a reader thread looks at the very
// mapping that the writer's threads write to, by the rules of FORMAT.md: `used`
// with acquire, then the records, each cell as one relaxed load. Built without
// the sanitizer, the numbers alone are checked.

#include <sys/wait.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/record_scanner.h"
#include "tests/testing/mutant.h"
#include "tests/writer/writer_test_base.h"
#include "writer/tine.h"

namespace tine::testing {
namespace {

constexpr int kThreads = 4;
constexpr int kSeriesOfThread = 1500;  // several chunks of 512 cells

// Where this process has its metric file mapped for writing.
const uint8_t* MappedFile(const std::string& directory) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    unsigned long begin = 0;
    unsigned long offset = 0;
    char access[5] = "";
    if (line.find(directory) != std::string::npos &&
        std::sscanf(line.c_str(), "%lx-%*x %4s %lx", &begin, access, &offset) ==
            3 &&
        offset == 0 && std::string(access) == "rw-s") {
      return reinterpret_cast<const uint8_t*>(begin);
    }
  }
  return nullptr;
}

// Reads the mapping as a collector reads the file.
class MappedReader : public RecordVisitor {
 public:
  explicit MappedReader(const uint8_t* file) : file_(file) {}

  // False on damage.
  bool Refresh() {
    const uint64_t used = __atomic_load_n(
        reinterpret_cast<const uint64_t*>(file_ + format::kHeaderDynamicOffset),
        __ATOMIC_ACQUIRE);
    if (!scanner_.SetUsedUntrusted(used, format::kMaxFileBytes)) {
      return false;
    }
    while (scanner_.WantsBytes()) {
      const uint8_t* record = file_ + scanner_.next_offset();
      format::RecordHeader header;
      std::memcpy(&header, record, sizeof(header));
      const size_t copied_bytes = format::IsMutableKind(header.kind)
                                      ? size_t{format::kRecordAlignment}
                                      : size_t{header.record_bytes};
      copy_.resize(copied_bytes / sizeof(uint64_t));
      std::memcpy(copy_.data(), record, copied_bytes);
      scanner_.Scan(reinterpret_cast<const uint8_t*>(copy_.data()),
                    copied_bytes, this);
    }
    return scanner_.damage().reason == DamageReason::kNone;
  }

  // The sum of all series' first cells.
  uint64_t Sum() const {
    uint64_t sum = 0;
    for (const uint32_t cell : first_cells_) {
      for (const uint8_t* cells : blocks_.at(cell / format::kCellsPerBlock)) {
        sum += __atomic_load_n(reinterpret_cast<const uint64_t*>(cells) +
                                   cell % format::kCellsPerBlock,
                               __ATOMIC_RELAXED);
      }
    }
    return sum;
  }

  void OnFamily(uint64_t, const FamilyView&) override {}
  void OnSeries(uint64_t, const SeriesView& series, uint32_t) override {
    first_cells_.push_back(series.first_cell);
  }
  void OnCells(uint64_t offset, const CellsView& cells) override {
    blocks_[cells.chunk].push_back(file_ + offset + format::kRecordAlignment);
  }

 private:
  const uint8_t* const file_;
  RecordScanner scanner_;
  std::vector<uint64_t> copy_;  // for its alignment
  std::vector<uint32_t> first_cells_;
  std::map<uint32_t, std::vector<const uint8_t*>> blocks_;  // by chunk
};

// Threads make series and count in them while one reads along. Ends the process
// with 0 when all that was read was possible and in the end all was there.
void CountAndReadAlong(const std::string& directory) {
  CounterFamily family("t_total", "t", {"thread", "i"});
  ASSERT_TRUE(Init().ok());
  const uint8_t* file = MappedFile(directory);
  ASSERT_NE(file, nullptr);
  std::atomic<bool> is_over{false};
  std::thread reader([&] {
    MappedReader mapped(file);
    uint64_t sum = 0;
    for (bool is_last = false; !is_last;) {
      is_last = is_over.load();
      ASSERT_TRUE(mapped.Refresh());
      EXPECT_GE(mapped.Sum(), sum) << "a counter fell";
      sum = mapped.Sum();
    }
    EXPECT_EQ(sum, uint64_t{kThreads} * kSeriesOfThread * 3);
  });
  std::vector<std::thread> writers;
  for (int thread = 0; thread < kThreads; ++thread) {
    writers.emplace_back([&family, thread] {
      for (int i = 0; i < kSeriesOfThread; ++i) {
        const Counter counter =
            family.WithLabels(std::to_string(thread), std::to_string(i));
        counter.Increment(2);
        counter.Increment();
      }
    });
  }
  for (std::thread& writer : writers) {
    writer.join();
  }
  is_over = true;
  reader.join();
}

using MemoryOrderTest = WriterTest;

TEST_F(MemoryOrderTest, ReaderOnTheSameMappingRacesWithNothing) {
  Run([this] { CountAndReadAlong(dir_.path()); });
}

// The control: without the release the sanitizer has a race to report.
TEST_F(MemoryOrderTest, PublishingWithoutReleaseIsReported) {
  if (!kHasTsan) {
    GTEST_SKIP() << "only thread sanitizer sees a missing release on x86-64";
  }
  const ChildOutcome outcome = RunInChild([this] {
    SetMutant("publish_without_release");
    CountAndReadAlong(dir_.path());
  });
  EXPECT_FALSE(outcome.HasExited(0));
  EXPECT_NE(outcome.stderr_text.find("data race"), std::string::npos)
      << outcome.Description();
}

}  // namespace
}  // namespace tine::testing
