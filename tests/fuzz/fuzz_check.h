#ifndef TINE_TESTS_FUZZ_FUZZ_CHECK_H_
#define TINE_TESTS_FUZZ_FUZZ_CHECK_H_

#include <cstdio>
#include <cstdlib>
#include <string>

namespace tine::testing {

// Ends the program, as a sanitizer does.
inline void FuzzCheck(bool is_as_it_must_be, const std::string& what) {
  if (!is_as_it_must_be) {
    std::fprintf(stderr, "%s\n", what.c_str());
    std::abort();
  }
}

}  // namespace tine::testing

#endif  // TINE_TESTS_FUZZ_FUZZ_CHECK_H_
