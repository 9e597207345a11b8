#ifndef TINE_TESTS_WRITER_HOST_REPORT_H_
#define TINE_TESTS_WRITER_HOST_REPORT_H_

#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <new>
#include <string>

#include "tests/writer/system_call_tracer.h"
#include "writer/tine.h"

namespace tine::testing {

// What a traced host has to tell. It lies in memory that is shared with the
// host and its children.
struct HostReport {
  std::atomic<Stage> stage{Stage::kUntouched};
  std::atomic<uint64_t> made{0};     // increments
  std::atomic<uint64_t> dropped{0};  // of them
  char complaints[4096] = {};        // lines

  void Complain(const std::string& text) {
    std::strncat(complaints, (text + "\n").c_str(),
                 sizeof(complaints) - 1 - std::strlen(complaints));
  }
  void Expect(bool is_true, const char* what) {
    if (!is_true) {
      Complain(what);
    }
  }
  void Count(const Counter& counter) {
    made.fetch_add(1);
    errno = EDOM;
    counter.Increment();
    Expect(errno == EDOM, "errno is another after an increment");
  }
};

// Memory of a report or of something derived from it.
template <typename Report>
class SharedReport {
 public:
  SharedReport()
      : memory_(::mmap(nullptr, sizeof(Report), PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {
    Clear();
  }
  SharedReport(const SharedReport&) = delete;
  SharedReport& operator=(const SharedReport&) = delete;
  ~SharedReport() { ::munmap(memory_, sizeof(Report)); }

  void Clear() { new (memory_) Report(); }
  Report* get() const { return static_cast<Report*>(memory_); }
  Report* operator->() const { return get(); }

 private:
  void* const memory_;
};

}  // namespace tine::testing

#endif  // TINE_TESTS_WRITER_HOST_REPORT_H_
