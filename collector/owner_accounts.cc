#include "collector/owner_accounts.h"

#include <algorithm>

namespace tine::collector {
namespace {

// Of one owner, who gets them beside all the rest.
size_t MaxOverflowSeries(const OwnerLimits& limits) {
  return limits.max_families_per_uid;
}
uint64_t MaxOverflowTextBytes(const OwnerLimits& limits) {
  return limits.max_text_bytes_per_uid / 4;
}

}  // namespace

OwnerAccount* OwnerAccounts::Of(uint32_t uid) {
  std::unique_ptr<OwnerAccount>& account = accounts_[uid];
  if (account == nullptr) {
    account = std::make_unique<OwnerAccount>();
    account->uid = uid;
    SeriesBudget& budget = account->budget;
    budget.owner = uid;
    budget.families_left = limits_.max_families_per_uid;
    budget.series_left = limits_.max_series_per_uid;
    budget.text_bytes_left = limits_.max_text_bytes_per_uid;
    budget.overflow_series_left = MaxOverflowSeries(limits_);
    budget.overflow_text_bytes_left = MaxOverflowTextBytes(limits_);
  }
  return account.get();
}

void OwnerAccounts::TakeNotesOf(const OwnerAccounts& other) {
  for (const auto& [uid, theirs] : other.accounts_) {
    OwnerAccount* account = Of(uid);
    account->log = theirs->log;
    account->is_limit_noted = theirs->is_limit_noted;
    account->is_series_limit_noted = theirs->is_series_limit_noted;
  }
  log_ = other.log_;
}

std::string_view OwnerAccounts::TakePlace(OwnerAccount* account) {
  if (account->file_count >= limits_.max_files_per_uid) {
    return "uid_file_limit";
  }
  if (file_count_ >= limits_.max_files) {
    return "file_limit";
  }
  ++account->file_count;
  ++file_count_;
  return {};
}

void OwnerAccounts::GiveUpPlace(OwnerAccount* account) {
  --account->file_count;
  --file_count_;
  // Said again when it was below the limit by more than a file or two.
  account->is_limit_noted &=
      account->file_count > limits_.max_files_per_uid / 2;
}

void OwnerAccounts::GiveBack(uint64_t owner, const ReturnedBudget& returned) {
  if (owner == SeriesBudget::kNoOwner) {
    return;
  }
  SeriesBudget& budget = Of(static_cast<uint32_t>(owner))->budget;
  budget.families_left = std::min(budget.families_left + returned.families,
                                  limits_.max_families_per_uid);
  if (returned.is_overflow) {
    budget.overflow_series_left =
        std::min(budget.overflow_series_left + returned.series,
                 MaxOverflowSeries(limits_));
    budget.overflow_text_bytes_left =
        std::min(budget.overflow_text_bytes_left + returned.text_bytes,
                 MaxOverflowTextBytes(limits_));
    return;
  }
  budget.series_left = std::min(budget.series_left + returned.series,
                                limits_.max_series_per_uid);
  budget.text_bytes_left =
      std::min<uint64_t>(budget.text_bytes_left + returned.text_bytes,
                         limits_.max_text_bytes_per_uid);
}

bool OwnerAccounts::MayLog(OwnerAccount* account, uint64_t now_ms) {
  return account->log.TrySpend(now_ms) && log_.TrySpend(now_ms);
}

}  // namespace tine::collector
