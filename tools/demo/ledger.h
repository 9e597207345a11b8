#ifndef TINE_TOOLS_DEMO_LEDGER_H_
#define TINE_TOOLS_DEMO_LEDGER_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tine::demo {

inline constexpr std::array<std::string_view, 4> kMethods = {"GET", "HEAD",
                                                             "POST", "other"};
inline constexpr std::array<std::string_view, 4> kPaths = {"/", "/hello",
                                                           "/slow", "other"};
inline constexpr std::array<std::string_view, 3> kCodes = {"200", "404", "405"};

// What a request is counted under: indexes into the tables above.
struct RequestClass {
  size_t method = 0;
  size_t path = 0;
  size_t code = 0;
};

// A second, independent count of all requests, to hold the metrics against: it
// lies in memory that all processes share, so that it survives any death. A
// request is `attempted` before its counter is incremented and `done` after, so
// at any instant done <= the counter's true value <= attempted, whoever is
// killed wherever.
//
// Made before the fork and never freed. Any process, any thread.
class Ledger {
 public:
  // Null if there is no memory.
  static Ledger* Make();

  void Attempt(const RequestClass& request) { Add(&attempted_, request); }
  void Done(const RequestClass& request) { Add(&done_, request); }

  // `done N`, `attempted N`, then for every class that has occurred a line
  // `done{...} N` and one `attempted{...} N`, with the labels of
  // http_requests_total in the order of an exposition.
  std::string Text() const;

 private:
  using Counts =
      std::array<std::array<std::array<std::atomic<uint64_t>, kCodes.size()>,
                            kPaths.size()>,
                 kMethods.size()>;

  static void Add(Counts* counts, const RequestClass& request) {
    (*counts)[request.method][request.path][request.code].fetch_add(1);
  }
  static uint64_t Total(const Counts& counts);
  static std::string Lines(const char* what, const Counts& counts);

  Counts attempted_;
  Counts done_;
};

}  // namespace tine::demo

#endif  // TINE_TOOLS_DEMO_LEDGER_H_
