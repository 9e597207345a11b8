// A metric file to the header's decoder and the scanner, and to a slow reader:
// both must find the same number of records and the same place of damage. The
// first byte says whether checksums are put right before.

#include <cstdint>
#include <cstring>
#include <string>

#include "common/record_codec.h"
#include "common/record_scanner.h"
#include "tests/common/scanned_file.h"
#include "tests/fuzz/fuzz_check.h"
#include "tests/testing/seal_file.h"
#include "tests/testing/slow_reader.h"

using tine::testing::FuzzCheck;

namespace {

std::string UuidOf(const tine::testing::Bytes& file) {
  std::string uuid;
  for (size_t i = 32; i < 48 && i < file.size(); ++i) {
    char digits[3];
    std::snprintf(digits, sizeof(digits), "%02x", file[i]);
    uuid += digits;
  }
  return uuid;
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) {
    return 0;
  }
  tine::testing::Bytes file(data + 1, data + size);
  if (data[0] % 2 != 0) {
    tine::testing::SealAll(&file);
  }
  // In pieces of some size, each in an allocation of its own.
  const size_t piece_bytes = size_t{data[0]} * 64;
  const tine::testing::ScannedFile scanned =
      tine::testing::ScanFile(file, piece_bytes);
  tine::testing::SlowReader slow(UuidOf(file));
  slow.Look(file);
  // Numbers are not the scanner's.
  const bool is_slow_sound = slow.reason().empty() ||
                             slow.reason() == "counter_fell" ||
                             slow.reason() == "truncated";
  const bool is_sound = scanned.damage.reason == tine::DamageReason::kNone;
  FuzzCheck(is_sound == is_slow_sound &&
                (is_sound || scanned.damage.offset == slow.offset()) &&
                scanned.lines.size() == slow.record_count(),
            "the scanner found " +
                std::string(tine::DamageReasonName(scanned.damage.reason)) +
                " at " + std::to_string(scanned.damage.offset) +
                ", the slow reader " + slow.reason() + " at " +
                std::to_string(slow.offset()));
  return 0;
}
