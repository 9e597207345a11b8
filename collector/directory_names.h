// What is in the metrics directory, by name, and what became of each name.

#ifndef TINE_COLLECTOR_DIRECTORY_NAMES_H_
#define TINE_COLLECTOR_DIRECTORY_NAMES_H_

#include <sys/stat.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "collector/file_opener.h"
#include "collector/metric_file.h"
#include "collector/owner_accounts.h"
#include "collector/problem_log.h"
#include "common/metric_file_name.h"

namespace tine::collector {

// Of a name in a directory. An error is no proof that it is not there.
enum class Presence { kThere, kGone, kUnknown };

enum class NameState : uint8_t { kPending, kUnopened, kRefused, kFollowed };

// A name in the directory that has its owner's place.
struct KnownName {
  NameState state = NameState::kPending;
  uint8_t early_retry_count = 0;
  OwnerAccount* account = nullptr;
  MetricFile* file = nullptr;  // followed
  // Refused: which file that was, and where it is damaged. A change time of 0
  // is nobody's: something has happened to it since.
  uint64_t device = 0;
  uint64_t inode = 0;
  uint64_t change_ns = 0;
  uint64_t offset = 0;
  // What has been counted and logged: a file is looked at again and again,
  // and told of once. Refused: why.
  std::string_view noted;
  uint64_t rescan = 0;  // the last one that has listed it
};

// A file of a dead writer that the archive has already; it counts for nothing.
struct Leftover {
  FileUuid uuid;
  uint64_t inode = 0;
  bool is_kept = false;
  uint64_t rescan = 0;  // the last one that has listed it
};

// A file of which nothing is used.
struct RefusedFile {
  std::string name;
  std::string_view reason;
  uint64_t offset = 0;
  uint32_t owner_uid = 0;
  uint64_t inode = 0;
};

// Looks at names and sets aside those that are to be opened; opens nothing. A
// name is one of: pending, unopened (tried again at each rescan), refused
// (looked at again when something happens to it), followed, a leftover. Each
// user has a limited number of places, which names that are refused take too:
// beyond it, names are looked at in each rescan and not kept. Not thread-safe.
class DirectoryNames {
 public:
  using Map = absl::flat_hash_map<std::string, KnownName>;
  using Entry = Map::value_type;  // stays where it is until a name is added

  // Both live longer.
  DirectoryNames(OwnerAccounts* accounts, ProblemLog* log)
      : accounts_(accounts), log_(log) {}

  // What the other has counted and told, this one need not tell again.
  void TakeHistoryOf(const DirectoryNames& other);

  // -1: none. The names of the directory before are gone.
  void SetDirectory(int directory_fd);
  int directory_fd() const { return directory_fd_; }

  // Lists the directory; see FileSet.
  bool Rescan();
  // See FileSet.
  bool Look(const std::string& name, bool may_be_dead);
  // False when it does not exist.
  Presence LookAtName(const std::string& name, struct stat* info);

  // Nothing: it has no place.
  Entry* Find(const std::string& name);
  // The name of a followed file, if it still has it.
  Entry* FindNameOf(const MetricFile& file);
  // One that is pending, and is to be opened now; nothing if there is none.
  Entry* TakePending();
  size_t pending_count() const { return pending_.size(); }

  // What became of a name, or of the file that it stood for. A followed file
  // keeps its place: its numbers stay in the sum.
  void Forget(Entry* entry);
  void NoteUnopened(Entry* entry, std::string_view reason);
  void Refuse(Entry* entry, const FileFacts& facts, std::string_view reason,
              uint64_t offset);
  void Follow(Entry* entry, MetricFile* file);
  // The name of a followed file is gone, or another file's.
  void LoseName(const MetricFile& file);
  // The file has turned out to be another user's; false when he has no place.
  bool ChangeOwner(Entry* entry, uint32_t uid);

  void AddLeftover(const std::string& name, const FileUuid& uuid,
                   uint64_t inode, bool is_kept) {
    leftovers_[name] = {uuid, inode, is_kept, rescan_};
  }
  // It has been removed.
  void ForgetLeftover(const std::string& name) { leftovers_.erase(name); }
  const absl::flat_hash_map<std::string, Leftover>& leftovers() const {
    return leftovers_;
  }

  size_t CountOf(NameState state) const {
    return counts_[static_cast<size_t>(state)];
  }
  std::vector<RefusedFile> RefusedFiles() const;
  // Has a listing succeeded since the directory was set, and every look since?
  bool has_listed() const { return has_listed_; }
  // At the last rescan: names of temporary files; files over a limit.
  const std::vector<std::string>& temp_files() const { return temp_files_; }
  uint64_t left_out_count() const { return left_out_count_; }
  // System calls that look at a name.
  uint64_t look_count() const { return look_count_; }

 private:
  void TakeListed(const std::string& name, uint64_t inode);
  bool LookAgain(Entry* entry, const struct stat& info, bool may_be_dead);
  void SetAside(const std::string& name, const struct stat& info);
  void SetState(KnownName* name, NameState state);

  OwnerAccounts* const accounts_;
  ProblemLog* const log_;
  int directory_fd_ = -1;

  Map names_;
  std::array<size_t, 4> counts_{};  // by NameState
  absl::flat_hash_set<std::string> pending_;
  absl::flat_hash_map<std::string, Leftover> leftovers_;
  // What one before this has told of, by name.
  absl::flat_hash_map<std::string, std::string_view> told_;
  uint64_t rescan_ = 0;
  bool has_listed_ = false;
  std::vector<std::string> temp_files_;
  uint64_t left_out_count_ = 0;
  uint64_t look_count_ = 0;
};

// As FileFacts has it.
uint64_t ChangeTimeOf(const struct stat& info);

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_DIRECTORY_NAMES_H_
