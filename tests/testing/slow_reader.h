// A second reader of metric files, slow and obvious, for comparison: written
// from FORMAT.md alone, over whole files in memory. Shares no code with what it
// is compared to.

#ifndef TINE_TESTS_TESTING_SLOW_READER_H_
#define TINE_TESTS_TESTING_SLOW_READER_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace tine::testing {

using Bytes = std::vector<uint8_t>;

// zlib's, table by table.
uint32_t SlowCrc32(const uint8_t* bytes, size_t size_bytes,
                   const std::set<size_t>& taken_as_zero = {});

// Follows one file of a writer that lives, on another machine than the reader.
class SlowReader {
 public:
  // `uuid`: as the file's name has it, 32 digits.
  explicit SlowReader(std::string uuid) : name_uuid_(std::move(uuid)) {}

  // Reads the file as it is now; the first time from the beginning.
  void Look(const Bytes& file);

  // What a collector of this file alone serves, as CheckExposition writes it:
  // the last good numbers.
  std::map<std::string, double> Samples() const;

  // What is wrong, as DamageReasonName and the collector have it, and where;
  // empty: nothing.
  const std::string& reason() const { return reason_; }
  uint64_t offset() const { return offset_; }
  bool is_quarantined() const { return is_quarantined_; }
  uint64_t record_count() const { return record_count_; }
  size_t series_count() const { return series_.size(); }

 private:
  struct Family {
    int type = 0;
    int value_kind = 0;
    int mode = 0;
    std::string name;
    std::vector<std::string> label_names;
    std::vector<double> bounds;
    double time_to_live_s = 0;
    std::vector<std::string> states;
    size_t cell_count = 0;
  };
  struct Series {
    Family family;
    std::vector<std::string> label_values;
    uint64_t first_cell = 0;
    bool is_removed = false;
  };
  // A series' cells, summed over slots, in both kinds; and slot 0's.
  struct Numbers {
    std::vector<uint64_t> u64;
    std::vector<double> f64;
    std::vector<uint64_t> slot0;
    std::vector<uint64_t> wrapped;
  };

  void ReadHeader(const Bytes& file);
  bool ReadUsed(const Bytes& file);
  void ReadRecords(const Bytes& file);
  // Empty, or why the record at `at` is damaged.
  std::string TakeRecord(const Bytes& file, uint64_t at, uint64_t size_bytes);
  std::string TakeFamily(const Bytes& file, uint64_t at, uint64_t size_bytes);
  std::string TakeSeries(const Bytes& file, uint64_t at, uint64_t size_bytes);
  std::string TakeRemoved(const Bytes& file, uint64_t at);
  std::string TakeCells(const Bytes& file, uint64_t at);
  void ReadNumbers(const Bytes& file);
  // The leading cells of a family's series that are u64 and never fall.
  static size_t PlainCountCells(const Family& family);
  // In slot 0's block.
  uint64_t OffsetOfCell(const Series& series, size_t cell) const;
  bool IsWhole(const Bytes& file) const;
  Numbers NumbersOf(const Bytes& file, const Series& series) const;
  void Damage(const std::string& reason, uint64_t offset);
  void Freeze(const std::string& reason, uint64_t offset);
  void AddSamples(const Series& series, const Numbers& numbers,
                  std::map<std::string, double>* samples) const;
  std::string LabelsOf(const Series& series,
                       const std::string& state = "") const;
  bool IsTooOld(const Family& family, const Numbers& numbers) const;

  const std::string name_uuid_;
  bool is_first_look_ = true;
  bool is_quarantined_ = false;
  bool is_frozen_ = false;
  bool is_list_damaged_ = false;
  std::string reason_;
  uint64_t offset_ = 0;
  uint64_t record_count_ = 0;

  uint64_t used_ = 4096;
  uint64_t next_ = 4096;
  std::string pid_label_;
  uint64_t created_boot_ns_ = 0;
  uint64_t created_wall_ns_ = 0;
  std::vector<std::pair<std::string, std::string>> process_labels_;
  std::map<uint64_t, Family> families_;  // by offset
  std::vector<Series> series_;
  std::vector<Numbers> numbers_;  // last good, by series
  std::map<std::pair<uint32_t, uint32_t>, uint64_t>
      blocks_;  // chunk, slot: where the cells begin
  std::set<uint64_t> owned_cells_;
};

}  // namespace tine::testing

#endif  // TINE_TESTS_TESTING_SLOW_READER_H_
