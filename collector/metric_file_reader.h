// Reads one metric file of a process that nobody trusts: header, records,
// cells. Reads with pread alone: a mapping of a file that its writer truncates
// is a SIGBUS, and touching a hole of one allocates it.

#ifndef TINE_COLLECTOR_METRIC_FILE_READER_H_
#define TINE_COLLECTOR_METRIC_FILE_READER_H_

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "collector/aligned_buffer.h"
#include "collector/writer_identity.h"
#include "common/record_scanner.h"
#include "common/unique_fd.h"

namespace tine::collector {

// Work done, for all readers that are given the same object.
struct ReadCounters {
  uint64_t system_call_count = 0;
  uint64_t byte_count = 0;
  uint64_t record_count =
      0;  // parsed; a scrape that finds nothing new adds none
};

// The reason of a header that the system could not read now: no damage of the
// file's, to be tried again.
inline constexpr std::string_view kHeaderNotRead = "read_failed";

struct FileDamage {
  std::string_view reason;  // a value of a label `reason`; empty: none
  uint64_t offset = 0;
};

// The header's dynamic part, as last read.
struct WriterCounts {
  uint64_t used_bytes = 0;
  uint64_t dropped_series = 0;
  uint64_t dropped_observations = 0;
  uint64_t children_without_file = 0;
  bool is_clean_exit = false;
};

// A CELLS record. Chunks are numbered 0, 1, 2, ... in the order of their slot 0
// blocks, whatever number the file gives them: so cell indexes are dense, and a
// file cannot make its reader allocate by naming a high one.
struct CellBlock {
  uint64_t cells_offset;   // in the file
  uint64_t buffer_offset;  // in the bytes that ReadCells fills
  uint32_t chunk;          // dense number
  uint32_t slot;
};

// Follows one file. Damage is for good; what was found before it stays valid.
// Not thread-safe.
class MetricFileReader {
 public:
  // Reads and checks the header. What is wrong with it is in damage(): then
  // nothing else may be called.
  MetricFileReader(UniqueFd fd, ReadCounters* counters);

  MetricFileReader(const MetricFileReader&) = delete;
  MetricFileReader& operator=(const MetricFileReader&) = delete;

  // Reads `used`, then the records that were published since the last call.
  // Families and series go to `visitor`, with first_cell a dense index; CELLS
  // are kept here. `scratch` is lost. False: nothing new can be had from this
  // file, now (is_damaged() is false, a read failed) or ever again.
  bool ReadRecords(RecordVisitor* visitor, AlignedBuffer* scratch);

  // Reads the cells of all blocks; those of a block lie at its buffer_offset,
  // as many of them as series own. In between may be anything. All of it is
  // read after `used` was (by ReadRecords), never with it. False as above.
  bool ReadCells(AlignedBuffer* buffer);

  // Reads one block again, into the same place.
  bool ReadCellsAgain(const CellBlock& block, AlignedBuffer* buffer);

  // May be called once.
  WriterIdentity TakeWriter() { return std::move(writer_); }
  const WriterCounts& counts() const { return counts_; }
  const std::vector<CellBlock>& blocks() const { return blocks_; }
  // By dense chunk number: how many cells from the first on may belong to
  // series.
  const std::vector<uint32_t>& chunk_cell_counts() const {
    return chunk_cell_counts_;
  }

  bool is_damaged() const { return !damage_.reason.empty(); }
  const FileDamage& damage() const { return damage_; }
  // Damage in a record ends the list of records, and the cells found before it
  // go on counting. After any other damage
  // (`used` out of range, a truncated file) not even they can be believed:
  // is_frozen().
  bool is_frozen() const { return is_frozen_; }
  // Where in the file the cell with this dense index lies, in the block of slot
  // 0 of its chunk.
  uint64_t OffsetOfCell(uint32_t cell) const;
  // The caller found cells that cannot be (a counter that fell).
  void Freeze(std::string_view reason, uint64_t offset);

  uint64_t record_count() const { return scanner_.record_count(); }
  // -1: none.
  int fd() const { return fd_.get(); }
  // Between the two only fd() and what is const may be called. Nothing is read
  // anew: `fd` is open on the same file.
  void Close() { fd_.Reset(); }
  void Reopen(UniqueFd fd) { fd_ = std::move(fd); }
  // Errors of pread that were no damage (EIO on a disk): tried again next time.
  uint64_t failed_read_count() const { return failed_read_count_; }

 private:
  class Visitor;
  enum class ReadResult { kOk, kShort, kFailed };

  void ReadHeader();
  bool ReadUsed();
  // Scans up to `used`.
  bool ScanRecords(RecordVisitor* visitor, AlignedBuffer* scratch);
  void PlaceBlocks();
  ReadResult ReadAt(uint64_t offset, uint8_t* bytes, size_t size_bytes);
  bool ReadCellRange(uint64_t offset, uint8_t* bytes, size_t size_bytes);
  uint64_t OwnedBytes(const CellBlock& block) const {
    return 8 * uint64_t{chunk_cell_counts_[block.chunk]};
  }

  UniqueFd fd_;
  ReadCounters* const counters_;
  WriterIdentity writer_;
  WriterCounts counts_;
  FileDamage damage_;
  bool is_frozen_ = false;
  uint64_t failed_read_count_ = 0;
  RecordScanner scanner_;
  std::vector<CellBlock> blocks_;  // in file order
  std::vector<uint32_t> chunk_cell_counts_;
  absl::flat_hash_map<uint32_t, uint32_t>
      dense_chunks_;  // by the file's number
  uint64_t buffer_bytes_ = 0;
};

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_METRIC_FILE_READER_H_
