#include "collector/merged_family.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tine::collector {
namespace {

LabelSet Labels(const std::vector<std::string>& strings) {
  std::string packed;
  for (const std::string& text : strings) {
    uint8_t bytes[1024];
    const uint8_t* end = AppendString(bytes, text);
    packed.append(reinterpret_cast<const char*>(bytes),
                  static_cast<size_t>(end - bytes));
  }
  return LabelSet(packed, strings.size() / 2);
}

TEST(LabelSetTest, OrderIsThatOfTheStringsNotOfTheirLengths) {
  EXPECT_TRUE(Labels({"a", "aa"}) < Labels({"a", "b"}));
  EXPECT_FALSE(Labels({"a", "b"}) < Labels({"a", "aa"}));
  EXPECT_TRUE(Labels({"a", "z"}) < Labels({"b", "a"}));
}

TEST(LabelSetTest, FewerLabelsComeBeforeMoreThatBeginAlike) {
  EXPECT_TRUE(Labels({}) < Labels({"a", "b"}));
  EXPECT_TRUE(Labels({"a", "b"}) < Labels({"a", "b", "c", "d"}));
  EXPECT_FALSE(Labels({"a", "b", "c", "d"}) < Labels({"a", "b"}));
}

TEST(LabelSetTest, EqualSetsAreNotBeforeEachOther) {
  EXPECT_FALSE(Labels({"a", "b"}) < Labels({"a", "b"}));
}

}  // namespace
}  // namespace tine::collector
