#include "tests/soak/counting.h"

#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

namespace tine::soak {
namespace {

constexpr size_t kShapeCount = 8;
constexpr size_t kPassingCount = 64;
constexpr size_t kPassingPerProcess = 4;
constexpr size_t kKindCount = 4;
constexpr size_t kOperationCount = 3;
constexpr size_t kQueueCount = 2;

// Amounts are multiples of this, so that every sum of them is exact.
constexpr double kUnit = 1.0 / 1024;
constexpr uint64_t kLargestAmount = 8 * 1024;
// Upper bounds of the buckets, in units.
constexpr uint64_t kBounds[] = {256, 1024, 4096};
constexpr size_t kBoundCount = sizeof(kBounds) / sizeof(kBounds[0]);
// Of one histogram: its buckets, +Inf, and the sum.
constexpr size_t kHistogramEntries = kBoundCount + 2;

// Where everything is in the ledger.
constexpr size_t kPlain = 0;
constexpr size_t kShapes = kPlain + 1;
constexpr size_t kPassing = kShapes + kShapeCount;
constexpr size_t kAmount = kPassing + kPassingCount;
constexpr size_t kAmounts = kAmount + 1;
constexpr size_t kSeconds = kAmounts + kKindCount;
constexpr size_t kSizes = kSeconds + kHistogramEntries;
constexpr size_t kLevel = kSizes + kOperationCount * kHistogramEntries;
constexpr size_t kLevels = kLevel + 2;  // what went up, what went down
constexpr size_t kEvents = kLevels + kQueueCount * 2;
static_assert(kEvents + static_cast<size_t>(Event::kCount) <= kMaxEntries);

constexpr const char* kEventNames[] = {"births", "execs", "forks", "orphans"};

std::vector<double> Bounds() {
  std::vector<double> bounds;
  for (const uint64_t bound : kBounds) {
    bounds.push_back(static_cast<double>(bound) * kUnit);
  }
  return bounds;
}

std::string LabelValue(char letter, size_t index) {
  return letter + std::to_string(index);
}

void PrintHistogram(const char* name, const std::string& labels,
                    size_t first_entry) {
  std::printf("histogram %zu %s %s", first_entry, name,
              labels.empty() ? "-" : labels.c_str());
  for (const uint64_t bound : kBounds) {
    std::printf(" %g", static_cast<double>(bound) * kUnit);
  }
  std::printf("\n");
}

// A line for each label value. `kind` is the word that truth.py knows.
void PrintEach(const char* kind, const char* name, const char* label,
               char letter, size_t first_entry, size_t count, size_t step) {
  for (size_t i = 0; i < count; ++i) {
    std::printf("%s %zu %s{%s=\"%s\"}\n", kind, first_entry + i * step, name,
                label, LabelValue(letter, i).c_str());
  }
}

double DoubleOf(uint64_t bits) {
  double value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

uint64_t BitsOf(double value) {
  uint64_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

}  // namespace

Families::Families()
    : plain("soak_plain_total", "Without labels."),
      shapes("soak_shapes_total", "Few labels.", {"shape"}),
      passing("soak_passing_total", "Labels that come and go.", {"set"}),
      amount("soak_amount_total", "Binary fractions."),
      amounts("soak_amounts_total", "Binary fractions, labelled.", {"kind"}),
      tenths("soak_tenths_total", "No binary fractions."),
      seconds("soak_seconds", "Observations.", Bounds()),
      sizes("soak_sizes", "Observations, labelled.", {"op"}, Bounds()),
      level("soak_level", "Ups and downs, of the dead too.", GaugeMode::kSum),
      levels("soak_levels", "Ups and downs, labelled.", {"queue"},
             GaugeMode::kSum),
      living("soak_living", "Writers that live.", GaugeMode::kLiveSum) {}

void PrintCatalogue() {
  std::printf("count %zu soak_plain_total\n", kPlain);
  PrintEach("count", "soak_shapes_total", "shape", 's', kShapes, kShapeCount,
            1);
  PrintEach("count", "soak_passing_total", "set", 'p', kPassing, kPassingCount,
            1);
  std::printf("amount %zu soak_amount_total\n", kAmount);
  PrintEach("amount", "soak_amounts_total", "kind", 'k', kAmounts, kKindCount,
            1);
  PrintHistogram("soak_seconds", "", kSeconds);
  for (size_t i = 0; i < kOperationCount; ++i) {
    PrintHistogram("soak_sizes", "op=\"" + LabelValue('o', i) + "\"",
                   kSizes + i * kHistogramEntries);
  }
  std::printf("level %zu soak_level\n", kLevel);
  PrintEach("level", "soak_levels", "queue", 'q', kLevels, kQueueCount, 2);
  std::printf("tenths %zu soak_tenths_total\n",
              offsetof(Ledger, row_count) / sizeof(uint64_t));
  std::printf("living 0 soak_living\n");
  for (size_t i = 0; i < static_cast<size_t>(Event::kCount); ++i) {
    std::printf("event %zu %s\n", kEvents + i, kEventNames[i]);
  }
}

Counting::Counting(const Families* families, Ledger* ledger, uint64_t seed,
                   uint64_t set)
    : families_(*families), ledger_(ledger), random_(seed), set_(set) {}

// fetch_add is a full barrier, for the compiler too.
template <typename Add>
void Counting::Told(size_t entry, uint64_t amount, const Add& add) {
  ledger_->entries[entry].attempted.fetch_add(amount);
  add();
  ledger_->entries[entry].done.fetch_add(amount);
}

void Counting::CountOnce() {
  const uint64_t amount = 1 + Random(3);
  switch (Random(8)) {
    case 0:
      Told(kPlain, amount, [&] { families_.plain.Increment(amount); });
      break;
    case 1: {
      const size_t shape = Random(kShapeCount);
      Told(kShapes + shape, amount, [&] {
        families_.shapes.WithLabels(LabelValue('s', shape)).Increment(amount);
      });
      break;
    }
    case 2:
      CountPassing();
      break;
    case 3:
    case 4:
      CountAmount();
      break;
    case 5:
      Observe();
      break;
    case 6:
      Move();
      break;
    default:
      CountTenth();
  }
}

void Counting::CountPassing() {
  const size_t set =
      (set_ * kPassingPerProcess + Random(kPassingPerProcess)) % kPassingCount;
  Told(kPassing + set, 1,
       [&] { families_.passing.WithLabels(LabelValue('p', set)).Increment(); });
}

void Counting::CountAmount() {
  const uint64_t units = Random(kLargestAmount);
  const double value = static_cast<double>(units) * kUnit;
  const size_t kind = Random(kKindCount + 1);
  if (kind == kKindCount) {
    Told(kAmount, units, [&] { families_.amount.Increment(value); });
    return;
  }
  Told(kAmounts + kind, units, [&] {
    families_.amounts.WithLabels(LabelValue('k', kind)).Increment(value);
  });
}

void Counting::CountTenth() {
  if (row_ == nullptr) {
    return;
  }
  constexpr double kTenth = 0.1;
  const uint64_t next = BitsOf(DoubleOf(row_->done.load()) + kTenth);
  row_->attempted.store(next);
  families_.tenths.Increment(kTenth);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  row_->done.store(next);
}

void Counting::Observe() {
  const uint64_t units = Random(kLargestAmount);
  const double value = static_cast<double>(units) * kUnit;
  size_t bucket = 0;
  while (bucket < kBoundCount && kBounds[bucket] < units) {
    ++bucket;
  }
  const size_t operation = Random(kOperationCount + 1);
  const bool is_plain = operation == kOperationCount;
  const size_t first =
      is_plain ? kSeconds : kSizes + operation * kHistogramEntries;
  Told(first + kBoundCount + 1, units, [&] {
    Told(first + bucket, 1, [&] {
      if (is_plain) {
        families_.seconds.Observe(value);
      } else {
        families_.sizes.WithLabels(LabelValue('o', operation)).Observe(value);
      }
    });
  });
}

void Counting::Move() {
  const uint64_t amount = 1 + Random(5);
  const bool is_down = Random(2) == 1;
  const auto change = static_cast<int64_t>(is_down ? 0 - amount : amount);
  const size_t queue = Random(kQueueCount + 1);
  if (queue == kQueueCount) {
    Told(kLevel + (is_down ? 1 : 0), amount,
         [&] { families_.level.Add(change); });
    return;
  }
  Told(kLevels + queue * 2 + (is_down ? 1 : 0), amount, [&] {
    families_.levels.WithLabels(LabelValue('q', queue)).Add(change);
  });
}

void Note(Ledger* ledger, Event event) {
  ledger->entries[kEvents + static_cast<size_t>(event)].done.fetch_add(1);
}

}  // namespace tine::soak
