// What the files of each user take. A file's owner is the one thing about it
// that its writer cannot forge, so that is whom a limit is for: one user cannot
// crowd out the others.

#ifndef TINE_COLLECTOR_OWNER_ACCOUNTS_H_
#define TINE_COLLECTOR_OWNER_ACCOUNTS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "collector/log_budget.h"
#include "collector/series_budget.h"

namespace tine::collector {

// Of one user, and of all together.
struct OwnerLimits {
  // Names that are followed, refused or tried again, and files that vanished.
  size_t max_files = 200'000;
  size_t max_files_per_uid = 50'000;
  // New to the view; see SeriesBudget. Overflow series: as many as families,
  // and a quarter of the text.
  size_t max_families_per_uid = 50'000;
  size_t max_series_per_uid = 500'000;
  size_t max_text_bytes_per_uid = 256 << 20;
  // Descriptors for metric files. One user gets at most three quarters.
  size_t max_open_files = SIZE_MAX;
};

struct OwnerAccount {
  uint32_t uid = 0;
  size_t file_count = 0;
  size_t open_count = 0;
  SeriesBudget budget;
  LogBudget log{100, 10'000};
  // What the log has been told: that it has too many files, series.
  bool is_limit_noted = false;
  bool is_series_limit_noted = false;
};

// Not thread-safe. Accounts stay where they are, for good: an owner who comes
// again goes on with what is left.
class OwnerAccounts {
 public:
  explicit OwnerAccounts(const OwnerLimits& limits) : limits_(limits) {}

  OwnerAccount* Of(uint32_t uid);

  // Goes on with what `other` has told the log, and may still tell it.
  void TakeNotesOf(const OwnerAccounts& other);

  // Takes a file's place. The reason why not, or empty.
  std::string_view TakePlace(OwnerAccount* account);
  void GiveUpPlace(OwnerAccount* account);
  // `owner` as in SeriesBudget. Nobody comes to more than the limits.
  void GiveBack(uint64_t owner, const ReturnedBudget& returned);

  // Is there a descriptor for one more file?
  bool MayOpen(const OwnerAccount& account) const;
  bool AreDescriptorsShort() const {
    return open_count_ >= limits_.max_open_files / 2;
  }
  void NoteOpened(OwnerAccount* account);
  void NoteClosed(OwnerAccount* account);

  // May a line be logged about a file of this owner now?
  bool MayLog(OwnerAccount* account, uint64_t now_ms);

  const OwnerLimits& limits() const { return limits_; }

 private:
  const OwnerLimits limits_;
  absl::flat_hash_map<uint32_t, std::unique_ptr<OwnerAccount>> accounts_;
  size_t file_count_ = 0;
  size_t open_count_ = 0;
  LogBudget log_{1'000, 1'000};
};

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_OWNER_ACCOUNTS_H_
