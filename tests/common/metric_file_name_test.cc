#include "common/metric_file_name.h"

#include <string>

#include "gtest/gtest.h"

namespace tine {
namespace {

constexpr char kUuid[] = "00112233445566778899aabbccddeeff";

FileUuid SomeUuid() { return *ParseUuid(kUuid); }

std::string Format(uint32_t pid) {
  char name[kMaxMetricFileNameBytes + 1];
  const size_t length = FormatMetricFileName({pid, SomeUuid()}, name);
  EXPECT_EQ(name[length], '\0');
  return std::string(name, length);
}

TEST(MetricFileNameTest, GoodNamesComeBackAsTheyWere) {
  for (const uint32_t pid : {0u, 1u, 9u, 10u, 4711u, 4294967295u}) {
    const std::string name = Format(pid);
    EXPECT_EQ(name, std::to_string(pid) + "." + kUuid + ".tine");
    const auto parts = ParseMetricFileName(name);
    ASSERT_TRUE(parts.has_value()) << name;
    EXPECT_EQ(parts->pid, pid);
    EXPECT_EQ(parts->uuid, SomeUuid());
  }
  EXPECT_EQ(Format(4294967295u).size(), kMaxMetricFileNameBytes);
}

TEST(MetricFileNameTest, AnythingElseIsNoMetricFile) {
  const std::string uuid = kUuid;
  const std::string bad[] = {
      "",
      ".",
      "..",
      ".tine",
      "1.tine",
      "." + uuid + ".tine",                  // no pid
      "1" + uuid + ".tine",                  // no dot
      "1." + uuid,                           // no suffix
      "1." + uuid + ".tine2",                //
      "1." + uuid + ".Tine",                 //
      "1." + uuid + ".tine\n",               //
      "1." + uuid + "xtine",                 //
      "01." + uuid + ".tine",                // leading zero
      "00." + uuid + ".tine",                //
      "-1." + uuid + ".tine",                // sign
      "+1." + uuid + ".tine",                //
      " 1." + uuid + ".tine",                //
      "4294967296." + uuid + ".tine",        // more than 32 bits
      "99999999999." + uuid + ".tine",       //
      "1a." + uuid + ".tine",                //
      "1." + uuid.substr(1) + ".tine",       // 31 digits
      "1.0" + uuid + ".tine",                // 33 digits
      "1." + uuid.substr(0, 31) + "F.tine",  // upper case
      "1." + uuid.substr(0, 31) + "g.tine",  //
      "1." + uuid.substr(0, 31) + "-.tine",  //
      "1." + uuid.substr(0, 31) + '\0' + ".tine",
      "1." + uuid + ".tine" + std::string(1, '\0'),
      ".tine-tmp-" + uuid,
  };
  for (const std::string& name : bad) {
    EXPECT_FALSE(ParseMetricFileName(name).has_value()) << name;
  }
}

TEST(MetricFileNameTest, UuidTextIsTheBytesInOrder) {
  const FileUuid uuid = SomeUuid();
  for (int i = 0; i < 16; ++i) {
    EXPECT_EQ(uuid.bytes[i], 0x11 * i);
  }
  char text[kUuidTextBytes];
  FormatUuid(uuid, text);
  EXPECT_EQ(std::string(text, sizeof(text)), kUuid);
  FileUuid other = uuid;
  other.bytes[15] = 0;
  EXPECT_NE(uuid, other);
  EXPECT_LT(other, uuid);
}

TEST(MetricFileNameTest, TempNamesAreToldFromTheRest) {
  char name[kTempFileNameBytes + 1];
  EXPECT_EQ(FormatTempFileName(SomeUuid(), name), kTempFileNameBytes);
  EXPECT_STREQ(name, ".tine-tmp-00112233445566778899aabbccddeeff");
  EXPECT_TRUE(IsTempFileName(name));
  const std::string uuid = kUuid;
  for (const std::string& bad :
       {std::string(), std::string(".tine-tmp-"), ".tine-tmp-" + uuid + "0",
        ".tine-tmp-" + uuid.substr(1), ".tine_tmp-" + uuid,
        "x.tine-tmp-" + uuid, ".tine-tmp-" + uuid.substr(1) + "G",
        "1." + uuid + ".tine"}) {
    EXPECT_FALSE(IsTempFileName(bad)) << bad;
  }
}

}  // namespace
}  // namespace tine
