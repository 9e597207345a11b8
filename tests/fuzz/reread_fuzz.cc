// One metric file in two versions, the second written over the first between
// two scrapes. Both answers must be valid expositions, and no counter may fall.
// Input: a byte (1: checksums are put right), the first version's length in
// units of 64 as a u16, and both versions.

#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <string>

#include "tests/collector/damage_sweep.h"
#include "tests/fuzz/fuzz_check.h"
#include "tests/testing/exposition_checker.h"
#include "tests/testing/seal_file.h"
#include "tests/testing/test_directory.h"

using tine::testing::Bytes;
using tine::testing::CheckedExposition;
using tine::testing::FuzzCheck;

namespace {

// One name for all inputs; the file gets the uuid that belongs to it.
struct Place {
  tine::testing::TestDirectory directory;
  tine::UniqueFd directory_fd{
      ::open(directory.path().c_str(), O_RDONLY | O_DIRECTORY)};
  tine::UniqueFd fd{
      ::open(directory.At("1." + std::string(32, '5') + ".tine").c_str(),
             O_RDWR | O_CREAT, 0600)};

  void Write(const Bytes& file) const {
    FuzzCheck(::ftruncate(fd.get(), static_cast<off_t>(file.size())) == 0 &&
                  ::pwrite(fd.get(), file.data(), file.size(), 0) ==
                      static_cast<ssize_t>(file.size()),
              "cannot write");
  }
};

void Prepare(bool is_sealed, Bytes* file) {
  for (size_t i = 32; i < 48 && i < file->size(); ++i) {
    (*file)[i] = 0x55;
  }
  if (is_sealed) {
    tine::testing::SealAll(file);
  }
}

CheckedExposition Scrape(tine::testing::FreshCollector* collector) {
  const std::string& text = collector->Scrape();
  CheckedExposition served = tine::testing::CheckExposition(text);
  FuzzCheck(served.error.empty(), served.error + "\n" + text);
  return served;
}

void CheckNothingFell(const CheckedExposition& before,
                      const CheckedExposition& now) {
  for (const auto& [family, type] : before.types) {
    const auto type_now = now.types.find(family);
    if (type != "counter" || type_now == now.types.end() ||
        type_now->second != type) {
      continue;
    }
    const std::string begin = family + "{";
    for (auto it = before.samples.lower_bound(begin);
         it != before.samples.end() &&
         it->first.compare(0, begin.size(), begin) == 0;
         ++it) {
      const auto same = now.samples.find(it->first);
      FuzzCheck(same != now.samples.end() && same->second >= it->second,
                it->first + " fell");
    }
  }
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto* const place = new Place;
  if (size < 3) {
    return 0;
  }
  const uint8_t* const split =
      data + 3 +
      std::min<size_t>(64 * size_t(data[1] | data[2] << 8), size - 3);
  Bytes first(data + 3, split);
  Bytes second(split, data + size);
  Prepare(data[0] % 2 != 0, &first);
  Prepare(data[0] % 2 != 0, &second);
  place->Write(first);
  tine::testing::FreshCollector collector(place->directory_fd.get());
  const CheckedExposition before = Scrape(&collector);
  place->Write(second);
  const CheckedExposition now = Scrape(&collector);
  CheckNothingFell(before, now);
  CheckNothingFell(now, Scrape(&collector));
  FuzzCheck(collector.log().size() <= 2, "logged at each scrape");
  return 0;
}
