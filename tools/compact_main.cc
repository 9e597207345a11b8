// tine-compact: folds what dead writers have left, once.

#include <cerrno>
#include <chrono>
#include <cstring>
#include <exception>
#include <iostream>
#include <string>
#include <thread>
#include <utility>

#include "CLI/CLI.hpp"
#include "collector/collect_loop.h"
#include "common/metrics_directory.h"
#include "common/unique_fd.h"
#include "tools/printable.h"
#include "version.h"

namespace tine::tools {
namespace {

constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;
constexpr int kCollectorRuns = 3;

using collector::Collector;
using collector::CollectorOptions;
using collector::CollectorStatistics;
using collector::FileState;
using collector::LogLevel;

struct Flags {
  std::string directory;
  std::string state_directory;
  bool is_dry_run = false;
  bool waits = false;
  int wait_seconds = 60;
};

int Complain(const std::string& what) {
  std::cerr << "tine-compact: " << Printable(what) << '\n';
  return kFailed;
}

CollectorOptions MakeOptions(const Flags& flags, bool may_fold) {
  CollectorOptions options;
  options.directory = ResolveMetricsDirectory(flags.directory);
  options.folding.state_directory = flags.state_directory;
  options.folding.may_fold = may_fold;
  // What expires is for the collector to say, whose flags this program does not
  // know.
  options.folding.expiry = {0, 0};
  options.log = [](LogLevel level, const std::string& message) {
    if (level >= LogLevel::kWarn) {
      Complain(message);
    }
  };
  return options;
}

// What the directory holds, as a collector that does not fold sees it.
CollectorStatistics Look(const Flags& flags) {
  Collector reader(MakeOptions(flags, /*may_fold=*/false));
  CollectorStatistics statistics;
  reader.WithScrape(
      [&](const auto&, const CollectorStatistics& now) { statistics = now; });
  return statistics;
}

uint64_t CountOf(const CollectorStatistics& statistics, FileState state) {
  return statistics.files.files_by_state[static_cast<size_t>(state)];
}

void PrintWhatIsThere(const CollectorStatistics& statistics) {
  for (size_t i = 0; i < collector::kFileStateCount; ++i) {
    const auto state = static_cast<FileState>(i);
    if (CountOf(statistics, state) != 0) {
      std::cout << CountOf(statistics, state) << ' '
                << collector::FileStateName(state) << '\n';
    }
  }
  if (statistics.files.temp_files != 0) {
    std::cout << statistics.files.temp_files << " temporary\n";
  }
}

int WaitForCollector(const Flags& flags) {
  const auto deadline = std::chrono::steady_clock::now() +
                        std::chrono::seconds(flags.wait_seconds);
  while (Look(flags).files.dead_writers != 0) {
    if (std::chrono::steady_clock::now() > deadline) {
      return Complain("the collector that runs there has not folded within " +
                      std::to_string(flags.wait_seconds) + " s");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
  std::cout << "folded by the collector that runs there\n";
  return kDone;
}

int Fold(const Flags& flags) {
  Collector folder(MakeOptions(flags, /*may_fold=*/true));
  folder.FoldNow();
  const CollectorStatistics statistics = folder.statistics();
  const collector::FolderStatistics& folding = statistics.folding;
  if (!folding.problem.empty()) {
    return kFailed;  // it has been told
  }
  if (!folding.holds_lock) {
    if (flags.waits) {
      return WaitForCollector(flags);
    }
    std::cout << "a collector runs there and folds by itself; left for it:\n";
    PrintWhatIsThere(Look(flags));
    return kCollectorRuns;
  }
  std::cout << "folded " << folding.folded_files << " files of dead writers, "
            << "removed " << folding.removed_temp_files
            << " temporary files; left:\n";
  PrintWhatIsThere(Look(flags));
  for (const auto& [reason, count] : folding.blocked) {
    Complain(std::to_string(count) +
             " files of dead writers cannot be folded: " + std::string(reason));
  }
  return folding.blocked.empty() ? kDone : kFailed;
}

int Run(const Flags& flags) {
  const std::string directory = ResolveMetricsDirectory(flags.directory);
  const char* problem = nullptr;
  const UniqueFd fd(OpenMetricsDirectory(directory.c_str(),
                                         /*may_create=*/false, &problem));
  if (!fd.valid()) {
    return Complain(directory + ": " +
                    (problem != nullptr ? problem : std::strerror(errno)));
  }
  if (flags.is_dry_run) {
    const CollectorStatistics statistics = Look(flags);
    std::cout << "would fold " << statistics.files.dead_writers
              << " files of dead writers; there are:\n";
    PrintWhatIsThere(statistics);
    return kDone;
  }
  return Fold(flags);
}

}  // namespace
}  // namespace tine::tools

int main(int argc, char** argv) {
  tine::tools::Flags flags;
  CLI::App app(
      "Folds the files of dead writers in a metrics directory into its "
      "archive,\n"
      "and removes old temporary files. A running collector does this by "
      "itself.",
      "tine-compact");
  app.add_option("--dir", flags.directory,
                 "the metrics directory; default: as tine-collector's");
  app.add_option("--state-dir", flags.state_directory,
                 "where the archive is; default: as tine-collector's");
  CLI::Option* const dry_run =
      app.add_flag("--dry-run", flags.is_dry_run,
                   "say what would be folded, change nothing");
  CLI::Option* const wait =
      app.add_flag("--wait", flags.waits,
                   "when a collector runs there: wait until it has folded")
          ->excludes(dry_run);
  app.add_option("--wait-seconds", flags.wait_seconds, "how long at most (60)")
      ->needs(wait)
      ->check(CLI::PositiveNumber);
  app.set_version_flag("--version",
                       std::string("tine-compact ") + tine::kVersion);
  app.footer(
      "Exit codes: 0 done, 1 failed or something cannot be folded, 2 usage, 3 "
      "a "
      "collector is running there.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : tine::tools::kUsage;
  }
  try {
    return tine::tools::Run(flags);
  } catch (const std::exception& error) {
    return tine::tools::Complain(error.what());
  }
}
