#include "collector/folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <random>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "collector/archive_expiry.h"
#include "collector/archive_file.h"
#include "collector/file_opener.h"
#include "collector/file_removal.h"
#include "collector/liveness.h"
#include "collector/state_directory.h"
#include "common/clock.h"
#include "common/metric_names.h"
#include "common/metrics_directory.h"
#include "common/record_codec.h"

namespace tine::collector {
namespace {

// A writer that is making its file needs microseconds.
constexpr uint64_t kTempFileAgeS = 60;

// A file that a stranger has moved away may come back. How long the list
// remembers it.
constexpr uint32_t kVanishedMemoryS = 24 * 3600;

// A new file alone is no hurry: only if it is removed while no collector runs
// does it matter whether the archive knows of it.
constexpr uint32_t kKnownFilesS = 10;

// Looking for what has expired goes through all series.
constexpr uint32_t kExpiryCheckS = 60;

FileUuid NewLineage() {
  FileUuid lineage;
  std::random_device random;
  for (uint8_t& byte : lineage.bytes) {
    byte = static_cast<uint8_t>(random());
  }
  return lineage;
}

}  // namespace

void Folder::Log(LogLevel level, const std::string& message) const {
  if (options_.log) {
    options_.log(level, message);
  }
}

void Folder::NoteProblem(const std::string& problem) {
  if (problem != statistics_.problem && !problem.empty()) {
    Log(LogLevel::kWarn, problem);
  }
  statistics_.problem = problem;
}

void Folder::NoteReset(std::string_view reason) {
  ++statistics_.resets[reason];
  archive_.reset_wall_ns = NowNs(CLOCK_REALTIME);
  Log(LogLevel::kError, "what dead writers had left is lost (" +
                            std::string(reason) +
                            "): counters begin again without it");
}

void Folder::NoteArchive() {
  statistics_.generation = archive_.identity.generation;
  statistics_.archive_bytes = archive_.file_bytes;
  statistics_.archive_series = archive_.series_count;
  statistics_.archive_listed_files = archive_.folded.size();
  if (archive_.lost_file_count != 0) {
    statistics_.resets["files_removed"] = archive_.lost_file_count;
  }
}

void Folder::TellProgress(std::string_view doing, size_t file_count) const {
  if (options_.on_progress) {
    options_.on_progress(doing, file_count);
  }
}

// ---- Where, and who ---------------------------------------------------------

void Folder::Attach(int metrics_directory_fd) {
  if (store_ != nullptr && store_->IsLinked()) {
    return;
  }
  store_ = nullptr;
  auto opened = OpenStateDirectory(metrics_directory_fd,
                                   options_.state_directory, options_.may_fold);
  attach_status_ = opened.status();
  if (!opened.ok()) {
    // None, and none wanted, is the usual case of a reader.
    NoteProblem(absl::IsNotFound(opened.status()) && !options_.may_fold
                    ? ""
                    : std::string(opened.status().message()));
    return;
  }
  if (opened->has_moved_squatter) {
    ++statistics_.moved_squatters;
    Log(LogLevel::kWarn,
        "somebody else's \".collector\" was renamed out of the way");
  }
  struct statfs info;
  const bool is_durable =
      ::fstatfs(opened->fd.get(), &info) == 0 &&
      FileSystemKindOf(static_cast<uint64_t>(info.f_type)) !=
          FileSystemKind::kMemory;
  store_ = std::make_unique<ArchiveStore>(std::move(opened->fd), is_durable);
  statistics_.problem.clear();
}

bool Folder::IsStale() {
  if (!is_loaded_) {
    return true;
  }
  if (store_ == nullptr || store_->holds_lock()) {
    return false;
  }
  if (options_.may_fold) {
    absl::Status status;
    store_->TryLock(&status);
    if (!status.ok()) {
      NoteProblem(std::string(status.message()));
    }
  }
  statistics_.holds_lock = store_->holds_lock();
  ArchiveIdentity on_disk;
  const bool is_read = store_->ReadIdentity(&on_disk).ok();  // Load() tells why
  // Whoever folds and finds nothing on disk goes on with what it remembers:
  // somebody has removed it.
  const bool is_gone = on_disk.generation == 0 && store_->holds_lock();
  // Stays so until it is read anew, even if the lock was taken just now.
  is_loaded_ = is_read && (on_disk == archive_.identity || is_gone);
  return !is_loaded_;
}

absl::Status Folder::Load(MergedView* view) {
  const ArchiveIdentity before = archive_.identity;
  if (store_ == nullptr) {
    // None, or one that is none. Whatever else kept us out, an archive may be
    // there.
    is_loaded_ = absl::IsNotFound(attach_status_) ||
                 absl::IsFailedPrecondition(attach_status_);
    return is_loaded_ ? absl::OkStatus() : attach_status_;
  }
  is_loaded_ = true;
  if (options_.may_fold && !store_->holds_lock()) {
    absl::Status ignored;
    store_->TryLock(&ignored);
  }
  statistics_.holds_lock = store_->holds_lock();
  Archive loaded;
  absl::Status status = store_->Read(view, &loaded);
  const bool is_damaged = absl::IsDataLoss(status) && store_->holds_lock();
  if (is_damaged) {
    Log(LogLevel::kError, std::string(status.message()));
    status = store_->SetAsideDamaged();
    loaded = Archive();
  }
  if (!status.ok()) {
    is_loaded_ = false;
    NoteProblem(std::string(status.message()));
    return status;
  }
  archive_ = std::move(loaded);
  has_noted_lost_ = false;
  written_s_ = NowS();
  if (is_damaged) {
    NoteReset("archive_damaged");
  } else if (before.generation != 0 &&
             (before.lineage != archive_.identity.lineage ||
              before.generation > archive_.identity.generation)) {
    NoteReset("archive_replaced");
  }
  NoteArchive();
  return absl::OkStatus();
}

// ---- Folding ----------------------------------------------------------------

std::string_view Folder::Obstacle(const FileSet& files,
                                  Foldable* foldable) const {
  const MetricFile& file = *foldable->file;
  const auto known = archive_.folded.find(file.writer().uuid);
  if (known != archive_.folded.end() &&
      !known->second.Is(file.writer().uuid, file.facts())) {
    return "uuid_in_use";
  }
  if (file.source().max_label_count() > kMaxLabelCount) {
    return "too_many_labels";
  }
  // Some counts of it are not even in an overflow series: to remove it would be
  // to lose them. They may find a place when this collector starts again.
  if (file.source().has_refused_counts()) {
    return "refused_series";
  }
  foldable->is_there = false;
  if (file.is_vanished()) {
    return "";
  }
  const OpenedFile opened =
      OpenUntrustedFile(files.directory_fd(), file.name().c_str(), UINT64_MAX);
  if (opened.is_gone ||
      (opened.fd.valid() && !opened.facts.IsSameFile(file.facts()))) {
    return "";
  }
  foldable->is_there = true;
  if (!opened.fd.valid()) {
    return opened.problem;
  }
  // The writer was proved dead. That somebody holds a lock on its file again is
  // no reason to believe in its life, but one to leave the file alone.
  if (IsLifeLockHeld(opened.fd.get())) {
    return "lock_held";
  }
  return MayRemove(files.directory_fd(), file.facts().owner_uid)
             ? ""
             : "no_right_to_remove";
}

std::vector<Folder::Verdict> Folder::Judge(const FileSet& files) const {
  std::vector<Verdict> verdicts;
  const bool is_foldable = IsFoldable(files.directory_kind());
  for (const auto& file : files.files()) {
    if (file->is_quarantined() || file->liveness() != Liveness::kDead) {
      continue;
    }
    Verdict& verdict = verdicts.emplace_back(Verdict{file.get(), "", false});
    if (!is_foldable) {
      verdict.obstacle = "file_system";
    } else if (!file->is_final()) {
      verdict.obstacle = "read_failed";
    } else {
      verdict.obstacle = Obstacle(files, &verdict);
    }
    TellProgress("examined", verdicts.size());
  }
  return verdicts;
}

std::vector<MetricFile*> Folder::FilesOf(const std::vector<Foldable>& batch) {
  std::vector<MetricFile*> files;
  for (const Foldable& foldable : batch) {
    files.push_back(foldable.file);
  }
  return files;
}

std::vector<Folder::Foldable> Folder::ChooseBatch(const FileSet& files) {
  std::vector<Foldable> batch;
  absl::flat_hash_set<FileUuid, UuidHash> uuids;
  statistics_.blocked.clear();
  statistics_.waiting_files = 0;
  for (MetricFile* file : files.FinalFiles()) {
    if (batch.size() == kMaxBatch) {
      ++statistics_.waiting_files;
      continue;
    }
    Foldable foldable = {file, "", false};
    std::string_view obstacle =
        archive_.folded.size() + batch.size() < options_.max_folded_files
            ? Obstacle(files, &foldable)
            : "list_full";
    // Files of two users may have one uuid, the list has one entry for it.
    if (obstacle.empty() && !uuids.insert(file->writer().uuid).second) {
      obstacle = "uuid_in_use";
    }
    if (obstacle.empty()) {
      batch.push_back(foldable);
    } else {
      ++statistics_.blocked[obstacle];
    }
  }
  return batch;
}

bool Folder::IsArchiveGone() const {
  ArchiveIdentity on_disk;
  return archive_.identity.generation != 0 &&
         store_->ReadIdentity(&on_disk).ok() && on_disk.generation == 0;
}

bool Folder::IsDiskAsRemembered() {
  ArchiveIdentity on_disk;
  absl::Status ignored;
  const bool has_lock = store_->KeepLock() || store_->TryLock(&ignored);
  const absl::Status status = store_->ReadIdentity(&on_disk);
  if (has_lock && status.ok() &&
      (on_disk == archive_.identity || on_disk.generation == 0)) {
    return true;
  }
  NoteProblem(!status.ok() ? std::string(status.message())
              : has_lock   ? "the archive was changed by another process"
                           : "another process has taken the folding lock");
  is_loaded_ = false;  // read everything anew
  return false;
}

std::vector<FileUuid> Folder::GoneFiles(const FileSet& files) const {
  std::vector<FileUuid> gone;
  if (!files.IsComplete()) {
    return gone;  // what has not been looked at may be on the list
  }
  const uint32_t now_s = NowS();
  absl::flat_hash_set<FileUuid, UuidHash> present;
  for (const auto& [name, leftover] : files.leftovers()) {
    present.insert(leftover.uuid);
  }
  for (const auto& [uuid, file] : archive_.folded) {
    const bool may_come_back = (file.has_vanished || file.is_kept) &&
                               now_s - file.folded_at_s < kVanishedMemoryS;
    if (!present.contains(uuid) && !may_come_back) {
      gone.push_back(uuid);
    }
  }
  return gone;
}

SeriesParts Folder::FindExpired(const FileSet& files, const MergedView& view) {
  const uint32_t now_s = NowS();
  if (now_s - expiry_checked_s_ < kExpiryCheckS || !files.IsComplete()) {
    return {};
  }
  expiry_checked_s_ = now_s;
  return ExpiredSeries(archive_, files, view, options_.expiry, now_s);
}

Archive Folder::NextArchive(const std::vector<Foldable>& batch,
                            const SeriesParts& expired, const Removal& removal,
                            const FileSet& files,
                            const MergedView& view) const {
  const uint32_t now_s = NowS();
  Archive next = archive_;
  next.sums = view.sums();  // for their number
  next.sums.ResetTo(archive_.sums, NowNs(CLOCK_REALTIME));
  DropFromArchive(expired, &next);
  for (const FileUuid& uuid : GoneFiles(files)) {
    next.folded.erase(uuid);
  }
  for (const Foldable& foldable : batch) {
    FoldedFile& folded = next.folded[foldable.file->writer().uuid];
    folded = foldable.file->FoldInto(now_s, &next);
    folded.has_vanished = !foldable.is_there;
  }
  DropFromArchive(removal.TakeInto(now_s, view, &next), &next);
  DropFromArchive(AbsentGauges(next, view), &next);
  DropIdleOpinions(view, &next);
  TakeServedTexts(view, &next);
  if (has_noted_lost_) {
    next.known.clear();
  }
  for (const auto& file : files.files()) {
    if (!file->is_quarantined() && file->source().has_series()) {
      next.known.insert(file->writer().uuid);
    }
  }
  for (const Foldable& foldable : batch) {
    next.known.erase(foldable.file->writer().uuid);
  }
  next.sums.ClearNobody();
  if (next.identity.generation++ == 0) {
    next.identity.lineage = NewLineage();
  }
  return next;
}

bool Folder::WriteArchive(const std::vector<Foldable>& batch,
                          const SeriesParts& expired, const Removal& removal,
                          FileSet* files, const MergedView& view) {
  if (!IsDiskAsRemembered()) {
    return false;
  }
  Archive next = NextArchive(batch, expired, removal, *files, view);
  const absl::Status status = store_->Write(EncodeArchive(view, &next));
  if (!status.ok()) {
    ++statistics_.failed_folds;
    NoteProblem(std::string(status.message()));
    return false;
  }
  archive_ = std::move(next);
  std::vector<MetricFile*> folded;
  for (const Foldable& foldable : batch) {
    folded.push_back(foldable.file);
    statistics_.dropped_series +=
        foldable.file->source().refused_series_count();
  }
  files->ForgetFolded(folded);
  ++statistics_.folds;
  statistics_.folded_files += batch.size();
  statistics_.expired_series += expired.size();
  known_admitted_count_ = files->admitted_count();
  written_s_ = NowS();
  NoteArchive();
  NoteProblem("");
  // A backlog is news; the daily round is not.
  Log(batch.size() == kMaxBatch || !expired.empty() ? LogLevel::kInfo
                                                    : LogLevel::kDebug,
      absl::StrCat("folded ", batch.size(), " files of dead writers, ",
                   statistics_.waiting_files, " are waiting; dropped ",
                   expired.size(), " expired series; archive generation ",
                   archive_.identity.generation, ", ", archive_.series_count,
                   " series, ", archive_.file_bytes, " bytes"));
  return true;
}

Folder::Outcome Folder::Fold(FileSet* files, const MergedView& view) {
  if (!holds_lock() || !is_loaded_ || !IsFoldable(files->directory_kind())) {
    return {};
  }
  const auto start = std::chrono::steady_clock::now();
  files->ReadForFold();
  const std::vector<Foldable> batch = ChooseBatch(*files);
  const SeriesParts expired = FindExpired(*files, view);
  const Removal removal(*files, FilesOf(batch), archive_);
  // A list that is full of files that are gone is made anew, or nothing would
  // ever be folded again.
  const bool is_list_full =
      batch.empty() && statistics_.blocked.count("list_full") != 0;
  const bool has_work =
      !batch.empty() || !expired.empty() || removal.changes_archive() ||
      IsArchiveGone() ||
      (AreKnownFilesStale(*files) && NowS() - written_s_ >= kKnownFilesS) ||
      (is_list_full && !GoneFiles(*files).empty());
  const bool is_done =
      !has_work || WriteArchive(batch, expired, removal, files, view);
  if (is_done) {
    removal.Finish();
    // Who loads an archive does not know whether its writer lived to make it
    // last.
    if (store_->MakeLast()) {
      RemoveFolded(files);
    }
    statistics_.has_reserve = store_->Reserve(archive_.file_bytes);
  }
  statistics_.fold_seconds +=
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
          .count();
  Outcome outcome;
  outcome.has_folded = (has_work || removal.is_needed()) && is_done;
  outcome.has_more = is_done && statistics_.waiting_files != 0;
  return outcome;
}

// ---- What is gone without having been folded --------------------------------

bool Folder::AreKnownFilesStale(const FileSet& files) const {
  return files.IsComplete() && files.admitted_count() != known_admitted_count_;
}

void Folder::NoteLostFiles(const FileSet& files) {
  if (!holds_lock() || has_noted_lost_ || !files.IsComplete()) {
    return;
  }
  has_noted_lost_ = true;
  absl::flat_hash_set<FileUuid, UuidHash> lost = std::move(archive_.known);
  archive_.known.clear();
  for (const auto& file : files.files()) {
    lost.erase(file->writer().uuid);
  }
  for (const auto& [name, leftover] : files.leftovers()) {
    lost.erase(leftover.uuid);
  }
  if (lost.empty()) {
    return;
  }
  archive_.lost_file_count += lost.size();
  archive_.reset_wall_ns = NowNs(CLOCK_REALTIME);
  known_admitted_count_ = 0;  // to be written
  NoteArchive();
  Log(LogLevel::kError,
      absl::StrCat(lost.size(),
                   " metric files were removed while no collector ran, before "
                   "they were folded: counters begin again without them"));
}

void Folder::WriteKnownFiles(FileSet* files, const MergedView& view) {
  if (holds_lock() && IsFoldable(files->directory_kind()) &&
      AreKnownFilesStale(*files)) {
    const Removal removal(*files, {}, archive_);
    if (WriteArchive({}, {}, removal, files, view)) {
      removal.Finish();
    }
  }
}

void Folder::RemoveFolded(FileSet* files) {
  std::vector<std::string> removed;
  for (const auto& [name, leftover] : files->leftovers()) {
    if (leftover.is_kept) {
      continue;
    }
    if (RemoveIfSame(files->directory_fd(), name, leftover.inode)) {
      removed.push_back(name);
      TellProgress("removed", removed.size());
    } else {
      ++statistics_.blocked["no_right_to_remove"];
    }
  }
  for (const std::string& name : removed) {
    files->ForgetLeftover(name);
  }
}

std::vector<TempFile> Folder::OldTempFiles(const FileSet& files) const {
  std::vector<TempFile> old;
  if (!IsFoldable(files.directory_kind())) {
    return old;
  }
  const auto now_s = static_cast<uint64_t>(::time(nullptr));
  for (const std::string& name : files.temp_files()) {
    const OpenedFile opened =
        OpenUntrustedFile(files.directory_fd(), name.c_str(), UINT64_MAX);
    const uint64_t born_s = opened.facts.birth_ns / 1'000'000'000;
    if (opened.fd.valid() && born_s != 0 && born_s + kTempFileAgeS < now_s &&
        IsLifeLockFree(opened.fd.get()) &&
        MayRemove(files.directory_fd(), opened.facts.owner_uid)) {
      old.push_back({name, opened.facts.inode});
    }
  }
  return old;
}

void Folder::RemoveTempFiles(const FileSet& files) {
  if (!holds_lock()) {
    return;
  }
  for (const TempFile& file : OldTempFiles(files)) {
    if (RemoveIfSame(files.directory_fd(), file.name, file.inode)) {
      ++statistics_.removed_temp_files;
    }
  }
}

bool Folder::ForgetSeries(const SeriesParts& series, FileSet* files,
                          const MergedView& view) {
  const Removal removal(*files, {}, archive_);
  if (!WriteArchive({}, series, removal, files, view)) {
    return false;
  }
  removal.Finish();
  return true;
}

}  // namespace tine::collector
