#include "tools/printable.h"

#include <string>

#include "gtest/gtest.h"

namespace tine::tools {
namespace {

TEST(PrintableTest, OrdinaryTextStaysAsItIs) {
  for (const char* text : {"", "abc", "größe 日本 🎉", "a=b,c", "'"}) {
    EXPECT_EQ(Printable(text), text);
  }
}

TEST(PrintableTest, WhatDrivesATerminalIsEscaped) {
  EXPECT_EQ(Printable("\x1b[2J"), "\\x1b[2J");
  EXPECT_EQ(Printable("a\nb\rc\td\x7f"), "a\\nb\\x0dc\\x09d\\x7f");
  EXPECT_EQ(Printable("\u009b2J"), "\\u009b2J");    // C1: one-byte CSI
  EXPECT_EQ(Printable("\u202egpj"), "\\u202egpj");  // right to left
  EXPECT_EQ(Printable("\u2066x\u2069"), "\\u2066x\\u2069");
  EXPECT_EQ(Printable(std::string("a\0b", 3)), "a\\x00b");
}

TEST(PrintableTest, EscapesCannotBeForged) {
  EXPECT_EQ(Printable("\\n\""), "\\\\n\\\"");
}

TEST(PrintableTest, BytesThatAreNotUtf8AreEscapedOneByOne) {
  EXPECT_EQ(Printable("\xff\xc3(\xe2\x82"), "\\xff\\xc3(\\xe2\\x82");
  EXPECT_EQ(Printable("\xc3\xa9\xed\xa0\x80"), "é\\xed\\xa0\\x80");
}

}  // namespace
}  // namespace tine::tools
