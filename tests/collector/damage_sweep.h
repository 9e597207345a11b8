// One damaged metric file beside a sound one, read by the collector's file set
// and by a slow reader: whatever the damage, both serve the same.

#ifndef TINE_TESTS_COLLECTOR_DAMAGE_SWEEP_H_
#define TINE_TESTS_COLLECTOR_DAMAGE_SWEEP_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "collector/file_set.h"
#include "collector/merged_view.h"
#include "collector/text_encoder.h"
#include "common/unique_fd.h"
#include "tests/testing/exposition_checker.h"
#include "tests/testing/slow_reader.h"
#include "tests/testing/test_directory.h"

namespace tine::testing {

// How much reading a file may cost, whatever is in it.
struct ReadLimits {
  // A record has 64 bytes or more, and none is parsed twice.
  static uint64_t Records(uint64_t file_bytes) { return file_bytes / 64; }
  // The header and `used`; each record at most three times, since the piece in
  // which it did not fit is read again from where it begins; each block twice
  // for gauges that are the most recent.
  static uint64_t Bytes(uint64_t file_bytes) { return 4224 + 5 * file_bytes; }
  // Header; `used` and numbers at each of two looks; for each 4160 bytes a
  // block, read twice; for each 64 KiB two pieces.
  static uint64_t Calls(uint64_t file_bytes) {
    return 8 + 4 * (file_bytes / 4160) + 4 * (file_bytes / 65536);
  }
};

// What a collector has found out about a file.
struct Finding {
  std::string reason;  // empty: it is sound
  uint64_t offset = 0;
  bool is_refused = false;  // nothing of it is used
};

// A collector that has just started, less its watch.
class FreshCollector {
 public:
  explicit FreshCollector(int directory_fd);

  // Names that are new are opened; everything is read; what is served then.
  const std::string& Scrape();
  const std::vector<std::string>& log() const { return log_; }
  collector::FileSetStatistics statistics() const {
    return files_.statistics();
  }
  // Nothing when it knows no such file.
  std::optional<Finding> FindingOn(const std::string& name) const;

 private:
  collector::MergedView view_;
  std::vector<std::string> log_;
  const collector::Archive archive_;  // nothing has been folded
  collector::FileSet files_;
  collector::TextEncoder encoder_;
  std::string text_;
};

class DamageSweep {
 public:
  // `base`: a sound metric file. `neighbour`: another one, of families
  // a_neighbour_*.
  DamageSweep(Bytes base, const Bytes& neighbour);

  // Each check writes the file, damaged, and scrapes. What is wrong is added to
  // failures(), headed by `what`.
  //
  // By a collector that starts then.
  void CheckFresh(const std::string& what, const Bytes& damaged);
  // By one that has read the sound file before; of which `used_before` bytes
  // were published then (0: all).
  void CheckReread(const std::string& what, const Bytes& damaged,
                   uint64_t used_before);

  // In one of three ways, in turn: fresh; read again; read again with half of
  // it published before. In all of them if `is_long`.
  void Check(const std::string& what, const Bytes& damaged, bool is_long);

  const Bytes& base() const { return base_; }
  // Where records begin, and where the last one ends.
  const std::vector<uint64_t>& record_offsets() const { return offsets_; }
  const std::vector<std::string>& failures() const { return failures_; }
  uint64_t check_count() const { return check_count_; }
  // How often which damage was found.
  const std::map<std::string, uint64_t>& reasons() const { return reasons_; }
  // Only offsets are compared, since rightly sealed records that contradict
  // each other may be damaged for several reasons.
  void set_is_sealed(bool is_sealed) { is_sealed_ = is_sealed; }
  // More than these are not kept.
  static constexpr size_t kMaxFailures = 20;

  const std::string& name() const { return name_; }
  const std::string& uuid() const { return uuid_; }
  const std::string& directory() const { return directory_.path(); }
  int directory_fd() const { return directory_fd_.get(); }
  void Write(const Bytes& file);

 private:
  void MakeNeighbour(const Bytes& neighbour);
  void Compare(const std::string& what, const SlowReader& slow,
               FreshCollector* real);
  void CompareSamples(const std::string& what, const SlowReader& slow,
                      const CheckedExposition& served);
  void CompareDamage(const std::string& what, const SlowReader& slow,
                     const FreshCollector& real);
  void CheckNothingFell(const std::string& what,
                        const std::map<std::string, double>& before,
                        const CheckedExposition& served);
  void CheckWork(const std::string& what, const collector::ReadCounters& reads,
                 uint64_t file_bytes);
  void Fail(const std::string& what, const std::string& failure);

  const Bytes base_;
  std::vector<uint64_t> offsets_;
  TestDirectory directory_;
  UniqueFd directory_fd_;
  std::string uuid_;
  std::string name_;
  UniqueFd fd_;
  uint64_t file_bytes_ = 0;
  std::string neighbour_text_;
  collector::ReadCounters neighbour_reads_;  // of two looks
  bool is_sealed_ = false;
  uint64_t turn_ = 0;
  uint64_t check_count_ = 0;
  std::map<std::string, uint64_t> reasons_;
  std::vector<std::string> failures_;
};

}  // namespace tine::testing

#endif  // TINE_TESTS_COLLECTOR_DAMAGE_SWEEP_H_
