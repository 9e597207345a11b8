#include "tools/shell_words.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tine::tools {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> Split(std::string_view line) {
  std::vector<std::string> words = {"left over"};
  std::string error;
  EXPECT_TRUE(SplitShellWords(line, &words, &error)) << error;
  return words;
}

TEST(ShellWordsTest, BlanksSeparateWords) {
  EXPECT_THAT(Split(""), ElementsAre());
  EXPECT_THAT(Split(" \t "), ElementsAre());
  EXPECT_THAT(Split("a"), ElementsAre("a"));
  EXPECT_THAT(Split("  a\tb  c\r"), ElementsAre("a", "b", "c"));
}

TEST(ShellWordsTest, QuotesKeepBlanksAndJoinWhatTouchesThem) {
  EXPECT_THAT(Split("'a b'"), ElementsAre("a b"));
  EXPECT_THAT(Split("\"a b\""), ElementsAre("a b"));
  EXPECT_THAT(Split("x='a b'c"), ElementsAre("x=a bc"));
  EXPECT_THAT(Split("''"), ElementsAre(""));
  EXPECT_THAT(Split("a \"\" b"), ElementsAre("a", "", "b"));
  EXPECT_THAT(Split("'a'\"b\"c"), ElementsAre("abc"));
}

TEST(ShellWordsTest, BackslashQuotesAsInAShell) {
  EXPECT_THAT(Split("a\\ b"), ElementsAre("a b"));
  EXPECT_THAT(Split("\\'\\\"\\\\\\#"), ElementsAre("'\"\\#"));
  EXPECT_THAT(Split("'a\\b'"), ElementsAre("a\\b"));
  EXPECT_THAT(Split("\"a\\\"b\\\\c\\$\\`\""), ElementsAre("a\"b\\c$`"));
  EXPECT_THAT(Split("\"a\\nb\""), ElementsAre("a\\nb"));
  EXPECT_THAT(Split("a\\nb"), ElementsAre("anb"));
}

TEST(ShellWordsTest, CommentsBeginWhereAWordWould) {
  EXPECT_THAT(Split("# all of it"), ElementsAre());
  EXPECT_THAT(Split("a # b"), ElementsAre("a"));
  EXPECT_THAT(Split("a#b"), ElementsAre("a#b"));
  EXPECT_THAT(Split("'#' \"#\" \\#"), ElementsAre("#", "#", "#"));
}

TEST(ShellWordsTest, OtherBytesAreWordsAsTheyAre) {
  EXPECT_THAT(Split("zone=größe $HOME * ~ \xff"),
              ElementsAre("zone=größe", "$HOME", "*", "~", "\xff"));
}

TEST(ShellWordsTest, WhatIsNotClosedIsAnError) {
  for (const char* line :
       {"'", "a 'b", "\"", "a\"b", "\"a\\\"", "\\", "a \\"}) {
    std::vector<std::string> words;
    std::string error;
    EXPECT_FALSE(SplitShellWords(line, &words, &error)) << line;
    EXPECT_NE(error, "");
  }
}

}  // namespace
}  // namespace tine::tools
