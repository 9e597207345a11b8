#include "writer/process.h"

#include <cstring>
#include <memory>

#include "common/record_codec.h"
#include "writer/cell_blocks.h"
#include "writer/metric_file.h"
#include "writer/process_state.h"
#include "writer/registry.h"
#include "writer/settings.h"
#include "writer/slow_path_lock.h"

namespace tine {
namespace {

using internal::g_image;
using internal::ProcessState;
using internal::Settings;
using internal::SlowPathLock;

std::string LastError(const ProcessState* process) {
  const char* what = process->last_error.load(std::memory_order_acquire);
  if (what == nullptr) {
    return "";
  }
  std::string text = what;
  const int error_number =
      process->last_error_errno.load(std::memory_order_relaxed);
  if (error_number != 0) {
    text += ": ";
    text += internal::ErrorText(error_number);
  }
  return text;
}

// Ok with TINE_DISABLE, which is what was asked for.
Status StatusWithoutStart() {
  const char* why = g_image.start_error.load(std::memory_order_relaxed);
  const ErrorCode code = g_image.is_shut_down.load(std::memory_order_relaxed)
                             ? ErrorCode::kShutDown
                             : ErrorCode::kFileUnavailable;
  return why == nullptr ? Status() : Status(code, why);
}

void ClearTableLocked(internal::BlockTable* table) {
  for (uint32_t chunk = 0; chunk < internal::g_registry.chunk_count();
       ++chunk) {
    // Looked at first: most of a table lies in pages that were never written.
    if (table->blocks[chunk].load(std::memory_order_relaxed) != nullptr) {
      table->blocks[chunk].store(nullptr, std::memory_order_relaxed);
    }
  }
}

// From here on all is as in a process that could not start. `is_shut_down`
// first: who has the process's state at hand gets no lock any more, so nothing
// that is cleared here is made again.
void EndCountingLocked(ProcessState* process, uint64_t dropped_observations) {
  static constexpr char kWhy[] =  // outlives this call
      "metrics were shut down in this process";
  g_image.is_shut_down.store(true, std::memory_order_relaxed);
  g_image.dropped_without_start.store(dropped_observations,
                                      std::memory_order_relaxed);
  g_image.start_error.store(kWhy, std::memory_order_relaxed);
  g_image.is_disabled.store(true, std::memory_order_relaxed);
  internal::MarkCleanExit(process);
  internal::g_shared_table.store(&internal::g_new_thread_table,
                                 std::memory_order_release);
  g_image.process.store(nullptr, std::memory_order_release);
  ClearTableLocked(&process->shared);
  for (uint32_t i = 0; i < g_image.slot_count; ++i) {
    ClearTableLocked(&process->slots[i].table);
  }
}

Status FileStatus(ProcessState* process) {
  if (process->file_count != 0 || internal::CreateMetricFileLocked(process)) {
    return Status();
  }
  return Status(ErrorCode::kFileUnavailable,
                "no metric file in " + std::string(g_image.settings.directory) +
                    ": " + LastError(process));
}

// A process label that some family already has as its own label.
Status CheckAgainstFamilies(const std::vector<LabelPair>& labels) {
  for (const LabelPair& label : labels) {
    for (const internal::Family* family = internal::g_registry.FirstFamily();
         family != nullptr; family = family->next) {
      for (const std::string_view name : family->definition.label_names) {
        if (name == label.name) {
          return Status(ErrorCode::kInvalidLabel,
                        "process label \"" + std::string(label.name) +
                            "\" is refused: metric \"" +
                            std::string(family->definition.name) +
                            "\" has a label of that name");
        }
      }
    }
  }
  return Status();
}

Status ApplyOptions(const InitOptions& options, Settings* settings) {
  Status status = CheckAgainstFamilies(options.process_labels);
  settings->is_quiet = settings->is_quiet || options.is_quiet;
  if (status.ok()) {
    status = internal::AddProcessLabels(settings, options.process_labels);
  }
  if (status.ok() && !options.worker_id.empty()) {
    status = internal::SetWorkerId(settings, options.worker_id);
  }
  if (status.ok() && !options.directory.empty()) {
    status = internal::SetDirectory(settings, options.directory);
  }
  if (options.store != Store::kDefault) {
    settings->store = options.store;
  }
  return status;
}

}  // namespace

Status Init(const InitOptions& options) {
  internal::Start(options.store);
  ProcessState* process = internal::CurrentProcess();
  if (process == nullptr) {
    return StatusWithoutStart();
  }
  SlowPathLock lock(process, SlowPathLock::Wait::kBounded);
  if (!lock.is_held()) {
    return Status(ErrorCode::kBusy, "another thread is registering metrics");
  }
  if (process->file_count != 0) {
    return Status(ErrorCode::kAlreadyStarted,
                  "this process has its metric file already: call Init() "
                  "before metrics without labels are made, or set TINE_DIR, "
                  "TINE_PROCESS_LABELS and TINE_WORKER_ID");
  }
  // Not on the stack, of which a thread may have little.
  const auto settings = std::make_unique<Settings>(g_image.settings);
  Status status = ApplyOptions(options, settings.get());
  if (!status.ok()) {
    return status;
  }
  if (std::strcmp(settings->directory, g_image.settings.directory) != 0) {
    g_image.life_lock.store(format::LifeLock::kUnknown);
    internal::NoteSuccess(process);  // the old one's failure says nothing
  }
  g_image.settings = *settings;
  internal::SetStoreLocked(process, settings->store);
  return settings->store == Store::kNone ? Status() : FileStatus(process);
}

Status AfterFork() {
  ProcessState* process = internal::CurrentProcess();
  if (process == nullptr) {
    return StatusWithoutStart();
  }
  SlowPathLock lock(process, SlowPathLock::Wait::kBounded);
  if (!lock.is_held()) {
    return Status(ErrorCode::kBusy, "another thread is registering metrics");
  }
  return FileStatus(process);
}

void Seal() noexcept {
  internal::Start();
  ProcessState* process = internal::CurrentProcess();
  if (process != nullptr) {
    SlowPathLock lock(process, SlowPathLock::Wait::kBounded);
    for (uint32_t chunk = 0;
         lock.is_held() && chunk < internal::g_registry.chunk_count();
         ++chunk) {
      internal::MakeChunkRealLocked(process, chunk);
    }
  }
  g_image.is_sealed.store(true);
}

Status Shutdown() {
  internal::Start();
  const uint64_t dropped_observations = GetWriterStatus().dropped_observations;
  ProcessState* process = internal::CurrentProcess();
  if (g_image.is_shut_down.load()) {
    return StatusWithoutStart();
  }
  if (process == nullptr) {  // there is nothing to end
    g_image.is_shut_down.store(true);
    return Status();
  }
  SlowPathLock lock(process, SlowPathLock::Wait::kBounded);
  if (!lock.is_held()) {
    if (g_image.is_shut_down.load()) {  // by another thread, just now
      return StatusWithoutStart();
    }
    return Status(ErrorCode::kBusy, "another thread is registering metrics");
  }
  EndCountingLocked(process, dropped_observations);
  return Status();
}

WriterStatus GetWriterStatus() {
  WriterStatus status;
  internal::Start();
  ProcessState* process = internal::CurrentProcess();
  status.is_enabled = process != nullptr;
  if (!status.is_enabled) {
    status.store = Store::kNone;
    status.directory = g_image.settings.directory;
    status.last_error = StatusWithoutStart().message();
    status.dropped_observations = g_image.dropped_without_start.load();
    return status;
  }
  status.store = g_image.settings.store;
  status.directory = g_image.settings.directory;
  status.last_error = LastError(process);
  // The lock is for figures of one moment. Without it they are right too, each
  // by itself: files are only added.
  SlowPathLock lock(process, SlowPathLock::Wait::kBounded);
  const uint32_t file_count =
      __atomic_load_n(&process->file_count, __ATOMIC_ACQUIRE);
  for (uint32_t i = 0; i < file_count; ++i) {
    const internal::MetricFile& file = process->files[i];
    if (file.name[0] != '\0') {  // in memory it has none
      status.files.emplace_back(file.name);
    }
    status.file_bytes += __atomic_load_n(&file.real_bytes, __ATOMIC_RELAXED);
    const auto* header = file.dynamic();
    status.dropped_series += header->dropped_series.load();
    status.dropped_observations += header->dropped_observations.load();
    status.children_without_file += header->children_without_file.load();
  }
  status.dropped_series += process->dropped_series.load();
  status.dropped_observations += process->dropped_observations.load();
  status.failed_writes = process->failed_writes.load();
  return status;
}

std::vector<std::string> GetMetricFileBytes() {
  std::vector<std::string> files;
  ProcessState* process = internal::CurrentProcess();
  if (process == nullptr) {
    return files;
  }
  const SlowPathLock lock(process, SlowPathLock::Wait::kBounded);
  const uint32_t file_count =
      __atomic_load_n(&process->file_count, __ATOMIC_ACQUIRE);
  for (uint32_t i = 0; i < file_count; ++i) {
    const internal::MetricFile& file = process->files[i];
    std::string& bytes = files.emplace_back(file.dynamic()->used.load(), '\0');
    // Word by word, since each cell must be whole.
    for (size_t at = 0; at < bytes.size(); at += sizeof(internal::Cell)) {
      const internal::Cell word = internal::LoadCell(
          reinterpret_cast<const internal::Cell*>(file.base + at));
      std::memcpy(bytes.data() + at, &word, sizeof(word));
    }
  }
  return files;
}

}  // namespace tine
