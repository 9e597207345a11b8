// tine-inspect: what is in metric files, and who writes them.

#include <fcntl.h>

#include <cerrno>
#include <cstring>
#include <iostream>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "common/unique_fd.h"
#include "tools/file_dump.h"
#include "tools/metric_file_reader.h"
#include "tools/printable.h"
#include "tools/writer_table.h"
#include "version.h"

namespace tine::tools {
namespace {

constexpr int kSound = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;

struct Flags {
  std::vector<std::string> files;
  std::string directory;
  bool is_verify = false;
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

int InspectDirectory(const Flags& flags) {
  const UniqueFd fd(
      ::open(flags.directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) {
    return Complain(flags.directory, std::strerror(errno));
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
  CLI::App app(
      "Shows what is in metric files, and who writes them.\n\n"
      "  tine-inspect FILE...            header, records with offsets, values\n"
      "  tine-inspect --verify FILE...   `sound`, or the damage\n"
      "  tine-inspect --dir=D            a table of the writers\n"
      "  tine-inspect --dir=D --verify   all files of a directory",
      "tine-inspect");
  app.add_option("FILE", flags.files, "metric files");
  app.add_option("--dir", flags.directory, "a metrics directory");
  app.add_flag("--verify", flags.is_verify,
               "print each file's damage, its reason and offset");
  app.set_version_flag("--version",
                       std::string("tine-inspect ") + tine::kVersion);
  app.footer(
      "States of writers: live, dead, foreign (another kernel's), unproven "
      "(nothing shows its end), damaged.\n"
      "Exit codes: 0 sound, 1 damage or a file that cannot be read, 2 usage.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : tine::tools::kUsage;
  }
  return tine::tools::Run(flags);
}
