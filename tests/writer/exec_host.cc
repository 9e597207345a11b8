// What an exec brings in: a program that counts its first argument's amount,
// built without exceptions and with a stack protector in every function.
// Exits with 3 when it finds an open descriptor in the metrics directory, which
// it was not given. With a second argument it stays.

#include <dirent.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>

#include "writer/tine.h"

namespace {

bool HasDescriptorIn(const char* directory) {
  DIR* descriptors = ::opendir("/proc/self/fd");
  bool has_found = descriptors == nullptr;
  while (const dirent* entry = has_found ? nullptr : ::readdir(descriptors)) {
    char target[4096] = {};
    const std::string link = std::string("/proc/self/fd/") + entry->d_name;
    if (::readlink(link.c_str(), target, sizeof(target) - 1) > 0) {
      has_found = std::strncmp(target, directory, std::strlen(directory)) == 0;
    }
  }
  if (descriptors != nullptr) {
    ::closedir(descriptors);
  }
  return has_found;
}

}  // namespace

int main(int argc, char** argv) {
  const char* directory = std::getenv("TINE_DIR");
  if (argc < 2 || directory == nullptr) {
    return 2;
  }
  if (HasDescriptorIn(directory)) {
    return 3;
  }
  const tine::Counter counter("c_total", "c");
  counter.Increment(std::strtoull(argv[1], nullptr, 10));
  while (argc > 2) {
    ::pause();
  }
  return 0;
}
