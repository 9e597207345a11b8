// tine-emit: a writer for shells, cron jobs and tests.

#include <cstdio>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "common/metric_names.h"
#include "tools/emit_command.h"
#include "tools/emitter.h"
#include "tools/shell_words.h"
#include "version.h"
#include "writer/tine.h"

namespace tine::tools {
namespace {

constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;

struct Flags {
  std::string directory;
  std::string process_labels;
  bool is_stdin = false;
  bool is_ack = false;
  std::vector<std::string> words;
};

int Complain(int exit_code, const std::string& what) {
  std::cerr << "tine-emit: " << what << '\n';
  return exit_code;
}

// Makes the process's file. A failure is told with the first value that it
// loses.
Status InitWriter(
    const Flags& flags,
    const std::vector<std::pair<std::string, std::string>>& labels) {
  InitOptions options;
  options.directory = flags.directory;
  for (const auto& [name, value] : labels) {
    options.process_labels.push_back({name, value});
  }
  return Init(options);
}

int EmitOne(const EmitCommand& command) {
  std::string error;
  if (!Emitter().Apply(command, &error)) {
    return Complain(kFailed, error);
  }
  return kDone;
}

// True if the line is done, or has nothing to do: `is_command` tells.
bool EmitLine(const std::string& line, Emitter* emitter, bool* is_command,
              std::string* error) {
  std::vector<std::string> words;
  EmitCommand command;
  *is_command = true;
  if (!SplitShellWords(line, &words, error)) {
    return false;
  }
  *is_command = !words.empty();
  return words.empty() || (ParseEmitCommand(words, &command, error) &&
                           emitter->Apply(std::move(command), error));
}

int EmitLines(bool is_ack) {
  Emitter emitter;
  int exit_code = kDone;
  std::string line;
  for (uint64_t number = 1; std::getline(std::cin, line); ++number) {
    bool is_command = false;
    std::string error;
    const bool is_done = EmitLine(line, &emitter, &is_command, &error);
    if (!is_done) {
      exit_code = kFailed;
    }
    if (is_ack && is_command) {
      std::cout << (is_done ? "ok" : "error: " + error) << std::endl;
    } else if (!is_done) {
      Complain(kFailed, "line " + std::to_string(number) + ": " + error);
    }
  }
  return exit_code;
}

bool IsLive(const EmitCommand& command) {
  return command.mode && IsLiveMode(*command.mode);
}

int Run(const Flags& flags) {
  if (flags.is_stdin != flags.words.empty()) {
    return Complain(kUsage, flags.is_stdin
                                ? "--stdin takes its commands from the input"
                                : "no command; --help shows them");
  }
  if (flags.is_ack && !flags.is_stdin) {
    return Complain(kUsage, "--ack goes with --stdin");
  }
  std::vector<std::pair<std::string, std::string>> labels;
  if (!ParseLabelList(flags.process_labels, &labels)) {
    return Complain(kUsage, "--process-labels is not NAME=VALUE,NAME=VALUE");
  }
  EmitCommand command;
  std::string error;
  if (!flags.is_stdin && !ParseEmitCommand(flags.words, &command, &error)) {
    return Complain(kUsage, error);
  }
  if (IsLive(command)) {
    return Complain(kUsage,
                    "a live mode counts only while its process lives: this one "
                    "would be gone at once; use --stdin and stay");
  }
  const Status status = InitWriter(flags, labels);
  if (status.code() == ErrorCode::kInvalidLabel) {
    return Complain(kUsage, status.message());
  }
  return flags.is_stdin ? EmitLines(flags.is_ack) : EmitOne(command);
}

}  // namespace
}  // namespace tine::tools

int main(int argc, char** argv) {
  tine::tools::Flags flags;
  CLI::App app(
      "Counts in a metric file, for shells, cron jobs and tests.\n\n"
      "  tine-emit [--dir=D] [--process-labels=app=x,b=y] COMMAND\n"
      "  tine-emit [--dir=D] [--process-labels=app=x,b=y] --stdin [--ack]",
      "tine-emit");
  app.add_option("--dir", flags.directory,
                 "the metrics directory; without it $TINE_DIR, /run/tine if it "
                 "exists, or /dev/shm/tine-UID");
  app.add_option("--process-labels", flags.process_labels,
                 "labels that every series of this process carries");
  app.add_flag("--stdin", flags.is_stdin,
               "take commands from the input, as one live writer to its end");
  app.add_flag("--ack", flags.is_ack,
               "answer each command with `ok` or `error: why` once it is in "
               "the file");
  app.set_version_flag("--version", std::string("tine-emit ") + tine::kVersion);
  app.footer(tine::tools::kEmitCommandHelp);
  app.prefix_command();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : tine::tools::kUsage;
  }
  flags.words = app.remaining();
  return tine::tools::Run(flags);
}
