#ifndef TINE_TESTS_MODEL_STORED_PROGRAMS_H_
#define TINE_TESTS_MODEL_STORED_PROGRAMS_H_

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include "tests/model/program.h"

namespace tine::model {

// Those of the file, by name; what is wrong with it is a failure of the test.
inline std::map<std::string, Program> StoredPrograms(
    const std::string& path = "tests/model/programs.txt") {
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  std::map<std::string, Program> programs;
  std::string problem;
  EXPECT_TRUE(ParsePrograms(text, &programs, &problem))
      << path << ", " << problem;
  EXPECT_FALSE(programs.empty()) << path << " has no programs";
  return programs;
}

}  // namespace tine::model

#endif  // TINE_TESTS_MODEL_STORED_PROGRAMS_H_
