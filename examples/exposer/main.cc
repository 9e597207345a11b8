// Serves the merged metrics of a metrics directory from a program that has a
// prometheus::Exposer of its own.
//
//   exposer DIRECTORY [HOST:PORT]

#include <prometheus/exposer.h>
#include <signal.h>

#include <exception>
#include <iostream>
#include <memory>
#include <string>

#include "collector/prometheus_collectable.h"

namespace {

void Serve(const std::string& directory, const std::string& address) {
  // Blocked before the Exposer starts its threads, so that sigwait() gets them.
  sigset_t stop_signals;
  sigemptyset(&stop_signals);
  sigaddset(&stop_signals, SIGINT);
  sigaddset(&stop_signals, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &stop_signals, nullptr);

  // The exposer keeps a weak reference: `merged` must live as long.
  const auto merged =
      std::make_shared<tine::collector::MergedCollectable>(directory);
  prometheus::Exposer exposer(address);
  exposer.RegisterCollectable(merged);
  for (const int port : exposer.GetListeningPorts()) {
    std::cout << "serving " << directory << " on port " << port << std::endl;
  }
  int signal_number = 0;
  ::sigwait(&stop_signals, &signal_number);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3) {
    std::cerr << "usage: exposer DIRECTORY [HOST:PORT]" << std::endl;
    return 2;
  }
  try {
    Serve(argv[1], argc == 3 ? argv[2] : "127.0.0.1:9974");
  } catch (const std::exception& error) {
    std::cerr << "exposer: " << error.what() << std::endl;
    return 1;
  }
  return 0;
}
