#include "collector/open_files.h"

#include <algorithm>

namespace tine::collector {

OpenFiles::OpenFiles(OwnerAccounts* accounts, ProblemLog* log)
    : accounts_(accounts),
      log_(log),
      max_count_(std::max<size_t>(accounts->limits().max_open_files, 1)),
      max_count_per_owner_(max_count_ - max_count_ / 4) {}

OpenFiles::Owner* OpenFiles::OwnerOf(uint32_t uid) {
  std::unique_ptr<Owner>& owner = owners_[uid];
  if (owner == nullptr) {
    owner = std::make_unique<Owner>();
    owner->uid = uid;
  }
  return owner.get();
}

void OpenFiles::MakeRoomFor(uint32_t owner_uid) {
  Owner* owner = OwnerOf(owner_uid);
  if (owner->count() >= max_count_per_owner_) {
    CloseOneOf(owner, /*may_be_vanished=*/true);
  } else if (places_.size() >= max_count_) {
    CloseOne(owner_uid);
  }
}

bool OpenFiles::CloseOne(uint32_t owner_uid) {
  Owner* owner = OwnerOf(owner_uid);
  for (const bool may_be_vanished : {false, true}) {
    // Taking one from somebody who has only one more would but change places.
    if (!by_count_.empty() && by_count_.rbegin()->first <= owner->count() + 1 &&
        CloseOneOf(owner, may_be_vanished)) {
      return true;
    }
    for (auto it = by_count_.rbegin(); it != by_count_.rend(); ++it) {
      if (CloseOneOf(it->second, may_be_vanished)) {
        return true;  // and by_count_ has changed
      }
    }
  }
  return false;
}

bool OpenFiles::CloseOneOf(Owner* owner, bool may_be_vanished) {
  while (!owner->files.empty() && owner->files.back()->is_vanished()) {
    MetricFile* file = owner->files.back();
    owner->files.pop_back();
    Append(owner, &owner->vanished, file);
  }
  if (!owner->files.empty()) {
    Close(owner->files.back());
    return true;
  }
  if (!may_be_vanished || owner->vanished.empty()) {
    return false;
  }
  // Perhaps one of them has come back.
  const auto back =
      std::find_if(owner->vanished.begin(), owner->vanished.end(),
                   [](const MetricFile* file) { return !file->is_vanished(); });
  Close(back != owner->vanished.end() ? *back : owner->vanished.back());
  return true;
}

void OpenFiles::Close(MetricFile* file) {
  Remove(*file);
  file->Close();
  if (file->is_vanished()) {
    log_->Warn(accounts_->Of(file->facts().owner_uid),
               "metric file " + file->name() +
                   " vanished and can be read no more, since its descriptor "
                   "is needed; its last good numbers stay in the sum");
  }
}

void OpenFiles::Append(Owner* owner, Files* list, MetricFile* file) {
  places_[file] = {owner, list, list->size()};
  list->push_back(file);
}

void OpenFiles::Add(MetricFile* file) {
  Owner* owner = OwnerOf(file->facts().owner_uid);
  by_count_.erase({owner->count(), owner});
  Append(owner, &owner->files, file);
  by_count_.insert({owner->count(), owner});
}

void OpenFiles::Remove(const MetricFile& file) {
  const auto it = places_.find(&file);
  if (it == places_.end()) {
    return;
  }
  const auto [owner, list, index] = it->second;
  by_count_.erase({owner->count(), owner});
  places_.erase(it);
  MetricFile* last = list->back();
  list->pop_back();
  if (last != &file) {
    (*list)[index] = last;
    places_.find(last)->second.index = index;
  }
  if (owner->count() != 0) {
    by_count_.insert({owner->count(), owner});
  }
}

}  // namespace tine::collector
