#include "tests/testing/seal_file.h"

#include <cstring>
#include <set>

namespace tine::testing {
namespace {

constexpr uint64_t kFirstRecord = 4096;
constexpr uint64_t kHeaderChecksum = 3964;
constexpr uint16_t kMutable = 0x8000;

template <typename T>
T Get(const Bytes& file, uint64_t at) {
  T value;
  std::memcpy(&value, file.data() + at, sizeof(value));
  return value;
}

void PutChecksum(Bytes* file, uint64_t at, uint32_t checksum) {
  std::memcpy(file->data() + at, &checksum, sizeof(checksum));
}

}  // namespace

void SealHeader(Bytes* file) {
  if (file->size() >= kFirstRecord) {
    PutChecksum(file, kHeaderChecksum,
                SlowCrc32(file->data(), kHeaderChecksum));
  }
}

void SealRecord(Bytes* file, uint64_t at) {
  static const std::set<size_t> kField = {8, 9, 10, 11};
  const bool is_mutable = (Get<uint16_t>(*file, at + 4) & kMutable) != 0;
  const uint64_t covered = is_mutable ? 64 : Get<uint32_t>(*file, at);
  if (covered >= 64 && covered <= file->size() - at) {
    PutChecksum(file, at + 8, SlowCrc32(file->data() + at, covered, kField));
  }
}

void SealAll(Bytes* file) {
  SealHeader(file);
  for (uint64_t at = kFirstRecord; at + 64 <= file->size();) {
    const uint64_t size = Get<uint32_t>(*file, at);
    if (size < 64 || size % 64 != 0 || size > file->size() - at) {
      return;
    }
    SealRecord(file, at);
    at += size;
  }
}

}  // namespace tine::testing
