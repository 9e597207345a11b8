// What the soak's writers count: some of everything that adds up.

#ifndef TINE_TESTS_SOAK_COUNTING_H_
#define TINE_TESTS_SOAK_COUNTING_H_

#include <cstdint>
#include <random>

#include "tests/soak/ledger.h"
#include "writer/tine.h"

namespace tine::soak {

// What happens to writers, counted in the ledger for the report.
enum class Event { kBirths, kExecs, kForks, kOrphans, kCount };

struct Families {
  Families();

  Counter plain;
  CounterFamily shapes;
  // Label sets that come and go: each process has a few of very many.
  CounterFamily passing;
  DoubleCounter amount;
  DoubleCounterFamily amounts;
  DoubleCounter tenths;
  Histogram seconds;
  HistogramFamily sizes;
  UpDownCounter level;
  UpDownCounterFamily levels;
  UpDownCounter living;
};

// Prints one line for each served number: which entries of the ledger it is the
// sum of, in words that truth.py reads.
void PrintCatalogue();

// Counts at random, in the metrics and in the ledger. One per thread.
class Counting {
 public:
  // `families` and `ledger` live longer. `set`: which label sets it uses.
  Counting(const Families* families, Ledger* ledger, uint64_t seed,
           uint64_t set);

  // The row for amounts of a tenth; without one it counts none.
  void set_row(Row* row) { row_ = row; }

  void CountOnce();

 private:
  void CountPassing();
  void CountAmount();
  void CountTenth();
  void Observe();
  void Move();
  // Below `bound`.
  uint64_t Random(uint64_t bound) { return random_() % bound; }
  template <typename Add>
  void Told(size_t entry, uint64_t amount, const Add& add);

  const Families& families_;
  Ledger* const ledger_;
  Row* row_ = nullptr;
  std::mt19937_64 random_;
  const uint64_t set_;
};

void Note(Ledger* ledger, Event event);

}  // namespace tine::soak

#endif  // TINE_TESTS_SOAK_COUNTING_H_
