#include "collector/problem_log.h"

#include <utility>

#include "common/clock.h"

namespace tine::collector {

ProblemLog::ProblemLog(LogSink sink, OwnerAccounts* accounts)
    : sink_(std::move(sink)), accounts_(accounts) {}

void ProblemLog::TakeHistoryOf(const ProblemLog& other) {
  problems_ = other.problems_;
  open_failures_ = other.open_failures_;
  unlogged_count_ = other.unlogged_count_;
}

void ProblemLog::Warn(OwnerAccount* account, const std::string& message) {
  if (!sink_) {
    return;
  }
  if (accounts_->MayLog(account, NowNs(CLOCK_MONOTONIC) / 1'000'000)) {
    sink_(LogLevel::kWarn, message);
  } else {
    ++unlogged_count_;
  }
}

void ProblemLog::NoteProblem(const std::string& name, OwnerAccount* account,
                             std::string_view noun, std::string_view reason,
                             uint64_t offset) {
  ++problems_[reason];
  Warn(account, "metric file " + name + " is " + std::string(noun) + ": " +
                    std::string(reason) + " at offset " +
                    std::to_string(offset));
}

}  // namespace tine::collector
