#include "collector/file_set.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/hash/hash.h"
#include "absl/strings/string_view.h"
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

}  // namespace

size_t FileSet::UuidHash::operator()(const FileUuid& uuid) const {
  return absl::Hash<absl::string_view>()(absl::string_view(
      reinterpret_cast<const char*>(uuid.bytes), sizeof(uuid.bytes)));
}

FileSet::FileSet(Options options, MergedView* view)
    : options_(std::move(options)), view_(view), probe_(options_.host) {
  context_.view = view;
  context_.probe = &probe_;
  context_.max_file_bytes = options_.max_file_bytes;
  context_.max_series_per_file = options_.max_series_per_file;
}

void FileSet::Log(LogLevel level, const std::string& message) const {
  if (options_.log) {
    options_.log(level, message);
  }
}

// ---- Names ------------------------------------------------------------------

void FileSet::SetDirectory(int directory_fd) {
  directory_fd_ = directory_fd;
  std::vector<std::string> names;
  for (const auto& [name, file] : by_name_) {
    names.push_back(name);
  }
  for (const std::string& name : names) {
    ForgetName(name);
  }
  pending_.clear();
  unopened_.clear();
  noted_problems_.clear();
  temp_file_count_ = 0;
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
  absl::flat_hash_set<std::string> listed;
  temp_file_count_ = 0;
  while (const dirent* entry = ::readdir(listing.get())) {
    const std::string name = entry->d_name;
    temp_file_count_ += IsTempFileName(name) ? 1 : 0;
    if (!ParseMetricFileName(name).has_value()) {
      continue;
    }
    const auto known = by_name_.find(name);
    // Where the inode that the listing gives is the one we know, nothing has
    // happened to the name. What is quarantined may have been mended.
    if (known == by_name_.end() ||
        known->second->facts().inode != entry->d_ino ||
        known->second->is_quarantined()) {
      Look(name, /*may_be_dead=*/false);
    }
    listed.insert(name);
  }
  std::vector<std::string> gone;
  for (const auto& [name, file] : by_name_) {
    if (!listed.contains(name)) {
      gone.push_back(name);
    }
  }
  for (const std::string& name : gone) {
    Look(name, /*may_be_dead=*/false);
  }
  return true;
}

bool FileSet::Look(const std::string& name, bool may_be_dead) {
  if (directory_fd_ < 0 || !ParseMetricFileName(name).has_value()) {
    return false;
  }
  struct stat info;
  const bool exists =
      ::fstatat(directory_fd_, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0;
  const auto it = by_name_.find(name);
  if (it == by_name_.end()) {
    if (exists) {
      SetAside(name);
    } else {
      pending_.erase(name);
      unopened_.erase(name);
      noted_problems_.erase(name);
    }
    return false;
  }
  MetricFile* file = it->second;
  if (!exists || info.st_ino != file->facts().inode ||
      info.st_dev != file->facts().device) {
    ForgetName(name);
    noted_problems_.erase(name);
    if (exists) {
      SetAside(name);
    }
    return false;
  }
  if (file->is_quarantined()) {
    // Somebody has written to it, and closed it or not: it may be whole by now.
    if (may_be_dead || ChangeTimeOf(info) != file->facts().change_ns) {
      ForgetName(name);
      SetAside(name);
    }
    return false;
  }
  if (!may_be_dead) {
    return false;
  }
  is_ranking_stale_ |= file->Probe();
  return file->liveness() == Liveness::kLive;
}

void FileSet::SetAside(const std::string& name) { pending_.insert(name); }

void FileSet::ForgetName(const std::string& name) {
  const auto it = by_name_.find(name);
  if (it == by_name_.end()) {
    return;
  }
  MetricFile* file = it->second;
  by_name_.erase(it);
  if (file->is_quarantined()) {
    Remove(file);
    return;
  }
  file->set_vanished(true);
  Log(LogLevel::kWarn, "metric file " + name +
                           " vanished; its last good numbers stay in the sum");
}

void FileSet::Remove(const MetricFile* file) {
  files_.erase(std::find_if(files_.begin(), files_.end(),
                            [file](const std::unique_ptr<MetricFile>& own) {
                              return own.get() == file;
                            }));
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
  OpenedFile opened =
      OpenUntrustedFile(directory_fd_, name.c_str(), context_.max_file_bytes);
  if (opened.problem == kTooManyOpenFiles && CloseTheDead()) {
    opened =
        OpenUntrustedFile(directory_fd_, name.c_str(), context_.max_file_bytes);
  }
  if (opened.is_gone) {
    unopened_.erase(name);
    return;
  }
  if (opened.is_retryable) {
    ++open_failures_[opened.problem];
    if (unopened_.insert_or_assign(name, opened.problem).second) {
      Log(LogLevel::kWarn, "metric file " + name + " cannot be opened now: " +
                               std::string(opened.problem));
    }
    return;
  }
  unopened_.erase(name);
  if (!opened.fd.valid()) {
    struct stat info;
    if (::fstatat(directory_fd_, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) !=
        0) {
      return;
    }
    opened.facts.device = info.st_dev;
    opened.facts.inode = info.st_ino;
    opened.facts.change_ns = ChangeTimeOf(info);
    Admit(std::make_unique<MetricFile>(name, opened.facts, opened.problem));
    return;
  }
  const FileUuid uuid = ParseMetricFileName(name)->uuid;
  const auto known = by_uuid_.find(uuid);
  if (known != by_uuid_.end() &&
      known->second->facts().IsSameFile(opened.facts)) {
    // The same file under another name, or back where it was.
    const auto old_name = by_name_.find(known->second->name());
    if (old_name != by_name_.end() && old_name->second == known->second) {
      by_name_.erase(old_name);  // not if another file has that name by now
    }
    known->second->set_name(name);
    known->second->set_vanished(false);
    by_name_[name] = known->second;
    return;
  }
  Admit(std::make_unique<MetricFile>(name, uuid, std::move(opened), &context_));
}

// Of two files with one uuid, the one that was born first is the original and
// the other a copy of it, which must not count twice. (A writer that makes its
// file after the collector has seen another's cannot take its place.)
bool FileSet::IsOriginal(const MetricFile& file,
                         const MetricFile& known) const {
  const FileFacts& facts = file.facts();
  const FileFacts& known_facts = known.facts();
  if (known.is_vanished() || facts.birth_ns == 0) {
    return false;
  }
  return facts.birth_ns != known_facts.birth_ns
             ? facts.birth_ns < known_facts.birth_ns
             : facts.inode < known_facts.inode;
}

void FileSet::Admit(std::unique_ptr<MetricFile> admitted) {
  MetricFile* file = admitted.get();
  files_.push_back(std::move(admitted));
  by_name_[file->name()] = file;
  is_ranking_stale_ = true;
  if (!file->is_quarantined()) {
    const auto [it, is_new] = by_uuid_.try_emplace(file->writer().uuid, file);
    if (!is_new && IsOriginal(*file, *it->second)) {
      MetricFile* copy = std::exchange(it->second, file);
      copy->Quarantine("duplicate_uuid");
      NoteProblem(*copy);
    } else if (!is_new) {
      file->Quarantine("duplicate_uuid");
    }
  }
  if (!file->is_quarantined()) {
    file->Begin();
    if (file->is_quarantined()) {
      by_uuid_.erase(file->writer().uuid);
    }
  }
  if (!file->problem().empty()) {
    NoteProblem(*file);
  }
  has_unread_dead_ |=
      !file->is_quarantined() && file->liveness() == Liveness::kDead;
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

void FileSet::NoteProblem(const MetricFile& file) {
  std::string_view& noted = noted_problems_[file.name()];
  if (noted == file.problem()) {
    return;
  }
  noted = file.problem();
  ++problems_[file.problem()];
  Log(LogLevel::kWarn, "metric file " + file.name() + " is " +
                           (file.is_quarantined() ? "quarantined" : "damaged") +
                           ": " + std::string(file.problem()) + " at offset " +
                           std::to_string(file.problem_offset()));
}

// ---- Numbers ----------------------------------------------------------------

bool FileSet::ProbeAgain(const std::string& name) {
  const auto it = by_name_.find(name);
  if (it == by_name_.end()) {
    return false;
  }
  is_ranking_stale_ |= it->second->Probe();
  return !it->second->is_quarantined() &&
         it->second->liveness() == Liveness::kLive;
}

void FileSet::ProbeAll() {
  for (const auto& file : files_) {
    is_ranking_stale_ |= file->Probe();
  }
}

void FileSet::AddAll() {
  view_->BeginSums();
  saturated_sum_count_ = 0;
  has_unread_dead_ = false;
  for (const auto& file : files_) {
    Update(file.get());
    if (!file->is_quarantined()) {
      saturated_sum_count_ += file->AddTo(&view_->sums());
    }
  }
  if (is_ranking_stale_ && view_->has_conflicts()) {
    view_->BeginRanking();
    for (const auto& file : files_) {
      if (!file->is_quarantined()) {
        file->OfferDeclarations();
      }
    }
    view_->EndRanking();
  }
  if (is_ranking_stale_) {
    worker_id_clash_count_ = CountWorkerIdClashes();
  }
  is_ranking_stale_ = false;
}

void FileSet::Update(MetricFile* file) {
  if (file->is_quarantined() || file->is_final()) {
    return;
  }
  // A vanished file raises no more events.
  if (file->source().has_live_mode_series() || file->is_vanished()) {
    is_ranking_stale_ |= file->Probe();
  }
  const std::string_view problem_before = file->problem();
  is_ranking_stale_ |= file->Read();
  if (file->problem() != problem_before) {
    NoteProblem(*file);
    if (file->is_quarantined()) {
      by_uuid_.erase(file->writer().uuid);
    }
  }
}

// ---- Statistics -------------------------------------------------------------

uint64_t FileSet::CountWorkerIdClashes() const {
  // A process may have several files: its pid, namespace and start time tell.
  absl::flat_hash_map<std::string, const WriterIdentity*> holders;
  uint64_t clash_count = 0;
  for (const auto& file : files_) {
    if (file->is_quarantined() || file->liveness() != Liveness::kLive ||
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
    if (file->is_quarantined()) {
      continue;
    }
    statistics.live_writers += file->liveness() == Liveness::kLive ? 1 : 0;
    statistics.dead_writers += file->liveness() == Liveness::kDead ? 1 : 0;
    statistics.label_clashes += file->source().label_clash_count();
    statistics.refused_series += file->source().refused_series_count();
    statistics.dropped_series += file->counts().dropped_series;
    statistics.dropped_observations += file->counts().dropped_observations;
    statistics.children_without_file += file->counts().children_without_file;
    statistics.saturated_sums += file->source().saturated_slot_count();
  }
  statistics.unopened_files = unopened_.size();
  statistics.temp_files = temp_file_count_;
  statistics.problems = problems_;
  statistics.open_failures = open_failures_;
  statistics.worker_id_clashes = worker_id_clash_count_;
  statistics.saturated_sums += saturated_sum_count_;
  statistics.reads = context_.read_counters;
  return statistics;
}

}  // namespace tine::collector
