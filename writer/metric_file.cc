#include "writer/metric_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "common/clock.h"
#include "common/metrics_directory.h"
#include "common/record_codec.h"
#include "common/retry_if_interrupted.h"
#include "writer/directory_space.h"
#include "writer/life_lock.h"
#include "writer/raised_signal.h"
#include "writer/real_pages.h"
#include "writer/written_cells.h"
#include "writer/written_file.h"

namespace tine::internal {
namespace {

constexpr uint64_t kFirstRealBytes = 16 << 10;
constexpr uint64_t kLeastReserveBytes = 64 << 10;

uint64_t RoundUp(uint64_t bytes, uint64_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

// Enough for a first family, its chunk and a private block.
uint64_t FirstRealBytes() { return RoundUp(kFirstRealBytes, PageBytes()); }

// A descriptor that a concurrently forked child knows to close, and that is
// closed at the end of the scope.
class SharedDescriptor {
 public:
  explicit SharedDescriptor(int place) : place_(place) {}
  SharedDescriptor(const SharedDescriptor&) = delete;
  SharedDescriptor& operator=(const SharedDescriptor&) = delete;
  ~SharedDescriptor() { Close(); }

  bool Set(int fd) {
    fd_ = fd;
    g_image.open_descriptors[place_].store(fd, std::memory_order_relaxed);
    return fd >= 0;
  }
  int get() const { return fd_; }
  void Close() {
    if (fd_ >= 0) {
      const int saved_errno = errno;
      g_image.open_descriptors[place_].store(-1, std::memory_order_relaxed);
      ::close(fd_);
      errno = saved_errno;
      fd_ = -1;
    }
  }

 private:
  const int place_;
  int fd_ = -1;
};

uint64_t LimitOf(int resource) {
  rlimit limit;
  if (::getrlimit(static_cast<__rlimit_resource>(resource), &limit) != 0 ||
      limit.rlim_cur == RLIM_INFINITY) {
    return UINT64_MAX;
  }
  return limit.rlim_cur;
}

uint64_t FileSizeLimit() {
  return g_image.settings.store == Store::kMemory ? UINT64_MAX
                                                  : LimitOf(RLIMIT_FSIZE);
}

// How large the file may become: address space and sparse size, not memory.
// RLIMIT_FSIZE is looked at first because going beyond it kills the process
// (SIGXFSZ); memory without a file has nothing to do with it.
uint64_t ReserveBytes() {
  const uint64_t wanted_bytes =
      g_image.settings.max_bytes + kOverflowReserveBytes + kLeastReserveBytes;
  const uint64_t bytes =
      std::min({wanted_bytes, FileSizeLimit(), LimitOf(RLIMIT_AS) / 64});
  return bytes / PageBytes() * PageBytes();
}

bool FillRandom(FileUuid* uuid) {
  return RetryIfInterrupted([&] {
           return ::getrandom(uuid->bytes, sizeof(uuid->bytes), GRND_NONBLOCK);
         }) == sizeof(uuid->bytes);
}

uint64_t NamespaceInode(const char* path) {
  struct stat info;
  return ::stat(path, &info) == 0 ? info.st_ino : 0;
}

// Field 22 of /proc/self/stat; the second field, the name, may hold blanks and
// parentheses, so count from the last ')'.
uint64_t ProcessStartTicks() {
  SharedDescriptor fd(3);
  if (!fd.Set(::open("/proc/self/stat", O_RDONLY | O_CLOEXEC))) {
    return 0;
  }
  char text[1024];
  const ssize_t length = RetryIfInterrupted(
      [&] { return ::read(fd.get(), text, sizeof(text) - 1); });
  if (length <= 0) {
    return 0;
  }
  text[length] = '\0';
  const char* at = std::strrchr(text, ')');
  for (int field = 2; at != nullptr && field < 22; ++field) {
    at = std::strchr(at + 1, ' ');
  }
  uint64_t ticks = 0;
  while (at != nullptr && *++at >= '0' && *at <= '9') {
    ticks = ticks * 10 + static_cast<uint64_t>(*at - '0');
  }
  return ticks;
}

void FillHeader(uint8_t* base, const FileUuid& uuid, uint64_t reserve_bytes) {
  auto* header = reinterpret_cast<format::FileHeader*>(base);
  const Settings& settings = g_image.settings;
  std::memcpy(header->uuid, uuid.bytes, sizeof(header->uuid));
  std::memcpy(header->boot_id, settings.boot_id, sizeof(header->boot_id));
  header->life_lock = g_image.life_lock.load(std::memory_order_relaxed);
  header->pid_namespace = NamespaceInode("/proc/self/ns/pid");
  header->time_namespace = NamespaceInode("/proc/self/ns/time");
  header->pid = static_cast<uint32_t>(::getpid());
  header->uid = static_cast<uint32_t>(::geteuid());
  header->process_start_ticks = ProcessStartTicks();
  header->created_boot_ns = NowNs(CLOCK_BOOTTIME);
  header->created_wall_ns = NowNs(CLOCK_REALTIME);
  header->reserve_bytes = reserve_bytes;
  uint8_t* at = AppendString(header->strings, settings.executable);
  at = AppendString(at, settings.worker_id);
  std::memcpy(at, settings.process_labels, settings.process_labels_bytes);
  at += settings.process_labels_bytes;
  header->strings_bytes = static_cast<uint32_t>(at - header->strings);
  header->process_label_count = settings.process_label_count;
  SealFileHeader(header);
  auto* dynamic = reinterpret_cast<format::FileHeaderDynamic*>(
      base + format::kHeaderDynamicOffset);
  dynamic->used.store(format::kHeaderBytes, std::memory_order_relaxed);
  dynamic->state.store(static_cast<uint32_t>(format::FileState::kLive),
                       std::memory_order_relaxed);
}
static_assert(2 + sizeof(Settings::executable) + 2 +
                  sizeof(Settings::worker_id) +
                  sizeof(Settings::process_labels) <=
              format::kHeaderStringsMaxBytes);

// The mapping of `fd`, or private memory if it is -1; known to a concurrently
// forked child from the start, with its first pages real. Null: errno.
uint8_t* MapData(int fd, uint64_t reserve_bytes) {
  const int flags =
      fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE : MAP_SHARED;
  void* mapping = ::mmap(nullptr, reserve_bytes, PROT_NONE, flags, fd, 0);
  if (mapping == MAP_FAILED) {
    return nullptr;
  }
  auto* base = static_cast<uint8_t*>(mapping);
  // A tmpfs mounted with huge=always would charge 2 MiB to every process; a
  // core dump needs none of it.
  ::madvise(base, reserve_bytes, MADV_NOHUGEPAGE);
  ::madvise(base, reserve_bytes, MADV_DONTDUMP);
  const uint32_t number = g_image.mapping_count.load(std::memory_order_relaxed);
  g_image.mappings[number] = {base, reserve_bytes, 0};
  g_image.mapping_count.store(number + 1, std::memory_order_release);
  if (MakePagesReal(base, FirstRealBytes())) {
    __atomic_store_n(&g_image.mappings[number].real_bytes, FirstRealBytes(),
                     __ATOMIC_RELAXED);
    return base;
  }
  const int saved_errno = errno;
  g_image.mapping_count.store(number, std::memory_order_release);
  ::munmap(base, reserve_bytes);
  errno = saved_errno;
  return nullptr;
}

// ReserveBytes() has looked at RLIMIT_FSIZE, but another thread may have
// lowered it since.
bool SetSize(int fd, uint64_t bytes) {
  const RaisedSignal too_large(SIGXFSZ);
  if (RetryIfInterrupted(
          [&] { return ::ftruncate(fd, static_cast<off_t>(bytes)); }) == 0) {
    return true;
  }
  too_large.Take();
  return false;
}

bool TakeAndTestLifeLock(MetricFile* file, int directory_fd,
                         const char* temp_name) {
  if (!IsStoreWritten()) {
    file->life_lock = TakeLifeLock(directory_fd, temp_name);
  }
  if (IsStoreWritten() ? !OpenWrittenFileLocked(directory_fd, temp_name, file)
                       : file->life_lock == nullptr) {
    return false;
  }
  if (g_image.life_lock.load() == format::LifeLock::kUnknown) {
    g_image.life_lock.store(TestLifeLock(directory_fd, temp_name));
  }
  return true;
}

bool GiveFinalName(int directory_fd, const char* temp_name, const char* name) {
  if (RetryIfInterrupted([&] {
        return ::renameat2(directory_fd, temp_name, directory_fd, name,
                           RENAME_NOREPLACE);
      }) == 0) {
    return true;
  }
  // The name holds 128 random bits: without the flag nothing is replaced
  // either.
  return errno == EINVAL &&
         ::renameat(directory_fd, temp_name, directory_fd, name) == 0;
}

// Steps that can fail, in order; null when all is done, else what failed, with
// errno. The temp file exists when
// `*has_temp_file`.
const char* TryCreate(MetricFile* file, SharedDescriptor* directory,
                      const char* temp_name, const FileUuid& uuid,
                      bool* has_temp_file) {
  SharedDescriptor fd(1);
  if (!fd.Set(RetryIfInterrupted([&] {
        return ::openat(directory->get(), temp_name,
                        O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                        0600);
      }))) {
    return "cannot create a metric file";
  }
  *has_temp_file = true;
  if (RetryIfInterrupted([&] { return ::fchmod(fd.get(), 0640); }) != 0) {
    return "cannot set a metric file's mode";
  }
  if (!SetSize(fd.get(), file->reserve_bytes)) {
    return "cannot size a metric file";
  }
  file->base = MapData(IsStoreWritten() ? -1 : fd.get(), file->reserve_bytes);
  if (file->base == nullptr) {
    return "no memory for a metric file";
  }
  file->real_bytes = FirstRealBytes();
  fd.Close();
  if (!TakeAndTestLifeLock(file, directory->get(), temp_name)) {
    return "cannot lock a metric file";
  }
  FillHeader(file->base, uuid, file->reserve_bytes);
  if (IsStoreWritten() &&
      WriteAt(*file, file->base, format::kHeaderBytes, 0) != Written::kAll) {
    return "cannot write to a metric file";
  }
  file->used = format::kHeaderBytes;
  const MetricFileName parts{static_cast<uint32_t>(::getpid()), uuid};
  FormatMetricFileName(parts, file->name);
  if (!GiveFinalName(directory->get(), temp_name, file->name)) {
    return "cannot name a metric file";
  }
  return nullptr;
}

// A file that did not get its name leaves nothing behind.
void Discard(MetricFile* file, int directory_fd, const char* temp_name) {
  ReleaseLifeLock(file->life_lock);
  CloseDescriptor(file->descriptor);
  if (file->base != nullptr) {
    g_image.mapping_count.fetch_sub(1, std::memory_order_release);
    ::munmap(file->base, file->reserve_bytes);
  }
  RetryIfInterrupted([&] { return ::unlinkat(directory_fd, temp_name, 0); });
}

// What was counted while there was no file goes to the first one's header.
void MoveDropsToHeader(ProcessState* process, MetricFile* file) {
  auto* header = file->dynamic();
  header->dropped_observations.fetch_add(
      process->dropped_observations.exchange(0), std::memory_order_relaxed);
  header->dropped_series.fetch_add(process->dropped_series.exchange(0),
                                   std::memory_order_relaxed);
}

void TellParent(ProcessState* process) {
  auto* parent = g_image.parent_header.load(std::memory_order_relaxed);
  if (parent != nullptr && !process->has_told_parent) {
    process->has_told_parent = true;
    parent->children_without_file.fetch_add(1, std::memory_order_relaxed);
  }
}

// Nothing of the parent's is needed any more: its page would keep its file's
// memory after its death.
void LetGoOfParent() {
  auto* parent =
      g_image.parent_header.exchange(nullptr, std::memory_order_relaxed);
  if (parent != nullptr) {
    ::munmap(reinterpret_cast<uint8_t*>(parent) - format::kHeaderDynamicOffset,
             format::kHeaderBytes);
  }
}

void AddFile(ProcessState* process, const MetricFile& file) {
  if (IsStoreWritten()) {
    WriteDropCounts(file);
  }
  process->files[process->file_count] = file;
  __atomic_store_n(&process->file_count, process->file_count + 1,
                   __ATOMIC_RELEASE);
  NoteSuccess(process);
}

bool HasTooManyFiles(const ProcessState* process) {
  return process->file_count + process->lost_file_count >= kMaxFiles;
}

// The bytes of a file without one, for Store::kMemory.
bool CreateInMemory(ProcessState* process) {
  const char* problem = nullptr;
  FileUuid uuid;
  MetricFile file{};
  const uint64_t reserve_bytes = ReserveBytes();
  if (HasTooManyFiles(process) || reserve_bytes < kLeastReserveBytes) {
    problem = "no room for the metrics (RLIMIT_AS)";
  } else if (!FillRandom(&uuid)) {
    problem = "cannot get random numbers";
  } else if ((file.base = MapData(-1, reserve_bytes)) == nullptr) {
    problem = "no memory for the metrics";
  }
  if (problem != nullptr) {
    NoteFailure(process, problem, errno);
    return false;
  }
  file.reserve_bytes = reserve_bytes;
  file.real_bytes = FirstRealBytes();
  FillHeader(file.base, uuid, reserve_bytes);
  file.used = format::kHeaderBytes;
  if (process->file_count == 0) {
    MoveDropsToHeader(process, &file);
  }
  AddFile(process, file);
  return true;
}

bool CreateInDirectory(ProcessState* process) {
  const char* problem = nullptr;
  const char* directory_path = g_image.settings.directory;
  SharedDescriptor directory(0);
  if (!directory.Set(OpenMetricsDirectory(directory_path, /*may_create=*/true,
                                          &problem))) {
    NoteFailure(
        process,
        problem != nullptr ? problem : "cannot open the metrics directory",
        errno);
    TellParent(process);
    return false;
  }
  struct statfs info;
  FileUuid uuid;
  FileUuid random;
  MetricFile file{};
  file.reserve_bytes = ReserveBytes();
  problem = NewFileProblem(directory.get(), &info);
  if (problem == nullptr) {
    if (HasTooManyFiles(process) || file.reserve_bytes < kLeastReserveBytes) {
      problem = "no room for a metric file (RLIMIT_FSIZE or RLIMIT_AS)";
    } else if (!FillRandom(&uuid) || !FillRandom(&random)) {
      problem = "cannot get random numbers for a metric file's name";
    }
  }
  if (problem == nullptr) {
    char temp_name[kTempFileNameBytes + 1];
    FormatTempFileName(random, temp_name);
    bool has_temp_file = false;
    problem = TryCreate(&file, &directory, temp_name, uuid, &has_temp_file);
    if (problem != nullptr && has_temp_file) {
      const int saved_errno = errno;
      Discard(&file, directory.get(), temp_name);
      errno = saved_errno;
    }
  }
  if (problem != nullptr) {
    NoteFailure(process, problem, errno);
    TellParent(process);
    return false;
  }
  WarnOfDisk(info);
  if (process->file_count == 0) {
    MoveDropsToHeader(process, &file);
    LetGoOfParent();
  }
  AddFile(process, file);
  return true;
}

}  // namespace

bool CreateMetricFileLocked(ProcessState* process) noexcept {
  return g_image.settings.store == Store::kMemory ? CreateInMemory(process)
                                                  : CreateInDirectory(process);
}

bool GrowMetricFileLocked(ProcessState* process, MetricFile* file,
                          uint64_t wanted_bytes) noexcept {
  if (g_image.is_sealed.load(std::memory_order_relaxed)) {
    return false;
  }
  // An eighth at a time saves system calls in large files; small ones grow by
  // the page.
  uint64_t target_bytes =
      std::max(wanted_bytes, file->real_bytes + file->real_bytes / 8);
  target_bytes =
      std::min(RoundUp(target_bytes, PageBytes()), file->reserve_bytes);
  const char* problem = g_image.settings.store == Store::kMemory
                            ? nullptr
                            : GrowthProblem(g_image.settings.directory);
  if (problem == nullptr && !MakePagesReal(file->base + file->real_bytes,
                                           target_bytes - file->real_bytes)) {
    problem = "no memory for a metric file to grow";
  }
  if (problem != nullptr) {
    NoteFailure(process, problem, errno);
    return false;
  }
  __atomic_store_n(&file->real_bytes, target_bytes, __ATOMIC_RELAXED);
  for (DataMapping& mapping : g_image.mappings) {
    if (mapping.base == file->base) {
      __atomic_store_n(&mapping.real_bytes, target_bytes, __ATOMIC_RELAXED);
    }
  }
  NoteSuccess(process);
  return true;
}

void MarkCleanExit(ProcessState* process) noexcept {
  // Zero in a child that has made no file: its parent's file is not its own to
  // mark.
  const uint32_t count =
      __atomic_load_n(&process->file_count, __ATOMIC_ACQUIRE);
  for (uint32_t i = 0; i < count; ++i) {
    process->files[i].dynamic()->state.store(
        static_cast<uint32_t>(format::FileState::kCleanExit),
        std::memory_order_relaxed);
    if (IsStoreWritten()) {
      WriteState(process->files[i]);
    }
  }
}

namespace {

// Not a static object's destructor: the others' destructors may still count,
// and may. Here, because every program that counts links this file of the
// archive.
__attribute__((destructor)) void AtExit() {
  ProcessState* process = g_image.process.load(std::memory_order_acquire);
  if (process != nullptr) {
    MarkCleanExit(process);
  }
}

}  // namespace
}  // namespace tine::internal
