// A strict reader of the text exposition format, version 0.0.4: stricter than
// Prometheus', which takes much that our encoder must never write.

#ifndef TINE_TESTS_TESTING_EXPOSITION_CHECKER_H_
#define TINE_TESTS_TESTING_EXPOSITION_CHECKER_H_

#include <map>
#include <string>
#include <string_view>

namespace tine::testing {

struct CheckedExposition {
  // What is wrong, with the number of the line; empty: nothing.
  std::string error;
  // By "name{label=value,...}": labels in their order, values unescaped, and
  // the bound of a bucket as %.17g has it.
  std::map<std::string, double> samples;
  // By family.
  std::map<std::string, std::string> types;
};

// Every line ends; every family has one TYPE, before its samples and perhaps
// behind one HELP; its samples are together, of its name, and no two alike;
// labels are well-formed, distinct and UTF-8; no time; a counter is not
// negative; buckets ascend, do not fall, end with +Inf, and are as many as
// _count says.
CheckedExposition CheckExposition(std::string_view text);

}  // namespace tine::testing

#endif  // TINE_TESTS_TESTING_EXPOSITION_CHECKER_H_
