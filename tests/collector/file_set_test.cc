#include "collector/file_set.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "tests/testing/metric_file_builder.h"
#include "tests/testing/served_numbers.h"
#include "tests/testing/test_directory.h"

namespace tine::collector {
namespace {

using testing::BuilderHeader;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::LifeLockProcess;
using testing::MetricFileBuilder;
using ::testing::Pair;
using testing::ServedNumbers;
using ::testing::SizeIs;

class FileSetTest : public ::testing::Test {
 protected:
  FileSetTest()
      : directory_fd_(
            ::open(directory_.path().c_str(), O_RDONLY | O_DIRECTORY)),
        view_(MergedView::Limits()) {
    FileSet::Options options;
    options.host = HostIdentity::OfThisProcess();
    options.log = [this](LogLevel, const std::string& message) {
      log_.push_back(message);
    };
    files_ = std::make_unique<FileSet>(std::move(options), &view_, &archive_);
    files_->SetDirectory(directory_fd_.get());
  }

  std::string Path(const std::string& name) const {
    return directory_.path() + "/" + name;
  }
  void Rescan() {
    files_->Rescan();
    files_->OpenPending(SIZE_MAX);
  }
  ServedNumbers Serve() {
    files_->AddAll();
    return testing::NumbersOf(view_.Finish());
  }
  uint64_t Count(FileState state) const {
    return files_->statistics().files_by_state[static_cast<size_t>(state)];
  }

  testing::TestDirectory directory_;
  UniqueFd directory_fd_;
  std::vector<std::string> log_;
  MergedView view_;
  const Archive archive_;  // nothing has been folded
  std::unique_ptr<FileSet> files_;
};

TEST_F(FileSetTest, OnlyMetricFileNamesAreLookedAt) {
  MetricFileBuilder file(directory_.path());
  file.AddCounter("a_total", 1);
  std::ofstream(Path("README")) << "hello";
  std::ofstream(Path("x" + file.name())) << "hello";
  std::ofstream(Path(".tine-tmp-0123456789abcdef0123456789abcdef")) << "";
  Rescan();
  EXPECT_THAT(Serve(), ElementsAre(Pair("a_total{}", 1)));
  EXPECT_THAT(files_->files(), SizeIs(1));
  EXPECT_EQ(files_->statistics().temp_files, 1u);
  EXPECT_THAT(log_, IsEmpty());
}

TEST_F(FileSetTest, WarmScrapeParsesNoRecordTwice) {
  MetricFileBuilder file(directory_.path());
  file.HoldLifeLock();
  file.AddCounter("a_total", 1);
  Rescan();
  Serve();
  const uint64_t records = files_->statistics().reads.record_count;
  EXPECT_EQ(records, 3u);
  for (int i = 0; i < 5; ++i) {
    Rescan();
    Serve();
  }
  EXPECT_EQ(files_->statistics().reads.record_count, records);
}

TEST_F(FileSetTest, DeadFilesCostNoSystemCallOnceTheyAreRead) {
  for (int i = 0; i < 10; ++i) {
    MetricFileBuilder(directory_.path()).AddCounter("a_total", 1);
  }
  Rescan();
  EXPECT_THAT(Serve(), ElementsAre(Pair("a_total{}", 10)));
  const uint64_t calls = files_->statistics().reads.system_call_count;
  EXPECT_THAT(Serve(), ElementsAre(Pair("a_total{}", 10)));
  EXPECT_EQ(files_->statistics().reads.system_call_count, calls);
  EXPECT_EQ(Count(FileState::kDead), 10u);
}

TEST_F(FileSetTest, KillIsNoticedAtTheHintAndNumbersStay) {
  MetricFileBuilder file(directory_.path());
  file.AddCounter("a_total", 3);
  LifeLockProcess process(file.path());
  Rescan();
  EXPECT_THAT(Serve(), ElementsAre(Pair("a_total{}", 3)));
  EXPECT_EQ(Count(FileState::kLive), 1u);
  EXPECT_TRUE(files_->Look(file.name(), /*may_be_dead=*/true));
  process.Kill();
  EXPECT_FALSE(files_->Look(file.name(), /*may_be_dead=*/true));
  EXPECT_EQ(Count(FileState::kDead), 1u);
  EXPECT_THAT(Serve(), ElementsAre(Pair("a_total{}", 3)));
}

TEST_F(FileSetTest,
       ValuesOfLiveModesAreGoneAtTheFirstScrapeAfterAKillWithoutAnyHint) {
  MetricFileBuilder file(directory_.path());
  file.SetGauge(file.AddSeries(file.AddFamily(
                    testing::GaugeFamily("g", format::GaugeMode::kLiveMax))),
                3);
  LifeLockProcess process(file.path());
  Rescan();
  EXPECT_THAT(Serve(), ElementsAre(Pair("g{}", 3)));
  process.Kill();
  EXPECT_THAT(Serve(), IsEmpty());
}

TEST_F(FileSetTest, SecondFileWithAUuidIsQuarantinedWhateverComesFirst) {
  MetricFileBuilder file(directory_.path());
  file.AddCounter("a_total", 3);
  // Another name for the same identity; the copy was born later.
  char name[kMaxMetricFileNameBytes + 1];
  FormatMetricFileName({1, file.uuid()}, name);
  std::filesystem::copy_file(file.path(), Path(name));
  file.AddCounter("b_total", 1);
  Rescan();
  EXPECT_THAT(Serve(), ElementsAre(Pair("a_total{}", 3), Pair("b_total{}", 1)));
  EXPECT_EQ(Count(FileState::kQuarantined), 1u);
  EXPECT_EQ(files_->statistics().problems.at("duplicate_uuid"), 1u);
  EXPECT_THAT(log_, ElementsAre(HasSubstr("duplicate_uuid")));
}

TEST_F(FileSetTest, CopyWithAUuidThatIsKnownAddsNoSeries) {
  MetricFileBuilder file(directory_.path());
  file.AddCounter("a_total", 3);
  Rescan();
  testing::TestDirectory elsewhere;
  BuilderHeader header;
  header.uuid = file.uuid();
  header.pid = 1;
  MetricFileBuilder copy(elsewhere.path(), header);
  copy.AddCounter("b_total", 3);
  ASSERT_EQ(::rename(copy.path().c_str(), Path(copy.name()).c_str()), 0);
  Rescan();
  EXPECT_THAT(Serve(), ElementsAre(Pair("a_total{}", 3)));
  EXPECT_EQ(Count(FileState::kQuarantined), 1u);
}

TEST_F(FileSetTest,
       UnlinkedFileIsReadOnWhileItsLockIsHeldAndKeepsItsNumbersAfterwards) {
  MetricFileBuilder file(directory_.path());
  const uint32_t cell = file.AddCounter("a_total", 3);
  auto process = std::make_unique<LifeLockProcess>(file.path());
  Rescan();
  Serve();
  ASSERT_EQ(::unlink(file.path().c_str()), 0);
  Rescan();
  file.AddU64(cell, 4);
  EXPECT_THAT(Serve(), ElementsAre(Pair("a_total{}", 7)));
  EXPECT_EQ(Count(FileState::kVanished), 1u);
  EXPECT_EQ(files_->statistics().live_writers, 1u);
  file.AddU64(cell, 1);
  process->Kill();
  EXPECT_THAT(Serve(), ElementsAre(Pair("a_total{}", 8)));
  EXPECT_THAT(Serve(), ElementsAre(Pair("a_total{}", 8)));
  EXPECT_EQ(Count(FileState::kVanished), 1u);
  EXPECT_EQ(files_->statistics().dead_writers, 1u);
}

TEST_F(FileSetTest, FileThatIsMovedAwayAndBackCountsOnce) {
  MetricFileBuilder file(directory_.path());
  file.AddCounter("a_total", 3);
  Rescan();
  Serve();
  testing::TestDirectory elsewhere;
  const std::string away = elsewhere.path() + "/" + file.name();
  ASSERT_EQ(::rename(file.path().c_str(), away.c_str()), 0);
  Rescan();
  EXPECT_EQ(Count(FileState::kVanished), 1u);
  ASSERT_EQ(::rename(away.c_str(), file.path().c_str()), 0);
  Rescan();
  EXPECT_EQ(Count(FileState::kVanished), 0u);
  EXPECT_THAT(Serve(), ElementsAre(Pair("a_total{}", 3)));
}

TEST_F(FileSetTest, ReplacedFileKeepsTheOldNumbersAndTakesTheNewOnes) {
  MetricFileBuilder file(directory_.path());
  file.AddCounter("a_total", 3);
  Rescan();
  Serve();
  // The same name and uuid, other content: a copy of something, put in the
  // file's place.
  BuilderHeader header;
  header.uuid = file.uuid();
  testing::TestDirectory elsewhere;
  MetricFileBuilder other(elsewhere.path(), header);
  other.AddCounter("a_total", 100);
  ASSERT_EQ(::rename(other.path().c_str(), file.path().c_str()), 0);
  Rescan();
  EXPECT_THAT(Serve(), ElementsAre(Pair("a_total{}", 3)));
  EXPECT_EQ(Count(FileState::kVanished), 1u);
  EXPECT_EQ(Count(FileState::kQuarantined), 1u);
}

TEST_F(FileSetTest, HostileFilesAreQuarantinedByReasonAndOthersServed) {
  MetricFileBuilder good(directory_.path());
  good.AddCounter("a_total", 1);
  const auto name = [](char c) { return "1." + std::string(32, c) + ".tine"; };
  std::ofstream(Path(name('a'))) << "not a metric file";
  ASSERT_EQ(::mkfifo(Path(name('b')).c_str(), 0600), 0);
  ASSERT_EQ(::symlink("/etc/passwd", Path(name('c')).c_str()), 0);
  ASSERT_EQ(::mkdir(Path(name('d')).c_str(), 0700), 0);
  std::filesystem::copy_file(good.path(), Path(name('e')));
  Rescan();
  Rescan();
  EXPECT_THAT(Serve(), ElementsAre(Pair("a_total{}", 1)));
  EXPECT_THAT(files_->statistics().problems,
              ElementsAre(Pair("name_mismatch", 1), Pair("not_regular", 2),
                          Pair("short_header", 1), Pair("symbolic_link", 1)));
  EXPECT_THAT(log_, SizeIs(5));
  EXPECT_EQ(Count(FileState::kQuarantined), 5u);
}

TEST_F(FileSetTest, QuarantinedFileThatIsRemovedIsForgotten) {
  const std::string name = "1." + std::string(32, 'a') + ".tine";
  std::ofstream(Path(name)) << "x";
  Rescan();
  EXPECT_EQ(Count(FileState::kQuarantined), 1u);
  ASSERT_EQ(::unlink(Path(name).c_str()), 0);
  Rescan();
  EXPECT_THAT(files_->files(), IsEmpty());
}

TEST_F(FileSetTest, FileThatGrowsUnderItsNameIsTakenWhenItIsClosed) {
  testing::TestDirectory elsewhere;
  MetricFileBuilder whole(elsewhere.path());
  whole.AddCounter("a_total", 1);
  std::ofstream(Path(whole.name())) << "TINE";
  Rescan();
  EXPECT_EQ(Count(FileState::kQuarantined), 1u);
  std::filesystem::copy_file(whole.path(), Path(whole.name()),
                             std::filesystem::copy_options::overwrite_existing);
  files_->Look(whole.name(), /*may_be_dead=*/true);
  files_->OpenPending(SIZE_MAX);
  EXPECT_THAT(Serve(), ElementsAre(Pair("a_total{}", 1)));
}

TEST_F(FileSetTest, LeasedFileIsTriedAgainAtTheNextRescan) {
  MetricFileBuilder file(directory_.path());
  file.AddCounter("a_total", 1);
  // A lease needs a file that nobody has open for writing.
  testing::TestDirectory elsewhere;
  const std::string copy = elsewhere.path() + "/copy";
  std::filesystem::copy_file(file.path(), copy);
  ASSERT_EQ(::rename(copy.c_str(), file.path().c_str()), 0);
  ::signal(SIGIO, SIG_IGN);  // how the holder is told
  UniqueFd holder(::open(file.path().c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_EQ(::fcntl(holder.get(), F_SETLEASE, F_WRLCK), 0);
  Rescan();
  EXPECT_EQ(files_->unopened_count(), 1u);
  EXPECT_THAT(Serve(), IsEmpty());
  holder.Reset();
  Rescan();
  EXPECT_EQ(files_->unopened_count(), 0u);
  EXPECT_THAT(Serve(), ElementsAre(Pair("a_total{}", 1)));
  EXPECT_EQ(files_->statistics().open_failures.at("open_would_block"), 1u);
}

TEST_F(FileSetTest, ForeignAndUnprovenWritersAreServedAndCounted) {
  BuilderHeader foreign;
  foreign.boot_id[0] = 1;
  MetricFileBuilder a(directory_.path(), foreign);
  a.AddCounter("a_total", 1);
  BuilderHeader unproven;
  unproven.life_lock = format::LifeLock::kDoesNotHold;
  unproven.pid_namespace = 1;
  MetricFileBuilder b(directory_.path(), unproven);
  b.AddCounter("a_total", 2);
  b.SetGauge(b.AddSeries(b.AddFamily(
                 testing::GaugeFamily("g", format::GaugeMode::kLiveMax))),
             3);
  Rescan();
  EXPECT_THAT(Serve(), ElementsAre(Pair("a_total{}", 3), Pair("g{}", 3)));
  EXPECT_EQ(Count(FileState::kForeign), 1u);
  EXPECT_EQ(Count(FileState::kUnproven), 1u);
}

TEST_F(FileSetTest, AnotherDirectoryDoesNotTakeTheNumbersOfTheFirstAway) {
  MetricFileBuilder file(directory_.path());
  file.AddCounter("a_total", 1);
  Rescan();
  testing::TestDirectory second;
  MetricFileBuilder other(second.path());
  other.AddCounter("a_total", 10);
  const UniqueFd second_fd(
      ::open(second.path().c_str(), O_RDONLY | O_DIRECTORY));
  files_->SetDirectory(second_fd.get());
  Rescan();
  EXPECT_THAT(Serve(), ElementsAre(Pair("a_total{}", 11)));
  files_->SetDirectory(-1);
  Rescan();
  EXPECT_THAT(Serve(), ElementsAre(Pair("a_total{}", 11)));
}

TEST_F(FileSetTest, DamageIsLoggedAndCountedOnce) {
  MetricFileBuilder file(directory_.path());
  file.HoldLifeLock();
  const uint32_t cell = file.AddCounter("a_total", 5);
  Rescan();
  Serve();
  file.SetU64(cell, 1);
  for (int i = 0; i < 3; ++i) {
    Rescan();
    EXPECT_THAT(Serve(), ElementsAre(Pair("a_total{}", 5)));
  }
  EXPECT_THAT(log_, ElementsAre(HasSubstr("counter_fell")));
  EXPECT_EQ(files_->statistics().problems.at("counter_fell"), 1u);
}

}  // namespace
}  // namespace tine::collector
