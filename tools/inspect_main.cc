// tine-inspect: what is in metric files, and who writes them.

#include <fcntl.h>

#include <cerrno>
#include <cstring>
#include <exception>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "collector/manual_formatter.h"
#include "collector/state_directory.h"
#include "common/unique_fd.h"
#include "tools/audit.h"
#include "tools/file_dump.h"
#include "tools/metric_file_reader.h"
#include "tools/printable.h"
#include "tools/series_selector.h"
#include "tools/writer_table.h"
#include "version.h"

namespace tine::tools {
namespace {

constexpr int kSound = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;

constexpr char kFooter[] =
    R"(States of writers:
  live, dead, foreign (another kernel's), unproven (nothing shows its end),
  damaged

Dump:
  Header, records with offsets, and the values of a metric file, or of an
  archive (.collector/archive in the metrics directory).

Audit:
  http_requests_total{code="200"}  counter
    + 40  archive
    + 2  4711.0a1b2c3d4e5f60718293a4b5c6d7e8f9.tine, live
    = 42  exact, since 2025-06-01T12:00:00.000000000Z

  Every file is read and added up without the collector's code, and compared
  with what a collector that does not fold serves at the same time: the archive
  is the same before and after, and so are the files, or they are looked at
  again. "+" marks what is in the sum, or for a gauge of which one value counts
  the chosen one. A histogram's buckets are not cumulative here. A series that
  its writers change in each of ten attempts is "changing": a counter is then
  between what it was before and after. Run it as the collector's user.

Exit status:
  0   sound; an audit: nothing differs
  1   damage, a file that cannot be read, or a difference
  2   a mistake on the command line
)";

struct Flags {
  std::vector<std::string> files;
  std::string directory;
  std::string state_directory;
  std::string selector;
  bool is_verify = false;
  bool is_audit = false;
};

int Complain(const std::string& path, const std::string& what) {
  std::cerr << "tine-inspect: " << Printable(path) << ": " << what << '\n';
  return kFailed;
}

std::string BaseName(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

int VerifyOne(int directory_fd, const std::string& path) {
  MetricFileReader file;
  std::string error;
  if (!file.Open(directory_fd, path, &error)) {
    return Complain(path, error);
  }
  std::string verdict;
  const bool is_sound = VerifyFile(file, BaseName(path), &verdict);
  std::cout << Printable(path) << ": " << verdict << '\n';
  return is_sound ? kSound : kFailed;
}

int DumpOne(const std::string& path, bool with_title) {
  MetricFileReader file;
  std::string error;
  if (!file.Open(AT_FDCWD, path, &error)) {
    return Complain(path, error);
  }
  if (with_title) {
    std::cout << Printable(path) << '\n';
  }
  DumpFile(file, std::cout);
  return file.has_header() ? kSound : kFailed;
}

int AuditDirectory(const Flags& flags, int directory_fd) {
  AuditOptions options;
  options.directory_fd = directory_fd;
  if (!flags.selector.empty()) {
    auto selector = SeriesSelector::Parse(flags.selector);
    if (!selector.ok()) {
      std::cerr << "tine-inspect: --series=" << Printable(flags.selector)
                << ": " << selector.status().message() << '\n';
      return kUsage;
    }
    options.selector = *std::move(selector);
  }
  const auto state = collector::OpenStateDirectory(
      directory_fd, flags.state_directory, /*may_create=*/false);
  if (!state.ok() &&
      (!absl::IsNotFound(state.status()) || !flags.state_directory.empty())) {
    return Complain(flags.directory, std::string(state.status().message()));
  }
  options.state_directory_fd = state.ok() ? state->fd.get() : -1;
  std::string error;
  const bool is_exact = Audit(
      options,
      [&flags] { return ServeOnce(flags.directory, flags.state_directory); },
      std::cout, &error);
  return error.empty() ? (is_exact ? kSound : kFailed)
                       : Complain(flags.directory, error);
}

int InspectDirectory(const Flags& flags) {
  const UniqueFd fd(
      ::open(flags.directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) {
    return Complain(flags.directory, std::strerror(errno));
  }
  if (flags.is_audit) {
    return AuditDirectory(flags, fd.get());
  }
  std::vector<std::string> names;
  std::string error;
  if (!ListMetricFiles(fd.get(), &names, &error)) {
    return Complain(flags.directory, error);
  }
  if (!flags.is_verify) {
    PrintWriterTable(fd.get(), names, std::cout);
    return kSound;
  }
  int exit_code = kSound;
  for (const std::string& name : names) {
    exit_code |= VerifyOne(fd.get(), name);
  }
  return exit_code;
}

int Run(const Flags& flags) {
  if (flags.files.empty() == flags.directory.empty()) {
    std::cerr << "tine-inspect: give either files or --dir; --help says more\n";
    return kUsage;
  }
  if (!flags.directory.empty()) {
    return InspectDirectory(flags);
  }
  int exit_code = kSound;
  for (const std::string& path : flags.files) {
    exit_code |= flags.is_verify ? VerifyOne(AT_FDCWD, path)
                                 : DumpOne(path, flags.files.size() > 1);
  }
  return exit_code;
}

}  // namespace
}  // namespace tine::tools

int main(int argc, char** argv) {
  tine::tools::Flags flags;
  CLI::App app("Shows what is in metric files, and who writes them.",
               "tine-inspect");
  app.formatter(std::make_shared<tine::collector::ManualFormatter>(
      "tine-inspect FILE...\n"
      "       tine-inspect --verify FILE...\n"
      "       tine-inspect --dir=D [--verify]\n"
      "       tine-inspect --dir=D --audit [--series=SELECTOR]"));
  app.set_help_flag("-h,--help", "Print this and exit.");
  app.add_option("FILE", flags.files, "metric files");
  CLI::Option* const directory =
      app.add_option("--dir", flags.directory,
                     "A metrics directory: a table of its writers.")
          ->type_name("DIRECTORY");
  CLI::Option* const verify = app.add_flag(
      "--verify", flags.is_verify,
      "Print `sound`, or the damage with its reason and offset, of each file.");
  CLI::Option* const audit =
      app.add_flag("--audit", flags.is_audit,
                   "Print of each series what the archive and each file say, "
                   "what is served,\nand whether that is the same.")
          ->needs(directory)
          ->excludes(verify);
  app.add_option("--state-dir", flags.state_directory,
                 "With --audit: where the archive is. Default: .collector in "
                 "the metrics\ndirectory")
      ->type_name("DIRECTORY")
      ->needs(audit);
  app.add_option("--series", flags.selector,
                 "With --audit: only series that match: NAME, "
                 "NAME{label=\"value\"}, as in\nPrometheus.")
      ->type_name("SELECTOR")
      ->needs(audit);
  app.set_version_flag("--version",
                       std::string("tine-inspect ") + tine::kVersion,
                       "Print the version and exit.");
  app.footer(tine::tools::kFooter);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : tine::tools::kUsage;
  }
  try {
    return tine::tools::Run(flags);
  } catch (const std::exception& error) {
    return tine::tools::Complain(flags.directory, error.what());
  }
}
