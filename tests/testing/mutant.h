// Which mistake of a build with mutants is in force (see mutate.py).

#ifndef TINE_TESTS_TESTING_MUTANT_H_
#define TINE_TESTS_TESTING_MUTANT_H_

#include <string>

namespace tine::testing {

// `name` is a literal; null: none. Not thread-safe.
void SetMutant(const char* name) noexcept;

bool IsMutant(const char* name) noexcept;

// What a test is called that sees `mutant` in `scenario`: as the other tests,
// without underscores.
std::string MutantTestName(const char* scenario, const char* mutant);

}  // namespace tine::testing

#endif  // TINE_TESTS_TESTING_MUTANT_H_
