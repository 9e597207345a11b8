#ifndef TINE_TESTS_COMMON_GOLDEN_FILE_H_
#define TINE_TESTS_COMMON_GOLDEN_FILE_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "common/checksum.h"
#include "common/record_layout.h"

namespace tine::testing {

inline const std::vector<std::string>& GoldenNames() {
  static const auto* names = new std::vector<std::string>{
      "counter_f64",       "counter_u64",     "empty",       "gauge",
      "gauge_most_recent", "histogram",       "newer_minor", "process_labels",
      "summary",           "up_down_counter", "everything",  "neighbour",
      "removed",           "states"};
  return *names;
}

// The bytes of a golden file, 8-byte aligned as every allocation is. Empty if
// there is no such file.
inline std::vector<uint8_t> ReadGolden(const std::string& name) {
  std::ifstream file("tests/testdata/golden/" + name + ".tine",
                     std::ios::binary);
  return std::vector<uint8_t>(std::istreambuf_iterator<char>(file), {});
}

template <typename Number>
Number NumberAt(const std::vector<uint8_t>& bytes, size_t offset) {
  Number number;
  std::memcpy(&number, bytes.data() + offset, sizeof(number));
  return number;
}

template <typename Number>
void PutNumber(std::vector<uint8_t>* bytes, size_t offset, Number number) {
  std::memcpy(bytes->data() + offset, &number, sizeof(number));
}

// Puts a right checksum on the header of a changed file.
inline void ResealHeader(std::vector<uint8_t>* bytes) {
  PutNumber(bytes, format::kHeaderChecksumOffset,
            Crc32(bytes->data(), format::kHeaderChecksumOffset));
}

// Puts a right checksum on the changed record at `offset`.
inline void ResealRecord(std::vector<uint8_t>* bytes, size_t offset) {
  const bool is_mutable =
      (NumberAt<uint16_t>(*bytes, offset + 4) & 0x8000) != 0;
  const size_t covered = is_mutable ? 64 : NumberAt<uint32_t>(*bytes, offset);
  PutNumber<uint32_t>(bytes, offset + 8, 0);
  PutNumber(bytes, offset + 8, Crc32(bytes->data() + offset, covered));
}

}  // namespace tine::testing

#endif  // TINE_TESTS_COMMON_GOLDEN_FILE_H_
