#include "writer/process_state.h"

#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "common/clock.h"
#include "writer/fork_guard.h"
#include "writer/raised_signal.h"
#include "writer/settings.h"
#include "writer/slow_path_lock.h"
#include "writer/thread_slots.h"
#include "writer/written_cells.h"
#include "writer/written_file.h"

namespace tine::internal {

ImageState g_image;
std::atomic<BlockTable*> g_shared_table{&g_new_thread_table};

namespace {

constexpr int32_t kLongestClockCheckPeriod = 4096;

// Appends to a fixed line; what does not fit is cut.
class Line {
 public:
  void Append(const char* text) {
    while (*text != '\0' && length_ < sizeof(text_) - 1) {
      text_[length_++] = *text++;
    }
  }
  void AppendNumber(int number) {
    char digits[12];
    size_t at = sizeof(digits);
    digits[--at] = '\0';
    auto left = static_cast<unsigned>(number < 0 ? -number : number);
    do {
      digits[--at] = static_cast<char>('0' + left % 10);
      left /= 10;
    } while (left != 0);
    Append(digits + at);
  }
  // A failing stderr is nobody's concern here: its reader may be gone, or
  // stopped with the pipe full, or the log file at its limit. Signals are
  // blocked.
  void Write() {
    text_[length_++] = '\n';
    pollfd wanted = {STDERR_FILENO, POLLOUT, 0};
    if (::poll(&wanted, 1, 0) == 0) {
      return;
    }
    const RaisedSignal no_reader(SIGPIPE);
    const RaisedSignal too_large(SIGXFSZ);
    if (::write(STDERR_FILENO, text_, length_) < 0) {
      no_reader.Take();
      too_large.Take();
    }
  }

 private:
  char text_[1024];
  size_t length_ = 0;
};

bool MapProcessState() {
  g_image.process_bytes =
      offsetof(ProcessState, slots) + g_image.slot_count * sizeof(Slot);
  void* memory = ::mmap(nullptr, g_image.process_bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    return false;
  }
  ::madvise(memory, g_image.process_bytes, MADV_NOHUGEPAGE);
  g_image.is_wiped_by_kernel =
      ::madvise(memory, g_image.process_bytes, MADV_WIPEONFORK) == 0;
  auto* process = static_cast<ProcessState*>(memory);
  process->free_slot_count.store(static_cast<int32_t>(g_image.slot_count),
                                 std::memory_order_relaxed);
  process->phase.store(Phase::kReady, std::memory_order_release);
  g_image.process.store(process, std::memory_order_release);
  SetStoreLocked(process, g_image.settings.store);
  return true;
}

bool StartOnce(Store store) {
  // First, so that a fork waits for all the rest.
  const bool has_fork_handlers = InstallForkHandlers();
  std::memset(&g_image.settings, 0, sizeof(Settings));  // a parent's attempt
  const char* problem = nullptr;
  if (!ReadEnvironment(&g_image.settings, store, &problem)) {
    g_image.is_disabled.store(true, std::memory_order_relaxed);
    return false;
  }
  g_image.slot_count = MakeThreadKey() ? SlotCountFromEnvironment() : 0;
  if (!has_fork_handlers || !MapProcessState()) {
    return false;
  }
  g_image.process.load()->last_error.store(problem, std::memory_order_relaxed);
  return true;
}

void StartNow(Store store) noexcept {
  // A cancellation would be an exception that nobody may catch.
  SignalShield shield;
  bool is_ready = false;
  try {
    is_ready = StartOnce(store);
  } catch (...) {
  }
  if (!is_ready && !g_image.is_disabled.load(std::memory_order_relaxed)) {
    static constexpr char kWhat[] =  // outlives this call
        "no memory to start: metrics are off in this process";
    g_image.start_error.store(kWhat, std::memory_order_relaxed);
    g_image.is_disabled.store(true, std::memory_order_relaxed);
    Complain(kWhat, g_image.settings.directory, ENOMEM);
  }
  g_image.starter.store(ImageState::kStarted, std::memory_order_release);
}

}  // namespace

bool Start(Store store) noexcept {
  // Another thread may be at it. Bounded, since it may be stopped.
  const uint64_t give_up_ns = CoarseNowNs() + 1'000'000'000;
  int32_t starter = g_image.starter.load(std::memory_order_acquire);
  while (starter != ImageState::kStarted) {
    const int32_t self = ::getpid();
    if (starter != self && g_image.starter.compare_exchange_strong(
                               starter, self, std::memory_order_acquire)) {
      StartNow(store);
    } else if (g_image.is_start_stuck.load(std::memory_order_relaxed) ||
               CoarseNowNs() > give_up_ns) {
      // The next one need not wait in vain too.
      g_image.is_start_stuck.store(true, std::memory_order_relaxed);
      return false;
    } else {
      ::sched_yield();
    }
    starter = g_image.starter.load(std::memory_order_acquire);
  }
  return !g_image.is_disabled.load(std::memory_order_relaxed);
}

void SetStoreLocked(ProcessState* process, Store store) noexcept {
  g_image.settings.store = store;
  if (store == Store::kNone) {
    g_image.is_disabled.store(true, std::memory_order_relaxed);
    g_image.process.store(nullptr, std::memory_order_release);
  }
  // The hot path of gauges is only for cells that need no more than a store to
  // memory. That of the others goes by the threads' slots, which such stores do
  // not give out.
  const bool has_hot_path = store == Store::kMapped || store == Store::kMemory;
  g_shared_table.store(has_hot_path ? &process->shared : &g_new_thread_table,
                       std::memory_order_release);
}

ProcessState* CurrentProcess() noexcept {
  ProcessState* process = g_image.process.load(std::memory_order_acquire);
  if (process != nullptr &&
      __builtin_expect(
          process->phase.load(std::memory_order_acquire) != Phase::kReady, 0)) {
    ResetAfterRawFork(process);
  }
  return process;
}

uint64_t CoarseNowNs() noexcept { return NowNs(CLOCK_MONOTONIC_COARSE) + 1; }

bool MayRetry(ProcessState* process) noexcept {
  if (g_image.is_sealed.load(std::memory_order_relaxed)) {
    return false;
  }
  const uint64_t retry_at_ns =
      process->retry_at_ns.load(std::memory_order_relaxed);
  if (retry_at_ns == 0) {
    return true;
  }
  if (process->calls_until_clock_check.fetch_sub(1, std::memory_order_relaxed) >
      0) {
    return false;
  }
  const uint64_t now_ns = CoarseNowNs();
  // Hot callers are let through to the clock ever more seldom, slow ones at
  // every call.
  const uint64_t checked_ns =
      process->clock_checked_ns.exchange(now_ns, std::memory_order_relaxed);
  int32_t period = process->clock_check_period.load(std::memory_order_relaxed);
  period = now_ns - checked_ns < 10'000'000
               ? std::min(2 * period + 1, kLongestClockCheckPeriod)
               : period / 4;
  process->clock_check_period.store(period, std::memory_order_relaxed);
  process->calls_until_clock_check.store(period, std::memory_order_relaxed);
  return now_ns >= retry_at_ns;
}

void NoteFailure(ProcessState* process, const char* what,
                 int error_number) noexcept {
  process->retry_at_ns.store(CoarseNowNs() + kRetryAfterNs,
                             std::memory_order_relaxed);
  NoteError(process, what, error_number);
}

void NoteError(ProcessState* process, const char* what,
               int error_number) noexcept {
  process->last_error_errno.store(error_number, std::memory_order_relaxed);
  process->last_error.store(what, std::memory_order_release);
  if (!g_image.has_complained.exchange(true, std::memory_order_relaxed)) {
    Complain(what, g_image.settings.directory, error_number);
  }
}

void NoteUsageError(ProcessState* process, const char* what,
                    std::string_view metric) noexcept {
  process->last_error_errno.store(0, std::memory_order_relaxed);
  process->last_error.store(what, std::memory_order_release);
  if (!g_image.has_told_usage_error.exchange(true, std::memory_order_relaxed)) {
    char name[256] = {};
    metric.copy(name, sizeof(name) - 1);
    Complain(what, name, 0);
  }
}

void NoteSuccess(ProcessState* process) noexcept {
  process->retry_at_ns.store(0, std::memory_order_relaxed);
}

void CountDrops(ProcessState* process, uint64_t observations,
                uint64_t series) noexcept {
  if (process == nullptr) {
    if (g_image.start_error.load(std::memory_order_relaxed) != nullptr) {
      g_image.dropped_without_start.fetch_add(observations,
                                              std::memory_order_relaxed);
    }
    return;
  }
  // The first file's header; its pointer is stored before `file_count` and
  // never changes in this process.
  const bool has_file =
      __atomic_load_n(&process->file_count, __ATOMIC_ACQUIRE) != 0;
  auto* header = has_file ? process->files[0].dynamic() : nullptr;
  auto& observation_count =
      has_file ? header->dropped_observations : process->dropped_observations;
  auto& series_count =
      has_file ? header->dropped_series : process->dropped_series;
  if (observations != 0) {
    observation_count.fetch_add(observations, std::memory_order_relaxed);
  }
  if (series != 0) {
    series_count.fetch_add(series, std::memory_order_relaxed);
  }
  if (has_file && IsStoreWritten()) {
    WriteDropCounts(process->files[0]);
  }
}

const char* ErrorText(int error_number) noexcept {
  const char* text = ::strerrordesc_np(error_number);
  return text == nullptr ? "unknown error" : text;
}

void Complain(const char* what, const char* detail, int error_number) noexcept {
  if (g_image.settings.is_quiet ||
      g_image.is_sealed.load(std::memory_order_relaxed)) {
    return;
  }
  SignalShield shield;  // write() is a cancellation point and sets errno
  Line line;
  line.Append("tine: ");
  line.Append(what);
  if (detail[0] != '\0') {
    line.Append(": ");
    line.Append(detail);
  }
  if (error_number != 0) {
    line.Append(": ");
    line.Append(ErrorText(error_number));
    line.Append(" (");
    line.AppendNumber(error_number);
    line.Append(")");
  }
  line.Write();
}

}  // namespace tine::internal
