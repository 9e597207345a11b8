// Selectors: what they choose, and what is said about those that are none.

#include "tools/series_selector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace tine::tools {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

SeriesSelector Parsed(const std::string& text) {
  auto selector = SeriesSelector::Parse(text);
  EXPECT_TRUE(selector.ok()) << text << ": " << selector.status();
  return *std::move(selector);
}

std::string ErrorOf(const std::string& text) {
  const auto selector = SeriesSelector::Parse(text);
  return selector.ok() ? "no error" : std::string(selector.status().message());
}

bool Matches(const std::string& text, std::string_view family,
             const SeriesSelector::Labels& labels = {}) {
  return Parsed(text).Matches(family, labels);
}

TEST(SeriesSelectorTest, NameAloneChoosesAllItsSeries) {
  EXPECT_TRUE(Matches("up", "up"));
  EXPECT_TRUE(Matches(" up\t", "up", {{"a", "b"}}));
  EXPECT_TRUE(Matches("job:up:sum_5m{}", "job:up:sum_5m"));
  EXPECT_FALSE(Matches("up", "up_total"));
  EXPECT_FALSE(Matches("up", "u"));
}

TEST(SeriesSelectorTest, EveryOperationSelects) {
  const SeriesSelector::Labels labels = {{"code", "200"}, {"path", "/a/b"}};
  EXPECT_TRUE(Matches(R"(c{code="200"})", "c", labels));
  EXPECT_FALSE(Matches(R"(c{code="20"})", "c", labels));
  EXPECT_FALSE(Matches(R"(c{code!="200"})", "c", labels));
  EXPECT_TRUE(Matches(R"(c{code!="404"})", "c", labels));
  EXPECT_TRUE(Matches(R"(c{code=~"2.."})", "c", labels));
  EXPECT_FALSE(Matches(R"(c{code!~"2.."})", "c", labels));
  EXPECT_TRUE(
      Matches(R"( c { code = "200" , path =~ '/a/.*' , } )", "c", labels));
  EXPECT_FALSE(Matches(R"(c{code="200",path="/"})", "c", labels));
}

TEST(SeriesSelectorTest, PatternsMatchTheWholeValue) {
  EXPECT_FALSE(Matches(R"(c{a=~"b"})", "c", {{"a", "abc"}}));
  EXPECT_TRUE(Matches(R"(c{a=~"x|abc"})", "c", {{"a", "abc"}}));
  EXPECT_FALSE(Matches(R"(c{a=~"a|abcd"})", "c", {{"a", "abc"}}));
  EXPECT_TRUE(Matches(R"(c{a=~"a.*c"})", "c", {{"a", "a\nc"}}));
  EXPECT_TRUE(Matches(R"(c{a=~`\d+`})", "c", {{"a", "12"}}));
}

TEST(SeriesSelectorTest, AbsentLabelIsAnEmptyOne) {
  EXPECT_TRUE(Matches(R"(c{a=""})", "c", {{"b", "1"}}));
  EXPECT_FALSE(Matches(R"(c{a=""})", "c", {{"a", "1"}}));
  EXPECT_TRUE(Matches(R"(c{a!="1"})", "c"));
  EXPECT_FALSE(Matches(R"(c{a!=""})", "c"));
  EXPECT_TRUE(Matches(R"(c{a=~"x?"})", "c"));
  EXPECT_FALSE(Matches(R"(c{a=~".+"})", "c"));
}

TEST(SeriesSelectorTest, NameIsALabelToo) {
  EXPECT_TRUE(Matches(R"({__name__=~"http_.*"})", "http_total"));
  EXPECT_FALSE(Matches(R"({__name__=~"http_.*"})", "grpc_total"));
  EXPECT_TRUE(Matches(R"({__name__!="a",x="1"})", "b", {{"x", "1"}}));
  EXPECT_TRUE(Matches(R"({__name__=~"a.*",__name__!="ab"})", "ac"));
  EXPECT_TRUE(Matches(R"({"http_total"})", "http_total"));
  EXPECT_TRUE(Matches(R"({"http.total", "my.label"="1"})", "http.total",
                      {{"my.label", "1"}}));
}

TEST(SeriesSelectorTest, StringsHaveGosEscapes) {
  const auto value_is = [](const std::string& quoted,
                           const std::string& value) {
    EXPECT_TRUE(Matches("c{a=" + quoted + "}", "c", {{"a", value}})) << quoted;
  };
  value_is(R"("a\"b\\c")", "a\"b\\c");
  value_is(R"('a\'"b')", "a'\"b");
  value_is(R"(`a\n"'`)", "a\\n\"'");
  value_is("`a\nb`", "a\nb");
  value_is(R"("\a\b\f\n\r\t\v")", "\a\b\f\n\r\t\v");
  value_is(R"("\x41\101\u00fc\U0001F600")", "AA\xC3\xBC\xF0\x9F\x98\x80");
  value_is(R"("\xc3\xbc")", "\xC3\xBC");
  value_is("\"\xE2\x82\xAC\"", "\xE2\x82\xAC");
  value_is(R"("\u20ac\u007f")", "\xE2\x82\xAC\x7F");
}

TEST(SeriesSelectorTest, ErrorsSayWhatIsWrongWhere) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "at byte 1: a metric name or \"{\" is expected"},
      {"1up", "at byte 1: a metric name or \"{\" is expected"},
      {"up down", "at byte 4: the selector has ended"},
      {"up[5m]", "at byte 3: the selector has ended"},
      {"up{a=\"b\"} offset 5m", "at byte 11: the selector has ended"},
      {"up{", "at byte 4: \"}\" is missing"},
      {"up{a=\"b\"", "at byte 9: \",\" or \"}\" is expected"},
      {"up{a=\"b\" c=\"d\"}", "at byte 10: \",\" or \"}\" is expected"},
      {"up{,}", "at byte 4: a label name is expected"},
      {"up{1=\"b\"}", "at byte 4: a label name is expected"},
      {"up{a:b=\"b\"}", "at byte 5: \"=\", \"!=\", \"=~\" or \"!~\""},
      {"up{a}", "at byte 5: \"=\""},
      {"up{a==\"b\"}", "at byte 6: a value in quotes is expected"},
      {"up{a=b}", "at byte 6: a value in quotes is expected"},
      {"up{a=\"b}", "at byte 6: the string has no end"},
      {"up{a=\"b\n\"}", "at byte 6: the string has no end"},
      {"up{a=\"\\q\"}", "at byte 7: there is no such escape"},
      {"up{a=\"\\'\"}", "at byte 7: there is no such escape"},
      {"up{a=\"\\x4\"}", "at byte 7: the escape needs 2 hexadecimal digits"},
      {"up{a=\"\\18\"}", "at byte 7: the escape needs 3 octal digits"},
      {"up{a=\"\\777\"}", "at byte 7: there is no such character"},
      {"up{a=\"\\ud800\"}", "at byte 7: there is no such character"},
      {"up{a=\"\\", "at byte 7: there is no such escape"},
      {"up{a=\"\\xff\"}", "at byte 6: the string is not UTF-8"},
      {"up{a=~\"(\"}", "at byte 7: regular expression: missing )"},
      {"up{__name__=\"b\"}", "at byte 4: the metric name is there already"},
      {"up{\"down\"}", "at byte 4: the metric name is there already"},
      {"{\"\"}", "at byte 2: the metric name is empty"},
      {"up{le=\"1\"}", "at byte 4: le is no label of a series here"},
  };
  for (const auto& [text, error] : cases) {
    EXPECT_THAT(ErrorOf(text), StartsWith(error)) << text;
  }
}

TEST(SeriesSelectorTest, WhatCouldSelectEverythingIsRefused) {
  for (const char* text : {"{}", R"({a=""})", R"({a=~".*"})", R"({a!="b"})",
                           R"({a!~"b",b=~"c?"})", R"({__name__=~".*"})"}) {
    EXPECT_THAT(ErrorOf(text), HasSubstr("must refuse the empty value"))
        << text;
  }
  EXPECT_TRUE(Matches(R"({__name__=~".+"})", "anything"));
  EXPECT_TRUE(Matches(R"({a=~".*",b!=""})", "c", {{"b", "1"}}));
}

}  // namespace
}  // namespace tine::tools
