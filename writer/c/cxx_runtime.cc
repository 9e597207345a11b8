// What libtine.so has in place of parts of the C++ runtime that is linked into
// it. The library needs its exceptions, which are how a string says that there
// is no memory, and no more than that: whatever is thrown is caught in the
// library, by `catch (...)`. libstdc++'s own versions of these functions bring
// texts, locales, demangling and stdio with them, and need the dynamic linker
// and a newer libc.
//
// Not in libtine.a, whose programs have a C++ runtime of their own.

#include <cstdlib>
#include <new>

#include "writer/block_table.h"

namespace {

// The C++ ABI's __cxa_eh_globals. libstdc++ finds its own through
// __tls_get_addr(), which may allocate; these lie beside the library's other
// thread-local words.
struct ExceptionGlobals {
  void* caught_exceptions;
  unsigned int uncaught_exception_count;
};

__thread ExceptionGlobals t_exception_globals TINE_TLS_MODEL;

}  // namespace

extern "C" {

ExceptionGlobals* __cxa_get_globals() noexcept {  // NOLINT
  return &t_exception_globals;
}

ExceptionGlobals* __cxa_get_globals_fast() noexcept {  // NOLINT
  return &t_exception_globals;
}

}  // extern "C"

namespace std {

// Strings and vectors that would be too large.
void __throw_bad_alloc() { throw bad_alloc(); }                // NOLINT
void __throw_bad_array_new_length() { throw bad_alloc(); }     // NOLINT
void __throw_length_error(const char*) { throw bad_alloc(); }  // NOLINT
void __throw_logic_error(const char*) { throw bad_alloc(); }   // NOLINT
void __throw_out_of_range_fmt(const char*, ...) {              // NOLINT
  throw bad_alloc();
}

}  // namespace std

namespace __gnu_cxx {

void __verbose_terminate_handler() { std::abort(); }  // NOLINT

}  // namespace __gnu_cxx
