// Counts the words of files by their length: a run each night adds up in the
// collector, whenever it runs and wherever it dies.
//
//   cpp FILE...

#include <fstream>
#include <iostream>
#include <string>

#include "writer/tine.h"

namespace {

// At namespace scope, made before main. Loading them makes no file; the first
// metric without labels does.
tine::CounterFamily words("words_total", "Words read.", {"length"});
tine::Counter files("files_total", "Files read to their end.");
tine::DoubleCounter bytes("read_megabytes_total", "What was read.");
tine::Histogram file_seconds("file_seconds", "Time to read a file.",
                             tine::ExponentialBuckets(0.001, 10, 5));
tine::Gauge last_run("last_run_timestamp_seconds", "When it ended.",
                     tine::GaugeMode::kMostRecent);

bool Count(const std::string& path) {
  const tine::Timer timer(file_seconds);
  // Handles are kept where they are used often.
  const tine::Counter short_words = words.WithLabels("short");
  const tine::Counter long_words = words.WithLabels("long");
  std::ifstream file(path);
  for (std::string word; file >> word;) {
    (word.size() < 5 ? short_words : long_words).Increment();
    bytes.Increment(static_cast<double>(word.size()) / 1e6);
  }
  if (!file.eof()) {
    std::cerr << "cpp: cannot read " << path << std::endl;
    return false;
  }
  files.Increment();
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  bool is_well = true;
  for (int i = 1; i < argc; ++i) {
    is_well = Count(argv[i]) && is_well;
  }
  last_run.SetToCurrentTime();
  return is_well ? 0 : 1;
}
