#include "tools/bench/store_benchmark.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "writer/tine.h"

namespace tine::bench {
namespace {

using Clock = std::chrono::steady_clock;

// Short, so that some of the runs are left in peace on a busy machine.
constexpr double kLeastSeconds = 0.01;

// What one thread does `count` times.
using Loop = std::function<void(uint64_t count)>;
// Made anew for each thread.
using MakeLoop = std::function<Loop()>;

// Seconds in which each of the threads does it `count` times.
double Run(const MakeLoop& make_loop, int thread_count, uint64_t count) {
  std::atomic<int> ready_count{0};
  std::atomic<bool> is_begun{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < thread_count; ++i) {
    threads.emplace_back([&] {
      const Loop loop = make_loop();
      loop(1);
      ++ready_count;
      while (!is_begun) {
      }
      loop(count);
    });
  }
  while (ready_count != thread_count) {
    std::this_thread::yield();
  }
  const Clock::time_point begin = Clock::now();
  is_begun = true;
  for (std::thread& thread : threads) {
    thread.join();
  }
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// Nanoseconds of one operation in one thread.
double Measure(const MakeLoop& make_loop, int thread_count,
               int repetition_count) {
  uint64_t count = 1000;
  double seconds = Run(make_loop, thread_count, count);
  while (seconds < kLeastSeconds) {
    count *= 2;
    seconds = Run(make_loop, thread_count, count);
  }
  for (int i = 1; i < repetition_count; ++i) {
    seconds = std::min(seconds, Run(make_loop, thread_count, count));
  }
  return 1e9 * seconds / static_cast<double>(count);
}

struct Cells {
  double one_thread_ns = 0;
  double all_cores_ns = 0;
};

Cells MeasureBoth(const MakeLoop& make_loop, int repetition_count) {
  const int core_count = static_cast<int>(std::thread::hardware_concurrency());
  return {Measure(make_loop, 1, repetition_count),
          Measure(make_loop, core_count, repetition_count)};
}

// A process image has one store, so each is measured in a process of its own,
// which writes what it has found to `*cells`, in shared memory. False: it
// failed, and has said why.
bool InAProcess(const std::function<bool(Cells*)>& body, Cells* cells) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::_exit(body(cells) ? 0 : 1);
  }
  int status = 0;
  return pid > 0 && ::waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
         WEXITSTATUS(status) == 0;
}

bool MeasureStore(Store store, const std::string& directory,
                  int repetition_count, Cells* cells) {
  InitOptions options;
  options.store = store;
  options.directory = directory;
  const Status status = Init(options);
  if (!status.ok()) {
    std::fprintf(stderr, "tine-bench: %s\n", status.message().c_str());
    return false;
  }
  const Counter counter("bench_operations_total", "Operations.");
  std::atomic<uint64_t> expected{0};
  *cells = MeasureBoth(
      [&] {
        return [&counter, &expected](uint64_t count) {
          for (uint64_t i = 0; i < count; ++i) {
            counter.Increment();
          }
          expected += count;
        };
      },
      repetition_count);
  const WriterStatus after = GetWriterStatus();
  const bool is_right =
      counter.Value() == (store == Store::kNone ? 0 : expected.load()) &&
      after.failed_writes == 0;
  if (!is_right) {
    std::fprintf(stderr, "tine-bench: a count is wrong: %s\n",
                 after.last_error.c_str());
  }
  return is_right;
}

// A word of each thread's own, without synchronisation: what no other thread
// may write.
Loop PlainAdds() {
  return [](uint64_t count) {
    struct alignas(128) Alone {
      uint64_t word = 0;
    };
    const auto alone = std::make_unique<Alone>();
    for (uint64_t i = 0; i < count; ++i) {
      ++alone->word;
      __asm__ volatile("" : "+m"(alone->word));  // in memory, each time
    }
  };
}

Loop FetchAdds(std::atomic<uint64_t>* word) {
  return [word](uint64_t count) {
    for (uint64_t i = 0; i < count; ++i) {
      word->fetch_add(1, std::memory_order_relaxed);
    }
  };
}

// All at the same place of one file, as increments of one counter are.
Loop BareWrites(int fd) {
  return [fd](uint64_t count) {
    for (uint64_t i = 0; i < count; ++i) {
      if (::pwrite(fd, &i, sizeof(i), 4096) != sizeof(i)) {
        std::perror("tine-bench: pwrite");
        std::abort();
      }
    }
  };
}

bool MeasureBareWrites(const std::string& directory, int repetition_count,
                       Cells* cells) {
  const std::string path = directory + "/bare";
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    std::perror(("tine-bench: " + path).c_str());
    return false;
  }
  *cells = MeasureBoth([fd] { return BareWrites(fd); }, repetition_count);
  ::close(fd);
  ::unlink(path.c_str());
  return true;
}

bool PrintRow(const char* name, const std::function<bool(Cells*)>& body,
              Cells* cells) {
  *cells = {};
  if (!InAProcess(body, cells)) {
    return false;
  }
  std::printf("%-34s %12.2f %14.2f\n", name, cells->one_thread_ns,
              cells->all_cores_ns);
  std::fflush(stdout);
  return true;
}

bool PrintTable(const std::string& memory_directory,
                const std::string& disk_directory, int repetition_count,
                Cells* cells) {
  const auto of_store = [&](Store store, const std::string& directory) {
    return [=](Cells* found) {
      return MeasureStore(store, directory, repetition_count, found);
    };
  };
  const auto of_loop = [=](const MakeLoop& make_loop) {
    return [=](Cells* found) {
      *found = MeasureBoth(make_loop, repetition_count);
      return true;
    };
  };
  const auto of_writes = [=](const std::string& directory) {
    return [=](Cells* found) {
      return MeasureBareWrites(directory, repetition_count, found);
    };
  };
  std::atomic<uint64_t> word{0};
  std::printf("%-34s %12s %14s\n", "ns of one increment in one thread",
              "one thread", "on each core");
  return PrintRow("mmap", of_store(Store::kMapped, memory_directory), cells) &&
         PrintRow("memory", of_store(Store::kMemory, ""), cells) &&
         PrintRow("none", of_store(Store::kNone, ""), cells) &&
         PrintRow("pwrite, on a tmpfs",
                  of_store(Store::kWritten, memory_directory), cells) &&
         PrintRow("pwrite, on a disk",
                  of_store(Store::kWritten, disk_directory), cells) &&
         PrintRow("against: a plain word of its own", of_loop(PlainAdds),
                  cells) &&
         PrintRow("against: fetch_add on one word",
                  of_loop([&word] { return FetchAdds(&word); }), cells) &&
         PrintRow("against: a bare pwrite, tmpfs", of_writes(memory_directory),
                  cells) &&
         PrintRow("against: a bare pwrite, disk", of_writes(disk_directory),
                  cells);
}

}  // namespace

int RunStoreBenchmark(int repetition_count, const std::string& disk_directory) {
  std::string memory = "/dev/shm/tine-bench-XXXXXX";
  std::string disk = disk_directory + "/tine-bench-XXXXXX";
  if (::mkdtemp(memory.data()) == nullptr) {
    std::perror("tine-bench: cannot make a directory in /dev/shm");
    return 1;
  }
  std::error_code ignored;
  if (::mkdtemp(disk.data()) == nullptr) {
    std::perror(
        ("tine-bench: cannot make a directory in " + disk_directory).c_str());
    std::filesystem::remove_all(memory, ignored);
    return 1;
  }
  void* page = ::mmap(nullptr, sizeof(Cells), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  const bool is_done =
      page != MAP_FAILED &&
      PrintTable(memory, disk, repetition_count, static_cast<Cells*>(page));
  std::filesystem::remove_all(memory, ignored);
  std::filesystem::remove_all(disk, ignored);
  return is_done ? 0 : 1;
}

}  // namespace tine::bench
