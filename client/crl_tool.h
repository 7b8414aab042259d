// The command inkan crl: compiles CRLs, and shows what is in them.
//
//   inkan crl build IN OUT.crlx [--issuer CERTIFICATE]
//   inkan crl inspect FILE
//   inkan crl lookup FILE SERIAL
//
// FILE is a CRL, DER or PEM, or a compiled one by the name *.crlx. Exit codes:
// 0, for lookup: the serial is not listed; 1 it is listed; from sysexits.h 64
// usage, 65 a file that is refused, 66 one that cannot be opened, 74 one that
// cannot be written. Long work shows a line on a terminal.
//
// One thread. Nothing is thrown.
#ifndef INKAN_CLIENT_CRL_TOOL_H_
#define INKAN_CLIENT_CRL_TOOL_H_

#include <CLI/CLI.hpp>
#include <ostream>
#include <string>

#include "absl/status/statusor.h"

namespace inkan {

struct CrlToolFlags {
  std::string in;
  std::string out;
  std::string issuer;
  std::string serial;

  CLI::App* command = nullptr;
  CLI::App* build = nullptr;
  CLI::App* inspect = nullptr;
  CLI::App* lookup = nullptr;
};

void AddCrlCommand(CLI::App* app, CrlToolFlags* flags);

// REQUIRES: flags.command was parsed.
int RunCrlCommand(const CrlToolFlags& flags, std::ostream& out,
                  std::ostream& err);

// The contents of the DER INTEGER that a decimal number, or a hexadecimal one
// (0x in front, or octets with colons between them), stands for; in hexadecimal
// also if a digit says so.
absl::StatusOr<std::string> SerialFromText(const std::string& text);

}  // namespace inkan

#endif  // INKAN_CLIENT_CRL_TOOL_H_
