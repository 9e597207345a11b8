// tine-demo: a pre-fork HTTP server whose workers are instrumented.

#include <signal.h>

#include <iostream>
#include <string>
#include <utility>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "collector/listen_address.h"
#include "collector/listen_socket.h"
#include "common/unique_fd.h"
#include "tools/demo/ledger.h"
#include "tools/demo/supervisor.h"
#include "version.h"
#include "writer/tine.h"

namespace tine::demo {
namespace {

constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;
constexpr uint32_t kMaxWorkers = 256;

absl::StatusOr<collector::ListenSocket> Listen(const std::string& text) {
  const auto address = collector::ParseListenAddress(text);
  if (!address.ok()) {
    return address.status();
  }
  return collector::BindListenSocket(*address);
}

int Run(const DemoOptions& options) {
  auto socket = Listen(options.listen_address);
  if (!socket.ok()) {
    std::cerr << "tine-demo: " << socket.status().message() << '\n';
    return kFailed;
  }
  Ledger* const ledger = Ledger::Make();
  if (ledger == nullptr) {
    std::cerr << "tine-demo: no memory for the ledger\n";
    return kFailed;
  }
  ::signal(SIGPIPE, SIG_IGN);
  InitOptions init;
  init.directory = options.directory;
  init.worker_id = "parent";
  const Status status = Init(init);
  if (!status.ok()) {
    std::cerr << "tine-demo: serving without metrics: " << status.message()
              << '\n';
  }
  std::cout << "listening on "
            << collector::FormatListenAddress(socket->bound_address)
            << std::endl;
  Supervisor(options, std::move(socket->fd), ledger).Run();
  std::cout << ledger->Text() << std::flush;
  return kDone;
}

}  // namespace
}  // namespace tine::demo

int main(int argc, char** argv) {
  tine::demo::DemoOptions options;
  CLI::App app("A pre-fork HTTP server whose workers count in Tine's metrics.",
               "tine-demo");
  app.add_option("--dir", options.directory,
                 "the metrics directory; without it $TINE_DIR, /run/tine if it "
                 "exists, or /dev/shm/tine-UID");
  app.add_option("--listen-address", options.listen_address,
                 "where to listen; port 0: any free one, which is printed")
      ->capture_default_str();
  app.add_option("--workers", options.worker_count, "worker processes")
      ->capture_default_str()
      ->check(CLI::Range(1u, tine::demo::kMaxWorkers));
  app.add_option("--recycle-after", options.recycle_after,
                 "a worker ends after so many requests and is replaced; 0: "
                 "never")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);  // else "-1" is 2^64 - 1
  app.set_version_flag("--version", std::string("tine-demo ") + tine::kVersion);
  app.footer(
      "Paths: / /hello /slow; /ledger is a second count of all requests, kept "
      "apart from the metrics\nto hold them against. SIGUSR1 prints it, "
      "SIGTERM ends the workers in good order.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? tine::demo::kDone : tine::demo::kUsage;
  }
  return tine::demo::Run(options);
}
