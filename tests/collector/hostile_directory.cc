#include "tests/collector/hostile_directory.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <regex>
#include <sstream>
#include <string_view>
#include <utility>

namespace tine::collector {

using testing::BuilderHeader;
using testing::MetricFileBuilder;

AsUser::AsUser(uid_t uid) {
  if (::setegid(uid) != 0 || ::seteuid(uid) != 0) {
    std::abort();
  }
}

AsUser::~AsUser() {
  if (::seteuid(0) != 0 || ::setegid(0) != 0) {
    std::abort();
  }
}

HostileDirectory::HostileDirectory(CollectorOptions options)
    : options_(std::move(options)),
      log_(std::make_shared<std::vector<std::string>>()) {
  EXPECT_EQ(::chown(path().c_str(), kCollectorUid, kCollectorUid), 0);
  directory_.SetMode(03777);
  options_.directory = path();
  options_.rescan_interval_ms = 0;  // each scrape lists it
  options_.log = [log = log_](LogLevel, const std::string& line) {
    log->push_back(line);
  };
  for (int i = 0; i < 4; ++i) {
    AddVictim();
  }
  StartCollector();
}

void HostileDirectory::StartCollector() {
  const AsUser user(kCollectorUid);
  collector_ = std::make_unique<Collector>(options_);
  encoder_ = std::make_unique<TextEncoder>();
}

MetricFileBuilder HostileDirectory::NewFile(uid_t uid,
                                            const BuilderHeader& header,
                                            uint64_t file_bytes) const {
  const AsUser user(uid);
  return MetricFileBuilder(path(), header, file_bytes);
}

std::string HostileDirectory::NewName() {
  char name[64];
  std::snprintf(name, sizeof(name), "7.%032x.tine", ++name_count_);
  return name;
}

void HostileDirectory::AddVictim() {
  victims_.push_back(NewFile(kVictimUid));
  const AsUser user(kVictimUid);
  victims_.back().HoldLifeLock();
  // A counter that all of them have, and one of each one's own.
  const std::string own = "victim_" + std::to_string(cells_.size()) + "_total";
  const uint32_t shared_cell = victims_.back().AddCounter("victim_total", 0);
  cells_.push_back({shared_cell, victims_.back().AddCounter(own, 0)});
}

void HostileDirectory::CountOn() {
  for (size_t i = 0; i < victims_.size(); ++i) {
    victims_[i].AddU64(cells_[i].shared, i + 1);
    ledger_["victim_total{}"] += static_cast<double>(i + 1);
    victims_[i].AddU64(cells_[i].own, 3);
    ledger_["victim_" + std::to_string(i) + "_total{}"] += 3;
  }
}

HostileDirectory::Answer HostileDirectory::Scrape() {
  const AsUser user(kCollectorUid);
  Answer answer;
  collector_->WithScrape([&](const MergedFamilies& families,
                             const CollectorStatistics& statistics) {
    answer.numbers = testing::NumbersOf(families);
    answer.statistics = statistics;
    encoder_->Encode(families, &answer.text);
  });
  return answer;
}

HostileDirectory::Answer HostileDirectory::ScrapeAndCheckVictims() {
  CountOn();
  Answer answer = Scrape();
  CheckVictims(answer);
  return answer;
}

HostileDirectory::Answer HostileDirectory::RestartAndCheckVictims() {
  StartCollector();
  return ScrapeAndCheckVictims();
}

void HostileDirectory::CheckVictims(const Answer& answer) const {
  testing::ServedNumbers served;
  for (const auto& [series, value] : answer.numbers) {
    if (series.rfind("victim_", 0) == 0) {
      served[series] = value;
    }
  }
  EXPECT_EQ(served, ledger_);
  // (No names or label values that std::regex would take too long for.)
  static const std::regex line_form(
      R"re((# (HELP|TYPE) [a-zA-Z_:].*|[a-zA-Z_:][a-zA-Z0-9_:]*(\{([a-zA-Z_][a-zA-Z0-9_]*="([^"\\]|\\[\\n"])*",?)+\})? (NaN|[+-]Inf|[0-9.e+-]+)))re");
  std::istringstream lines(answer.text);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_TRUE(line.size() > 2000 || std::regex_match(line, line_form))
        << line;
  }
}

uint64_t HostileDirectory::Answer::Problems(std::string_view reason) const {
  const auto it = statistics.files.problems.find(reason);
  return it == statistics.files.problems.end() ? 0 : it->second;
}

uint64_t HostileDirectory::Answer::OpenFailures(std::string_view reason) const {
  const auto it = statistics.files.open_failures.find(reason);
  return it == statistics.files.open_failures.end() ? 0 : it->second;
}

}  // namespace tine::collector
