// The soak's writers, and the process that starts them, kills them, and tells
// of their ends. It takes orders, a line each:
//
//   soak_writers DIRECTORY LEDGER [--own-pids]
//
//   start SLOT SEED THREADS  a writer in that slot; THREADS: 1 for itself alone
//   signal SLOT NUMBER       to the writer and all its children
//   order SLOT NUMBER        see Order in ledger.h
//   quit                     ends when all of them have
//
// It prints what is served (see PrintCatalogue), "pids own" or "pids shared",
// "ready", and then `ended SLOT`, `reused PID` and `orphan`. --own-pids: makes
// a pid namespace if it may, in which a new writer often gets the pid of the
// one that has just died.

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/soak/counting.h"
#include "tests/soak/ledger.h"

namespace tine::soak {
namespace {

constexpr int kPollMs = 10;
constexpr int kFloodSize = 300;
constexpr auto kQuitTime = std::chrono::seconds(60);

struct WriterPlan {
  size_t slot;
  uint64_t seed;
  int thread_count;
};

[[noreturn]] void Fail(const std::string& what) {
  std::cerr << "soak_writers: " << what << ": " << std::strerror(errno) << '\n';
  std::exit(1);
}

Ledger* OpenLedger(const char* path) {
  const int fd = ::open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0 || ::ftruncate(fd, sizeof(Ledger)) != 0) {
    Fail(path);
  }
  void* const memory = ::mmap(nullptr, sizeof(Ledger), PROT_READ | PROT_WRITE,
                              MAP_SHARED, fd, 0);
  ::close(fd);
  if (memory == MAP_FAILED) {
    Fail(path);
  }
  return static_cast<Ledger*>(memory);
}

void CloseRow(Ledger* ledger, size_t slot) {
  const uint64_t row = ledger->slots[slot].row.load();
  ledger->rows[row].is_closed.store(1);
}

// ---- One writer -------------------------------------------------------------

class Writer {
 public:
  Writer(const Families* families, Ledger* ledger, const WriterPlan& plan,
         const char* directory, const char* ledger_path)
      : families_(*families),
        ledger_(ledger),
        plan_(plan),
        directory_(directory),
        ledger_path_(ledger_path),
        random_(plan.seed),
        counting_(families, ledger, plan.seed, plan.seed) {}

  [[noreturn]] void Run() {
    Note(ledger_, Event::kBirths);
    // One thread's additions alone are in the same order here and there.
    if (plan_.thread_count == 1) {
      TakeRow();
    }
    families_.living.Increment();
    for (int i = 1; i < plan_.thread_count; ++i) {
      std::thread([this, i] { CountInThread(i); }).detach();
    }
    // A few are hardly ever asleep, so that some are killed while they count.
    const bool is_busy = plan_.seed % 8 == 0;
    for (;;) {
      Obey(static_cast<Order>(
          ledger_->slots[plan_.slot].order.exchange(kNothing)));
      CountSome(&counting_, is_busy ? 200 : 20);
      SleepMs(is_busy ? 1 : 10 + random_() % 40);
      while (::waitpid(-1, nullptr, WNOHANG) > 0) {
      }
    }
  }

 private:
  static void SleepMs(uint64_t ms) {
    std::this_thread::sleep_for(std::chrono::milliseconds(ms));
  }

  static void CountSome(Counting* counting, int count) {
    for (int i = 0; i < count; ++i) {
      counting->CountOnce();
    }
  }

  void TakeRow() {
    CloseRow(ledger_, plan_.slot);  // of the image before an exec
    const uint64_t row = ledger_->row_count.fetch_add(1) + 1;
    if (row < kMaxRows) {
      ledger_->slots[plan_.slot].row.store(row);
      counting_.set_row(&ledger_->rows[row]);
    }
  }

  [[noreturn]] void CountInThread(int index) {
    Counting counting(&families_, ledger_,
                      plan_.seed + static_cast<uint64_t>(index), plan_.seed);
    for (;;) {
      CountSome(&counting, 10);
      SleepMs(20);
    }
  }

  void Obey(Order order) {
    switch (order) {
      case kNothing:
        return;
      case kExit:
        // With threads that go on counting, if it has some.
        std::exit(0);
      case kFork:
        Fork(/*is_twice=*/false);
        return;
      case kForkTwice:
        Fork(/*is_twice=*/true);
        return;
      case kFlood:
        Flood();
        return;
      case kExec:
        Exec();
    }
  }

  void Fork(bool is_twice) {
    const uint64_t seed = random_();
    if (::fork() == 0) {
      Note(ledger_, Event::kForks);
      if (is_twice) {
        // The one in between counts or does not.
        Counting counting(&families_, ledger_, seed, seed);
        CountSome(&counting, static_cast<int>(seed % 3) * 10);
        if (::fork() != 0) {
          ::_exit(0);
        }
        Note(ledger_, Event::kOrphans);
      }
      CountAndEnd(seed + 1);
    }
  }

  void Flood() {
    for (int i = 0; i < kFloodSize; ++i) {
      const uint64_t seed = random_();
      if (::fork() == 0) {
        Note(ledger_, Event::kForks);
        Counting counting(&families_, ledger_, seed, seed);
        CountSome(&counting, 1 + static_cast<int>(seed % 4));
        ::_exit(0);
      }
    }
  }

  [[noreturn]] void CountAndEnd(uint64_t seed) {
    Counting counting(&families_, ledger_, seed, seed);
    const uint64_t rounds = seed % 40;
    for (uint64_t i = 0; i < rounds; ++i) {
      CountSome(&counting, 10);
      SleepMs(10);
    }
    if (seed % 3 == 0) {
      ::raise(SIGKILL);
    }
    ::_exit(0);
  }

  [[noreturn]] void Exec() {
    Note(ledger_, Event::kExecs);
    const std::string slot = std::to_string(plan_.slot);
    const std::string seed = std::to_string(plan_.seed + 1);
    const std::string threads = std::to_string(plan_.thread_count);
    ::execl("/proc/self/exe", "soak_writers", directory_, ledger_path_,
            "--writer", slot.c_str(), seed.c_str(), threads.c_str(), nullptr);
    Fail("exec");
  }

  const Families& families_;
  Ledger* const ledger_;
  const WriterPlan plan_;
  const char* const directory_;
  const char* const ledger_path_;
  std::mt19937_64 random_;
  Counting counting_;
};

// ---- The one that starts them -----------------------------------------------

class Nursery {
 public:
  Nursery(const char* directory, const char* ledger_path, bool has_own_pids)
      : directory_(directory),
        ledger_path_(ledger_path),
        ledger_(OpenLedger(ledger_path)),
        has_own_pids_(has_own_pids) {}

  void Run() {
    PrintCatalogue();
    std::printf("pids %s\nready\n", has_own_pids_ ? "own" : "shared");
    std::fflush(stdout);
    std::string text;
    while (ReadOrders(&text)) {
      Reap();
    }
    Quit();
  }

 private:
  // False at the end: "quit", or nobody is there to give orders.
  bool ReadOrders(std::string* text) {
    pollfd input = {STDIN_FILENO, POLLIN, 0};
    if (::poll(&input, 1, kPollMs) <= 0) {
      return true;
    }
    char bytes[4096];
    const ssize_t size = ::read(STDIN_FILENO, bytes, sizeof(bytes));
    if (size <= 0) {
      return false;
    }
    text->append(bytes, static_cast<size_t>(size));
    for (size_t end; (end = text->find('\n')) != std::string::npos;) {
      const std::string line = text->substr(0, end);
      text->erase(0, end + 1);
      if (line == "quit") {
        return false;
      }
      Obey(line);
    }
    return true;
  }

  void Obey(const std::string& line) {
    std::istringstream words(line);
    std::string verb;
    size_t slot = 0;
    uint64_t number = 0;
    int thread_count = 0;
    words >> verb >> slot >> number;
    if (!words || slot >= kMaxSlots) {
      Fail("not an order: " + line);
    }
    if (verb == "start" && words >> thread_count) {
      Start({slot, number, thread_count});
    } else if (verb == "order") {
      ledger_->slots[slot].order.store(number);
    } else if (verb == "signal") {
      Signal(slot, static_cast<int>(number));
    } else {
      Fail("not an order: " + line);
    }
  }

  void Start(const WriterPlan& plan) {
    if (slot_pids_.count(plan.slot) != 0) {
      return;
    }
    ledger_->slots[plan.slot].order.store(kNothing);
    if (plan.seed % 2 == 0) {
      WishForPid(last_pids_[plan.slot]);
    }
    const pid_t pid = ::fork();
    if (pid == 0) {
      // So that one signal reaches it and its children.
      ::setpgid(0, 0);
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      Writer(&families_, ledger_, plan, directory_, ledger_path_).Run();
    }
    if (pid < 0) {
      Fail("fork");
    }
    ::setpgid(pid, pid);
    slot_pids_[plan.slot] = pid;
    pid_slots_[pid] = plan.slot;
    last_pids_[plan.slot] = pid;
    if (!known_pids_.insert(pid).second) {
      std::printf("reused %d\n", pid);
      std::fflush(stdout);
    }
  }

  // The kernel gives the next free pid after this one.
  void WishForPid(pid_t pid) const {
    if (!has_own_pids_ || pid < 2) {
      return;
    }
    const int fd = ::open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);
    const std::string text = std::to_string(pid - 1);
    [[maybe_unused]] const ssize_t ignored =
        ::write(fd, text.data(), text.size());
    ::close(fd);
  }

  void Signal(size_t slot, int number) {
    const auto found = slot_pids_.find(slot);
    if (found != slot_pids_.end()) {
      ::kill(-found->second, number);
    }
  }

  // False when there is none left to wait for.
  bool Reap() {
    for (;;) {
      const pid_t pid = ::waitpid(-1, nullptr, WNOHANG);
      if (pid <= 0) {
        return pid == 0;
      }
      const auto found = pid_slots_.find(pid);
      if (found == pid_slots_.end()) {
        std::printf("orphan\n");
      } else {
        CloseRow(ledger_, found->second);
        std::printf("ended %zu\n", found->second);
        slot_pids_.erase(found->second);
        pid_slots_.erase(found);
      }
      std::fflush(stdout);
    }
  }

  void Quit() {
    for (const auto& [slot, pid] : slot_pids_) {
      ledger_->slots[slot].order.store(kExit);
      ::kill(-pid, SIGCONT);
    }
    const auto deadline = std::chrono::steady_clock::now() + kQuitTime;
    while (Reap()) {
      if (std::chrono::steady_clock::now() > deadline) {
        for (const auto& [slot, pid] : slot_pids_) {
          ::kill(-pid, SIGKILL);
        }
      }
      ::poll(nullptr, 0, kPollMs);
    }
  }

  const char* const directory_;
  const char* const ledger_path_;
  Ledger* const ledger_;
  const bool has_own_pids_;
  const Families families_;
  std::map<size_t, pid_t> slot_pids_;
  std::map<pid_t, size_t> pid_slots_;
  std::map<size_t, pid_t> last_pids_;
  std::set<pid_t> known_pids_;
};

// In the child when there is a namespace of its own, whose process 1 that is.
bool EnterOwnPids() {
  if (::unshare(CLONE_NEWPID) != 0) {
    return false;
  }
  const pid_t pid = ::fork();
  if (pid < 0) {
    return false;
  }
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    return true;
  }
  ::close(STDIN_FILENO);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

int Main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "soak_writers DIRECTORY LEDGER [--own-pids]\n";
    return 2;
  }
  ::setenv("TINE_DIR", argv[1], 1);
  if (argc == 7 && std::string(argv[3]) == "--writer") {
    const Families families;
    const WriterPlan plan = {std::strtoul(argv[4], nullptr, 10),
                             std::strtoull(argv[5], nullptr, 10),
                             std::atoi(argv[6])};
    Writer(&families, OpenLedger(argv[2]), plan, argv[1], argv[2]).Run();
  }
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  const bool wants_own_pids = argc == 4 && std::string(argv[3]) == "--own-pids";
  const bool has_own_pids = wants_own_pids && EnterOwnPids();
  Nursery(argv[1], argv[2], has_own_pids).Run();
  return 0;
}

}  // namespace
}  // namespace tine::soak

int main(int argc, char** argv) { return tine::soak::Main(argc, argv); }
