#include "collector/directory_names.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "common/unique_fd.h"

namespace tine::collector {
namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

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

}  // namespace

uint64_t ChangeTimeOf(const struct stat& info) {
  return static_cast<uint64_t>(info.st_ctim.tv_sec) * 1'000'000'000 +
         static_cast<uint64_t>(info.st_ctim.tv_nsec);
}

void DirectoryNames::TakeHistoryOf(const DirectoryNames& other) {
  for (const auto& [name, known] : other.names_) {
    if (!known.noted.empty()) {
      told_[name] = known.noted;
    }
  }
  look_count_ = other.look_count_;
}

void DirectoryNames::SetDirectory(int directory_fd) {
  directory_fd_ = directory_fd;
  std::vector<std::string> names;
  for (const auto& [name, known] : names_) {
    names.push_back(name);
  }
  for (const std::string& name : names) {
    Forget(Find(name));
  }
  leftovers_.clear();
  temp_files_.clear();
  left_out_count_ = 0;
  has_listed_ = false;
}

// ---- Looking ----------------------------------------------------------------

bool DirectoryNames::Rescan() {
  if (directory_fd_ < 0) {
    return true;
  }
  const auto listing = OpenListing(directory_fd_);
  if (listing == nullptr) {
    log_->CountOpenFailure("list_directory");
    return false;
  }
  ++rescan_;
  temp_files_.clear();
  left_out_count_ = 0;
  has_listed_ = true;
  while (const dirent* entry = NextEntry(listing.get())) {
    if (ParseMetricFileName(entry->d_name).has_value()) {
      TakeListed(entry->d_name, entry->d_ino);
    } else if (IsTempFileName(entry->d_name)) {
      temp_files_.emplace_back(entry->d_name);
    }
  }
  // Cut short, it says nothing of what it has not named.
  if (errno != 0) {
    log_->CountOpenFailure("list_directory");
    has_listed_ = false;
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
  return has_listed_;
}

// Where the inode that the listing gives is the one we know, nothing has
// happened to the name; but what was refused may have been mended.
void DirectoryNames::TakeListed(const std::string& name, uint64_t inode) {
  const auto leftover = leftovers_.find(name);
  if (leftover != leftovers_.end() && leftover->second.inode == inode) {
    leftover->second.rescan = rescan_;
    return;
  }
  Entry* entry = Find(name);
  if (entry == nullptr) {
    Look(name, /*may_be_dead=*/false);
    return;
  }
  KnownName& known = entry->second;
  known.rescan = rescan_;
  if (known.state != NameState::kFollowed ||
      known.file->facts().inode != inode) {
    known.early_retry_count = 0;
    Look(name, /*may_be_dead=*/false);
  }
}

Presence DirectoryNames::LookAtName(const std::string& name,
                                    struct stat* info) {
  ++look_count_;
  if (::fstatat(directory_fd_, name.c_str(), info, AT_SYMLINK_NOFOLLOW) == 0) {
    return Presence::kThere;
  }
  return errno == ENOENT ? Presence::kGone : Presence::kUnknown;
}

bool DirectoryNames::Look(const std::string& name, bool may_be_dead) {
  if (directory_fd_ < 0 || !ParseMetricFileName(name).has_value()) {
    return false;
  }
  struct stat info;
  const Presence presence = LookAtName(name, &info);
  if (presence == Presence::kUnknown) {
    log_->CountOpenFailure("look_at_name");
    has_listed_ = false;  // asks for a rescan
    return false;
  }
  const bool exists = presence == Presence::kThere;
  const auto leftover = leftovers_.find(name);
  if (leftover != leftovers_.end()) {
    if (exists && info.st_ino == leftover->second.inode) {
      return false;
    }
    leftovers_.erase(leftover);
  }
  Entry* entry = Find(name);
  if (entry != nullptr) {
    const KnownName& known = entry->second;
    const bool is_same =
        exists &&
        (known.state == NameState::kFollowed
             ? info.st_ino == known.file->facts().inode &&
                   info.st_dev == known.file->facts().device
             : known.state != NameState::kRefused ||
                   (info.st_ino == known.inode && info.st_dev == known.device));
    if (is_same) {
      return LookAgain(entry, info, may_be_dead);
    }
    Forget(entry);
  }
  if (exists) {
    SetAside(name, info);
  }
  return may_be_dead && pending_.contains(name);
}

bool DirectoryNames::LookAgain(Entry* entry, const struct stat& info,
                               bool may_be_dead) {
  // Reading a refused file can cost much, and closing it costs its owner
  // nothing: after so many times it waits for the next rescan.
  constexpr uint8_t kMaxEarlyRetries = 3;
  KnownName& known = entry->second;
  switch (known.state) {
    case NameState::kPending:
      return may_be_dead;
    case NameState::kRefused:
      // Somebody has written to it, and closed it or not: it may be whole by
      // now.
      if (may_be_dead) {
        known.change_ns = 0;
      }
      if (ChangeTimeOf(info) == known.change_ns ||
          known.early_retry_count >= kMaxEarlyRetries) {
        return false;
      }
      ++known.early_retry_count;
      [[fallthrough]];
    case NameState::kUnopened:
      SetState(&known, NameState::kPending);
      pending_.insert(entry->first);
      return may_be_dead;
    case NameState::kFollowed:
      break;
  }
  // Something else than a death: it was elsewhere for a moment, where no event
  // told of one.
  known.file->Probe();
  return known.file->liveness() == Liveness::kLive || known.file->is_closed();
}

void DirectoryNames::SetAside(const std::string& name,
                              const struct stat& info) {
  OwnerAccount* account = accounts_->Of(info.st_uid);
  const std::string_view problem = accounts_->TakePlace(account);
  if (problem.empty()) {
    KnownName& added = names_[name];
    const auto told = told_.find(name);
    if (told != told_.end()) {
      added.noted = told->second;
      told_.erase(told);
    }
    added.account = account;
    added.rescan = rescan_;
    ++counts_[static_cast<size_t>(added.state)];
    pending_.insert(name);
    return;
  }
  ++left_out_count_;
  log_->CountOpenFailure(problem);
  if (!account->is_limit_noted) {
    account->is_limit_noted = true;
    log_->Warn(account, "metric files of user " + std::to_string(account->uid) +
                            " are left out: " + std::string(problem));
  }
}

// ---- What became of them ----------------------------------------------------

DirectoryNames::Entry* DirectoryNames::Find(const std::string& name) {
  const auto it = names_.find(name);
  return it != names_.end() ? &*it : nullptr;
}

DirectoryNames::Entry* DirectoryNames::FindNameOf(const MetricFile& file) {
  Entry* entry = Find(file.name());
  return entry != nullptr && entry->second.file == &file ? entry : nullptr;
}

DirectoryNames::Entry* DirectoryNames::TakePending() {
  const auto first = pending_.begin();
  if (first == pending_.end()) {
    return nullptr;
  }
  Entry* entry = Find(*first);
  pending_.erase(first);
  return entry;
}

void DirectoryNames::SetState(KnownName* name, NameState state) {
  --counts_[static_cast<size_t>(name->state)];
  name->state = state;
  ++counts_[static_cast<size_t>(state)];
}

void DirectoryNames::Forget(Entry* entry) {
  const auto& [name, known] = *entry;
  if (known.file != nullptr) {
    known.file->set_vanished(true);
    log_->Warn(known.account,
               "metric file " + name +
                   " vanished; its last good numbers stay in the sum");
  } else {
    accounts_->GiveUpPlace(known.account);
  }
  --counts_[static_cast<size_t>(known.state)];
  pending_.erase(name);
  names_.erase(names_.find(name));
}

void DirectoryNames::NoteUnopened(Entry* entry, std::string_view reason) {
  auto& [name, known] = *entry;
  log_->CountOpenFailure(reason);
  SetState(&known, NameState::kUnopened);
  if (std::exchange(known.noted, reason) != reason) {
    log_->Warn(known.account,
               "metric file " + name +
                   " cannot be opened now: " + std::string(reason));
  }
}

void DirectoryNames::Refuse(Entry* entry, const FileFacts& facts,
                            std::string_view reason, uint64_t offset) {
  auto& [name, known] = *entry;
  SetState(&known, NameState::kRefused);
  known.file = nullptr;
  known.device = facts.device;
  known.inode = facts.inode;
  known.change_ns = facts.change_ns;
  known.offset = offset;
  if (std::exchange(known.noted, reason) != reason) {
    log_->NoteProblem(name, known.account, "quarantined", reason, offset);
  }
}

void DirectoryNames::Follow(Entry* entry, MetricFile* file) {
  entry->second.file = file;
  SetState(&entry->second, NameState::kFollowed);
}

void DirectoryNames::LoseName(const MetricFile& file) {
  Entry* entry = FindNameOf(file);
  if (entry == nullptr) {
    return;
  }
  const std::string name = entry->first;
  Forget(entry);
  Look(name, /*may_be_dead=*/false);
}

bool DirectoryNames::ChangeOwner(Entry* entry, uint32_t uid) {
  KnownName& known = entry->second;
  OwnerAccount* account = accounts_->Of(uid);
  if (account == known.account) {
    return true;
  }
  if (!accounts_->TakePlace(account).empty()) {
    return false;
  }
  accounts_->GiveUpPlace(std::exchange(known.account, account));
  return true;
}

std::vector<RefusedFile> DirectoryNames::RefusedFiles() const {
  std::vector<RefusedFile> refused;
  for (const auto& [name, known] : names_) {
    if (known.state == NameState::kRefused) {
      refused.push_back(
          {name, known.noted, known.offset, known.account->uid, known.inode});
    }
  }
  return refused;
}

}  // namespace tine::collector
