#include "tests/collector/damage_sweep.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace tine::testing {
namespace {

using collector::FileSet;

constexpr uint64_t kUsedOffset = 3968;
constexpr uint64_t kFirstRecord = 4096;
// Sorts before every family of a golden file.
constexpr std::string_view kNeighbour = "a_neighbour_";

FileSet::Options FileSetOptions(std::vector<std::string>* log) {
  FileSet::Options options;
  // Of no golden file: then a writer counts as living, on a machine elsewhere.
  options.host.boot_id.fill(7);
  options.log = [log](collector::LogLevel, const std::string& message) {
    log->push_back(message);
  };
  return options;
}

bool IsAlike(double a, double b) {
  return a == b || (std::isnan(a) && std::isnan(b)) ||
         std::fabs(a - b) <= 1e-15 * std::fabs(b);
}

std::string UuidOf(const Bytes& file) {
  std::string uuid;
  for (size_t i = 32; i < 48; ++i) {
    char digits[3];
    std::snprintf(digits, sizeof(digits), "%02x", file.at(i));
    uuid += digits;
  }
  return uuid;
}

bool IsNeighbour(const std::string& name) {
  return name.compare(0, kNeighbour.size(), kNeighbour) == 0;
}

}  // namespace

FreshCollector::FreshCollector(int directory_fd)
    : view_(collector::MergedView::Limits()),
      files_(FileSetOptions(&log_), &view_, &archive_) {
  files_.SetDirectory(directory_fd);
  files_.Rescan();
  files_.OpenPending(SIZE_MAX);
}

const std::string& FreshCollector::Scrape() {
  files_.AddAll();
  encoder_.Encode(view_.Finish(), &text_);
  return text_;
}

std::optional<Finding> FreshCollector::FindingOn(
    const std::string& name) const {
  for (const auto& file : files_.files()) {
    if (file->name() == name) {
      return Finding{std::string(file->problem()), file->problem_offset(),
                     false};
    }
  }
  for (const collector::RefusedFile& file : files_.RefusedFiles()) {
    if (file.name == name) {
      return Finding{std::string(file.reason), file.offset, true};
    }
  }
  return std::nullopt;
}

// ---- The directory ----------------------------------------------------------

DamageSweep::DamageSweep(Bytes base, const Bytes& neighbour)
    : base_(std::move(base)),
      directory_fd_(::open(directory_.path().c_str(), O_RDONLY | O_DIRECTORY)),
      uuid_(UuidOf(base_)) {
  for (uint64_t at = kFirstRecord; at <= base_.size();) {
    offsets_.push_back(at);
    uint32_t record_bytes = 0;
    if (at < base_.size()) {
      std::memcpy(&record_bytes, base_.data() + at, sizeof(record_bytes));
    }
    at += std::max<uint32_t>(record_bytes, 1);
  }
  MakeNeighbour(neighbour);
  name_ = "1234." + uuid_ + ".tine";
  fd_.Reset(::open(directory_.At(name_).c_str(),
                   O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
}

void DamageSweep::MakeNeighbour(const Bytes& neighbour) {
  std::ofstream(directory_.At("1." + UuidOf(neighbour) + ".tine"),
                std::ios::binary)
      .write(reinterpret_cast<const char*>(neighbour.data()),
             static_cast<std::streamsize>(neighbour.size()));
  FreshCollector alone(directory_fd_.get());
  alone.Scrape();
  neighbour_text_ = alone.Scrape();
  neighbour_reads_ = alone.statistics().reads;
}

void DamageSweep::Write(const Bytes& file) {
  if ((file.size() != file_bytes_ &&
       ::ftruncate(fd_.get(), static_cast<off_t>(file.size())) != 0) ||
      ::pwrite(fd_.get(), file.data(), file.size(), 0) !=
          static_cast<ssize_t>(file.size())) {
    throw std::runtime_error("cannot write the damaged file");
  }
  file_bytes_ = file.size();
}

// ---- Checks -----------------------------------------------------------------

void DamageSweep::Fail(const std::string& what, const std::string& failure) {
  if (failures_.size() < kMaxFailures) {
    failures_.push_back(what + ": " + failure);
  }
}

void DamageSweep::Check(const std::string& what, const Bytes& damaged,
                        bool is_long) {
  if (failures_.size() >= kMaxFailures) {
    return;  // enough to look at
  }
  const uint64_t turn = turn_++;
  if (turn % 3 == 0 || is_long) {
    CheckFresh(what, damaged);
  }
  if (turn % 3 == 1 || is_long) {
    CheckReread(what, damaged, 0);
  }
  if (turn % 3 == 2 || is_long) {
    CheckReread(what, damaged, offsets_[turn / 3 % offsets_.size()]);
  }
}

void DamageSweep::CheckFresh(const std::string& what, const Bytes& damaged) {
  Write(damaged);
  SlowReader slow(uuid_);
  slow.Look(damaged);
  FreshCollector real(directory_fd_.get());
  real.Scrape();
  Compare(what + ", fresh", slow, &real);
  CheckWork(what + ", fresh", real.statistics().reads, damaged.size());
  ++check_count_;
}

void DamageSweep::CheckReread(const std::string& what, const Bytes& damaged,
                              uint64_t used_before) {
  const std::string how =
      what + ", read again after " + std::to_string(used_before);
  Bytes before = base_;
  if (used_before != 0) {
    std::memcpy(before.data() + kUsedOffset, &used_before, sizeof(used_before));
  }
  Write(before);
  SlowReader slow(uuid_);
  slow.Look(before);
  const std::map<std::string, double> samples_before = slow.Samples();
  FreshCollector real(directory_fd_.get());
  real.Scrape();
  if (!real.log().empty()) {
    Fail(how, "the sound file is found damaged: " + real.log().front());
  }
  Write(damaged);
  slow.Look(damaged);
  Compare(how, slow, &real);
  CheckNothingFell(how, samples_before, CheckExposition(real.Scrape()));
  if (real.log().size() > 1) {
    Fail(how, "logged at each scrape");
  }
  CheckWork(how, real.statistics().reads,
            std::max(damaged.size(), base_.size()));
  ++check_count_;
}

void DamageSweep::Compare(const std::string& what, const SlowReader& slow,
                          FreshCollector* real) {
  const std::string& text = real->Scrape();
  if (text.compare(0, neighbour_text_.size(), neighbour_text_) != 0) {
    Fail(what, "the neighbour's text has changed: " + text);
    return;
  }
  const CheckedExposition served = CheckExposition(text);
  if (!served.error.empty()) {
    Fail(what, served.error + "\n" + text);
  }
  CompareSamples(what, slow, served);
  CompareDamage(what, slow, *real);
}

void DamageSweep::CompareSamples(const std::string& what,
                                 const SlowReader& slow,
                                 const CheckedExposition& served) {
  const std::map<std::string, double> expected = slow.Samples();
  size_t own_count = 0;
  for (const auto& [name, value] : served.samples) {
    if (IsNeighbour(name)) {
      continue;
    }
    ++own_count;
    const auto it = expected.find(name);
    if (it == expected.end() || !IsAlike(value, it->second)) {
      Fail(what,
           "served " + name + " " + std::to_string(value) + " and not " +
               (it == expected.end() ? "nothing" : std::to_string(it->second)));
    }
  }
  if (own_count != expected.size()) {
    Fail(what, std::to_string(own_count) + " samples served and not " +
                   std::to_string(expected.size()));
  }
}

// Counted by its reason; told of in the log once, with name and offset.
void DamageSweep::CompareDamage(const std::string& what, const SlowReader& slow,
                                const FreshCollector& real) {
  const std::optional<Finding> found = real.FindingOn(name_);
  if (!found.has_value()) {
    Fail(what, "the file is not known");
    return;
  }
  const std::string& reason = found->reason;
  const bool has_offset = slow.offset() != UINT64_MAX;
  if (reason.empty() != slow.reason().empty() ||
      (!is_sealed_ && reason != slow.reason()) ||
      (has_offset && found->offset != slow.offset()) ||
      found->is_refused != slow.is_quarantined()) {
    Fail(what, "found " + reason + " at " + std::to_string(found->offset) +
                   " and not " + slow.reason() + " at " +
                   std::to_string(slow.offset()));
  }
  const collector::FileSetStatistics statistics = real.statistics();
  const std::map<std::string_view, uint64_t>& problems = statistics.problems;
  if (reason.empty()) {
    if (!problems.empty() || !real.log().empty()) {
      Fail(what, "counted or logged without damage");
    }
    return;
  }
  ++reasons_[reason];
  if (problems.size() != 1 || problems.begin()->first != reason ||
      problems.begin()->second != 1) {
    Fail(what, "not counted once as " + reason);
  }
  const std::string told =
      reason + " at offset " + std::to_string(found->offset);
  if (real.log().size() != 1 ||
      real.log().front().find(name_) == std::string::npos ||
      real.log().front().find(told) == std::string::npos) {
    Fail(what, "not logged once with file and offset: " + told);
  }
}

void DamageSweep::CheckNothingFell(const std::string& what,
                                   const std::map<std::string, double>& before,
                                   const CheckedExposition& served) {
  for (const auto& [name, value] : before) {
    const std::string bare = name.substr(0, name.find('{'));
    const auto ends_with = [&bare](std::string_view suffix) {
      return bare.size() >= suffix.size() &&
             bare.compare(bare.size() - suffix.size(), suffix.size(), suffix) ==
                 0;
    };
    if (!ends_with("_total") && !ends_with("_count") && !ends_with("_bucket")) {
      continue;
    }
    const auto now = served.samples.find(name);
    if (now == served.samples.end() || !(now->second >= value)) {
      Fail(what, "counter " + name + " fell or is gone");
    }
  }
}

void DamageSweep::CheckWork(const std::string& what,
                            const collector::ReadCounters& reads,
                            uint64_t file_bytes) {
  const uint64_t records = reads.record_count - neighbour_reads_.record_count;
  const uint64_t bytes = reads.byte_count - neighbour_reads_.byte_count;
  const uint64_t calls =
      reads.system_call_count - neighbour_reads_.system_call_count;
  // The neighbour is looked at up to four times, not twice.
  constexpr uint64_t kNeighbourAgain = 16;
  if (records > ReadLimits::Records(file_bytes) ||
      bytes > ReadLimits::Bytes(file_bytes) + kNeighbourAgain * 512 ||
      calls > ReadLimits::Calls(file_bytes) + kNeighbourAgain) {
    Fail(what, std::to_string(records) + " records, " + std::to_string(bytes) +
                   " bytes and " + std::to_string(calls) +
                   " calls are more than a file of " +
                   std::to_string(file_bytes) + " bytes may cost");
  }
}

}  // namespace tine::testing
