#include "collector/files_by_uuid.h"

#include <algorithm>

namespace tine::collector {

void FilesByUuid::Remove(const MetricFile& file) {
  const auto [begin, end] = files_.equal_range(file.writer().uuid);
  const auto own = std::find_if(
      begin, end, [&file](const auto& known) { return known.second == &file; });
  if (own != end) {
    files_.erase(own);
  }
}

MetricFile* FilesByUuid::FindSame(const FileUuid& uuid,
                                  const FileFacts& facts) const {
  const auto [begin, end] = files_.equal_range(uuid);
  const auto same =
      std::find_if(begin, end, [&facts](const auto& uuid_and_file) {
        return uuid_and_file.second->facts().IsSameFile(facts);
      });
  return same != end ? same->second : nullptr;
}

FilesByUuid::Judgement FilesByUuid::Judge(const MetricFile& file) const {
  Judgement judgement;
  const auto [begin, end] = files_.equal_range(file.writer().uuid);
  for (auto it = begin; it != end; ++it) {
    MetricFile* known = it->second;
    const bool has_one_owner =
        known->facts().owner_uid == file.facts().owner_uid;
    if (IsCopyOf(*known, file)) {
      judgement.copies.push_back(known);
    } else if (has_one_owner || IsCopyOf(file, *known)) {
      judgement.is_copy = true;
      judgement.copies.clear();
      break;
    }
  }
  return judgement;
}

bool FilesByUuid::IsCopyOf(const MetricFile& file,
                           const MetricFile& other) const {
  const FileFacts& facts = file.facts();
  const FileFacts& other_facts = other.facts();
  if (file.is_vanished()) {
    return false;  // it may have been the original
  }
  if (facts.owner_uid != other_facts.owner_uid) {
    // Nobody takes another user's place, whatever is written in a file and
    // whenever that was born. What says that it is somebody else's, and could
    // be if it were true, is a plain copy.
    return probe_->IsPidOfThisNamespace(file.writer()) &&
           file.writer().uid == other_facts.owner_uid;
  }
  if (facts.birth_ns == 0 || other_facts.birth_ns == 0) {
    return false;
  }
  return facts.birth_ns != other_facts.birth_ns
             ? facts.birth_ns > other_facts.birth_ns
             : facts.inode > other_facts.inode;
}

}  // namespace tine::collector
