// Three metric files side by side: what is merged of them must be a valid
// exposition, twice the same. Input: a byte (1: checksums are put right), two
// lengths in units of 64 as u16, and the files.

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <string>

#include "tests/collector/damage_sweep.h"
#include "tests/fuzz/fuzz_check.h"
#include "tests/testing/exposition_checker.h"
#include "tests/testing/seal_file.h"
#include "tests/testing/test_directory.h"

using tine::testing::Bytes;
using tine::testing::FuzzCheck;

namespace {

constexpr size_t kFileCount = 3;
constexpr size_t kPrefixBytes = 5;

// Names with the uuids 111..., 222..., 333...
struct Place {
  Place() {
    for (size_t i = 0; i < kFileCount; ++i) {
      const std::string uuid(32, static_cast<char>('1' + i));
      fds[i].Reset(::open(directory.At("1." + uuid + ".tine").c_str(),
                          O_RDWR | O_CREAT, 0600));
    }
  }
  tine::testing::TestDirectory directory;
  tine::UniqueFd directory_fd{
      ::open(directory.path().c_str(), O_RDONLY | O_DIRECTORY)};
  std::array<tine::UniqueFd, kFileCount> fds;
};

void Write(int fd, size_t number, bool is_sealed, Bytes file) {
  for (size_t i = 32; i < 48 && i < file.size(); ++i) {
    file[i] = static_cast<uint8_t>(0x11 * (number + 1));
  }
  if (is_sealed) {
    tine::testing::SealAll(&file);
  }
  FuzzCheck(::ftruncate(fd, static_cast<off_t>(file.size())) == 0 &&
                ::pwrite(fd, file.data(), file.size(), 0) ==
                    static_cast<ssize_t>(file.size()),
            "cannot write");
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto* const place = new Place;
  if (size < kPrefixBytes) {
    return 0;
  }
  const uint8_t* at = data + kPrefixBytes;
  for (size_t i = 0; i < kFileCount; ++i) {
    const size_t left = static_cast<size_t>(data + size - at);
    size_t length = left;
    if (i + 1 < kFileCount) {
      const size_t wanted = 64 * size_t(data[1 + 2 * i] | data[2 + 2 * i] << 8);
      length = std::min(wanted, left);
    }
    Write(place->fds[i].get(), i, data[0] % 2 != 0, Bytes(at, at + length));
    at += length;
  }
  tine::testing::FreshCollector collector(place->directory_fd.get());
  const std::string first = collector.Scrape();
  const std::string error = tine::testing::CheckExposition(first).error;
  FuzzCheck(error.empty(), error + "\n" + first);
  FuzzCheck(collector.Scrape() == first, "the second scrape differs");
  return 0;
}
