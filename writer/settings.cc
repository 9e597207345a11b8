#include "writer/settings.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>

#include "common/boot_id.h"
#include "common/metric_names.h"
#include "common/metrics_directory.h"
#include "common/record_codec.h"
#include "common/retry_if_interrupted.h"

namespace tine::internal {
namespace {

constexpr uint64_t kSmallestMaxBytes = 64 << 10;
constexpr uint64_t kLargestMaxBytes = 62 << 20;
constexpr uint64_t kDefaultMaxFiles = 100'000;
constexpr uint64_t kLargestMaxFiles = 100'000'000;
// What metric_file.cc adds stays within the largest file.
static_assert(kLargestMaxBytes + 2 * kOverflowReserveBytes <=
              format::kMaxFileBytes);

std::string_view Environment(const char* name) {
  const char* value = ::secure_getenv(name);
  return value == nullptr ? std::string_view() : std::string_view(value);
}

// "app=web,zone=b" as pairs that view `text`.
bool ParseLabels(std::string_view text, std::vector<LabelPair>* labels) {
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    const std::string_view item = text.substr(0, comma);
    const size_t equals = item.find('=');
    if (equals == std::string_view::npos) {
      return false;
    }
    labels->push_back({item.substr(0, equals), item.substr(equals + 1)});
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return true;
}

// kDefault when it is no store's name.
Store ParseStore(std::string_view name) {
  return name == "mmap"     ? Store::kMapped
         : name == "pwrite" ? Store::kWritten
         : name == "memory" ? Store::kMemory
         : name == "none"   ? Store::kNone
                            : Store::kDefault;
}

Store StoreFromEnvironment(const char** problem) {
  const std::string_view name = Environment("TINE_STORE");
  const Store store = name.empty() ? Store::kMapped : ParseStore(name);
  if (store != Store::kDefault) {
    return store;
  }
  *problem = "TINE_STORE is ignored: it must be mmap, pwrite, memory or none";
  const std::string what = "TINE_STORE=" + std::string(name) +
                           " is ignored: it must be mmap, pwrite, memory or "
                           "none";
  Complain(what.c_str(), "", 0);
  return Store::kMapped;
}

void ReadExecutableName(Settings* settings) {
  char path[4096];
  const ssize_t length = ::readlink("/proc/self/exe", path, sizeof(path));
  if (length <= 0) {
    return;
  }
  std::string_view name(path, static_cast<size_t>(length));
  name.remove_prefix(name.rfind('/') + 1);
  name = name.substr(0, sizeof(settings->executable) - 1);
  if (IsValidUtf8(name)) {
    std::memcpy(settings->executable, name.data(), name.size());
  }
}

// The process labels as they are, in pairs that view `packed`.
std::vector<LabelPair> UnpackLabels(const std::string& packed, size_t count) {
  const StringListView strings(reinterpret_cast<const uint8_t*>(packed.data()),
                               packed.size(), 2 * count);
  std::vector<LabelPair> labels;
  for (auto it = strings.begin(); it != strings.end(); ++it) {
    const std::string_view name = *it;
    ++it;
    labels.push_back({name, *it});
  }
  return labels;
}

size_t IndexOfLabel(const std::vector<LabelPair>& labels,
                    std::string_view name) {
  size_t i = 0;
  while (i < labels.size() && labels[i].name != name) {
    ++i;
  }
  return i;
}

Status CheckProcessLabel(const LabelPair& label) {
  const std::string name(label.name);
  if (!IsValidLabelName(label.name) || IsReservedLabelName(label.name)) {
    return Status(ErrorCode::kInvalidLabel,
                  "process label \"" + name +
                      "\": a label name is [a-zA-Z_][a-zA-Z0-9_]*, does not "
                      "begin with \"__\" and is not le or quantile");
  }
  if (!IsValidUtf8(label.value)) {
    return Status(ErrorCode::kInvalidLabel,
                  "process label \"" + name + "\": its value is not UTF-8");
  }
  if (label.name == "job" || label.name == "instance") {
    const std::string what = "process label \"" + name +
                             "\" will be renamed by Prometheus to exported_" +
                             name;
    Complain(what.c_str(), "", 0);
  }
  return Status();
}

void ComplainOf(const Status& status) {
  if (!status.ok()) {
    Complain(status.message().c_str(), "", 0);
  }
}

}  // namespace

uint64_t NumberFromEnvironment(const char* name, uint64_t low, uint64_t high,
                               uint64_t default_value) {
  const std::string_view text = Environment(name);
  if (text.empty()) {
    return default_value;
  }
  char* end = nullptr;
  errno = 0;
  const unsigned long long number = ::strtoull(text.data(), &end, 10);
  if (errno != 0 || *end != '\0' || text[0] < '0' || text[0] > '9' ||
      number < low || number > high) {
    const std::string what = std::string(name) + "=" + std::string(text) +
                             " is ignored: it must be a whole number from " +
                             std::to_string(low) + " to " +
                             std::to_string(high);
    Complain(what.c_str(), "", 0);
    return default_value;
  }
  return number;
}

bool ReadEnvironment(Settings* settings, Store store, const char** problem) {
  settings->is_quiet = Environment("TINE_LOG") == "off";
  const std::string_view disable = Environment("TINE_DISABLE");
  settings->store =
      store == Store::kDefault ? StoreFromEnvironment(problem) : store;
  if ((!disable.empty() && disable != "0") || settings->store == Store::kNone) {
    settings->store = Store::kNone;
    return false;
  }
  settings->max_bytes = NumberFromEnvironment(
      "TINE_MAX_BYTES", kSmallestMaxBytes, kLargestMaxBytes, kDefaultMaxBytes);
  settings->max_files = NumberFromEnvironment(
      "TINE_MAX_FILES", 1, kLargestMaxFiles, kDefaultMaxFiles);
  settings->may_use_disk = Environment("TINE_ALLOW_DISK") == "1";
  ReadExecutableName(settings);
  const BootId boot_id = OwnBootId();
  std::memcpy(settings->boot_id, boot_id.data(), boot_id.size());
  ComplainOf(SetDirectory(settings, ""));
  ComplainOf(SetWorkerId(settings, Environment("TINE_WORKER_ID")));
  std::vector<LabelPair> labels;
  ComplainOf(ParseLabels(Environment("TINE_PROCESS_LABELS"), &labels)
                 ? AddProcessLabels(settings, labels)
                 : Status(ErrorCode::kInvalidLabel,
                          "TINE_PROCESS_LABELS is ignored: it must look like "
                          "app=web,zone=b"));
  settings->environment_label_count = settings->process_label_count;
  return true;
}

Status SetDirectory(Settings* settings, std::string_view directory) {
  const std::string path = ResolveMetricsDirectory(directory);
  if (path.size() >= sizeof(settings->directory)) {
    return Status(ErrorCode::kFileUnavailable,
                  "the metrics directory's path is longer than 4095 bytes");
  }
  std::memcpy(settings->directory, path.c_str(), path.size() + 1);
  return Status();
}

Status SetWorkerId(Settings* settings, std::string_view worker_id) {
  if (worker_id.size() >= sizeof(settings->worker_id) ||
      !IsValidUtf8(worker_id)) {
    return Status(ErrorCode::kInvalidLabel,
                  "the worker id must be UTF-8 and at most 255 bytes");
  }
  std::memset(settings->worker_id, 0, sizeof(settings->worker_id));
  if (!worker_id.empty()) {
    std::memcpy(settings->worker_id, worker_id.data(), worker_id.size());
  }
  return Status();
}

Status AddProcessLabels(Settings* settings,
                        const std::vector<LabelPair>& labels) {
  const std::string packed(
      reinterpret_cast<const char*>(settings->process_labels),
      settings->process_labels_bytes);
  std::vector<LabelPair> merged =
      UnpackLabels(packed, settings->process_label_count);
  uint16_t environment_label_count = settings->environment_label_count;
  for (const LabelPair& label : labels) {
    Status status = CheckProcessLabel(label);
    if (!status.ok()) {
      return status;
    }
    // The later one replaces the earlier, and stands at the end with those of
    // its own origin.
    const size_t index = IndexOfLabel(merged, label.name);
    if (index < merged.size()) {
      environment_label_count -= index < environment_label_count ? 1 : 0;
      merged.erase(merged.begin() + static_cast<ptrdiff_t>(index));
    }
    merged.push_back(label);
  }
  size_t size_bytes = 0;
  for (const LabelPair& label : merged) {
    size_bytes += 4 + label.name.size() + label.value.size();
  }
  if (size_bytes > sizeof(settings->process_labels) ||
      merged.size() > kMaxLabelCount) {
    return Status(ErrorCode::kInvalidLabel,
                  "process labels take more than 2048 bytes, or are more "
                  "than 64");
  }
  uint8_t* at = settings->process_labels;
  for (const LabelPair& label : merged) {
    at = AppendString(AppendString(at, label.name), label.value);
  }
  settings->process_labels_bytes = static_cast<uint32_t>(size_bytes);
  settings->process_label_count = static_cast<uint16_t>(merged.size());
  settings->environment_label_count = environment_label_count;
  return Status();
}

bool IsProgramLabel(const Settings& settings, std::string_view name) noexcept {
  const StringListView strings(settings.process_labels,
                               settings.process_labels_bytes,
                               size_t{2} * settings.process_label_count);
  size_t index = 0;
  for (const std::string_view text : strings) {
    const bool is_name = index % 2 == 0;
    if (is_name && index / 2 >= settings.environment_label_count &&
        text == name) {
      return true;
    }
    ++index;
  }
  return false;
}

}  // namespace tine::internal
