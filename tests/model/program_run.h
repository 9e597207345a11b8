// Runs programs over real writers and the real collector, beside the model.

#ifndef TINE_TESTS_MODEL_PROGRAM_RUN_H_
#define TINE_TESTS_MODEL_PROGRAM_RUN_H_

#include <string>

#include "tests/model/program.h"

namespace tine::model {

// What was wrong first, and after which step; empty: nothing. After each step,
// when every process has answered, what is served must be right: by a collector
// that folds when told to, by one beside it that does not, and, after a fold
// and at the end, by one that begins then. Steps that make no sense are left
// out, so that any part of a program is one.
std::string RunProgram(const Program& program);

// A program as short as it gets by leaving out steps that still goes wrong.
Program Shrink(const Program& program);

}  // namespace tine::model

#endif  // TINE_TESTS_MODEL_PROGRAM_RUN_H_
