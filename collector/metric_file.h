// One metric file as the collector knows it: who wrote it, in what state it is,
// what it adds.

#ifndef TINE_COLLECTOR_METRIC_FILE_H_
#define TINE_COLLECTOR_METRIC_FILE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "collector/archive.h"
#include "collector/file_opener.h"
#include "collector/file_source.h"
#include "collector/liveness.h"
#include "collector/merged_view.h"
#include "collector/metric_file_reader.h"
#include "collector/series_budget.h"
#include "common/metrics_directory.h"
#include "common/record_layout.h"
#include "common/unique_fd.h"

namespace tine::collector {

// What a file counts as. One state each, the first that applies: quarantined,
// vanished, damaged, then its writer's.
enum class FileState {
  kLive,
  kDead,
  kForeign,
  kUnproven,
  kDamaged,   // its sound part and its last good numbers are in the sum
  kVanished,  // unlinked by a stranger; its last good numbers stay in the sum
  kQuarantined,  // nothing of it is used
};
inline constexpr size_t kFileStateCount = 7;
std::string_view FileStateName(FileState state);

// What all files of a directory share. Lives longer than they.
struct MetricFileContext {
  MergedView* view;
  const LivenessProbe* probe;
  ReadCounters read_counters;
  ReadScratch scratch;
  FileSystemKind directory_kind = FileSystemKind::kUnknown;
  uint64_t max_file_bytes = format::kMaxFileBytes;
  size_t max_series_per_file = 100'000;
  // Who lives or what is declared has changed since the view last ranked its
  // sources.
  bool is_ranking_stale = true;
};

// Begins with an open file; ends, once the writer is dead, with its final
// numbers and no descriptor. In between it can do without one for a while. Not
// thread-safe.
class MetricFile {
 public:
  // Judges the header. `name_uuid` is the one in the file's name. Begin() comes
  // next, unless it is quarantined.
  MetricFile(std::string name, const FileUuid& name_uuid, OpenedFile opened,
             MetricFileContext* context);

  MetricFile(const MetricFile&) = delete;
  MetricFile& operator=(const MetricFile&) = delete;

  // Reads the records for the first time; only now the view learns of the file.
  // `budget` is its owner's and lives longer; nothing: without limits.
  // `taken_before` is what the archive has of it (see FoldedFile).
  void Begin(SeriesBudget* budget = nullptr, uint32_t taken_before = 0);

  // Asks for the life lock, and remembers a death for good. True when it has
  // just become known. Of a file that has vanished without a descriptor nothing
  // but the end of its process can be learned; of another closed one nothing.
  bool Probe();
  // An operator's word in the place of a proof. False: the lock is held.
  bool AssumeDead();

  // Brings the last good numbers up to date. After a death this is the final
  // read. They stay where the file is closed.
  void Read();

  // Gives up the descriptor and keeps all that was read. The file is open.
  void Close() { reader_->Close(); }
  // Goes on. `fd` is open on the same file, by FileFacts::IsSameFile; it is
  // closed.
  void Reopen(UniqueFd fd) { reader_->Reopen(std::move(fd)); }

  // Adds the last good numbers; returns how many sums have come to the top.
  size_t AddTo(CellSums* sums) const { return source_->AddTo(sums, rank_); }
  // Adds them to the archive instead, for good. Only when is_final().
  FoldedFile FoldInto(uint32_t now_s, Archive* archive) const;
  // Adds what it has of removed series to the archive, and says how far it has
  // been taken from. The file goes on counting them until ForgetRemoved().
  FoldedFile TakeRemovedInto(uint32_t now_s, Archive* archive) const;
  void ForgetRemoved() { source_->ForgetRemoved(); }
  void OfferDeclarations() const {
    source_->OfferDeclarations({rank_.is_live, facts_.birth_ns, writer_->uuid});
  }

  // From now on nothing of it is used. Closes it.
  void Quarantine(std::string_view reason);

  void set_name(std::string name) { name_ = std::move(name); }
  void set_vanished(bool is_vanished) { is_vanished_ = is_vanished; }

  const std::string& name() const { return name_; }
  const FileFacts& facts() const { return facts_; }
  // Only of a file that is not quarantined:
  const WriterIdentity& writer() const { return *writer_; }
  const FileSource& source() const { return *source_; }
  const WriterCounts& counts() const { return counts_; }
  Liveness liveness() const { return liveness_; }

  FileState state() const;
  bool is_quarantined() const { return !quarantine_reason_.empty(); }
  bool is_vanished() const { return is_vanished_; }
  bool is_open() const { return reader_ != nullptr && reader_->fd() >= 0; }
  // There is more to learn from it, and no descriptor to do so.
  bool is_closed() const { return reader_ != nullptr && reader_->fd() < 0; }
  bool is_damaged() const { return !damage_.reason.empty(); }
  // Dead and read to the end: nothing will ever change.
  bool is_final() const { return is_final_; }
  // Why it is quarantined or damaged; empty when it is neither.
  std::string_view problem() const {
    return is_quarantined() ? quarantine_reason_ : damage_.reason;
  }
  uint64_t problem_offset() const { return damage_.offset; }

 private:
  FoldedFile AsFolded(uint32_t now_s) const;
  void ReadNewRecords();
  // Ends the reading for good.
  void Finish();

  std::string name_;
  FileFacts facts_;
  MetricFileContext* const context_ = nullptr;
  // On the heap: others point to it.
  std::unique_ptr<WriterIdentity> writer_;
  std::unique_ptr<MetricFileReader> reader_;  // holds the descriptor
  std::unique_ptr<FileSource> source_;
  WriterRank rank_;
  WriterCounts counts_;
  Liveness liveness_ = Liveness::kUnproven;
  FileDamage damage_;
  std::string_view quarantine_reason_;
  bool is_vanished_ = false;
  bool is_final_ = false;
};

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_METRIC_FILE_H_
