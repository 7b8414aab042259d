// The command line inkan: words in, text and an exit code out.
//
// Exit codes: 0 TOTAL_PASSED (health: SERVING), 1 TOTAL_FAILED (health: not
// SERVING), 2 INDETERMINATE, and from sysexits.h 64 usage, 65 input that is
// refused, 66 an input that cannot be opened, 69 no server (or it refuses for
// now), 70 the server failed, 74 the answer cannot be written, 75 over a quota,
// 77 not permitted. status: 0 if the server answered, whatever it says. reload:
// 0 if it was done, though sources of CRLs may have failed; 78 if the server
// refused what it read, and nothing changed. lookup: 0 not listed, 1 listed, in
// whatever way, 2 no CRL was searched. Those of inkan crl are in
// client/crl_tool.h.
//
// One thread. Nothing is thrown.
#ifndef INKAN_CLIENT_CLI_H_
#define INKAN_CLIENT_CLI_H_

#include <ostream>
#include <string>
#include <vector>

namespace inkan {

// `arguments` without the program's name. The answer goes to `out`, everything
// else to `err`.
int RunCli(const std::vector<std::string>& arguments, std::ostream& out,
           std::ostream& err);

}  // namespace inkan

#endif  // INKAN_CLIENT_CLI_H_
