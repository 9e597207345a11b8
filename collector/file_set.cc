#include "collector/file_set.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "common/metric_file_name.h"

namespace tine::collector {
namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

uint64_t ChangeTimeOf(const struct stat& info) {
  return static_cast<uint64_t>(info.st_ctim.tv_sec) * 1'000'000'000 +
         static_cast<uint64_t>(info.st_ctim.tv_nsec);
}

// A description of its own, so that its reading position is nobody else's.
std::unique_ptr<DIR, CloseDirectory> OpenListing(int directory_fd) {
  UniqueFd fd(::openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  DIR* directory = fd.valid() ? ::fdopendir(fd.get()) : nullptr;
  if (directory != nullptr) {
    fd.Release();
  }
  return std::unique_ptr<DIR, CloseDirectory>(directory);
}

// Null: there is no other one, or (with errno set) the rest cannot be had.
const dirent* NextEntry(DIR* directory) {
  errno = 0;
  return ::readdir(directory);
}

uint64_t NowMs() {
  timespec now;
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000 +
         static_cast<uint64_t>(now.tv_nsec) / 1'000'000;
}

}  // namespace

FileSet::FileSet(Options options, MergedView* view, const Archive* archive)
    : options_(std::move(options)),
      view_(view),
      archive_(archive),
      probe_(options_.host),
      accounts_(options_.limits) {
  context_.view = view;
  context_.probe = &probe_;
  context_.max_file_bytes = options_.max_file_bytes;
  context_.max_series_per_file = options_.max_series_per_file;
}

// Whoever can make files can make lines: so many, and no more.
void FileSet::Log(LogLevel level, OwnerAccount* account,
                  const std::string& message) {
  if (!options_.log) {
    return;
  }
  if (accounts_.MayLog(account, NowMs())) {
    options_.log(level, message);
  } else {
    ++unlogged_count_;
  }
}

void FileSet::TakeHistoryOf(const FileSet& other) {
  for (const auto& [name, known] : other.names_) {
    if (!known.noted.empty()) {
      told_[name] = known.noted;
    }
  }
  problems_ = other.problems_;
  open_failures_ = other.open_failures_;
  look_count_ = other.look_count_;
  unlogged_count_ = other.unlogged_count_;
  context_.read_counters = other.context_.read_counters;
}

// ---- Names ------------------------------------------------------------------

void FileSet::SetDirectory(int directory_fd) {
  directory_fd_ = directory_fd;
  std::vector<std::string> names;
  for (const auto& [name, known] : names_) {
    names.push_back(name);
  }
  for (const std::string& name : names) {
    Forget(names_.find(name));
  }
  leftovers_.clear();
  temp_files_.clear();
  left_out_count_ = 0;
  has_listed_ = false;
  struct statfs info;
  if (directory_fd >= 0 && ::fstatfs(directory_fd, &info) == 0) {
    context_.directory_kind =
        FileSystemKindOf(static_cast<uint64_t>(info.f_type));
  }
}

bool FileSet::Rescan() {
  if (directory_fd_ < 0) {
    return true;
  }
  const auto listing = OpenListing(directory_fd_);
  if (listing == nullptr) {
    ++open_failures_["list_directory"];
    return false;
  }
  ++rescan_;
  temp_files_.clear();
  left_out_count_ = 0;
  while (const dirent* entry = NextEntry(listing.get())) {
    if (ParseMetricFileName(entry->d_name).has_value()) {
      TakeListed(entry->d_name, entry->d_ino);
    } else if (IsTempFileName(entry->d_name)) {
      temp_files_.emplace_back(entry->d_name);
    }
  }
  // Cut short, it says nothing of what it has not named.
  if (errno != 0) {
    ++open_failures_["list_directory"];
    return false;
  }
  std::vector<std::string> gone;
  for (const auto& [name, known] : names_) {
    if (known.rescan != rescan_) {
      gone.push_back(name);
    }
  }
  for (const auto& [name, leftover] : leftovers_) {
    if (leftover.rescan != rescan_) {
      gone.push_back(name);
    }
  }
  for (const std::string& name : gone) {
    Look(name, /*may_be_dead=*/false);
  }
  has_listed_ = true;
  return true;
}

// Where the inode that the listing gives is the one we know, nothing has
// happened to the name; but what was refused may have been mended.
void FileSet::TakeListed(const std::string& name, uint64_t inode) {
  const auto it = names_.find(name);
  const auto leftover = leftovers_.find(name);
  if (leftover != leftovers_.end() && leftover->second.inode == inode) {
    leftover->second.rescan = rescan_;
    return;
  }
  if (it == names_.end()) {
    Look(name, /*may_be_dead=*/false);
    return;
  }
  Name& known = it->second;
  known.rescan = rescan_;
  if (known.state != NameState::kFollowed ||
      known.file->facts().inode != inode) {
    known.early_retry_count = 0;
    Look(name, /*may_be_dead=*/false);
  }
}

bool FileSet::LookAtName(const std::string& name, struct stat* info) {
  ++look_count_;
  return ::fstatat(directory_fd_, name.c_str(), info, AT_SYMLINK_NOFOLLOW) == 0;
}

bool FileSet::Look(const std::string& name, bool may_be_dead) {
  if (directory_fd_ < 0 || !ParseMetricFileName(name).has_value()) {
    return false;
  }
  struct stat info;
  const bool exists = LookAtName(name, &info);
  const auto leftover = leftovers_.find(name);
  if (leftover != leftovers_.end()) {
    if (exists && info.st_ino == leftover->second.inode) {
      return false;
    }
    leftovers_.erase(leftover);
  }
  const auto it = names_.find(name);
  if (it == names_.end()) {
    if (exists) {
      SetAside(name, info);
    }
    return may_be_dead && pending_.contains(name);
  }
  const Name& known = it->second;
  const bool is_same =
      exists &&
      (known.state == NameState::kFollowed
           ? info.st_ino == known.file->facts().inode &&
                 info.st_dev == known.file->facts().device
           : known.state != NameState::kRefused ||
                 (info.st_ino == known.inode && info.st_dev == known.device));
  if (is_same) {
    return LookAgain(it, info, may_be_dead);
  }
  Forget(it);
  if (exists) {
    SetAside(name, info);
  }
  return may_be_dead && pending_.contains(name);
}

bool FileSet::LookAgain(Names::iterator it, const struct stat& info,
                        bool may_be_dead) {
  // Reading a refused file can cost much, and closing it costs its owner
  // nothing: after so many times it waits for the next rescan.
  constexpr uint8_t kMaxEarlyRetries = 3;
  Name& known = it->second;
  switch (known.state) {
    case NameState::kPending:
      return may_be_dead;
    case NameState::kRefused:
      // Somebody has written to it, and closed it or not: it may be whole by
      // now.
      known.is_changed |= may_be_dead || ChangeTimeOf(info) != known.change_ns;
      if (!known.is_changed || known.early_retry_count >= kMaxEarlyRetries) {
        return false;
      }
      ++known.early_retry_count;
      [[fallthrough]];
    case NameState::kUnopened:
      SetState(&known, NameState::kPending);
      pending_.insert(it->first);
      return may_be_dead;
    case NameState::kFollowed:
      break;
  }
  // Something else than a death: it was elsewhere for a moment, where no event
  // told of one.
  is_ranking_stale_ |= known.file->Probe();
  return known.file->liveness() == Liveness::kLive;
}

void FileSet::SetAside(const std::string& name, const struct stat& info) {
  OwnerAccount* account = accounts_.Of(info.st_uid);
  const std::string_view problem = accounts_.TakePlace(account);
  if (problem.empty()) {
    Name& added = names_[name];
    const auto told = told_.find(name);
    if (told != told_.end()) {
      added.noted = told->second;
      told_.erase(told);
    }
    added.account = account;
    added.rescan = rescan_;
    ++name_counts_[static_cast<size_t>(added.state)];
    pending_.insert(name);
    return;
  }
  ++left_out_count_;
  ++open_failures_[problem];
  if (!account->is_limit_noted) {
    account->is_limit_noted = true;
    Log(LogLevel::kWarn, account,
        "metric files of user " + std::to_string(account->uid) +
            " are left out: " + std::string(problem));
  }
}

void FileSet::SetState(Name* name, NameState state) {
  --name_counts_[static_cast<size_t>(name->state)];
  name->state = state;
  ++name_counts_[static_cast<size_t>(state)];
}

void FileSet::Forget(Names::iterator it) {
  const auto& [name, known] = *it;
  if (known.file != nullptr) {
    // It keeps its place: its numbers stay in the sum.
    known.file->set_vanished(true);
    Log(LogLevel::kWarn, known.account,
        "metric file " + name +
            " vanished; its last good numbers stay in the sum");
  } else {
    accounts_.GiveUpPlace(known.account);
  }
  --name_counts_[static_cast<size_t>(known.state)];
  pending_.erase(name);
  names_.erase(it);
}

// ---- New files --------------------------------------------------------------

bool FileSet::OpenPending(size_t max_count) {
  for (size_t i = 0; i < max_count && !pending_.empty(); ++i) {
    const std::string name = *pending_.begin();
    pending_.erase(pending_.begin());
    Open(name);
  }
  return pending_.empty();
}

void FileSet::Open(const std::string& name) {
  const auto it = names_.find(name);
  Name& known = it->second;
  known.is_changed = false;
  if (!accounts_.MayOpen(*known.account)) {
    NoteUnopened(it, "descriptor_limit");
    return;
  }
  OpenedFile opened =
      OpenUntrustedFile(directory_fd_, name.c_str(), context_.max_file_bytes);
  if (opened.problem == kTooManyOpenFiles && CloseTheDead()) {
    opened =
        OpenUntrustedFile(directory_fd_, name.c_str(), context_.max_file_bytes);
  }
  if (opened.is_gone) {
    Forget(it);
    return;
  }
  if (opened.is_retryable) {
    NoteUnopened(it, opened.problem);
    return;
  }
  if (!opened.fd.valid()) {
    struct stat info;
    if (!LookAtName(name, &info)) {
      Forget(it);
      return;
    }
    opened.facts.device = info.st_dev;
    opened.facts.inode = info.st_ino;
    opened.facts.change_ns = ChangeTimeOf(info);
    Refuse(it, opened.facts, opened.problem, 0);
    return;
  }
  if (!ChangeOwner(&known, opened.facts.owner_uid)) {
    NoteUnopened(it, "uid_file_limit");
    return;
  }
  if (Recognize(it, opened.facts)) {
    return;
  }
  const FileUuid uuid = ParseMetricFileName(name)->uuid;
  auto file =
      std::make_unique<MetricFile>(name, uuid, std::move(opened), &context_);
  if (IsLeftover(name, file.get())) {
    Forget(it);
  } else {
    Admit(it, std::move(file));
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
  leftovers_[name] = {folded.uuid, folded.inode, folded.is_kept, rescan_};
  return true;
}

void FileSet::NoteUnopened(Names::iterator it, std::string_view reason) {
  auto& [name, known] = *it;
  ++open_failures_[reason];
  SetState(&known, NameState::kUnopened);
  if (known.noted != reason) {
    known.noted = reason;
    Log(LogLevel::kWarn, known.account,
        "metric file " + name +
            " cannot be opened now: " + std::string(reason));
  }
}

// Between the look at the name and the opening it can become another file.
bool FileSet::ChangeOwner(Name* name, uint32_t uid) {
  OwnerAccount* account = accounts_.Of(uid);
  if (account == name->account) {
    return true;
  }
  if (!accounts_.TakePlace(account).empty()) {
    return false;
  }
  accounts_.GiveUpPlace(std::exchange(name->account, account));
  return true;
}

// The same file under another name, or back where it was?
bool FileSet::Recognize(Names::iterator it, const FileFacts& facts) {
  const auto [begin, end] =
      by_uuid_.equal_range(ParseMetricFileName(it->first)->uuid);
  const auto same =
      std::find_if(begin, end, [&facts](const auto& uuid_and_file) {
        return uuid_and_file.second->facts().IsSameFile(facts);
      });
  if (same == end) {
    return false;
  }
  MetricFile* file = same->second;
  const auto old = names_.find(file->name());
  if (old != names_.end() && old->second.file == file) {
    old->second.file = nullptr;
    Forget(old);
  } else {
    accounts_.GiveUpPlace(accounts_.Of(file->facts().owner_uid));
  }
  file->set_name(it->first);
  file->set_vanished(false);
  // While it was elsewhere, no event told of a death.
  is_ranking_stale_ |= file->Probe();
  it->second.file = file;
  SetState(&it->second, NameState::kFollowed);
  return true;
}

void FileSet::Admit(Names::iterator it, std::unique_ptr<MetricFile> admitted) {
  MetricFile* file = admitted.get();
  if (!file->is_quarantined()) {
    SettleUuid(file);
  }
  if (!file->is_quarantined()) {
    file->Begin(&it->second.account->budget);
    is_ranking_stale_ = true;
  }
  if (!file->is_quarantined() && file->liveness() == Liveness::kDead &&
      accounts_.AreDescriptorsShort()) {
    file->Read();  // to the end, so that it needs none any more
  }
  if (file->is_quarantined()) {
    Refuse(it, file->facts(), file->problem(), file->problem_offset());
    return;
  }
  if (file->is_open()) {
    accounts_.NoteOpened(it->second.account);
  }
  by_uuid_.emplace(file->writer().uuid, file);
  files_.push_back(std::move(admitted));
  ++admitted_count_;
  it->second.file = file;
  SetState(&it->second, NameState::kFollowed);
  if (!file->problem().empty()) {
    NoteProblem(*file);
  }
  has_unread_dead_ |= file->is_open() && file->liveness() == Liveness::kDead;
}

bool FileSet::CloseTheDead() {
  if (!std::exchange(has_unread_dead_, false)) {
    return false;
  }
  for (const auto& file : files_) {
    if (!file->is_quarantined() && file->liveness() == Liveness::kDead) {
      Update(file.get());
    }
  }
  return true;
}

void FileSet::Refuse(Names::iterator it, const FileFacts& facts,
                     std::string_view reason, uint64_t offset) {
  auto& [name, known] = *it;
  SetState(&known, NameState::kRefused);
  known.file = nullptr;
  known.device = facts.device;
  known.inode = facts.inode;
  known.change_ns = facts.change_ns;
  known.offset = offset;
  if (known.noted != reason) {
    known.noted = reason;
    NoteProblem(name, known.account, "quarantined", reason, offset);
  }
}

// Of two files of one owner with one uuid, the one that was born first is the
// original and the other a copy of it, which must not count twice. (A writer
// that makes its file after the collector has seen another's cannot take its
// place.)
bool FileSet::IsCopyOf(const MetricFile& file, const MetricFile& other) const {
  const FileFacts& facts = file.facts();
  const FileFacts& other_facts = other.facts();
  if (file.is_vanished()) {
    return false;  // it may have been the original
  }
  if (facts.owner_uid != other_facts.owner_uid) {
    // Nobody takes another user's place, whatever is written in a file and
    // whenever that was born. What says that it is somebody else's, and could
    // be if it were true, is a plain copy.
    return probe_.IsPidOfThisNamespace(file.writer()) &&
           file.writer().uid == other_facts.owner_uid;
  }
  if (facts.birth_ns == 0 || other_facts.birth_ns == 0) {
    return false;
  }
  return facts.birth_ns != other_facts.birth_ns
             ? facts.birth_ns > other_facts.birth_ns
             : facts.inode > other_facts.inode;
}

void FileSet::SettleUuid(MetricFile* file) {
  const auto [begin, end] = by_uuid_.equal_range(file->writer().uuid);
  std::vector<MetricFile*> copies;
  for (auto it = begin; it != end; ++it) {
    MetricFile* known = it->second;
    const bool has_one_owner =
        known->facts().owner_uid == file->facts().owner_uid;
    if (IsCopyOf(*known, *file)) {
      copies.push_back(known);
    } else if (has_one_owner || IsCopyOf(*file, *known)) {
      file->Quarantine("duplicate_uuid");
      return;
    }
  }
  for (MetricFile* copy : copies) {
    Evict(copy);
  }
}

// Only a file that has a name: see IsCopyOf.
void FileSet::Evict(MetricFile* file) {
  if (file->is_open()) {
    accounts_.NoteClosed(accounts_.Of(file->facts().owner_uid));
  }
  ForgetUuid(*file);
  file->Quarantine("duplicate_uuid");
  has_quarantined_ = true;
  Refuse(names_.find(file->name()), file->facts(), file->problem(), 0);
  RemoveQuarantined();
}

void FileSet::ForgetUuid(const MetricFile& file) {
  const auto [begin, end] = by_uuid_.equal_range(file.writer().uuid);
  const auto own = std::find_if(
      begin, end, [&file](const auto& known) { return known.second == &file; });
  if (own != end) {
    by_uuid_.erase(own);
  }
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

void FileSet::NoteProblem(const MetricFile& file) {
  OwnerAccount* account = accounts_.Of(file.facts().owner_uid);
  const auto it = names_.find(file.name());
  if (it != names_.end() && it->second.file == &file) {
    if (std::exchange(it->second.noted, file.problem()) == file.problem()) {
      return;
    }
  }
  NoteProblem(file.name(), account, "damaged", file.problem(),
              file.problem_offset());
}

void FileSet::NoteProblem(const std::string& name, OwnerAccount* account,
                          std::string_view noun, std::string_view reason,
                          uint64_t offset) {
  ++problems_[reason];
  Log(LogLevel::kWarn, account,
      "metric file " + name + " is " + std::string(noun) + ": " +
          std::string(reason) + " at offset " + std::to_string(offset));
}

// ---- Numbers ----------------------------------------------------------------

bool FileSet::ProbeAgain(const std::string& name) {
  const auto it = names_.find(name);
  if (it == names_.end()) {
    return false;
  }
  if (it->second.file == nullptr) {
    return it->second.state == NameState::kPending;
  }
  is_ranking_stale_ |= it->second.file->Probe();
  return it->second.file->liveness() == Liveness::kLive;
}

void FileSet::ProbeAll() {
  for (const auto& file : files_) {
    is_ranking_stale_ |= file->Probe();
  }
}

void FileSet::AddAll() {
  view_->BeginSums(archive_->sums);
  saturated_sum_count_ = 0;
  has_unread_dead_ = false;
  for (const auto& file : files_) {
    Update(file.get());
    if (!file->is_quarantined()) {
      saturated_sum_count_ += file->AddTo(&view_->sums());
    }
  }
  RemoveQuarantined();
  if (is_ranking_stale_ && view_->has_conflicts()) {
    view_->BeginRanking();
    for (const auto& file : files_) {
      file->OfferDeclarations();
    }
    view_->OfferOfTheDead(archive_->declarations);
    view_->EndRanking();
  }
  if (is_ranking_stale_) {
    worker_id_clash_count_ = CountWorkerIdClashes();
  }
  is_ranking_stale_ = false;
}

void FileSet::Update(MetricFile* file) {
  if (file->is_final()) {
    return;
  }
  const bool was_open = file->is_open();
  // A vanished file raises no more events.
  if (file->source().has_live_mode_series() || file->is_vanished()) {
    is_ranking_stale_ |= file->Probe();
  }
  const std::string_view problem_before = file->problem();
  is_ranking_stale_ |= file->Read();
  if (was_open && !file->is_open()) {
    accounts_.NoteClosed(accounts_.Of(file->facts().owner_uid));
  }
  if (file->is_quarantined()) {
    Abandon(file);
  } else if (file->problem() != problem_before) {
    NoteProblem(*file);
  }
}

// Nothing of it was ever good. It is removed when nobody iterates.
void FileSet::Abandon(MetricFile* file) {
  ForgetUuid(*file);
  has_quarantined_ = true;
  const auto it = names_.find(file->name());
  if (it != names_.end() && it->second.file == file) {
    Refuse(it, file->facts(), file->problem(), file->problem_offset());
  } else {
    accounts_.GiveUpPlace(accounts_.Of(file->facts().owner_uid));
  }
}

// ---- Folding ----------------------------------------------------------------

void FileSet::ReadDead() {
  for (const auto& file : files_) {
    if (!file->is_quarantined() && file->liveness() == Liveness::kDead) {
      Update(file.get());
    }
  }
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
    ForgetUuid(*file);
    const auto it = names_.find(file->name());
    if (it != names_.end() && it->second.file == file) {
      leftovers_[file->name()] = {file->writer().uuid, file->facts().inode,
                                  file->is_damaged(), rescan_};
      it->second.file = nullptr;
      Forget(it);
    } else {
      accounts_.GiveUpPlace(accounts_.Of(file->facts().owner_uid));
    }
  }
  files_.erase(std::remove_if(files_.begin(), files_.end(),
                              [&gone](const std::unique_ptr<MetricFile>& file) {
                                return gone.contains(file.get());
                              }),
               files_.end());
  is_ranking_stale_ = true;
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
      [this](uint64_t owner, size_t series_count, uint64_t text_bytes) {
        if (owner != SeriesBudget::kNoOwner) {
          accounts_.Of(static_cast<uint32_t>(owner))
              ->budget.GiveBack(series_count, text_bytes);
        }
      });
  is_ranking_stale_ = true;
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
    statistics.dropped_series += file->counts().dropped_series;
    statistics.dropped_observations += file->counts().dropped_observations;
    statistics.children_without_file += file->counts().children_without_file;
    statistics.saturated_sums += file->source().saturated_slot_count();
  }
  statistics.files_by_state[static_cast<size_t>(FileState::kQuarantined)] =
      CountOf(NameState::kRefused);
  statistics.unopened_files = unopened_count();
  statistics.left_out_files = left_out_count_;
  statistics.look_calls = look_count_;
  statistics.unlogged_problems = unlogged_count_;
  statistics.temp_files = temp_files_.size();
  statistics.problems = problems_;
  statistics.open_failures = open_failures_;
  statistics.worker_id_clashes = worker_id_clash_count_;
  statistics.saturated_sums += saturated_sum_count_;
  statistics.reads = context_.read_counters;
  return statistics;
}

std::vector<RefusedFile> FileSet::RefusedFiles() const {
  std::vector<RefusedFile> refused;
  for (const auto& [name, known] : names_) {
    if (known.state == NameState::kRefused) {
      refused.push_back({name, known.noted, known.offset, known.account->uid});
    }
  }
  return refused;
}

}  // namespace tine::collector
