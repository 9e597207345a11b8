#include "tests/testing/mutant.h"

#include <cctype>
#include <cstring>

namespace tine::testing {
namespace {

const char* g_mutant = nullptr;

}  // namespace

void SetMutant(const char* name) noexcept { g_mutant = name; }

bool IsMutant(const char* name) noexcept {
  return g_mutant != nullptr && std::strcmp(g_mutant, name) == 0;
}

std::string MutantTestName(const char* scenario, const char* mutant) {
  std::string name = std::string(scenario) + "With";
  bool is_upper = true;
  for (const char* at = mutant; *at != '\0'; ++at) {
    if (*at != '_') {
      name += static_cast<char>(is_upper ? std::toupper(*at) : *at);
    }
    is_upper = *at == '_';
  }
  return name;
}

}  // namespace tine::testing
