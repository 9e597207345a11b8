#include "collector/collector_flags.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <iostream>
#include <memory>
#include <utility>

#include "collector/build_info.h"
#include "collector/endpoints.h"
#include "collector/prometheus_duration.h"
#include "version.h"

namespace tine::collector {
namespace {

constexpr char kProgram[] = "tine-collector";
constexpr char kDefaultListenAddress[] = "127.0.0.1:9974";
constexpr char kDefaultTelemetryPath[] = "/metrics";
constexpr char kDefaultArchiveTtl[] = "30d";
constexpr char kDefaultArchiveGaugeTtl[] = "1h";
constexpr char kDefaultLogLevel[] = "info";
// Cron mails what a program writes to stderr.
constexpr char kDefaultLogLevelOnce[] = "warn";
constexpr char kDefaultLogFormat[] = "logfmt";

constexpr char kDescription[] =
    "Reads the metric files that the processes of a node leave in a shared\n"
    "directory, merges them, and serves the result to Prometheus. With --once\n"
    "it prints the merged metrics and exits.";

constexpr char kFooter[] =
    R"(Environment:
  TINE_DIR
      The metrics directory, when --dir is not given.

Files:
  PID.UUID.tine
      In the metrics directory: the numbers of one process. Nobody but that
      process writes to it. Once the process has ended, its numbers are added
      to the archive and the file is removed.
  .collector/archive
      In the metrics directory, or archive in --state-dir: the numbers of
      processes that have ended. Remove it and they are lost.
  /run/tine
      The metrics directory of a node. It must be sticky if others may write to
      it (mode 3770 or 3777), or every process could remove its neighbour's
      files; the collector refuses one that is not.
  /dev/shm/tine-UID
      The directory of last resort, for try-outs; made if need be.

Pages:
  the telemetry path, /metrics by default
      The merged metrics, text format 0.0.4; 503 until all files were read.
  /             what runs here, with links
  /-/healthy    200 while the process answers
  /-/ready      200 once all files were read, 503 until then

Signals:
  SIGTERM, SIGINT
      Answers what is being asked, stops listening and exits with 0.

Exit status:
  0   done, or stopped by a signal
  1   failed: an address that cannot be bound, a directory that cannot be used,
      a file that cannot be written
  2   a mistake on the command line

Examples:
  tine-collector --dir=/run/tine --web.listen-address=:9974
  tine-collector --dir=/run/tine --once | grep http_requests_total
  tine-collector --once --output=/var/lib/node_exporter/app.prom
)";

// The command line as text, before its parts are understood.
struct RawFlags {
  std::vector<std::string> listen_addresses;
  std::string telemetry_path = kDefaultTelemetryPath;
  std::vector<std::string> include;
  std::vector<std::string> exclude;
  std::string archive_ttl = kDefaultArchiveTtl;
  std::string archive_gauge_ttl = kDefaultArchiveGaugeTtl;
  std::string birth_at_zero = "0";
  std::string log_level;  // empty: the default
  std::string log_format = kDefaultLogFormat;
};

// A flag on a line of its own, its text indented below it.
class ManualFormatter : public CLI::Formatter {
 public:
  std::string make_usage(const CLI::App* app,
                         std::string /*name*/) const override {
    return std::string("Usage: ") + kProgram + " [FLAGS]\n\n" +
           app->get_description() + "\n\n";
  }
  // Comes before the usage, where it would hide it.
  std::string make_description(const CLI::App* /*app*/) const override {
    return "";
  }
  std::string make_group(
      std::string /*group*/, bool is_positional,
      std::vector<const CLI::Option*> options) const override {
    if (is_positional) {
      return "";
    }
    std::string text = "Flags:\n";
    for (const CLI::Option* option : options) {
      text += make_option(option, false);
    }
    return text;
  }
  std::string make_option(const CLI::Option* option,
                          bool /*is_positional*/) const override {
    std::string text = "  " + option->get_name(false, true);
    if (option->get_expected_max() > 0) {
      text += "=" + option->get_type_name();
    }
    text += "\n      ";
    for (const char c : option->get_description()) {
      text += c;
      if (c == '\n') {
        text += "      ";
      }
    }
    return text + "\n";
  }
  std::string make_footer(const CLI::App* app) const override {
    return app->get_footer();
  }
};

void AddWebFlags(CLI::App* app, RawFlags* raw) {
  app->add_option("--web.listen-address", raw->listen_addresses,
                  std::string("Where to serve HTTP: HOST:PORT, :PORT for every "
                              "interface, or\n[ADDRESS]:PORT for IPv6. May be "
                              "given several times.\nDefault: ") +
                      kDefaultListenAddress)
      ->type_name("ADDRESS")
      ->allow_extra_args(false);
  app->add_option("--web.telemetry-path", raw->telemetry_path,
                  std::string("The path of the merged metrics. Default: ") +
                      kDefaultTelemetryPath)
      ->type_name("PATH");
}

void AddOnceFlags(CLI::App* app, CollectorFlags* flags) {
  CLI::Option* const once = app->add_flag(
      "--once", flags->once,
      "Write the merged metrics to stdout and exit, without the collector's\n"
      "own (tine_*, process_*). The directory must exist.");
  app->add_option("--output", flags->output,
                  "With --once: replace FILE instead, as a whole or not at all."
                  "\nReaders never see a part; for textfile collectors.")
      ->type_name("FILE")
      ->needs(once);
}

void AddSeriesFlags(CLI::App* app, RawFlags* raw) {
  app->add_option("--series.include", raw->include,
                  "Serve only families, the collector's own among them, whose "
                  "whole\nname matches this regular expression (RE2). May be "
                  "given several\ntimes: one match is enough. Default: all")
      ->type_name("REGEX")
      ->allow_extra_args(false);
  app->add_option("--series.exclude", raw->exclude,
                  "Do not serve families whose whole name matches. May be given"
                  "\nseveral times; wins over --series.include. Default: none")
      ->type_name("REGEX")
      ->allow_extra_args(false);
  app->add_option(
         "--series.birth-at-zero", raw->birth_at_zero,
         "Serve a counter, histogram or summary that is new as 0 for so long, "
         "and\nthen as it is, so that increase() sees its first count: at "
         "least as\nlong as between two scrapes. Default: off")
      ->type_name("DURATION")
      ->excludes("--once");
}

void AddArchiveFlags(CLI::App* app, RawFlags* raw) {
  app->add_option(
         "--archive.ttl", raw->archive_ttl,
         std::string(
             "How long the archive keeps a series that counts and that no "
             "process has\nany more, since the last process that had it has "
             "ended: a duration like\n30d, 12h or 1h30m; 0 for ever. A day at "
             "most if it carries process\nlabels that no living process has. "
             "Default: ") +
             kDefaultArchiveTtl)
      ->type_name("DURATION")
      ->excludes("--once");
  app->add_option(
         "--archive.gauge-ttl", raw->archive_gauge_ttl,
         std::string("How long it keeps the gauges that processes had set when "
                     "they ended;\n0 for ever. Default: ") +
             kDefaultArchiveGaugeTtl)
      ->type_name("DURATION")
      ->excludes("--once");
}

void AddLimit(CLI::App* app, const char* name, const std::string& text,
              size_t* limit) {
  app->add_option(name, *limit, text + "\nDefault: " + std::to_string(*limit))
      ->type_name("COUNT")
      // Without a description, which would stand in the manual.
      ->check(CLI::Validator(CLI::PositiveNumber).description(""));
}

void AddLimitFlags(CLI::App* app, OwnerLimits* limits) {
  AddLimit(app, "--limit.files",
           "How many metric files are followed, refused or waited for.",
           &limits->max_files);
  AddLimit(app, "--limit.files-per-uid",
           "The same for each owner of files: beyond it, further files of that"
           "\nuser are left out (tine_left_out_files) until there is room.",
           &limits->max_files_per_uid);
  AddLimit(app, "--limit.series-per-uid",
           "How many new merged series the files of each user may bring. "
           "Beyond\nit, counts go to one series of the family whose label "
           "values are all\n__overflow__, and new gauges are left out.",
           &limits->max_series_per_uid);
  AddLimit(app, "--limit.bytes-per-uid",
           "How many bytes of exposition the families and series of each user"
           "\nmay bring, roughly.",
           &limits->max_text_bytes_per_uid);
}

void AddLogFlags(CLI::App* app, RawFlags* raw) {
  app->add_option("--log.level", raw->log_level,
                  std::string("Lowest level that is logged to stderr: debug, "
                              "info, warn or error.\nDefault: ") +
                      kDefaultLogLevel + ", with --once " +
                      kDefaultLogLevelOnce)
      ->type_name("LEVEL");
  app->add_option("--log.format", raw->log_format,
                  std::string("Form of the log's lines: logfmt or json. "
                              "Default: ") +
                      kDefaultLogFormat)
      ->type_name("FORMAT");
}

std::string VersionText() {
  return std::string(kProgram) + ", version " + kVersion +
         "\n  compiler:  " + kCompiler + "\n  platform:  " + kPlatform;
}

absl::Status InterpretAddresses(const std::vector<std::string>& texts,
                                std::vector<ListenAddress>* addresses) {
  for (const std::string& text : texts) {
    absl::StatusOr<ListenAddress> address = ParseListenAddress(text);
    if (!address.ok()) {
      return address.status();
    }
    addresses->push_back(*std::move(address));
  }
  return absl::OkStatus();
}

absl::Status InterpretLogFlags(RawFlags raw, CollectorFlags* flags) {
  if (raw.log_level.empty()) {
    raw.log_level = flags->once ? kDefaultLogLevelOnce : kDefaultLogLevel;
  }
  const std::optional<LogLevel> level = ParseLogLevel(raw.log_level);
  if (!level) {
    return absl::InvalidArgumentError("--log.level=\"" + raw.log_level +
                                      "\": not debug, info, warn or error");
  }
  const std::optional<LogFormat> format = ParseLogFormat(raw.log_format);
  if (!format) {
    return absl::InvalidArgumentError("--log.format=\"" + raw.log_format +
                                      "\": not logfmt or json");
  }
  flags->log_level = *level;
  flags->log_format = *format;
  return absl::OkStatus();
}

// `unit_ms`: of the result, which is rounded up: 0 alone is 0.
absl::Status InterpretDuration(const char* flag, const std::string& text,
                               uint64_t unit_ms, uint32_t* duration) {
  const std::optional<uint64_t> ms = ParsePrometheusDuration(text);
  if (!ms || *ms > uint64_t{UINT32_MAX} * unit_ms) {
    return absl::InvalidArgumentError(
        std::string(flag) + "=\"" + text + "\": " +
        (ms ? "too long" : "not a duration like 30d, 12h, 1h30m or 90s"));
  }
  *duration = static_cast<uint32_t>((*ms + unit_ms - 1) / unit_ms);
  return absl::OkStatus();
}

absl::Status InterpretDurations(const RawFlags& raw, CollectorFlags* flags) {
  absl::Status status = InterpretDuration("--archive.ttl", raw.archive_ttl,
                                          1'000, &flags->archive_ttl_s);
  if (status.ok()) {
    status = InterpretDuration("--archive.gauge-ttl", raw.archive_gauge_ttl,
                               1'000, &flags->archive_gauge_ttl_s);
  }
  if (status.ok()) {
    status = InterpretDuration("--series.birth-at-zero", raw.birth_at_zero, 1,
                               &flags->birth_at_zero_ms);
  }
  return status;
}

absl::Status Interpret(RawFlags raw, CollectorFlags* flags) {
  if (raw.listen_addresses.empty()) {
    raw.listen_addresses.push_back(kDefaultListenAddress);
  }
  absl::Status status =
      InterpretAddresses(raw.listen_addresses, &flags->listen_addresses);
  if (status.ok()) {
    status = CheckTelemetryPath(raw.telemetry_path);
  }
  if (status.ok()) {
    status = InterpretLogFlags(raw, flags);
  }
  if (status.ok()) {
    status = InterpretDurations(raw, flags);
  }
  if (!status.ok()) {
    return status;
  }
  flags->telemetry_path = raw.telemetry_path;
  absl::StatusOr<SeriesFilter> filter =
      SeriesFilter::Parse(raw.include, raw.exclude);
  if (!filter.ok()) {
    return filter.status();
  }
  flags->series_filter = *std::move(filter);
  return absl::OkStatus();
}

// One line, whatever the arguments were that the problem quotes.
ExitCode UsageError(std::string problem) {
  std::replace_if(
      problem.begin(), problem.end(),
      [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  std::cerr << kProgram << ": " << problem << " (--help shows the flags)"
            << std::endl;
  return kExitUsage;
}

}  // namespace

std::optional<ExitCode> ParseCollectorFlags(int argc, const char* const* argv,
                                            CollectorFlags* flags) {
  RawFlags raw;
  CLI::App app(kDescription, kProgram);
  app.formatter(std::make_shared<ManualFormatter>());
  app.footer(kFooter);
  app.set_help_flag("-h,--help", "Print this and exit.");
  app.set_version_flag("--version", VersionText(),
                       "Print the version and exit.");
  app.add_option(
         "--dir", flags->directory,
         "The metrics directory. If it does not exist yet, it is waited "
         "for.\nDefault: $TINE_DIR, else /run/tine if that exists, else"
         "\n/dev/shm/tine-UID, which is made")
      ->type_name("DIRECTORY");
  app.add_option(
         "--state-dir", flags->state_directory,
         "Where the archive is kept: what writers that have ended have "
         "counted.\nClosed to everybody but the collector's user. Default: "
         ".collector in\nthe metrics directory")
      ->type_name("DIRECTORY");
  AddWebFlags(&app, &raw);
  AddOnceFlags(&app, flags);
  AddSeriesFlags(&app, &raw);
  AddArchiveFlags(&app, &raw);
  AddLimitFlags(&app, &flags->owner_limits);
  AddLogFlags(&app, &raw);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& request) {  // --help, --version
    app.exit(request, std::cout, std::cerr);
    return kExitSuccess;
  } catch (const CLI::ParseError& error) {
    return UsageError(error.what());
  }
  const absl::Status status = Interpret(std::move(raw), flags);
  if (!status.ok()) {
    return UsageError(std::string(status.message()));
  }
  return std::nullopt;
}

}  // namespace tine::collector
