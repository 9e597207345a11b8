#include "collector/collect_loop.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "collector/file_limit.h"
#include "common/clock.h"

namespace tine::collector {
namespace {

// The lock is freed right after the event; the second look is for a machine
// that is very busy, and after that the rescan sees to it.
constexpr uint64_t kFirstProbeMs = 10;
constexpr uint64_t kSecondProbeMs = 1'000;

constexpr uint64_t kDirectoryCheckMs = 1'000;

// Somebody folds every few seconds; a scrape takes milliseconds.
constexpr int kMaxScrapeAttempts = 10;

// The thread opens so many new files, then lets a scrape have the lock.
constexpr size_t kOpenBatch = 64;

uint64_t ThreadCpuMs() { return NowNs(CLOCK_THREAD_CPUTIME_ID) / 1'000'000; }

FileSet::Options FileSetOptions(const CollectorOptions& options) {
  FileSet::Options result;
  result.host =
      options.host.has_value() ? *options.host : HostIdentity::OfThisProcess();
  result.max_file_bytes = options.max_file_bytes;
  result.max_series_per_file = options.max_series_per_file;
  result.limits = options.owner_limits;
  result.limits.max_open_files =
      std::min(result.limits.max_open_files, MaxOpenMetricFiles());
  result.log = options.log;
  return result;
}

Folder::Options FolderOptions(const CollectorOptions& options) {
  Folder::Options result = options.folding;
  result.log = options.log;
  return result;
}

}  // namespace

uint64_t Collector::NowMs() { return NowNs(CLOCK_MONOTONIC) / 1'000'000; }

Collector::Collector(CollectorOptions options)
    : options_(std::move(options)),
      start_ms_(NowMs()),
      watcher_(options_.directory, options_.may_create_directory),
      folder_(FolderOptions(options_)),
      view_(std::make_unique<MergedView>(options_.view_limits)),
      files_(std::make_unique<FileSet>(FileSetOptions(options_), view_.get(),
                                       &folder_.archive())) {}

Collector::~Collector() { Stop(); }

void Collector::Start() {
  const std::lock_guard<std::mutex> lock(thread_mutex_);
  if (thread_.joinable()) {
    return;
  }
  stop_event_.Reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop_event_.valid()) {
    throw std::system_error(errno, std::generic_category(), "eventfd");
  }
  thread_ = std::thread(&Collector::Run, this);
}

void Collector::Stop() {
  const std::lock_guard<std::mutex> lock(thread_mutex_);
  if (!thread_.joinable()) {
    return;
  }
  const uint64_t one = 1;
  // An eventfd that counts 1 takes another 1: this cannot fail.
  [[maybe_unused]] const ssize_t written =
      ::write(stop_event_.get(), &one, sizeof(one));
  thread_.join();
  // Whoever starts next will know what was there.
  const std::lock_guard<std::mutex> state_lock(mutex_);
  folder_.WriteKnownFiles(files_.get(), *view_);
}

// ---- The thread -------------------------------------------------------------

void Collector::Run() {
  for (;;) {
    pollfd polled[2] = {{stop_event_.get(), POLLIN, 0}, {-1, POLLIN, 0}};
    int wait_ms = 0;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      WorkLocked(NowMs());
      wait_ms = WaitMsLocked(NowMs());
      polled[1].fd = watcher_.poll_fd();
    }
    const int ready = ::poll(polled, 2, wait_ms);
    if (ready > 0 && polled[0].revents != 0) {
      return;
    }
  }
}

void Collector::WorkLocked(uint64_t now_ms) {
  const bool is_distant =
      last_rescan_ms_ == 0 ||
      now_ms - last_rescan_ms_ >= options_.min_rescan_distance_ms;
  CatchUpLocked(now_ms, is_distant);
  files_->OpenPending(kOpenBatch);
  ProbeHintsLocked(now_ms, /*is_scrape=*/false);
  NoteReadinessLocked(now_ms);
  // Not only when all is open: of very many dead files, those that are folded
  // make room for others.
  if (!is_rescan_needed_ && now_ms >= next_fold_ms_) {
    const uint64_t cpu_ms = ThreadCpuMs();
    const Folder::Outcome outcome = FoldLocked();
    PlanFoldLocked(ThreadCpuMs() - cpu_ms, outcome);
  }
}

int Collector::WaitMsLocked(uint64_t now_ms) const {
  if (files_->pending_count() > 0 ||
      (has_fold_backlog_ && !is_rescan_needed_)) {
    return 0;
  }
  uint64_t due_ms = last_directory_check_ms_ + kDirectoryCheckMs;
  due_ms = std::min(due_ms, last_rescan_ms_ + options_.rescan_interval_ms);
  if (is_rescan_needed_) {
    due_ms =
        std::min(due_ms, last_rescan_ms_ + options_.min_rescan_distance_ms);
  }
  for (const auto& [name, hint] : hints_) {
    due_ms = std::min(due_ms, hint.due_ms);
  }
  return due_ms <= now_ms ? 0 : static_cast<int>(due_ms - now_ms);
}

// ---- Catching up ------------------------------------------------------------

bool Collector::CatchUpLocked(uint64_t now_ms, bool may_rescan) {
  last_directory_check_ms_ = now_ms;
  if (!watcher_.IsCurrent()) {
    CheckDirectoryLocked();
  }
  if (!SyncArchiveLocked()) {
    return false;
  }
  const DirectoryWatcher::Changes changes = watcher_.Drain();
  is_rescan_needed_ |= changes.is_rescan_needed;
  overflow_count_ += changes.overflow_count;
  for (const auto& [name, may_be_dead] : changes.names) {
    if (files_->Look(name, may_be_dead)) {
      hints_[name] = {now_ms + kFirstProbeMs, false};
    }
  }
  is_rescan_needed_ |=
      now_ms - last_rescan_ms_ >= options_.rescan_interval_ms ||
      (files_->directory_fd() >= 0 && !files_->has_listed());
  if (is_rescan_needed_ && may_rescan) {
    RescanLocked(now_ms);
  }
  return true;
}

void Collector::CheckDirectoryLocked() {
  const DirectoryWatcher::Mode mode_before = watcher_.mode();
  const std::string problem_before = watcher_.problem();
  if (watcher_.Refresh()) {
    files_->SetDirectory(watcher_.directory_fd());
    is_rescan_needed_ = true;
  }
  if (!options_.log || (watcher_.mode() == mode_before &&
                        watcher_.problem() == problem_before)) {
    return;
  }
  switch (watcher_.mode()) {
    case DirectoryWatcher::Mode::kWatching:
      options_.log(LogLevel::kInfo, "watching " + watcher_.path());
      break;
    case DirectoryWatcher::Mode::kPolling:
      options_.log(LogLevel::kWarn,
                   "polling " + watcher_.path() +
                       ", inotify does not work: " + watcher_.problem());
      break;
    case DirectoryWatcher::Mode::kMissing:
      options_.log(LogLevel::kWarn,
                   "cannot use " + watcher_.path() + ": " + watcher_.problem());
      break;
  }
}

bool Collector::SyncArchiveLocked() {
  if (watcher_.directory_fd() < 0) {
    return true;
  }
  folder_.Attach(watcher_.directory_fd());
  if (!folder_.IsStale()) {
    return true;
  }
  auto view = std::make_unique<MergedView>(options_.view_limits);
  if (!folder_.Load(view.get()).ok()) {
    return false;
  }
  auto files = std::make_unique<FileSet>(FileSetOptions(options_), view.get(),
                                         &folder_.archive());
  files->SetDirectory(watcher_.directory_fd());
  files->TakeHistoryOf(*files_);
  files_ = std::move(files);
  view_ = std::move(view);
  hints_.clear();
  is_rescan_needed_ = true;
  last_rescan_ms_ = 0;
  return true;
}

void Collector::RescanLocked(uint64_t now_ms) {
  CheckDirectoryLocked();
  is_rescan_needed_ = !files_->Rescan();
  files_->ProbeAll();
  last_rescan_ms_ = now_ms;
  ++rescan_count_;
}

void Collector::ProbeHintsLocked(uint64_t now_ms, bool is_scrape) {
  for (auto it = hints_.begin(); it != hints_.end();) {
    const auto current = it++;  // erasing leaves the others where they are
    Hint& hint = current->second;
    const bool is_due = hint.due_ms <= now_ms;
    if (!is_due && !is_scrape) {
      continue;
    }
    if (!files_->ProbeAgain(current->first) || (is_due && hint.is_last)) {
      hints_.erase(current);
    } else if (is_due) {
      hint = {now_ms + kSecondProbeMs, true};
    }
  }
}

Folder::Outcome Collector::FoldLocked() {
  folder_.NoteLostFiles(*files_);
  folder_.RemoveTempFiles(*files_);
  const Folder::Outcome outcome = folder_.Fold(files_.get(), *view_);
  if (outcome.has_folded) {
    files_->Sweep();
  }
  return outcome;
}

void Collector::PlanFoldLocked(uint64_t cpu_ms,
                               const Folder::Outcome& outcome) {
  constexpr uint64_t kPause = 9;  // times as long as the fold took
  has_fold_backlog_ = outcome.has_more;
  next_fold_ms_ = NowMs();
  if (!has_fold_backlog_) {
    next_fold_ms_ +=
        std::max<uint64_t>(options_.min_fold_distance_ms, kPause * cpu_ms);
  }
  may_fold_make_room_ = outcome.has_folded;
  // There is room now.
  is_rescan_needed_ |= outcome.has_folded && files_->left_out_count() != 0;
}

void Collector::NoteReadinessLocked(uint64_t now_ms) {
  const bool has_all = !is_rescan_needed_ && files_->pending_count() == 0;
  if (is_ready_.load(std::memory_order_relaxed)) {
    if (has_all) {
      BeginBirthsLocked();
    }
    return;
  }
  if (has_all && files_->unopened_count() > 0 &&
      now_ms - start_ms_ < options_.max_start_ms) {
    is_rescan_needed_ = true;  // tries to open them again
    return;
  }
  if (has_all && files_->left_out_count() > 0 && may_fold_make_room_ &&
      now_ms - start_ms_ < options_.max_start_ms) {
    return;
  }
  if (has_all) {
    is_ready_.store(true, std::memory_order_release);
    BeginBirthsLocked();
  }
}

// Once in the life of each view.
void Collector::BeginBirthsLocked() {
  if (options_.birth_at_zero_ms != 0 && !view_->has_begun_births()) {
    view_->BeginBirths(NowNs(CLOCK_REALTIME), options_.birth_at_zero_ms);
  }
}

bool Collector::is_ready() const {
  return is_ready_.load(std::memory_order_acquire) ||
         NowMs() - start_ms_ >= options_.max_start_ms;
}

// ---- Scrapes ----------------------------------------------------------------

void Collector::WithScrape(const ScrapeUser& use) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const uint64_t start_ns = NowNs(CLOCK_MONOTONIC);
  const uint64_t now_ms = start_ns / 1'000'000;
  for (int attempt = 0; !TryScrapeLocked(now_ms); ++attempt) {
    if (attempt == kMaxScrapeAttempts) {
      throw std::runtime_error("cannot read what dead writers have left: " +
                               (folder_.statistics().problem.empty()
                                    ? "it changes faster than it can be read"
                                    : folder_.statistics().problem));
    }
  }
  const MergedFamilies& families = view_->Finish();
  view_->ShowNewbornAsZero(now_ms);
  ++scrape_count_;
  last_scrape_seconds_ =
      static_cast<double>(NowNs(CLOCK_MONOTONIC) - start_ns) * 1e-9;
  use(families, StatisticsLocked());
}

// Who does not fold reads the archive, the files, and looks again whether the
// archive is still the same: a file that was folded in between would be
// missing, or count twice.
bool Collector::TryScrapeLocked(uint64_t now_ms) {
  is_rescan_needed_ |= watcher_.mode() == DirectoryWatcher::Mode::kPolling;
  if (!CatchUpLocked(now_ms, /*may_rescan=*/true)) {
    return false;
  }
  files_->OpenPending(SIZE_MAX);
  ProbeHintsLocked(now_ms, /*is_scrape=*/true);
  NoteReadinessLocked(now_ms);
  files_->AddAll();
  return watcher_.directory_fd() < 0 || !folder_.IsStale();
}

CollectorStatistics Collector::statistics() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return StatisticsLocked();
}

CollectorStatistics Collector::StatisticsLocked() const {
  CollectorStatistics statistics;
  statistics.files = files_->statistics();
  statistics.folding = folder_.statistics();
  statistics.conflicts = view_->Conflicts();
  statistics.series_count = view_->series_count();
  statistics.refused_families = view_->refused_family_count();
  statistics.scrapes = scrape_count_;
  statistics.last_scrape_seconds = last_scrape_seconds_;
  statistics.rescans = rescan_count_;
  statistics.overflows = overflow_count_;
  statistics.is_polling = watcher_.mode() == DirectoryWatcher::Mode::kPolling;
  statistics.is_directory_missing =
      watcher_.mode() == DirectoryWatcher::Mode::kMissing;
  statistics.directory_problem = watcher_.problem();
  return statistics;
}

std::vector<FileReport> Collector::ReportFiles() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::vector<FileReport> reports;
  for (const auto& file : files_->files()) {
    FileReport report;
    report.name = file->name();
    report.state = FileStateName(file->state());
    report.problem = file->problem();
    report.problem_offset = file->problem_offset();
    report.owner_uid = file->facts().owner_uid;
    const WriterIdentity& writer = file->writer();
    report.liveness = LivenessName(file->liveness());
    report.used_bytes = file->counts().used_bytes;
    report.series_count = file->source().series_count();
    report.pid = writer.pid;
    report.executable = writer.executable;
    report.worker_id = writer.worker_id;
    const StringListView labels = writer.process_labels();
    for (auto it = labels.begin(); it != labels.end(); ++it) {
      std::string name(*it);
      ++it;
      report.process_labels.emplace_back(std::move(name), std::string(*it));
    }
    reports.push_back(std::move(report));
  }
  for (RefusedFile& file : files_->RefusedFiles()) {
    FileReport report;
    report.name = std::move(file.name);
    report.state = FileStateName(FileState::kQuarantined);
    report.problem = file.reason;
    report.problem_offset = file.offset;
    report.owner_uid = file.owner_uid;
    reports.push_back(std::move(report));
  }
  return reports;
}

}  // namespace tine::collector
