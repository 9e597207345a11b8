// What is wrong with metric files: counted by reason, and told to the operator.

#ifndef TINE_COLLECTOR_PROBLEM_LOG_H_
#define TINE_COLLECTOR_PROBLEM_LOG_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "collector/log_line.h"
#include "collector/owner_accounts.h"

namespace tine::collector {

// Where the core says what its operator should know. Called with the core's
// lock held.
using LogSink = std::function<void(LogLevel, const std::string&)>;

// Whoever can make files can make lines: so many, and no more, by the owners'
// accounts. Not thread-safe.
class ProblemLog {
 public:
  // `accounts` lives longer. `sink` may be empty: then it only counts.
  ProblemLog(LogSink sink, OwnerAccounts* accounts);

  // Goes on from what another has counted.
  void TakeHistoryOf(const ProblemLog& other);

  // `account` is that of the file's owner.
  void Warn(OwnerAccount* account, const std::string& message);
  // Damage, or a file that is not used. `noun`: what the file is.
  void NoteProblem(const std::string& name, OwnerAccount* account,
                   std::string_view noun, std::string_view reason,
                   uint64_t offset);
  // An attempt to open that may go well later. It is for the caller to tell.
  void CountOpenFailure(std::string_view reason) { ++open_failures_[reason]; }

  // Since the start, by reason.
  const std::map<std::string_view, uint64_t>& problems() const {
    return problems_;
  }
  const std::map<std::string_view, uint64_t>& open_failures() const {
    return open_failures_;
  }
  uint64_t unlogged_count() const { return unlogged_count_; }

 private:
  const LogSink sink_;
  OwnerAccounts* const accounts_;
  uint64_t unlogged_count_ = 0;  // over the limit of lines
  std::map<std::string_view, uint64_t> problems_;
  std::map<std::string_view, uint64_t> open_failures_;
};

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_PROBLEM_LOG_H_
