#ifndef TINE_TESTS_MODEL_RANDOM_PROGRAM_H_
#define TINE_TESTS_MODEL_RANDOM_PROGRAM_H_

#include <cstdint>

#include "tests/model/program.h"

namespace tine::model {

// The same program for the same seed, everywhere. 15 to 50 steps over a few
// metrics and label values, so that processes meet in the same series; at the
// end all processes die and are folded.
Program RandomProgram(uint64_t seed);

}  // namespace tine::model

#endif  // TINE_TESTS_MODEL_RANDOM_PROGRAM_H_
