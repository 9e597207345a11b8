// Which mistake of a build with mutants is in force (see mutate.py).

#ifndef TINE_TESTS_TESTING_MUTANT_H_
#define TINE_TESTS_TESTING_MUTANT_H_

namespace tine::testing {

// `name` is a literal; null: none. Not thread-safe.
void SetMutant(const char* name) noexcept;

bool IsMutant(const char* name) noexcept;

}  // namespace tine::testing

#endif  // TINE_TESTS_TESTING_MUTANT_H_
