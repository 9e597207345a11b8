// The process's part of the C interface.

#include "writer/process.h"

#include <memory>
#include <string_view>

#include "common/metric_names.h"
#include "writer/c/arguments.h"

namespace {

using tine::c::Tell;
using tine::c::TextOrNothing;
using tine::c::WriteText;

constexpr size_t kOldestOptionsBytes = 48;
constexpr size_t kOldestStatusBytes = 4464;
static_assert(sizeof(tine_options) >= kOldestOptionsBytes);
static_assert(sizeof(tine_writer_status) >= kOldestStatusBytes);

static_assert(TINE_STORE_DEFAULT == static_cast<int>(tine::Store::kDefault));
static_assert(TINE_STORE_MAPPED == static_cast<int>(tine::Store::kMapped));
static_assert(TINE_STORE_WRITTEN == static_cast<int>(tine::Store::kWritten));
static_assert(TINE_STORE_MEMORY == static_cast<int>(tine::Store::kMemory));
static_assert(TINE_STORE_NONE == static_cast<int>(tine::Store::kNone));

tine_error Init(const tine_options* given, char* message, size_t message_size) {
  tine_options options = tine_options();
  if (given != nullptr) {
    const tine_error error =
        tine::c::CopyStruct(given, kOldestOptionsBytes, &options);
    if (error != TINE_OK) {
      return Tell(error,
                  "the size of tine_options is not that of any tine.h, or it "
                  "says more than this library knows",
                  message, message_size);
    }
  }
  if (options.store < TINE_STORE_DEFAULT || options.store > TINE_STORE_NONE) {
    return Tell(TINE_INVALID_ARGUMENT,
                "tine_options::store is no TINE_STORE_...", message,
                message_size);
  }
  if (options.log != TINE_LOG_FROM_ENVIRONMENT && options.log != TINE_LOG_OFF) {
    return Tell(TINE_INVALID_ARGUMENT, "tine_options::log is no TINE_LOG_...",
                message, message_size);
  }
  tine::InitOptions init;
  init.directory = TextOrNothing(options.directory);
  init.worker_id = TextOrNothing(options.worker_id);
  init.is_quiet = options.log == TINE_LOG_OFF;
  init.store = static_cast<tine::Store>(options.store);
  if (options.process_label_count > tine::kMaxLabelCount) {
    return Tell(TINE_INVALID_LABEL, "a process has at most 64 labels", message,
                message_size);
  }
  if (options.process_labels == nullptr && options.process_label_count != 0) {
    return Tell(TINE_NULL_ARGUMENT, "tine_options::process_labels is NULL",
                message, message_size);
  }
  for (size_t i = 0; i < options.process_label_count; ++i) {
    const tine_label& label = options.process_labels[i];
    if (label.name == nullptr || label.value == nullptr) {
      return Tell(TINE_NULL_ARGUMENT,
                  "a name or a value in tine_options::process_labels is NULL",
                  message, message_size);
    }
    init.process_labels.push_back({label.name, label.value});
  }
  return Tell(tine::Init(init), message, message_size);
}

// What the caller's struct has room for.
void FillStatus(tine_writer_status* given) {
  const tine::WriterStatus status = tine::GetWriterStatus();
  const auto filled = std::make_unique<tine_writer_status>();
  filled->size = given->size;
  filled->is_enabled = status.is_enabled ? 1 : 0;
  filled->file_count = static_cast<uint32_t>(status.files.size());
  filled->dropped_series = status.dropped_series;
  filled->dropped_observations = status.dropped_observations;
  filled->children_without_file = status.children_without_file;
  filled->file_bytes = status.file_bytes;
  filled->failed_writes = status.failed_writes;
  filled->store = static_cast<int32_t>(status.store);
  WriteText(status.directory.c_str(), filled->directory,
            sizeof(filled->directory));
  WriteText(status.files.empty() ? "" : status.files.front().c_str(),
            filled->file, sizeof(filled->file));
  WriteText(status.last_error.c_str(), filled->last_error,
            sizeof(filled->last_error));
  std::memcpy(given, filled.get(),
              std::min(given->size, sizeof(tine_writer_status)));
}

}  // namespace

extern "C" {

tine_error tine_init(const tine_options* options, char* message,
                     size_t message_size) {
  try {
    return Init(options, message, message_size);
  } catch (...) {
    return Tell(TINE_NO_MEMORY, "out of memory", message, message_size);
  }
}

tine_error tine_after_fork(char* message, size_t message_size) {
  try {
    return Tell(tine::AfterFork(), message, message_size);
  } catch (...) {
    return Tell(TINE_NO_MEMORY, "out of memory", message, message_size);
  }
}

tine_error tine_seal() {
  if (tine::c::IsShutDown()) {
    return TINE_SHUT_DOWN;
  }
  tine::Seal();
  return TINE_OK;
}

tine_error tine_shutdown() {
  try {
    return static_cast<tine_error>(tine::Shutdown().code());
  } catch (...) {
    return TINE_NO_MEMORY;
  }
}

tine_error tine_status(tine_writer_status* status) {
  if (status == nullptr) {
    return tine::c::IsShutDown() ? TINE_SHUT_DOWN : TINE_NULL_ARGUMENT;
  }
  if (status->size < kOldestStatusBytes) {
    return TINE_INVALID_ARGUMENT;
  }
  try {
    FillStatus(status);
  } catch (...) {
    return TINE_NO_MEMORY;
  }
  return tine::c::IsShutDown() ? TINE_SHUT_DOWN : TINE_OK;
}

}  // extern "C"
