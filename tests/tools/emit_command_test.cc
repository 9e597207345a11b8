#include "tools/emit_command.h"

#include <cmath>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tine::tools {
namespace {

using format::GaugeMode;
using format::MetricType;
using ::testing::ElementsAre;
using ::testing::Pair;
using Words = std::vector<std::string>;

EmitCommand Parse(const Words& words) {
  EmitCommand command;
  std::string error;
  EXPECT_TRUE(ParseEmitCommand(words, &command, &error)) << error;
  return command;
}

void ExpectError(const Words& words, const std::string& part) {
  EmitCommand command;
  std::string error;
  EXPECT_FALSE(ParseEmitCommand(words, &command, &error));
  EXPECT_NE(error.find(part), std::string::npos) << error;
}

TEST(EmitCommandTest, WholeNumbersOfCountersAreExact) {
  EXPECT_EQ(Parse({"counter", "a_total", "0"}).whole, 0u);
  const EmitCommand command =
      Parse({"counter", "a_total", "18446744073709551615"});
  EXPECT_TRUE(command.is_whole);
  EXPECT_EQ(command.whole, UINT64_MAX);
  EXPECT_EQ(Parse({"counter", "a_total", "+5"}).whole, 5u);
}

TEST(EmitCommandTest, OtherNumbersOfCountersAreDoubles) {
  for (const char* text : {"1.5", "15e-1", "1.5E0", "+1.5"}) {
    const EmitCommand command = Parse({"counter", "a_total", text});
    EXPECT_FALSE(command.is_whole) << text;
    EXPECT_EQ(command.real, 1.5) << text;
  }
  EXPECT_FALSE(Parse({"counter", "a_total", "2.0"}).is_whole);
}

TEST(EmitCommandTest, CountersRefuseWhatIsNoAmount) {
  for (const char* text :
       {"-1", "-0.5", "nan", "inf", "18446744073709551616", "1e999", "x", "",
        "1x", "0x10", "+-1", "1,5", " 1"}) {
    ExpectError({"counter", "a_total", text}, text);
  }
}

TEST(EmitCommandTest, GaugesTakeAnyNumber) {
  EXPECT_EQ(Parse({"gauge", "g", "-5"}).real, -5);
  EXPECT_EQ(Parse({"gauge", "g", "+Inf"}).real, HUGE_VAL);
  EXPECT_EQ(Parse({"gauge", "g", "-inf"}).real, -HUGE_VAL);
  EXPECT_TRUE(std::isnan(Parse({"gauge", "g", "NaN"}).real));
  ExpectError({"histogram", "h", "NaN"}, "NaN");
  ExpectError({"summary", "s", "nan"}, "NaN");
}

TEST(EmitCommandTest, UpDownCountersTakeWholeNumbersOnly) {
  EXPECT_EQ(Parse({"updown", "u", "-3"}).whole, static_cast<uint64_t>(-3));
  EXPECT_EQ(Parse({"updown", "u", "3", "--mode=livesum"}).mode,
            GaugeMode::kLiveSum);
  ExpectError({"updown", "u", "1.5"}, "whole");
  ExpectError({"updown", "u", "1", "--mode=max"}, "sum or livesum");
}

TEST(EmitCommandTest, LabelsAreSortedAndSplitAtTheFirstEquals) {
  EXPECT_THAT(Parse({"counter", "a_total", "z=1", "b=c=d", "e=", "1"}).labels,
              ElementsAre(Pair("b", "c=d"), Pair("e", ""), Pair("z", "1")));
}

TEST(EmitCommandTest, BadLabelsAreNamed) {
  ExpectError({"counter", "a_total", "x", "1"}, "\"x\"");
  ExpectError({"counter", "a_total", "=v", "1"}, "label name");
  ExpectError({"counter", "a_total", "le=v", "1"}, "\"le\"");
  ExpectError({"counter", "a_total", "__a=v", "1"}, "\"__a\"");
  ExpectError({"counter", "a_total", "a=1", "a=2", "1"}, "twice");
  ExpectError({"counter", "a_total", "a=\xff", "1"}, "UTF-8");
}

TEST(EmitCommandTest, FlagsMayStandAnywhere) {
  const EmitCommand command =
      Parse({"histogram", "--unit=seconds", "h_seconds",
             "--help-text=Some help", "a=b", "--buckets=1,2.5,5e1", "0.1"});
  EXPECT_EQ(command.type, MetricType::kHistogram);
  EXPECT_EQ(command.unit, "seconds");
  EXPECT_EQ(command.help_text, "Some help");
  EXPECT_THAT(*command.buckets, ElementsAre(1, 2.5, 50));
  EXPECT_EQ(command.real, 0.1);
}

TEST(EmitCommandTest, FlagsOfOtherCommandsAreRefused) {
  ExpectError({"counter", "a_total", "1", "--mode=sum"}, "--mode");
  ExpectError({"gauge", "g", "1", "--buckets=1"}, "--buckets");
  ExpectError({"summary", "s", "1", "--op=add"}, "--op");
  ExpectError({"gauge", "g", "1", "--nonsense=1"}, "--nonsense");
  ExpectError({"gauge", "g", "1", "--mode"}, "needs a value");
  ExpectError({"gauge", "g", "1", "--mode=mean"}, "mean");
  ExpectError({"gauge", "g", "1", "--op=mul"}, "--op");
  ExpectError({"histogram", "h", "1", "--buckets="}, "list of numbers");
  ExpectError({"histogram", "h", "1", "--buckets=1,,2"}, "list of numbers");
  ExpectError({"gauge", "g", "1", "--help-text=\xff"}, "UTF-8");
}

TEST(EmitCommandTest, AddToMostRecentHasNoMeaning) {
  EXPECT_TRUE(Parse({"gauge", "g", "1", "--op=add"}).is_add);
  ExpectError({"gauge", "g", "1", "--op=add", "--mode=mostrecent"},
              "mostrecent");
}

TEST(EmitCommandTest, IncompleteCommandsAreRefused) {
  ExpectError({}, "no command");
  ExpectError({"count"}, "unknown command");
  ExpectError({"counter"}, "needs a name and a number");
  ExpectError({"counter", "a_total"}, "needs a name and a number");
  ExpectError({"counter", "9a", "1"}, "metric name");
  ExpectError({"counter", "a b", "1"}, "metric name");
}

TEST(LabelListTest, IsSplitAtCommas) {
  std::vector<std::pair<std::string, std::string>> labels;
  EXPECT_TRUE(ParseLabelList("", &labels));
  EXPECT_THAT(labels, ElementsAre());
  EXPECT_TRUE(ParseLabelList("app=x,b=y=z", &labels));
  EXPECT_THAT(labels, ElementsAre(Pair("app", "x"), Pair("b", "y=z")));
  EXPECT_FALSE(ParseLabelList("app", &labels));
  EXPECT_FALSE(ParseLabelList("a=1,,b=2", &labels));
}

}  // namespace
}  // namespace tine::tools
