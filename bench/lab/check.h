// Ends the program when something that cannot fail has failed (a bug, or memory
// gone): the lab's inputs are its own.
#ifndef INKAN_BENCH_LAB_CHECK_H_
#define INKAN_BENCH_LAB_CHECK_H_

#include <cstdio>
#include <cstdlib>
#include <source_location>

namespace inkan::lab {

inline void Require(
    bool holds, const char* what,
    const std::source_location& where = std::source_location::current()) {
  if (holds) return;
  std::fprintf(stderr, "%s:%u: %s\n", where.file_name(),
               static_cast<unsigned>(where.line()), what);
  std::abort();
}

}  // namespace inkan::lab

#endif  // INKAN_BENCH_LAB_CHECK_H_
