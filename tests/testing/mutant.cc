#include "tests/testing/mutant.h"

#include <cstring>

namespace tine::testing {
namespace {

const char* g_mutant = nullptr;

}  // namespace

void SetMutant(const char* name) noexcept { g_mutant = name; }

bool IsMutant(const char* name) noexcept {
  return g_mutant != nullptr && std::strcmp(g_mutant, name) == 0;
}

}  // namespace tine::testing
