// The command inkan crl: compiles CRLs, and shows what is in them.
//
//   inkan crl build IN OUT.crlx [--issuer CERTIFICATE]
//   inkan crl inspect FILE
//   inkan crl lookup FILE SERIAL [--decimal]
//
// FILE is a CRL, DER or PEM, or a compiled one by the name *.crlx. Exit codes:
// 0, for lookup: the serial is not listed, however it is read; 1 it is listed;
// from sysexits.h 64 usage, 65 a file that is refused, 66 one that cannot be
// opened, 74 one that cannot be written. Long work shows a line on a terminal.
//
// One thread. Nothing is thrown.
#ifndef INKAN_CLIENT_CRL_TOOL_H_
#define INKAN_CLIENT_CRL_TOOL_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace inkan {

struct CrlToolFlags {
  std::string in;
  std::string out;
  std::string issuer;
  std::string serial;
  bool decimal = false;

  CLI::App* command = nullptr;
  CLI::App* build = nullptr;
  CLI::App* inspect = nullptr;
  CLI::App* lookup = nullptr;
};

void AddCrlCommand(CLI::App* app, CrlToolFlags* flags);

// `is_terminal`: of `err`. REQUIRES: flags.command was parsed.
int RunCrlCommand(const CrlToolFlags& flags, std::ostream& out,
                  std::ostream& err, bool is_terminal);

// Every serial number that the text may stand for, as contents of the DER
// INTEGER: hexadecimal with 0x in front, colons between octets or a digit above
// 9; else decimal as well as hexadecimal, which is how Inkan prints serials,
// unless `decimal` says which. Of hexadecimal octets that would be a negative
// number, that number too, since a CA may have meant it.
absl::StatusOr<std::vector<std::string>> SerialReadings(const std::string& text,
                                                        bool decimal);

// "keyCompromise" and so on, as RFC 5280 section 5.3.1 names a CRLReason.
const char* ReasonName(uint8_t reason);

}  // namespace inkan

#endif  // INKAN_CLIENT_CRL_TOOL_H_
