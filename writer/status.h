#ifndef TINE_WRITER_STATUS_H_
#define TINE_WRITER_STATUS_H_

#include <cstdint>
#include <string>
#include <utility>

namespace tine {

enum class ErrorCode {
  kOk = 0,
  kInvalidName = 1,      // metric name, unit or help
  kInvalidLabel = 2,     // a label name, or two alike, or too many
  kInvalidBuckets = 3,   // none, too many, not ascending, not finite
  kInvalidMode = 4,      // a gauge mode that this instrument cannot have
  kConflict = 5,         // the name is taken by a different definition
  kWrongLabels = 6,      // a look-up with the wrong number or names of labels
  kAlreadyStarted = 7,   // this process has its file already
  kLimitReached = 8,     // out of memory, or of room for families
  kFileUnavailable = 9,  // no metric file can be made; the message says why
  kBusy = 10,            // another thread was in the way for too long
  kRemoved = 11,         // the series was removed: what it counts is not served
  kShutDown = 12,        // after Shutdown(): this process counts no more
  kInvalidState = 13,    // of a state set: none, too many, empty, two alike
  kInvalidTimeToLive = 14,  // negative, or of what cannot grow old
};

// The outcome of a registration or of a set-up call. Copyable; holds no
// reference to anything.
class Status {
 public:
  Status() = default;
  Status(ErrorCode code, std::string message)
      : code_(code), message_(std::move(message)) {}

  bool ok() const { return code_ == ErrorCode::kOk; }
  ErrorCode code() const { return code_; }
  // What is wrong, where, and what to do; empty when ok.
  const std::string& message() const { return message_; }

 private:
  ErrorCode code_ = ErrorCode::kOk;
  std::string message_;
};

}  // namespace tine

#endif  // TINE_WRITER_STATUS_H_
