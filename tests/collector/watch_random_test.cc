// Random things happen to a directory; whenever it is quiet, a collector that
// runs serves what one that starts then would, and the last numbers of what has
// vanished.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "common/metric_file_name.h"
#include "tests/collector/watch_bench.h"
#include "tests/testing/test_effort.h"

namespace tine::collector {
namespace {

using testing::MetricFileBuilder;

class RandomWatch {
 public:
  RandomWatch(bool has_thread, uint64_t seed)
      : has_thread_(has_thread), random_(seed), bench_(has_thread) {}

  void Run(int step_count) {
    for (int i = 0; i < step_count; ++i) {
      Step();
      if (Below(4) == 0) {
        Scrape();
      }
      if (Below(8) == 0) {
        Check();
      }
      if (::testing::Test::HasFailure()) {
        ADD_FAILURE() << "after:" << history_;
        return;
      }
    }
    Check();
  }

 private:
  // Where a file is. What is not visible is counted on if it was seen.
  enum class Place { kVisible, kAway, kGone, kPartial };
  struct File {
    std::string key;
    std::unique_ptr<MetricFileBuilder> builder;
    std::string name;
    uint64_t value = 0;
    Place place = Place::kVisible;
    bool is_live = false;
    bool is_seen = false;  // a scrape has found it
  };

  uint64_t Below(uint64_t end) { return random_() % end; }
  std::string At(const std::string& name) const {
    return bench_.path() + "/" + name;
  }
  std::string Away(const File& file) const {
    return bench_.workshop() + "/" + file.key;
  }

  // A random file in `place`; null: none.
  File* Pick(Place place) {
    std::vector<File*> candidates;
    for (File& file : files_) {
      if (file.place == place) {
        candidates.push_back(&file);
      }
    }
    return candidates.empty() ? nullptr : candidates[Below(candidates.size())];
  }

  // A thread may have opened a file before it goes, or not; a scrape makes it
  // certain.
  void BeforeItGoes() {
    if (has_thread_) {
      Scrape();
    }
  }

  void Scrape() {
    bench_.Text();
    for (File& file : files_) {
      file.is_seen |= file.place == Place::kVisible;
    }
  }

  void Check() {
    Scrape();
    std::set<std::string> kept;
    for (const File& file : files_) {
      if (file.place != Place::kVisible && file.is_seen) {
        kept.insert(file.key);
      }
    }
    bench_.ExpectFresh(kept);
    for (const File& file : files_) {
      const bool is_counted = file.place == Place::kVisible || file.is_seen;
      EXPECT_EQ(bench_.Value(file.key),
                is_counted ? static_cast<double>(file.value) : -1)
          << "file " << file.key;
    }
    EXPECT_EQ(bench_.statistics().overflows, overflow_count_);
  }

  void Create(bool is_live) {
    File file;
    file.key = std::to_string(files_.size());
    file.value = Below(100);
    file.builder = is_live ? bench_.NewFile(file.key, file.value)
                           : bench_.NewDeadFile(file.key, file.value);
    file.name = file.builder->name();
    file.is_live = is_live;
    files_.push_back(std::move(file));
  }

  void Count() {
    File& file = files_[Below(files_.size())];
    if (file.is_live) {
      file.builder->AddU64(0, 1);
      ++file.value;
    }
  }

  void Die() {
    File& file = files_[Below(files_.size())];
    if (file.is_live) {
      file.builder->ReleaseLifeLock();
      file.is_live = false;
    }
  }

  void Rename(File* file) {
    char name[kMaxMetricFileNameBytes + 1];
    FormatMetricFileName(
        {static_cast<uint32_t>(Below(5)), file->builder->uuid()}, name);
    EXPECT_EQ(::rename(At(file->name).c_str(), At(name).c_str()), 0);
    file->name = name;
  }

  void MoveAway(File* file) {
    EXPECT_EQ(::rename(At(file->name).c_str(), Away(*file).c_str()), 0);
    file->place = Place::kAway;
  }

  void MoveBack(File* file) {
    EXPECT_EQ(::rename(Away(*file).c_str(), At(file->name).c_str()), 0);
    file->place = Place::kVisible;
  }

  void Unlink(File* file) {
    EXPECT_EQ(::unlink(At(file->name).c_str()), 0);
    file->place = Place::kGone;
  }

  // Something that is no metric file, under the name of one.
  void PutRubbish(const std::string& name) {
    const std::string path = At(name);
    switch (Below(5)) {
      case 0:
        std::ofstream(path) << "rubbish";
        break;
      case 1:
        ::mkfifo(path.c_str(), 0600);
        break;
      case 2:
        EXPECT_EQ(::symlink("/etc/passwd", path.c_str()), 0);
        break;
      case 3:
        ::mkdir(path.c_str(), 0700);
        break;
      default:
        std::ofstream(At(".tine-tmp-0123456789abcdef0123456789abcdef")) << "x";
        break;
    }
  }

  void Rubbish() {
    const std::string name = "7." + std::string(32, 'a') + ".tine";
    if (std::filesystem::exists(std::filesystem::symlink_status(At(name)))) {
      std::filesystem::remove_all(At(name));
    } else {
      PutRubbish(name);
    }
  }

  void Replace(File* file) {
    const std::string rubbish = bench_.workshop() + "/rubbish";
    std::ofstream(rubbish) << "rubbish";
    EXPECT_EQ(::rename(rubbish.c_str(), At(file->name).c_str()), 0);
    file->place = Place::kGone;
  }

  // Copied in, in two pieces, while the original is away.
  void BeginCopy(File* file) {
    if (file->is_live || file->is_seen) {
      return;
    }
    std::ifstream whole(Away(*file), std::ios::binary);
    std::string bytes(1 + Below(5'000), '\0');
    whole.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    std::ofstream(At(file->name), std::ios::binary) << bytes;
    file->place = Place::kPartial;
  }

  void FinishCopy(File* file) {
    std::filesystem::copy_file(
        Away(*file), At(file->name),
        std::filesystem::copy_options::overwrite_existing);
    file->place = Place::kVisible;
  }

  void RemoveDirectory() {
    std::filesystem::remove_all(bench_.path());
    for (File& file : files_) {
      if (file.place == Place::kVisible || file.place == Place::kPartial) {
        file.place = Place::kGone;
      }
    }
    if (Below(2) == 0) {
      Scrape();
    }
    bench_.MakeDirectory();
  }

  void DirectoryAwayAndBack() {
    const std::string away = bench_.path() + "-away";
    EXPECT_EQ(::rename(bench_.path().c_str(), away.c_str()), 0);
    if (Below(2) == 0) {
      bench_.Text();
    }
    EXPECT_EQ(::rename(away.c_str(), bench_.path().c_str()), 0);
  }

  void Overflow() {
    bench_.Text();
    overflow_count_ += bench_.OverflowAround([] {}) ? 1 : 0;
    ::unlink(At("x").c_str());
    Scrape();  // or the removal may overflow the queue again
  }

  void StepWithFile(uint64_t choice) {
    File* const visible = Pick(Place::kVisible);
    File* const away = Pick(Place::kAway);
    File* const partial = Pick(Place::kPartial);
    if (choice == 0 && visible != nullptr) {
      history_ += " rename " + visible->key;
      Rename(visible);
    } else if (choice == 1 && visible != nullptr) {
      history_ += " away " + visible->key;
      BeforeItGoes();
      MoveAway(visible);
    } else if (choice == 2 && away != nullptr) {
      history_ += " back " + away->key;
      MoveBack(away);
    } else if (choice == 3 && visible != nullptr) {
      history_ += " unlink " + visible->key;
      BeforeItGoes();
      Unlink(visible);
    } else if (choice == 4 && visible != nullptr) {
      history_ += " replace " + visible->key;
      BeforeItGoes();
      Replace(visible);
    } else if (choice == 5 && away != nullptr) {
      history_ += " begin copy " + away->key;
      BeginCopy(away);
    } else if (choice == 6 && partial != nullptr) {
      history_ += " finish copy " + partial->key;
      FinishCopy(partial);
    }
  }

  void Step() {
    const uint64_t choice = Below(100);
    if (choice < 25 || files_.empty()) {
      history_ += " create";
      Create(choice % 2 == 0);
    } else if (choice < 40) {
      Count();
    } else if (choice < 50) {
      history_ += " die";
      Die();
    } else if (choice < 85) {
      StepWithFile(choice % 7);
    } else if (choice < 92) {
      history_ += " rubbish";
      Rubbish();
    } else if (choice < 95) {
      history_ += " remove directory";
      BeforeItGoes();
      RemoveDirectory();
    } else if (choice < 98) {
      history_ += " directory away and back";
      DirectoryAwayAndBack();
    } else if (choice < 99) {
      history_ += " overflow";
      Overflow();
    }
  }

  const bool has_thread_;
  std::mt19937_64 random_;
  WatchBench bench_;
  std::vector<File> files_;
  uint64_t overflow_count_ = 0;
  std::string history_;
};

class WatchRandomTest : public ::testing::TestWithParam<bool> {};

TEST_P(WatchRandomTest, ServesWhatAFreshCollectorWouldWheneverItIsQuiet) {
  const uint64_t seed = testing::TestSeed();
  for (int round = 0; round < testing::Rounds(40); ++round) {
    RandomWatch(GetParam(), seed + static_cast<uint64_t>(round)).Run(120);
    ASSERT_FALSE(HasFailure())
        << "in round " << round << ", alone: "
        << "TINE_TEST_SEED=" << seed + static_cast<uint64_t>(round);
  }
}

INSTANTIATE_TEST_SUITE_P(WithAndWithoutThread, WatchRandomTest,
                         ::testing::Bool(),
                         [](const ::testing::TestParamInfo<bool>& has_thread) {
                           return has_thread.param ? "Thread" : "OneShot";
                         });

}  // namespace
}  // namespace tine::collector
