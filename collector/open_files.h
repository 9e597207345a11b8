// Which of the followed files have a descriptor. Where there are more files
// than descriptors, they take turns.

#ifndef TINE_COLLECTOR_OPEN_FILES_H_
#define TINE_COLLECTOR_OPEN_FILES_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "collector/metric_file.h"
#include "collector/owner_accounts.h"
#include "collector/problem_log.h"

namespace tine::collector {

// All files are read one after another, again and again. Whoever closes the one
// that was not used for longest closes the one that is needed next, always. So
// the one that was opened last goes: all but that one keep their descriptors,
// and the files over the limit take turns with it.
//
// The owner with the most descriptors gives one up, and one owner gets at most
// three quarters of them: the files of one user cannot make those of another
// take turns. Files that have vanished cannot be opened again, and keep theirs
// as long as any other can go instead. Not thread-safe.
class OpenFiles {
 public:
  // Both live longer. The limits are those of the accounts.
  OpenFiles(OwnerAccounts* accounts, ProblemLog* log);

  // Call it before a file of this owner is opened: closes another if it must.
  void MakeRoomFor(uint32_t owner_uid);
  // For a file of this owner closes another; false when none is open.
  bool CloseOne(uint32_t owner_uid);

  // An open file, which lives until it is removed.
  void Add(MetricFile* file);
  // One that has no descriptor any more, or goes; perhaps it is not here.
  void Remove(const MetricFile& file);

  // Is it time to read files of dead writers at once?
  bool AreShort() const { return places_.size() >= max_count_ / 2; }

 private:
  using Files = std::vector<MetricFile*>;
  struct Owner {
    uint32_t uid = 0;
    Files files;     // in the order of their opening, about
    Files vanished;  // found among them when one was to be closed
    size_t count() const { return files.size() + vanished.size(); }
  };
  struct Place {
    Owner* owner;
    Files* list;
    size_t index;
  };

  Owner* OwnerOf(uint32_t uid);
  bool CloseOneOf(Owner* owner, bool may_be_vanished);
  void Close(MetricFile* file);
  void Append(Owner* owner, Files* list, MetricFile* file);

  OwnerAccounts* const accounts_;
  ProblemLog* const log_;
  const size_t max_count_;
  const size_t max_count_per_owner_;
  absl::flat_hash_map<uint32_t, std::unique_ptr<Owner>> owners_;
  std::set<std::pair<size_t, Owner*>> by_count_;  // owners of some
  absl::flat_hash_map<const MetricFile*, Place> places_;
};

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_OPEN_FILES_H_
