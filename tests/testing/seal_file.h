// Right checksums for changed metric files, so that a change gets behind them.

#ifndef TINE_TESTS_TESTING_SEAL_FILE_H_
#define TINE_TESTS_TESTING_SEAL_FILE_H_

#include <cstdint>

#include "tests/testing/slow_reader.h"

namespace tine::testing {

// Of the header, if the file has a whole one.
void SealHeader(Bytes* file);

// Of the record at `at`, of which 64 bytes are there; nothing if its length is
// impossible.
void SealRecord(Bytes* file, uint64_t at);

// Of the header and of every record up to the first of impossible length.
void SealAll(Bytes* file);

}  // namespace tine::testing

#endif  // TINE_TESTS_TESTING_SEAL_FILE_H_
