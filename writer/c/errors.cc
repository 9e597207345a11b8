// Error codes and their messages.

#include <iterator>

#include "version.h"
#include "writer/c/arguments.h"

namespace tine::c {
namespace {

static_assert(TINE_INVALID_NAME == static_cast<int>(ErrorCode::kInvalidName));
static_assert(TINE_INVALID_LABEL == static_cast<int>(ErrorCode::kInvalidLabel));
static_assert(TINE_INVALID_BUCKETS ==
              static_cast<int>(ErrorCode::kInvalidBuckets));
static_assert(TINE_INVALID_MODE == static_cast<int>(ErrorCode::kInvalidMode));
static_assert(TINE_CONFLICT == static_cast<int>(ErrorCode::kConflict));
static_assert(TINE_WRONG_LABELS == static_cast<int>(ErrorCode::kWrongLabels));
static_assert(TINE_ALREADY_STARTED ==
              static_cast<int>(ErrorCode::kAlreadyStarted));
static_assert(TINE_LIMIT_REACHED == static_cast<int>(ErrorCode::kLimitReached));
static_assert(TINE_FILE_UNAVAILABLE ==
              static_cast<int>(ErrorCode::kFileUnavailable));
static_assert(TINE_BUSY == static_cast<int>(ErrorCode::kBusy));
static_assert(TINE_REMOVED == static_cast<int>(ErrorCode::kRemoved));
static_assert(TINE_SHUT_DOWN == static_cast<int>(ErrorCode::kShutDown));
static_assert(TINE_INVALID_STATE == static_cast<int>(ErrorCode::kInvalidState));
static_assert(TINE_INVALID_TIME_TO_LIVE ==
              static_cast<int>(ErrorCode::kInvalidTimeToLive));

constexpr const char* kFeatures[] = {
    "counter",          "double_counter", "up_down_counter", "gauge",
    "histogram",        "summary",        "state_set",       "info",
    "time_to_live",     "max_series",     "stores",          "remove",
    "shutdown",
#if !defined(TINE_GENERAL_DYNAMIC_TLS)
    "initial_exec_tls",
#endif
};

}  // namespace

void WriteText(const char* text, char* buffer, size_t buffer_bytes) {
  if (buffer == nullptr || buffer_bytes == 0) {
    return;
  }
  const size_t length = std::min(std::strlen(text), buffer_bytes - 1);
  std::memcpy(buffer, text, length);
  buffer[length] = '\0';
}

tine_error Tell(const Status& status, char* message, size_t message_size) {
  return Tell(static_cast<tine_error>(status.code()), status.message().c_str(),
              message, message_size);
}

tine_error Tell(tine_error error, const char* text, char* message,
                size_t message_size) {
  WriteText(text, message, message_size);
  return error;
}

}  // namespace tine::c

extern "C" {

const char* tine_version() { return tine::kVersion; }

int32_t tine_has_feature(const char* name) {
  if (name == nullptr) {
    return 0;
  }
  return std::any_of(std::begin(tine::c::kFeatures),
                     std::end(tine::c::kFeatures),
                     [name](const char* feature) {
                       return std::strcmp(feature, name) == 0;
                     })
             ? 1
             : 0;
}

const char* tine_error_name(tine_error error) {
#define TINE_CASE(name) \
  case name:            \
    return #name
  switch (error) {
    TINE_CASE(TINE_OK);
    TINE_CASE(TINE_INVALID_NAME);
    TINE_CASE(TINE_INVALID_LABEL);
    TINE_CASE(TINE_INVALID_BUCKETS);
    TINE_CASE(TINE_INVALID_MODE);
    TINE_CASE(TINE_CONFLICT);
    TINE_CASE(TINE_WRONG_LABELS);
    TINE_CASE(TINE_ALREADY_STARTED);
    TINE_CASE(TINE_LIMIT_REACHED);
    TINE_CASE(TINE_FILE_UNAVAILABLE);
    TINE_CASE(TINE_BUSY);
    TINE_CASE(TINE_REMOVED);
    TINE_CASE(TINE_SHUT_DOWN);
    TINE_CASE(TINE_INVALID_STATE);
    TINE_CASE(TINE_INVALID_TIME_TO_LIVE);
    TINE_CASE(TINE_NULL_ARGUMENT);
    TINE_CASE(TINE_INVALID_ARGUMENT);
    TINE_CASE(TINE_INVALID_VALUE);
    TINE_CASE(TINE_UNSUPPORTED);
    TINE_CASE(TINE_WRONG_TYPE);
    TINE_CASE(TINE_NOT_FOUND);
    TINE_CASE(TINE_NO_MEMORY);
    default:
      return "TINE_ERROR_UNKNOWN";
  }
#undef TINE_CASE
}

}  // extern "C"
