// Ends the program when something that cannot fail has failed (a bug, or memory
// gone): the lab's inputs are its own.
#ifndef INKAN_BENCH_LAB_CHECK_H_
#define INKAN_BENCH_LAB_CHECK_H_

#include <cstdio>
#include <cstdlib>

namespace inkan::lab {

// The caller's file and line come from the defaults: clang 14 has the builtins
// but not std::source_location.
inline void Require(bool holds, const char* what,
                    const char* file = __builtin_FILE(),
                    int line = __builtin_LINE()) {
  if (holds) return;
  std::fprintf(stderr, "%s:%d: %s\n", file, line, what);
  std::abort();
}

}  // namespace inkan::lab

#endif  // INKAN_BENCH_LAB_CHECK_H_
