// How much stack the library takes: in a signal handler on an alternate stack
// that is no larger than it must be, and in the smallest of threads.

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <climits>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>

#include "tests/writer/writer_test_base.h"
#include "writer/tine.h"

namespace tine::testing {
namespace {

// What counting, looking up and making a file may take in a handler, with what
// they call in the C library. tine.h promises it.
constexpr size_t kHandlerBytes = 8 << 10;
// Any more would hide that it is much less.
constexpr size_t kPaintedBytes = 64 << 10;
constexpr unsigned char kPaint = 0xa5;

const std::function<void()>* g_body;
void RunBody(int /*signal*/) { (*g_body)(); }

// A stack with a page below it that nobody may touch.
class GuardedStack {
 public:
  explicit GuardedStack(size_t bytes) : bytes_((bytes + 4095) / 4096 * 4096) {
    void* memory = ::mmap(nullptr, kGuardBytes + bytes_, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT_NE(memory, MAP_FAILED);
    base_ = static_cast<unsigned char*>(memory);
    EXPECT_EQ(::mprotect(base_, kGuardBytes, PROT_NONE), 0);
    std::memset(bottom(), kPaint, bytes_);
  }
  GuardedStack(const GuardedStack&) = delete;
  GuardedStack& operator=(const GuardedStack&) = delete;
  ~GuardedStack() { ::munmap(base_, kGuardBytes + bytes_); }

  unsigned char* bottom() const { return base_ + kGuardBytes; }
  size_t bytes() const { return bytes_; }
  size_t UsedBytes() const {
    size_t untouched = 0;
    while (untouched < bytes_ && bottom()[untouched] == kPaint) {
      ++untouched;
    }
    return bytes_ - untouched;
  }

 private:
  static constexpr size_t kGuardBytes = 64 << 10;
  size_t bytes_;
  unsigned char* base_ = nullptr;
};

// Bytes of stack that `body` takes in a signal handler, the kernel's frame
// included.
size_t BytesInHandler(const std::function<void()>& body) {
  const GuardedStack stack(kPaintedBytes);
  stack_t alternate{};
  alternate.ss_sp = stack.bottom();
  alternate.ss_size = stack.bytes();
  EXPECT_EQ(::sigaltstack(&alternate, nullptr), 0);
  struct sigaction action {};
  action.sa_handler = RunBody;
  action.sa_flags = SA_ONSTACK;
  ::sigaction(SIGUSR1, &action, nullptr);
  g_body = &body;
  ::raise(SIGUSR1);
  alternate.ss_flags = SS_DISABLE;
  ::sigaltstack(&alternate, nullptr);
  return stack.UsedBytes();
}

class SmallStackTest : public WriterTest {
 protected:
  void SetUp() override {
    WriterTest::SetUp();
    if (kHasAsan || kHasTsan) {
      GTEST_SKIP() << "sanitizers take stack of their own";
    }
  }

  // Runs in a forked child, so that each body is the first to count.
  void ExpectSmall(const char* what, const std::function<void()>& body) {
    const pid_t pid = StartChild([&] {
      const size_t empty = BytesInHandler([] {});
      const size_t bytes = BytesInHandler(body) - empty;
      std::printf("%s: %zu bytes of stack\n", what, bytes);
      EXPECT_LE(bytes, kHandlerBytes) << what;
      EXPECT_GT(bytes, 0u) << what;
    });
    const int status = WaitFor(pid);
    EXPECT_TRUE(IsSuccess(status)) << what << " ended " << EndingText(status);
  }
};

TEST_F(SmallStackTest, HandlersThatCountFirstTakeABoundedStack) {
  Run([this] {
    const CounterFamily family("d_total", "d", {"first", "second"});
    const Counter counter("c_total", "c");
    const Histogram histogram("h", "h", {1, 2});
    ExpectSmall("the first add, which makes the file", [&] {
      counter.Increment();
      histogram.Observe(1);
    });
    ExpectSmall("a new series",
                [&] { family.WithLabels("x", "y").Increment(); });
    ExpectSmall("a new series by name", [&] {
      family.With({{"second", "y"}, {"first", "x"}}).Increment();
    });
    ExpectSmall("a look-up with wrong labels", [&] {
      family.With({{"third", "y"}}).Increment();
    });
    ExpectSmall("AfterFork()", [] { EXPECT_TRUE(AfterFork().ok()); });
  });
}

TEST_F(SmallStackTest, HandlersThatCannotCountTakeABoundedStack) {
  ::setenv("TINE_DIR", "/nowhere/at/all", 1);
  Run([this] {
    const CounterFamily family("d_total", "d", {"l"});
    ExpectSmall("an add without a directory",
                [&] { family.WithLabels("x").Increment(); });
  });
}

// The stack is as large as one frame of the kernel's and what is promised.
TEST_F(SmallStackTest, HandlerOnTheSmallestPromisedStackMakesTheFile) {
  Run([] {
    const Counter counter("c_total", "c");
    const std::function<void()> body = [&] { counter.Increment(); };
    const pid_t pid = StartChild([&] {
      const size_t least_bytes =
          static_cast<size_t>(::sysconf(_SC_MINSIGSTKSZ)) + kHandlerBytes;
      const GuardedStack stack(least_bytes);
      stack_t alternate{};
      alternate.ss_sp = stack.bottom() + (stack.bytes() - least_bytes);
      alternate.ss_size = least_bytes;
      ASSERT_EQ(::sigaltstack(&alternate, nullptr), 0);
      struct sigaction action {};
      action.sa_handler = RunBody;
      action.sa_flags = SA_ONSTACK;
      ::sigaction(SIGUSR1, &action, nullptr);
      g_body = &body;
      ::raise(SIGUSR1);
    });
    const int status = WaitFor(pid);
    EXPECT_TRUE(IsSuccess(status)) << EndingText(status);
  });
  EXPECT_EQ(SumU64(Read(), "c_total"), 1u);
}

void RunInSmallestThread(void (*body)()) {
  static void (*static_body)();
  static_body = body;
  pthread_attr_t attributes;
  ASSERT_EQ(::pthread_attr_init(&attributes), 0);
  ASSERT_EQ(::pthread_attr_setstacksize(&attributes,
                                        static_cast<size_t>(PTHREAD_STACK_MIN)),
            0);
  pthread_t thread;
  ASSERT_EQ(::pthread_create(
                &thread, &attributes,
                [](void*) -> void* {
                  static_body();
                  return nullptr;
                },
                nullptr),
            0);
  ASSERT_EQ(::pthread_join(thread, nullptr), 0);
  ::pthread_attr_destroy(&attributes);
}

TEST_F(SmallStackTest, SmallestThreadMayMakeTheFirstMetric) {
  ::setenv("TINE_PROCESS_LABELS", "app=web,zone=b", 1);
  ::setenv("TINE_WORKER_ID", "7", 1);
  Run([] {
    RunInSmallestThread([] {
      Counter("c_total", "c").Increment();
      CounterFamily("d_total", "d", {"l"}).WithLabels("x").Increment();
      Histogram("h", "h", {1, 2}).Observe(1);
    });
  });
  EXPECT_EQ(SumU64(Read(), "c_total"), 1u);
}

TEST_F(SmallStackTest, SmallestThreadMayCallInit) {
  Run([] {
    RunInSmallestThread([] {
      InitOptions options;
      options.process_labels = {{"app", "web"}};
      options.worker_id = "7";
      if (!Init(options).ok()) {
        ::_exit(3);
      }
    });
  });
  EXPECT_EQ(Read().size(), 1u);
}

TEST_F(SmallStackTest, SmallestThreadMayMeetEveryMistake) {
  ::setenv("TINE_DIR", "/nowhere/at/all", 1);
  ::setenv("TINE_MAX_BYTES", "nonsense", 1);
  Run([] {
    RunInSmallestThread([] {
      Counter("bad name", "c").Increment();
      CounterFamily("d_total", "d", {"le"}).WithLabels("x").Increment();
      Counter("c_total", "c").Increment();
      Counter("c_total", "other").Increment();
    });
  });
}

}  // namespace
}  // namespace tine::testing
