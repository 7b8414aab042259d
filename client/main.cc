// inkan: the command-line client. Everything is in client/cli.h.
#include <iostream>
#include <string>
#include <vector>

#include "client/cli.h"

int main(int argc, char** argv) {
  return inkan::RunCli(std::vector<std::string>(argv + 1, argv + argc),
                       std::cout, std::cerr);
}
