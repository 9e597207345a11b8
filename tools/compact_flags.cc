#include "tools/compact_flags.h"

#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <charconv>
#include <iostream>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "collector/manual_formatter.h"
#include "tools/printable.h"
#include "version.h"

namespace tine::tools {
namespace {

constexpr char kProgram[] = "tine-compact";

constexpr char kDescription[] =
    "Adds what dead processes have counted to the archive of a metrics\n"
    "directory, removes their files, and cleans up. A running tine-collector\n"
    "folds by itself: this is for directories without one, and for what an\n"
    "operator has to decide. It can be killed at any moment: no number is "
    "lost\n"
    "and none counts twice. What the archive's time limits would drop stays.";

constexpr char kFooter[] =
    R"(Environment:
  TINE_DIR
      The metrics directory, when --dir is not given.

Files:
  PID.UUID.tine
      In the metrics directory: the numbers of one process. Folded and removed
      when its writer is proved dead: the file's life lock is free. Never
      touched while that lock is held.
  .tine-tmp-RANDOM
      A file that a writer did not live to name. Removed when it is not locked
      and older than 60 s.
  .collector/archive
      In the metrics directory, or archive in --state-dir: the numbers of dead
      processes. Replaced as a whole.
  .collector/lock
      Held by whoever folds: a collector, or this program while it runs.

Exit status:
  0   done
  1   failed, or something was left that should have gone: a dead file that
      cannot be folded, a series that is still held, a UUID that no file has.
      What and why is on stderr
  2   a mistake on the command line; nothing was done
  3   a collector is running there. It folds by itself; what remains for it is
      printed. --purge-quarantine was done, --forget and --assume-dead were not

Examples:
  tine-compact --dir=/run/tine
  tine-compact --dir=/run/tine --dry-run
  tine-compact --dir=/run/tine --wait && umount /run/tine
  tine-compact --forget='http_requests_total{app="old"}' --dry-run
  tine-compact --purge-quarantine=7d
)";

struct RawFlags {
  std::vector<std::string> forget;
  std::string purge_quarantine;
  std::vector<std::string> assume_dead;
};

absl::Status Mistake(std::string_view flag, std::string_view value,
                     std::string_view what) {
  std::string message = "--";
  message.append(flag).append("=").append(value).append(": ").append(what);
  return absl::InvalidArgumentError(message);
}

// 30s, 5m, 12h, 7d.
std::optional<uint64_t> ParseAge(std::string_view text) {
  uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || end - rest != 1) {
    return std::nullopt;
  }
  uint64_t unit_s;
  switch (*rest) {
    case 's':
      unit_s = 1;
      break;
    case 'm':
      unit_s = 60;
      break;
    case 'h':
      unit_s = 3600;
      break;
    case 'd':
      unit_s = 24 * 3600;
      break;
    default:
      return std::nullopt;
  }
  uint64_t age_s;
  return __builtin_mul_overflow(number, unit_s, &age_s) ? std::nullopt
                                                        : std::optional(age_s);
}

absl::Status Interpret(const RawFlags& raw, bool has_purge,
                       CompactFlags* flags) {
  for (const std::string& text : raw.forget) {
    absl::StatusOr<SeriesSelector> selector = SeriesSelector::Parse(text);
    if (!selector.ok()) {
      return Mistake("forget", text, std::string(selector.status().message()));
    }
    flags->forget.push_back(*std::move(selector));
  }
  if (has_purge) {
    flags->purge_age_s = ParseAge(raw.purge_quarantine);
    if (!flags->purge_age_s.has_value()) {
      return Mistake("purge-quarantine", raw.purge_quarantine,
                     "not an age: a number with s, m, h or d behind it");
    }
  }
  for (const std::string& text : raw.assume_dead) {
    const std::optional<FileUuid> uuid = ParseUuid(text);
    if (!uuid.has_value()) {
      return Mistake("assume-dead", text,
                     "not a UUID: 32 lower-case hexadecimal digits, as in the "
                     "file's name");
    }
    flags->assumed_dead.push_back(*uuid);
  }
  return absl::OkStatus();
}

void AddPlaceFlags(CLI::App* app, CompactFlags* flags) {
  app->add_option("--dir", flags->directory,
                  "The metrics directory. Default: $TINE_DIR, else /run/tine "
                  "if that exists,\nelse /dev/shm/tine-UID")
      ->type_name("DIRECTORY");
  app->add_option("--state-dir", flags->state_directory,
                  "Where the archive is. Default: .collector in the metrics "
                  "directory")
      ->type_name("DIRECTORY");
}

void AddWaitFlags(CLI::App* app, CompactFlags* flags) {
  CLI::Option* const dry_run = app->add_flag(
      "--dry-run", flags->is_dry_run,
      "Say what would be folded, cleaned, forgotten and purged. Changes "
      "nothing.");
  CLI::Option* const wait =
      app->add_flag("--wait", flags->waits,
                    "When a collector runs there: wait until it has folded all "
                    "that can be\nfolded, then exit with 0.")
          ->excludes(dry_run);
  app->add_option("--wait-seconds", flags->wait_seconds,
                  "How long --wait waits at most. Default: 60")
      ->type_name("SECONDS")
      ->needs(wait)
      ->check(CLI::Validator(CLI::PositiveNumber).description(""));
}

CLI::Option* AddRequestFlags(CLI::App* app, RawFlags* raw) {
  app->add_option(
         "--forget", raw->forget,
         "Drop series of dead processes from the archive: NAME,\n"
         "NAME{label=\"value\",other=~\"regex\"}, {__name__=~\"regex\"}, with "
         "=, !=, =~\nand !~ as in Prometheus. NAME is a metric's: that of a "
         "histogram, not of\nits buckets. A series that a file still adds to "
         "stays, or its sum would\nfall; of gauges, what the dead have left "
         "goes. May be given several times.")
      ->type_name("SELECTOR")
      ->allow_extra_args(false);
  app->add_option(
         "--assume-dead", raw->assume_dead,
         "Fold the file with this UUID in its name though nothing proves its "
         "writer\ndead: a file of another kernel, or where locks do not work. "
         "If the writer\nlives after all, what it counts from then on is lost. "
         "Refused while the\nlife lock is held. May be given several times.")
      ->type_name("UUID")
      ->allow_extra_args(false);
  return app
      ->add_option(
          "--purge-quarantine", raw->purge_quarantine,
          "Remove files of which nothing is used any more, if they are not "
          "locked and\nwere last modified or changed (mtime and ctime, the "
          "later one) longer ago\nthan AGE (30s, 5m, 12h, 7d): quarantined "
          "ones, and damaged ones that were\nfolded.")
      ->type_name("AGE");
}

int UsageError(const std::string& problem) {
  std::cerr << kProgram << ": " << Printable(problem)
            << " (--help shows the flags)\n";
  return kCompactUsage;
}

}  // namespace

std::optional<int> ParseCompactFlags(int argc, const char* const* argv,
                                     CompactFlags* flags) {
  RawFlags raw;
  flags->shows_progress = ::isatty(STDERR_FILENO) != 0;
  CLI::App app(kDescription, kProgram);
  app.formatter(std::make_shared<collector::ManualFormatter>(
      std::string(kProgram) + " [FLAGS]"));
  app.footer(kFooter);
  app.set_help_flag("-h,--help", "Print this and exit.");
  app.set_version_flag("--version", std::string(kProgram) + ' ' + kVersion,
                       "Print the version and exit.");
  AddPlaceFlags(&app, flags);
  AddWaitFlags(&app, flags);
  const CLI::Option* const purge = AddRequestFlags(&app, &raw);
  app.add_flag("--progress", flags->shows_progress,
               "Tell on stderr how far long work is, once a second. Default: "
               "when that is\na terminal");
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& request) {  // --help, --version
    return app.exit(request, std::cout, std::cerr);
  } catch (const CLI::ParseError& error) {
    return UsageError(error.what());
  }
  const absl::Status status = Interpret(raw, purge->count() > 0, flags);
  if (!status.ok()) {
    return UsageError(std::string(status.message()));
  }
  return std::nullopt;
}

}  // namespace tine::tools
