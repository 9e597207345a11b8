// tine-collector: serves the merged metrics of a metrics directory. Flags and
// exit codes: collector_flags.h.

#include <signal.h>

#include <cerrno>
#include <cstring>
#include <exception>
#include <iostream>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "collector/atomic_file.h"
#include "collector/collect_loop.h"
#include "collector/collector_flags.h"
#include "collector/endpoints.h"
#include "collector/exposition.h"
#include "collector/file_limit.h"
#include "collector/http_server.h"
#include "collector/listen_socket.h"
#include "collector/log.h"
#include "common/metrics_directory.h"
#include "common/unique_fd.h"
#include "version.h"

namespace tine::collector {
namespace {

ExitCode Failure(const absl::Status& status) {
  LogError(std::string(status.message()));
  return kExitFailure;
}

// Is this a directory that the collector can work with? One that is missing may
// come later, unless it `must_exist`.
bool CheckDirectory(const std::string& directory, bool must_exist) {
  const char* problem = nullptr;
  const UniqueFd fd(OpenMetricsDirectory(directory.c_str(),
                                         /*may_create=*/true, &problem));
  if (fd.valid()) {
    return true;
  }
  const int error = errno;
  if (error == ENOENT && !must_exist) {
    LogWarn("waiting for the metrics directory", {{"dir", directory}});
    return true;
  }
  LogError("cannot use the metrics directory",
           {{"dir", directory},
            {"error", problem != nullptr ? problem : std::strerror(error)}});
  return false;
}

CollectorOptions MakeCollectorOptions(const CollectorFlags& flags,
                                      const std::string& directory) {
  CollectorOptions options;
  options.owner_limits = flags.owner_limits;
  options.owner_limits.max_open_files = MaxOpenMetricFiles();
  options.directory = directory;
  options.folding.state_directory = flags.state_directory;
  options.folding.may_fold = !flags.once;
  options.folding.expiry = {flags.archive_ttl_s, flags.archive_gauge_ttl_s};
  options.birth_at_zero_ms = flags.birth_at_zero_ms;
  options.may_create_directory = true;
  options.log = [](LogLevel level, const std::string& message) {
    Log(level, message);
  };
  return options;
}

absl::Status WriteToStdout(const std::string& text) {
  std::cout << text << std::flush;
  return std::cout ? absl::OkStatus()
                   : absl::UnavailableError("cannot write to stdout");
}

ExitCode RunOnce(const CollectorFlags& flags, const std::string& directory) {
  Collector collector(MakeCollectorOptions(flags, directory));
  Exposition exposition(&collector, &flags.series_filter,
                        /*has_self_metrics=*/false);
  const std::string text = exposition.Render();
  const absl::Status status = flags.output.empty()
                                  ? WriteToStdout(text)
                                  : WriteFileAtomically(flags.output, text);
  return status.ok() ? kExitSuccess : Failure(status);
}

ExitCode Serve(const CollectorFlags& flags, const std::string& directory) {
  ::signal(SIGPIPE, SIG_IGN);  // a reader of stderr that goes away ends nothing
  // Blocked before there are threads, so that sigwait() below gets them.
  sigset_t stop_signals;
  sigemptyset(&stop_signals);
  sigaddset(&stop_signals, SIGINT);
  sigaddset(&stop_signals, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &stop_signals, nullptr);

  auto sockets = BindListenSockets(flags.listen_addresses);
  if (!sockets.ok()) {
    return Failure(sockets.status());
  }
  for (const ListenSocket& socket : *sockets) {
    LogInfo("listening",
            {{"address", FormatListenAddress(socket.bound_address)}});
  }
  Collector collector(MakeCollectorOptions(flags, directory));
  collector.Start();
  Exposition exposition(&collector, &flags.series_filter,
                        /*has_self_metrics=*/true);
  const auto server = HttpServer::Start(
      *std::move(sockets),
      MakeEndpoints(flags.telemetry_path,
                    {[&collector] { return collector.is_ready(); },
                     [&exposition] { return exposition.Render(); }}),
      HttpServerOptions());
  if (!server.ok()) {
    return Failure(server.status());
  }
  int signal_number = 0;
  ::sigwait(&stop_signals, &signal_number);
  LogInfo("stopping", {{"signal", ::sigabbrev_np(signal_number)}});
  (*server)->Stop();
  return kExitSuccess;
}

ExitCode Main(int argc, char** argv) {
  CollectorFlags flags;
  if (const auto exit_code = ParseCollectorFlags(argc, argv, &flags)) {
    return *exit_code;
  }
  ConfigureLog(flags.log_level, flags.log_format);
  RaiseFileLimit();
  const std::string directory = ResolveMetricsDirectory(flags.directory);
  if (!CheckDirectory(directory, /*must_exist=*/flags.once)) {
    return kExitFailure;
  }
  if (flags.once) {
    return RunOnce(flags, directory);
  }
  LogInfo("starting", {{"version", kVersion}, {"dir", directory}});
  return Serve(flags, directory);
}

}  // namespace
}  // namespace tine::collector

int main(int argc, char** argv) {
  try {
    return tine::collector::Main(argc, argv);
  } catch (const std::exception& error) {
    tine::collector::LogError("failed", {{"error", error.what()}});
    return tine::collector::kExitFailure;
  }
}
