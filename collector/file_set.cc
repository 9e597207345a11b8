#include "collector/file_set.h"

#include <sys/stat.h>
#include <sys/statfs.h>

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "collector/file_opener.h"
#include "collector/series_budget.h"
#include "common/clock.h"
#include "common/metric_file_name.h"

namespace tine::collector {

FileSet::FileSet(Options options, MergedView* view, const Archive* archive)
    : options_(std::move(options)),
      view_(view),
      archive_(archive),
      probe_(options_.host),
      accounts_(options_.limits),
      log_(options_.log, &accounts_),
      names_(&accounts_, &log_),
      open_files_(&accounts_, &log_),
      by_uuid_(&probe_) {
  context_.view = view;
  context_.probe = &probe_;
  context_.max_file_bytes = options_.max_file_bytes;
  context_.max_series_per_file = options_.max_series_per_file;
}

void FileSet::TakeHistoryOf(const FileSet& other) {
  log_.TakeHistoryOf(other.log_);
  names_.TakeHistoryOf(other.names_);
  context_.read_counters = other.context_.read_counters;
  reopen_count_ = other.reopen_count_;
  accounts_.TakeNotesOf(other.accounts_);
}

void FileSet::SetDirectory(int directory_fd) {
  names_.SetDirectory(directory_fd);
  struct statfs info;
  if (directory_fd >= 0 && ::fstatfs(directory_fd, &info) == 0) {
    context_.directory_kind =
        FileSystemKindOf(static_cast<uint64_t>(info.f_type));
  }
}

// ---- New files --------------------------------------------------------------

bool FileSet::OpenPending(size_t max_count) {
  for (size_t i = 0; i < max_count; ++i) {
    Entry* entry = names_.TakePending();
    if (entry == nullptr) {
      break;
    }
    Open(entry);
  }
  return pending_count() == 0;
}

void FileSet::Open(Entry* entry) {
  const std::string& name = entry->first;
  OpenedFile opened =
      OpenMakingRoom(name, entry->second.account->uid, context_.max_file_bytes);
  if (opened.is_retryable) {
    names_.NoteUnopened(entry, opened.problem);
    return;
  }
  struct stat info;
  Presence presence = opened.is_gone ? Presence::kGone : Presence::kThere;
  if (!opened.is_gone && !opened.fd.valid()) {
    presence = names_.LookAtName(name, &info);
  }
  if (presence == Presence::kGone) {
    names_.Forget(entry);
    return;
  }
  if (presence == Presence::kUnknown) {
    names_.NoteUnopened(entry, "look_at_name");
    return;
  }
  if (!opened.fd.valid()) {
    opened.facts.device = info.st_dev;
    opened.facts.inode = info.st_ino;
    opened.facts.change_ns = ChangeTimeOf(info);
    names_.Refuse(entry, opened.facts, opened.problem, 0);
    return;
  }
  if (!names_.ChangeOwner(entry, opened.facts.owner_uid)) {
    names_.NoteUnopened(entry, "uid_file_limit");
    return;
  }
  if (Recognize(entry, &opened)) {
    return;
  }
  const FileUuid uuid = ParseMetricFileName(name)->uuid;
  auto file =
      std::make_unique<MetricFile>(name, uuid, std::move(opened), &context_);
  if (file->problem() == kHeaderNotRead) {
    names_.NoteUnopened(entry, kHeaderNotRead);
    return;
  }
  if (IsLeftover(name, file.get())) {
    names_.Forget(entry);
  } else {
    Admit(entry, std::move(file));
  }
}

// A file whose lock is held is never left out, whatever any list says.
bool FileSet::IsLeftover(const std::string& name, MetricFile* file) {
  if (file->is_quarantined() ||
      !archive_->HasFolded(file->writer().uuid, file->facts())) {
    return false;
  }
  file->Probe();
  if (file->liveness() == Liveness::kLive) {
    return false;
  }
  const FoldedFile& folded = archive_->folded.at(file->writer().uuid);
  names_.AddLeftover(name, folded.uuid, folded.inode, folded.is_kept);
  return true;
}

// The same file under another name, or back where it was?
bool FileSet::Recognize(Entry* entry, OpenedFile* opened) {
  const std::string& name = entry->first;
  MetricFile* file =
      by_uuid_.FindSame(ParseMetricFileName(name)->uuid, opened->facts);
  if (file == nullptr) {
    return false;
  }
  Entry* old = names_.FindNameOf(*file);
  if (old != nullptr) {
    old->second.file = nullptr;
    names_.Forget(old);
  } else {
    accounts_.GiveUpPlace(accounts_.Of(file->facts().owner_uid));
  }
  file->set_name(name);
  file->set_vanished(false);
  if (file->is_closed()) {
    file->Reopen(std::move(opened->fd));
    open_files_.Add(file);
  }
  // While it was elsewhere, no event told of a death.
  file->Probe();
  names_.Follow(entry, file);
  return true;
}

void FileSet::Admit(Entry* entry, std::unique_ptr<MetricFile> admitted) {
  MetricFile* file = admitted.get();
  if (!file->is_quarantined()) {
    SettleUuid(file);
  }
  if (!file->is_quarantined()) {
    file->Begin(&entry->second.account->budget,
                archive_->TakenBefore(file->writer().uuid, file->facts()));
    NoteSeriesLimit(*file);
  }
  if (!file->is_quarantined() && file->liveness() == Liveness::kDead &&
      open_files_.AreShort()) {
    file->Read();  // to the end, so that it needs none any more
  }
  if (file->is_quarantined()) {
    names_.Refuse(entry, file->facts(), file->problem(),
                  file->problem_offset());
    return;
  }
  if (file->is_open()) {
    open_files_.Add(file);
  }
  by_uuid_.Add(file);
  files_.push_back(std::move(admitted));
  ++admitted_count_;
  names_.Follow(entry, file);
  if (!file->problem().empty()) {
    NoteDamage(*file);
  }
}

void FileSet::SettleUuid(MetricFile* file) {
  const FilesByUuid::Judgement judgement = by_uuid_.Judge(*file);
  if (judgement.is_copy) {
    file->Quarantine("duplicate_uuid");
    return;
  }
  for (MetricFile* copy : judgement.copies) {
    Evict(copy);
  }
}

// Only a file that has a name: what vanished is nobody's copy.
void FileSet::Evict(MetricFile* file) {
  open_files_.Remove(*file);
  by_uuid_.Remove(*file);
  file->Quarantine("duplicate_uuid");
  has_quarantined_ = true;
  names_.Refuse(names_.FindNameOf(*file), file->facts(), file->problem(), 0);
  RemoveQuarantined();
}

void FileSet::RemoveQuarantined() {
  if (has_quarantined_) {
    files_.erase(std::remove_if(files_.begin(), files_.end(),
                                [](const std::unique_ptr<MetricFile>& file) {
                                  return file->is_quarantined();
                                }),
                 files_.end());
  }
  has_quarantined_ = false;
}

void FileSet::NoteDamage(const MetricFile& file) {
  Entry* entry = names_.FindNameOf(file);
  if (entry != nullptr &&
      std::exchange(entry->second.noted, file.problem()) == file.problem()) {
    return;
  }
  log_.NoteProblem(file.name(), accounts_.Of(file.facts().owner_uid), "damaged",
                   file.problem(), file.problem_offset());
}

// ---- Descriptors ------------------------------------------------------------

OpenedFile FileSet::OpenMakingRoom(const std::string& name, uint32_t owner_uid,
                                   uint64_t max_file_bytes) {
  open_files_.MakeRoomFor(owner_uid);
  OpenedFile opened =
      OpenUntrustedFile(directory_fd(), name.c_str(), max_file_bytes);
  // The process or the system may have fewer than our limit says.
  if (opened.problem == kTooManyOpenFiles && open_files_.CloseOne(owner_uid)) {
    opened = OpenUntrustedFile(directory_fd(), name.c_str(), max_file_bytes);
  }
  return opened;
}

void FileSet::Reopen(MetricFile* file) {
  if (!file->is_closed() || file->is_vanished()) {
    return;
  }
  // Its size is no matter: what is open can grow too.
  OpenedFile opened =
      OpenMakingRoom(file->name(), file->facts().owner_uid, UINT64_MAX);
  if (opened.is_retryable) {
    log_.CountOpenFailure(opened.problem);
    return;
  }
  if (!opened.fd.valid() || !opened.facts.IsSameFile(file->facts())) {
    names_.LoseName(*file);
    return;
  }
  ++reopen_count_;
  file->Reopen(std::move(opened.fd));
  open_files_.Add(file);
}

void FileSet::Probe(MetricFile* file) {
  Reopen(file);
  file->Probe();
}

// ---- Numbers ----------------------------------------------------------------

bool FileSet::ProbeAgain(const std::string& name) {
  const Entry* entry = names_.Find(name);
  if (entry == nullptr) {
    return false;
  }
  MetricFile* file = entry->second.file;
  if (file == nullptr) {
    return entry->second.state == NameState::kPending;
  }
  Probe(file);
  return file->liveness() == Liveness::kLive;
}

void FileSet::ProbeAll() {
  for (const auto& file : files_) {
    Probe(file.get());
  }
}

void FileSet::AddAll() {
  view_->BeginSums(archive_->sums, NowNs(CLOCK_REALTIME));
  saturated_sum_count_ = 0;
  for (const auto& file : files_) {
    Update(file.get());
    if (!file->is_quarantined()) {
      saturated_sum_count_ += file->AddTo(&view_->sums());
    }
  }
  RemoveQuarantined();
  if (context_.is_ranking_stale && view_->has_conflicts()) {
    view_->BeginRanking();
    for (const auto& file : files_) {
      file->OfferDeclarations();
    }
    view_->OfferOfTheDead(archive_->declarations);
    view_->EndRanking();
  }
  if (context_.is_ranking_stale) {
    worker_id_clash_count_ = CountWorkerIdClashes();
  }
  context_.is_ranking_stale = false;
}

void FileSet::Update(MetricFile* file) {
  if (file->is_final()) {
    return;
  }
  Reopen(file);
  // A vanished file raises no more events.
  if (file->source().has_live_mode_series() || file->is_vanished()) {
    file->Probe();
  }
  const std::string_view problem_before = file->problem();
  file->Read();
  NoteSeriesLimit(*file);
  if (!file->is_open()) {
    open_files_.Remove(*file);
  }
  if (file->is_quarantined()) {
    Abandon(file);
  } else if (file->problem() != problem_before) {
    NoteDamage(*file);
  }
}

void FileSet::NoteSeriesLimit(const MetricFile& file) {
  const FileSource& source = file.source();
  if (source.overflowed_series_count() + source.refused_series_count() == 0) {
    return;
  }
  OwnerAccount* account = accounts_.Of(file.facts().owner_uid);
  if (std::exchange(account->is_series_limit_noted, true)) {
    return;
  }
  log_.Warn(account,
            "user " + std::to_string(account->uid) +
                " has more series than the limits allow, first in metric "
                "file " +
                file.name() +
                ": counts of further ones go to overflow series, gauges are "
                "left out");
}

// Nothing of it was ever good. It is removed when nobody iterates.
void FileSet::Abandon(MetricFile* file) {
  by_uuid_.Remove(*file);
  has_quarantined_ = true;
  Entry* entry = names_.FindNameOf(*file);
  if (entry != nullptr) {
    names_.Refuse(entry, file->facts(), file->problem(),
                  file->problem_offset());
  } else {
    accounts_.GiveUpPlace(accounts_.Of(file->facts().owner_uid));
  }
}

// ---- Folding ----------------------------------------------------------------

void FileSet::ReadForFold() {
  for (const auto& file : files_) {
    if (!file->is_quarantined() && (file->liveness() == Liveness::kDead ||
                                    file->source().has_removals())) {
      Update(file.get());
    }
  }
}

std::string_view FileSet::AssumeDead(const FileUuid& uuid) {
  std::string_view problem = "unknown";
  for (const auto& file : files_) {
    if (file->is_quarantined() || file->writer().uuid != uuid) {
      continue;
    }
    Reopen(file.get());
    if (!file->AssumeDead()) {
      return "lock_held";
    }
    problem = "";
  }
  return problem;
}

std::vector<MetricFile*> FileSet::FinalFiles() const {
  std::vector<MetricFile*> final_files;
  for (const auto& file : files_) {
    if (!file->is_quarantined() && file->is_final()) {
      final_files.push_back(file.get());
    }
  }
  return final_files;
}

void FileSet::ForgetFolded(const std::vector<MetricFile*>& folded) {
  absl::flat_hash_set<const MetricFile*> gone;
  for (MetricFile* file : folded) {
    gone.insert(file);
    by_uuid_.Remove(*file);
    Entry* entry = names_.FindNameOf(*file);
    if (entry != nullptr) {
      names_.AddLeftover(file->name(), file->writer().uuid, file->facts().inode,
                         file->is_damaged());
      entry->second.file = nullptr;
      names_.Forget(entry);
    } else {
      accounts_.GiveUpPlace(accounts_.Of(file->facts().owner_uid));
    }
  }
  files_.erase(std::remove_if(files_.begin(), files_.end(),
                              [&gone](const std::unique_ptr<MetricFile>& file) {
                                return gone.contains(file.get());
                              }),
               files_.end());
  context_.is_ranking_stale = true;
}

TargetStamps FileSet::TargetsInUse() const {
  TargetStamps in_use;
  for (const auto& file : files_) {
    if (!file->is_quarantined()) {
      file->source().Stamp(FileSource::Which::kAll, 1, &in_use);
    }
  }
  return in_use;
}

void FileSet::Sweep() {
  view_->BeginSweep();
  for (const auto& file : files_) {
    if (!file->is_quarantined()) {
      file->source().ForEachFamily(
          [this](const FamilyHandle& family) { view_->Use(family); });
    }
  }
  for (const auto& [group, declaration] : archive_->declarations) {
    view_->UseDeclaration(group, declaration);
  }
  const TargetStamps in_use = TargetsInUse();
  view_->EndSweep(
      [&](const SeriesTargets& targets) {
        return in_use.Of(targets) != 0 || archive_->stamps.Of(targets) != 0;
      },
      [this](uint64_t owner, const ReturnedBudget& returned) {
        accounts_.GiveBack(owner, returned);
      });
  context_.is_ranking_stale = true;
}

// ---- Statistics -------------------------------------------------------------

uint64_t FileSet::CountWorkerIdClashes() const {
  // A process may have several files: its pid, namespace and start time tell.
  absl::flat_hash_map<std::string, const WriterIdentity*> holders;
  uint64_t clash_count = 0;
  for (const auto& file : files_) {
    if (file->liveness() != Liveness::kLive ||
        file->writer().worker_id.empty()) {
      continue;
    }
    const WriterIdentity& writer = file->writer();
    const auto [it, is_new] = holders.try_emplace(
        writer.worker_id + '\0' + writer.packed_process_labels, &writer);
    const WriterIdentity& holder = *it->second;
    if (!is_new && (holder.pid != writer.pid ||
                    holder.pid_namespace != writer.pid_namespace ||
                    holder.process_start_ticks != writer.process_start_ticks)) {
      ++clash_count;
    }
  }
  return clash_count;
}

FileSetStatistics FileSet::statistics() const {
  FileSetStatistics statistics;
  for (const auto& file : files_) {
    ++statistics.files_by_state[static_cast<size_t>(file->state())];
    statistics.live_writers += file->liveness() == Liveness::kLive ? 1 : 0;
    statistics.dead_writers += file->liveness() == Liveness::kDead ? 1 : 0;
    statistics.label_clashes += file->source().label_clash_count();
    statistics.refused_series += file->source().refused_series_count();
    statistics.overflowed_series += file->source().overflowed_series_count();
    statistics.dropped_series += file->counts().dropped_series;
    statistics.dropped_observations += file->counts().dropped_observations;
    statistics.children_without_file += file->counts().children_without_file;
    statistics.saturated_sums += file->source().saturated_slot_count();
  }
  statistics.files_by_state[static_cast<size_t>(FileState::kQuarantined)] =
      names_.CountOf(NameState::kRefused);
  statistics.unopened_files = unopened_count();
  statistics.left_out_files = names_.left_out_count();
  statistics.look_calls = names_.look_count();
  statistics.unlogged_problems = log_.unlogged_count();
  statistics.temp_files = temp_files().size();
  statistics.problems = log_.problems();
  statistics.open_failures = log_.open_failures();
  statistics.worker_id_clashes = worker_id_clash_count_;
  statistics.saturated_sums += saturated_sum_count_;
  statistics.reads = context_.read_counters;
  statistics.reopens = reopen_count_;
  return statistics;
}

}  // namespace tine::collector
