// A metrics directory that several users share, one of whom means harm.

#ifndef TINE_TESTS_COLLECTOR_HOSTILE_DIRECTORY_H_
#define TINE_TESTS_COLLECTOR_HOSTILE_DIRECTORY_H_

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "collector/collect_loop.h"
#include "collector/text_encoder.h"
#include "tests/testing/metric_file_builder.h"
#include "tests/testing/served_numbers.h"
#include "tests/testing/test_directory.h"

namespace tine::collector {

inline constexpr uid_t kAttackerUid = 65531;
inline constexpr uid_t kVictimUid = 65532;
inline constexpr uid_t kCollectorUid = 65533;

// As long as it lives, this process is that user, for the file system and for
// every permission.
class AsUser {
 public:
  explicit AsUser(uid_t uid);
  ~AsUser();
  AsUser(const AsUser&) = delete;
  AsUser& operator=(const AsUser&) = delete;
};

// Owned by the collector's user, mode 3777, with four live files of the victim
// in it and a collector that reads it. The collector runs as its own user.
class HostileDirectory {
 public:
  explicit HostileDirectory(CollectorOptions options = {});

  std::string At(const std::string& name) const { return directory_.At(name); }
  const std::string& path() const { return directory_.path(); }

  // A file of that user, complete and published in one step.
  testing::MetricFileBuilder NewFile(uid_t uid,
                                     const testing::BuilderHeader& header = {},
                                     uint64_t file_bytes = 1 << 20) const;
  // A name that a metric file could have; another one each time.
  std::string NewName();

  // The victims count on; then a scrape, with everybody's numbers in it.
  struct Answer {
    testing::ServedNumbers numbers;
    CollectorStatistics statistics;
    std::string text;
    uint64_t Problems(std::string_view reason) const;
    uint64_t OpenFailures(std::string_view reason) const;
    bool Serves(const std::string& series) const {
      return numbers.count(series) > 0;
    }
  };
  Answer Scrape();

  // Scrapes and expects every number of the victims to be the one in their own
  // ledger, and every line of the text to be one.
  Answer ScrapeAndCheckVictims();
  // The same by a collector that starts now.
  Answer RestartAndCheckVictims();

  testing::MetricFileBuilder* victim() { return &victims_[0]; }
  std::vector<testing::MetricFileBuilder>* victims() { return &victims_; }
  // A further file of the victim's, live, with a series that is new.
  void AddVictim();
  const std::vector<std::string>& log() const { return *log_; }
  std::vector<FileReport> Reports() const { return collector_->ReportFiles(); }

 private:
  struct VictimCells {
    uint32_t shared;
    uint32_t own;
  };
  void CountOn();
  void CheckVictims(const Answer& answer) const;
  void StartCollector();

  testing::TestDirectory directory_;
  CollectorOptions options_;
  std::shared_ptr<std::vector<std::string>> log_;
  std::vector<testing::MetricFileBuilder> victims_;
  std::vector<VictimCells> cells_;  // one each
  testing::ServedNumbers ledger_;
  std::unique_ptr<Collector> collector_;
  std::unique_ptr<TextEncoder> encoder_;
  uint32_t name_count_ = 0;
};

}  // namespace tine::collector

#endif  // TINE_TESTS_COLLECTOR_HOSTILE_DIRECTORY_H_
