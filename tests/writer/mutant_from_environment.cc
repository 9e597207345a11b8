// Switches on the mutant that TINE_MUTANT names, before anything is counted.

#include <cstdlib>

#include "tests/testing/mutant.h"

namespace tine::testing {
namespace {

__attribute__((constructor)) void SetMutantFromEnvironment() {
  SetMutant(std::getenv("TINE_MUTANT"));
}

}  // namespace
}  // namespace tine::testing
