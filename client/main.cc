// inkan: the command-line client. Everything is in client/cli.h.
#include <iostream>
#include <string>
#include <vector>

#include "client/cli.h"

// What flags and files can get wrong is returned, not thrown.
int main(int argc, char** argv) {  // NOLINT(bugprone-exception-escape)
  return inkan::RunCli(std::vector<std::string>(argv + 1, argv + argc),
                       std::cout, std::cerr);
}
