// The command line in process, for tests: words in, text and an exit code out.
#ifndef INKAN_TESTS_CLIENT_RUN_INKAN_H_
#define INKAN_TESTS_CLIENT_RUN_INKAN_H_

#include <sstream>
#include <string>
#include <vector>

#include "client/cli.h"

namespace inkan::testing {

struct Result {
  int code = -1;
  std::string out;
  std::string err;
};

inline Result Inkan(const std::vector<std::string>& arguments) {
  std::ostringstream out;
  std::ostringstream err;
  Result result;
  result.code = RunCli(arguments, out, err);
  result.out = out.str();
  result.err = err.str();
  return result;
}

}  // namespace inkan::testing

#endif  // INKAN_TESTS_CLIENT_RUN_INKAN_H_
