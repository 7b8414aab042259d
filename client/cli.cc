#include "client/cli.h"

#include <google/protobuf/util/json_util.h>
#include <sysexits.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/cli_flags.h"
#include "client/crl_tool.h"
#include "client/inkan_client.h"
#include "client/inputs.h"
#include "client/local.h"
#include "client/text.h"
#include "crypto/string_prep.h"
#include "server/build_info.h"
#include "server/certificate_files.h"

namespace inkan {
namespace {

// The largest document a filing can carry in one message.
constexpr size_t kDocumentBytesMax = 2147483647;
constexpr size_t kSignatureBytesMax = 1U << 20;
constexpr char kLocalProfile[] = "local";

constexpr char kExitCodes[] =
    "Exit codes: verify, check-certificate: 0 TOTAL_PASSED, 1 TOTAL_FAILED,\n"
    "2 INDETERMINATE. health: 0 SERVING, 1 not. lookup, crl lookup: 0 not\n"
    "listed, 1 listed; lookup: 2 no CRL was searched. reload: 0 done, though\n"
    "sources of CRLs may have failed, 78 refused, and nothing changed. All:\n"
    "64 usage, 65 input refused, 66 a file that cannot be opened, 69 no\n"
    "server, no answer in time, or it refuses for now, 70 the server failed,\n"
    "74 the answer cannot be written, 75 over a quota, try again, 77 not\n"
    "permitted.";

struct Streams {
  std::ostream& out;
  std::ostream& err;
};

// What failed while reading what we were given.
int ExitCodeOfInput(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kFailedPrecondition:
      return EX_NOINPUT;
    case absl::StatusCode::kInvalidArgument:
      return EX_DATAERR;
    default:
      return EX_IOERR;
  }
}

// What failed while asking a server.
int ExitCodeOfCall(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      return EX_UNAVAILABLE;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
      return EX_DATAERR;
    case absl::StatusCode::kResourceExhausted:
      return EX_TEMPFAIL;
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
      return EX_NOPERM;
    default:
      return EX_SOFTWARE;
  }
}

int Complain(const Streams& streams, const absl::Status& status, int code) {
  streams.err << "inkan: " << Printable(std::string(status.message())) << "\n";
  return code;
}

// Why there was no reload, or no word of it.
int ComplainOfReload(const Streams& streams, const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kNotFound: {
      // One line for each mistake.
      const std::vector<std::string> faults =
          absl::StrSplit(status.message(), '\n');
      streams.err << "inkan: the reload was refused, and nothing changed:\n";
      for (const std::string& fault : faults) {
        streams.err << "  " << Printable(fault) << "\n";
      }
      return EX_CONFIG;
    }
    case absl::StatusCode::kDeadlineExceeded:
      streams.err << "inkan: no answer within --timeout; a reload that has "
                     "begun goes on, and inkan status says which snapshot is "
                     "in force\n";
      return ExitCodeOfCall(status);
    default:
      return Complain(streams, status, ExitCodeOfCall(status));
  }
}

// What is wrong with the flags about a server, or the files they name.
int ComplainOfOptions(const Streams& streams, const absl::Status& status) {
  return Complain(streams, status,
                  status.code() == absl::StatusCode::kInvalidArgument
                      ? EX_USAGE
                      : ExitCodeOfInput(status));
}

int Usage(const Streams& streams, const std::string& what) {
  streams.err << "inkan: " << what << "\n";
  return EX_USAGE;
}

// The exit code, or EX_IOERR if the answer did not get out.
int Written(const Streams& streams, int code) {
  streams.out.flush();
  return streams.out.good() ? code : EX_IOERR;
}

int ExitCodeOf(const v1::Verdict& verdict) {
  switch (verdict.indication()) {
    case v1::INDICATION_TOTAL_PASSED:
      return 0;
    case v1::INDICATION_TOTAL_FAILED:
      return 1;
    default:
      return 2;
  }
}

int ExitCodeOf(const v1::LookupRevocationResponse& found) {
  if (found.entries_size() > 0) return 1;
  return found.partitions_searched() > 0 ? 0 : 2;
}

// Prints the message, or says why not: the exit code.
int PrintJson(const Streams& streams, const google::protobuf::Message& message,
              int code) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  std::string json;
  const auto status =
      google::protobuf::util::MessageToJsonString(message, &json, options);
  if (!status.ok()) {
    streams.err << "inkan: the answer cannot be written as JSON: "
                << Printable(status.ToString()) << "\n";
    return EX_SOFTWARE;
  }
  streams.out << json;
  return Written(streams, code);
}

int PrintVerdict(const Streams& streams, const JudgeFlags& flags,
                 const v1::Verdict& verdict, Bytes names_of) {
  if (flags.output.json()) {
    return PrintJson(streams, verdict, ExitCodeOf(verdict));
  }
  streams.out << VerdictText(
      verdict, flags.local.local ? "the files given" : flags.server.target);
  if (!names_of.empty()) streams.out << AlternativeNamesText(names_of);
  return Written(streams, ExitCodeOf(verdict));
}

// What is wrong with the flags as a whole; empty if nothing.
std::string JudgeFlagsFault(const JudgeFlags& flags) {
  // What is no text cannot be sent.
  if (!IsUtf8(flags.id)) return "--id is not UTF-8";
  if (!IsUtf8(flags.profile)) return "--profile is not UTF-8";
  if (flags.local.local == !flags.server.target.empty()) {
    return "give either --target HOST:PORT or --local";
  }
  if (!flags.local.local && flags.profile.empty()) {
    return "--profile is needed: the name of one of the server's profiles "
           "(inkan status lists them)";
  }
  if (flags.local.local && flags.local.anchors.empty() &&
      flags.local.trusted_certificates.empty()) {
    return "--local needs --anchor or --trusted-certificate";
  }
  return "";
}

// Certificate, intermediates, profile and time, which filings and certificate
// enquiries name alike.
template <typename Request>
absl::Status ReadCommon(const JudgeFlags& flags, Request* request) {
  absl::StatusOr<SignerCertificate> signer =
      ReadSignerCertificate(flags.certificate);
  if (!signer.ok()) return signer.status();
  request->set_certificate(std::move(signer->der));
  absl::StatusOr<std::vector<std::string>> intermediates =
      ReadCertificates(flags.intermediates);
  if (!intermediates.ok()) return intermediates.status();
  for (std::vector<std::string>* list : {&signer->others, &*intermediates}) {
    for (std::string& der : *list) request->add_intermediates(std::move(der));
  }
  request->set_profile(flags.profile.empty() ? kLocalProfile : flags.profile);
  if (!flags.at.empty()) {
    absl::StatusOr<int64_t> time = TimeFromText(flags.at);
    if (!time.ok()) return time.status();
    request->mutable_verification_time()->set_seconds(*time);
  }
  return absl::OkStatus();
}

absl::Status ReadFiling(const VerifyFlags& flags, v1::Filing* filing) {
  absl::Status common = ReadCommon(flags.judge, filing);
  if (!common.ok()) return common;
  filing->set_filing_id(flags.judge.id);
  filing->set_signature_algorithm(AlgorithmFromName(flags.algorithm));
  absl::StatusOr<std::string> signature =
      ReadWholeFile(flags.signature, kSignatureBytesMax);
  if (!signature.ok()) return signature.status();
  filing->set_signature(*std::move(signature));
  if (!flags.digest.empty()) {
    absl::StatusOr<std::string> digest = OctetsFromHex(flags.digest);
    if (!digest.ok()) return digest.status();
    filing->set_digest(*std::move(digest));
  } else {
    absl::StatusOr<std::string> document =
        ReadWholeFile(flags.document, kDocumentBytesMax);
    if (!document.ok()) return document.status();
    filing->set_document(*std::move(document));
  }
  return absl::OkStatus();
}

// A folder may hold many CRLs of other CAs; they only matter to someone who
// misses one.
void TellCrlErrors(const Streams& streams, const JudgeFlags& flags,
                   const LocalAnswer& answer) {
  if (answer.crl_errors.empty()) return;
  if (!flags.checks &&
      answer.verdict.sub_indication() != v1::SUB_INDICATION_TRY_LATER) {
    streams.err << "inkan: " << answer.crl_errors.size()
                << " CRL file(s) not used; --checks lists them\n";
    return;
  }
  for (const std::string& error : answer.crl_errors) {
    streams.err << "inkan: CRL not used: " << Printable(error) << "\n";
  }
}

int FinishLocal(const Streams& streams, const JudgeFlags& flags,
                const absl::StatusOr<LocalAnswer>& answer, Bytes names_of) {
  if (!answer.ok()) {
    return Complain(streams, answer.status(), ExitCodeOfInput(answer.status()));
  }
  TellCrlErrors(streams, flags, *answer);
  return PrintVerdict(streams, flags, answer->verdict, names_of);
}

int Verify(const Streams& streams, const VerifyFlags& flags) {
  const std::string fault = JudgeFlagsFault(flags.judge);
  if (!fault.empty()) return Usage(streams, fault);
  if (flags.document.empty() && flags.digest.empty()) {
    return Usage(streams, "give --document FILE or --digest HEX");
  }
  v1::Filing filing;
  const absl::Status read = ReadFiling(flags, &filing);
  if (!read.ok()) return Complain(streams, read, ExitCodeOfInput(read));
  if (flags.judge.local.local) {
    absl::StatusOr<LocalRules> rules =
        LocalRulesOf(flags.judge.local, filing.profile());
    if (!rules.ok()) {
      return Complain(streams, rules.status(), ExitCodeOfInput(rules.status()));
    }
    return FinishLocal(
        streams, flags.judge,
        VerifyLocally(*std::move(rules), filing, flags.judge.checks), {});
  }
  absl::StatusOr<ClientOptions> options = ClientOptionsOf(flags.judge.server);
  if (!options.ok()) return ComplainOfOptions(streams, options.status());
  absl::StatusOr<v1::Verdict> verdict =
      Client::Connect(*options)->Verify(filing, flags.judge.checks);
  if (!verdict.ok()) {
    return Complain(streams, verdict.status(),
                    ExitCodeOfCall(verdict.status()));
  }
  return PrintVerdict(streams, flags.judge, *verdict, {});
}

int CheckCertificate(const Streams& streams, const JudgeFlags& flags) {
  const std::string fault = JudgeFlagsFault(flags);
  if (!fault.empty()) return Usage(streams, fault);
  v1::CheckCertificateRequest request;
  const absl::Status read = ReadCommon(flags, &request);
  if (!read.ok()) return Complain(streams, read, ExitCodeOfInput(read));
  request.set_request_id(flags.id);
  request.set_want_checks(flags.checks);
  const Bytes names_of = AsBytes(request.certificate());
  if (flags.local.local) {
    absl::StatusOr<LocalRules> rules =
        LocalRulesOf(flags.local, request.profile());
    if (!rules.ok()) {
      return Complain(streams, rules.status(), ExitCodeOfInput(rules.status()));
    }
    return FinishLocal(streams, flags,
                       CheckCertificateLocally(*std::move(rules), request),
                       names_of);
  }
  absl::StatusOr<ClientOptions> options = ClientOptionsOf(flags.server);
  if (!options.ok()) return ComplainOfOptions(streams, options.status());
  absl::StatusOr<v1::Verdict> verdict =
      Client::Connect(*options)->CheckCertificate(request);
  if (!verdict.ok()) {
    return Complain(streams, verdict.status(),
                    ExitCodeOfCall(verdict.status()));
  }
  return PrintVerdict(streams, flags, *verdict, names_of);
}

int Status(const Streams& streams, const ServerFlags& server,
           const OutputFlags& output, bool omit_partitions) {
  absl::StatusOr<ClientOptions> options = ClientOptionsOf(server);
  if (!options.ok()) return ComplainOfOptions(streams, options.status());
  auto status = Client::Connect(*options)->GetStatus(omit_partitions);
  if (!status.ok()) {
    return Complain(streams, status.status(), ExitCodeOfCall(status.status()));
  }
  if (output.json()) return PrintJson(streams, *status, 0);
  streams.out << StatusText(*status);
  return Written(streams, 0);
}

int Reload(const Streams& streams, const ReloadFlags& flags) {
  absl::StatusOr<ClientOptions> options = ClientOptionsOf(flags.server);
  if (!options.ok()) return ComplainOfOptions(streams, options.status());
  auto reloaded = Client::Connect(*options)->Reload();
  if (!reloaded.ok()) return ComplainOfReload(streams, reloaded.status());
  if (flags.output.json()) return PrintJson(streams, *reloaded, 0);
  streams.out << ReloadText(*reloaded);
  return Written(streams, 0);
}

int Lookup(const Streams& streams, const LookupFlags& flags) {
  absl::StatusOr<ClientOptions> options = ClientOptionsOf(flags.server);
  if (!options.ok()) return ComplainOfOptions(streams, options.status());
  v1::LookupRevocationRequest request;
  request.set_profile(flags.profile);
  // The flag's validator has let only serial numbers through.
  request.set_serial_number(SerialFromHex(flags.serial).value_or(""));
  request.set_issuer(flags.issuer);
  auto found = Client::Connect(*options)->LookupRevocation(request);
  if (!found.ok()) {
    return Complain(streams, found.status(), ExitCodeOfCall(found.status()));
  }
  if (flags.output.json()) {
    return PrintJson(streams, *found, ExitCodeOf(*found));
  }
  streams.out << LookupText(request, *found);
  return Written(streams, ExitCodeOf(*found));
}

int Health(const Streams& streams, const ServerFlags& server,
           const std::string& service) {
  absl::StatusOr<ClientOptions> options = ClientOptionsOf(server);
  if (!options.ok()) return ComplainOfOptions(streams, options.status());
  absl::StatusOr<bool> serving = Client::Connect(*options)->IsServing(service);
  if (!serving.ok()) {
    return Complain(streams, serving.status(),
                    ExitCodeOfCall(serving.status()));
  }
  streams.out << (*serving ? "SERVING\n" : "NOT_SERVING\n");
  return Written(streams, *serving ? 0 : 1);
}

}  // namespace

int RunCli(const std::vector<std::string>& arguments, std::ostream& out,
           std::ostream& err) {
  const Streams streams{out, err};
  CLI::App app("inkan: asks Inkan for verdicts on filings and certificates");
  app.set_version_flag("--version", absl::StrCat("inkan ", BuildVersion()));
  app.require_subcommand(1);
  app.footer(kExitCodes);
  VerifyFlags verify;
  JudgeFlags check;
  ServerFlags server;
  OutputFlags output;
  bool omit_partitions = false;
  std::string service;
  CLI::App* verify_command = app.add_subcommand("verify", "Judge one filing");
  AddVerifyFlags(verify_command, &verify);
  CLI::App* check_command = app.add_subcommand(
      "check-certificate", "Judge a certificate alone, and show its names");
  AddJudgeFlags(check_command, &check);
  CLI::App* status_command =
      app.add_subcommand("status", "What a server runs, knows and misses");
  AddServerFlags(status_command, &server);
  AddOutputFlags(status_command, &output);
  status_command->add_flag("--omit-partitions", omit_partitions,
                           "Leave out the list of CRLs");
  ReloadFlags reload;
  CLI::App* reload_command = app.add_subcommand(
      "reload", "Have a server read configuration, certificates, CRLs again");
  AddReloadFlags(reload_command, &reload);
  LookupFlags lookup;
  CLI::App* lookup_command = app.add_subcommand(
      "lookup", "Exit code 1 if a server's CRLs list the serial, 0 if not");
  AddLookupFlags(lookup_command, &lookup);
  CLI::App* health_command = app.add_subcommand(
      "health", "Exit code 0 exactly if the server says SERVING");
  AddServerFlags(health_command, &server);
  health_command->add_option("--service", service,
                             "One service instead of the whole server");
  CrlToolFlags crl;
  AddCrlCommand(&app, &crl);
  for (CLI::App* command :
       {status_command, reload_command, lookup_command, health_command}) {
    command->get_option("--target")->required();
  }
  try {
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
    app.parse(reversed);
  } catch (const CLI::ParseError& error) {
    return app.exit(error, out, err) == 0 ? 0 : EX_USAGE;
  }
  if (crl.command->parsed()) {
    return RunCrlCommand(crl, out, err, isatty(STDERR_FILENO) == 1);
  }
  if (verify_command->parsed()) return Verify(streams, verify);
  if (check_command->parsed()) return CheckCertificate(streams, check);
  if (status_command->parsed()) {
    return Status(streams, server, output, omit_partitions);
  }
  if (reload_command->parsed()) return Reload(streams, reload);
  if (lookup_command->parsed()) return Lookup(streams, lookup);
  return Health(streams, server, service);
}

}  // namespace inkan
