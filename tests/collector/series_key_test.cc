#include "collector/series_key.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tine::collector {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Packed {
 public:
  explicit Packed(const std::vector<std::string>& strings)
      : count_(strings.size()) {
    for (const std::string& text : strings) {
      uint8_t bytes[256];
      const uint8_t* end = AppendString(bytes, text);
      packed_.append(reinterpret_cast<const char*>(bytes),
                     static_cast<size_t>(end - bytes));
    }
  }
  StringListView view() const {
    return StringListView(reinterpret_cast<const uint8_t*>(packed_.data()),
                          packed_.size(), count_);
  }

 private:
  size_t count_;
  std::string packed_;
};

std::vector<std::string> StringsOf(const LabelSet& labels) {
  std::vector<std::string> strings;
  for (const std::string_view text : labels.strings()) {
    strings.emplace_back(text);
  }
  return strings;
}

TEST(SeriesKeyTest, LabelsAreSortedByNameWithTheProcessOnesAmongThem) {
  const Packed names({"path", "code"});
  const Packed process({"node", "n1", "app", "web"});
  SeriesKeyBuilder builder(names.view(), process.view(), "");
  EXPECT_THAT(
      StringsOf(builder.Build(Packed({"/a", "200"}).view())),
      ElementsAre("app", "web", "code", "200", "node", "n1", "path", "/a"));
  EXPECT_EQ(builder.clash_count(), 0u);
}

TEST(SeriesKeyTest, EmptyValueEqualsAnAbsentLabel) {
  const Packed names({"b", "a"});
  SeriesKeyBuilder with(names.view(), Packed({}).view(), "");
  const Packed other_names({"a"});
  SeriesKeyBuilder without(other_names.view(), Packed({}).view(), "");
  EXPECT_EQ(with.Build(Packed({"", "x"}).view()).packed(),
            without.Build(Packed({"x"}).view()).packed());
  EXPECT_THAT(StringsOf(with.Build(Packed({"", ""}).view())), IsEmpty());
}

TEST(SeriesKeyTest, TheFamilysOwnLabelWinsOverTheProcessEvenWhenItIsEmpty) {
  const Packed names({"app"});
  const Packed process({"app", "web", "node", "n1"});
  SeriesKeyBuilder builder(names.view(), process.view(), "");
  EXPECT_EQ(builder.clash_count(), 1u);
  EXPECT_THAT(StringsOf(builder.Build(Packed({"own"}).view())),
              ElementsAre("app", "own", "node", "n1"));
  EXPECT_THAT(StringsOf(builder.Build(Packed({""}).view())),
              ElementsAre("node", "n1"));
}

TEST(SeriesKeyTest, PidOfAProcessWinsOverLabelsOfThatName) {
  const Packed names({"pid"});
  const Packed process({"pid", "2"});
  SeriesKeyBuilder builder(names.view(), process.view(), "3");
  EXPECT_EQ(builder.clash_count(), 2u);
  EXPECT_THAT(StringsOf(builder.Build(Packed({"1"}).view())),
              ElementsAre("pid", "3"));
}

TEST(SeriesKeyTest, BuilderGivesNothingOfTheSeriesBefore) {
  const Packed names({"a", "b"});
  SeriesKeyBuilder builder(names.view(), Packed({}).view(), "");
  builder.Build(Packed({"1", "2"}).view());
  EXPECT_THAT(StringsOf(builder.Build(Packed({"", "3"}).view())),
              ElementsAre("b", "3"));
}

}  // namespace
}  // namespace tine::collector
