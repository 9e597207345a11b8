// A line of `tine-emit --stdin`: words, then the command. Words quoted again
// are the same words; a mistake has a message.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tests/fuzz/fuzz_check.h"
#include "tools/emit_command.h"
#include "tools/shell_words.h"

using tine::testing::FuzzCheck;

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view line(reinterpret_cast<const char*>(data), size);
  std::vector<std::string> words;
  std::string error;
  if (!tine::tools::SplitShellWords(line, &words, &error)) {
    FuzzCheck(!error.empty(), "no message");
    return 0;
  }
  std::string quoted;
  for (const std::string& word : words) {
    quoted += " '";
    for (const char c : word) {
      quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    }
    quoted += "'";
  }
  std::vector<std::string> again;
  FuzzCheck(
      tine::tools::SplitShellWords(quoted, &again, &error) && again == words,
      "quoted words are others: " + error);
  tine::tools::EmitCommand command;
  error.clear();
  FuzzCheck(
      tine::tools::ParseEmitCommand(words, &command, &error) == error.empty(),
      "a message without a mistake, or the other way round");
  return 0;
}
