// The ways in which a metric file is damaged for DamageSweep. `is_long`: every
// bit and every word; else of the long stretches that are all alike (cells of
// nobody, padding of the header's strings) only some.

#ifndef TINE_TESTS_COLLECTOR_DAMAGE_KINDS_H_
#define TINE_TESTS_COLLECTOR_DAMAGE_KINDS_H_

#include <cstdint>
#include <random>

#include "tests/collector/damage_sweep.h"

namespace tine::testing {

// Every bit the other way round, one at a time.
void SweepFlips(DamageSweep* sweep, bool is_long);

// Every length from 0 to the whole.
void SweepTruncations(DamageSweep* sweep, bool is_long);

// Every word of 8 bytes set to 11 values that are some limit.
void SweepWords(DamageSweep* sweep, bool is_long);

// Every number of 2, 4 and 8 bytes in the header and in records set to a limit,
// and the checksum put right: what a checksum does not hold back.
void SweepSealedNumbers(DamageSweep* sweep, bool is_long);

// Pieces overwritten, filled, copied and exchanged; half of the time with right
// checksums afterwards.
void SweepBlockEdits(DamageSweep* sweep, int rounds, std::mt19937_64* random);

// Noise of every size class, with and without a sound header; zeroes; ones;
// nothing.
void SweepGarbage(DamageSweep* sweep, std::mt19937_64* random);

// `base` with a family at its end whose bounds, 32 of them, lie in the record
// behind it, and so would its name: both records have right checksums.
Bytes FileWithBoundsBehindTheirRecord(const Bytes& base);

}  // namespace tine::testing

#endif  // TINE_TESTS_COLLECTOR_DAMAGE_KINDS_H_
