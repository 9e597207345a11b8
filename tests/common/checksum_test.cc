#include "common/checksum.h"

#include <cstdint>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace tine {
namespace {

uint32_t CrcOf(const std::string& text) {
  return Crc32(text.data(), text.size());
}

// The definition, bit by bit.
uint32_t SlowCrc32(const std::vector<uint8_t>& bytes) {
  uint32_t crc = 0xffffffff;
  for (const uint8_t byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xEDB88320u : 0u);
    }
  }
  return ~crc;
}

TEST(ChecksumTest, KnownVectors) {
  EXPECT_EQ(CrcOf(""), 0u);
  EXPECT_EQ(CrcOf("123456789"), 0xCBF43926u);  // the catalogue's check value
  EXPECT_EQ(CrcOf("a"), 0xE8B7BE43u);
  EXPECT_EQ(CrcOf("The quick brown fox jumps over the lazy dog"), 0x414FA339u);
  EXPECT_EQ(CrcOf(std::string(32, '\0')), 0x190A55ADu);
  EXPECT_EQ(CrcOf(std::string(32, '\xff')), 0xFF6CAB0Bu);
}

TEST(ChecksumTest, EveryLengthAndStartAgreesWithTheDefinition) {
  std::vector<uint8_t> bytes(97);
  for (size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<uint8_t>(i * 151 + 43);
  }
  for (size_t from = 0; from < 9; ++from) {
    for (size_t size = 0; from + size <= bytes.size(); ++size) {
      const std::vector<uint8_t> part(bytes.begin() + from,
                                      bytes.begin() + from + size);
      EXPECT_EQ(Crc32(bytes.data() + from, size), SlowCrc32(part));
    }
  }
}

TEST(ChecksumTest, PiecesGiveTheSameAsTheWhole) {
  const std::string text = "The quick brown fox jumps over the lazy dog";
  for (size_t cut = 0; cut <= text.size(); ++cut) {
    const uint32_t first = Crc32(text.data(), cut);
    EXPECT_EQ(Crc32(text.data() + cut, text.size() - cut, first), CrcOf(text));
  }
}

}  // namespace
}  // namespace tine
