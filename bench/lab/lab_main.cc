// inkan-lab: a synthetic JPKI for demos, tests and measurements.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <string>
#include <thread>

#include "bench/lab/big_crl.h"
#include "bench/lab/calendar.h"
#include "bench/lab/lab.h"

namespace {

using inkan::lab::BigCrlOptions;
using inkan::lab::LabOptions;

constexpr int kUsage = 64;  // sysexits.h EX_USAGE
constexpr int kFailure = 70;

constexpr char kDefaultNow[] = "2026-03-15T12:00:00+09:00";

int Report(const absl::Status& status) {
  if (status.ok()) return 0;
  std::fprintf(stderr, "inkan-lab: %s\n",
               std::string(status.message()).c_str());
  return status.code() == absl::StatusCode::kInvalidArgument ? kUsage
                                                             : kFailure;
}

struct Arguments {
  LabOptions init;
  BigCrlOptions crl;
  std::string now = kDefaultNow;
  std::string serials = "dense";
  std::string dates = "office";
};

void DescribeInit(CLI::App* init, Arguments* arguments) {
  LabOptions& options = arguments->init;
  init->add_option("--out", options.out, "Folder to write")->required();
  init->add_option("--citizens", options.citizens,
                   "People whose lives are simulated, 64 or more")
      ->capture_default_str();
  init->add_option("--municipalities", options.municipalities,
                   "Municipalities, each with its CRLs, 4 or more")
      ->capture_default_str();
  init->add_option("--filings", options.filings, "Filings in the corpus")
      ->capture_default_str();
  init->add_option("--crl-entries", options.crl_entries,
                   "Entries of each municipality's CRL, with those of people "
                   "of whom the lab knows nothing else; 0: its own alone")
      ->capture_default_str();
  init->add_option("--seed", options.seed, "Decides every key and every life")
      ->capture_default_str();
  init->add_option("--now", arguments->now,
                   "The moment the lab is made for, RFC 3339")
      ->capture_default_str();
  init->add_option("--listen", options.listen,
                   "Address in the server configuration")
      ->capture_default_str();
  init->add_option("--threads", options.threads,
                   "Threads; the output does not depend on it")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  init->add_flag("--force", options.force,
                 "Replace a lab that is in the folder");
  init->add_flag("--quiet", options.quiet, "No progress on stderr");
}

void DescribeCrl(CLI::App* crl, Arguments* arguments) {
  BigCrlOptions& options = arguments->crl;
  crl->add_option("--out", options.out,
                  "File to write; the issuer's certificate goes to "
                  "FILE.issuer.cer")
      ->required();
  crl->add_option("--entries", options.entries, "Entries")
      ->capture_default_str();
  crl->add_option("--serials", arguments->serials,
                  "dense: 15 % of a counter; random: 16 octets each, in no "
                  "order")
      ->check(CLI::IsMember({"dense", "random"}))
      ->capture_default_str();
  crl->add_option("--dates", arguments->dates,
                  "office: working days, 9 to 17 o'clock; uniform: any second")
      ->check(CLI::IsMember({"office", "uniform"}))
      ->capture_default_str();
  crl->add_option("--seed", options.seed, "Decides the key and the serials")
      ->capture_default_str();
  crl->add_option("--now", arguments->now, "thisUpdate, RFC 3339")
      ->capture_default_str();
  crl->add_flag("--quiet", options.quiet, "No progress on stderr");
}

int Run(int argc, char** argv) {
  CLI::App app(
      "inkan-lab makes a synthetic JPKI: CAs, citizens and their lives, CRLs, "
      "and filings\nwith the truth beside each. The same options give the same "
      "bytes. For labs only.",
      "inkan-lab");
  app.require_subcommand(1);
  Arguments arguments;
  arguments.init.threads = std::max(1U, std::thread::hardware_concurrency());
  CLI::App* init = app.add_subcommand(
      "init", "Make a lab: anchors, CRLs, server configuration, corpus");
  CLI::App* crl = app.add_subcommand(
      "crl", "Make one big CRL, tens of millions of entries if need be");
  DescribeInit(init, &arguments);
  DescribeCrl(crl, &arguments);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsage;
  }
  const absl::StatusOr<int64_t> now = inkan::lab::ParseRfc3339(arguments.now);
  if (!now.ok()) {
    return Report(absl::InvalidArgumentError(
        "--now: " + std::string(now.status().message())));
  }
  if (init->parsed()) {
    arguments.init.now = *now;
    const int code = Report(inkan::lab::InitLab(arguments.init));
    if (code == 0 && !arguments.init.quiet) {
      std::fprintf(stderr, "The lab is in %s; start with its README.txt.\n",
                   arguments.init.out.c_str());
    }
    return code;
  }
  arguments.crl.now = *now;
  arguments.crl.random_serials = arguments.serials == "random";
  arguments.crl.uniform_dates = arguments.dates == "uniform";
  return Report(inkan::lab::WriteBigCrl(arguments.crl));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return Run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return kFailure;
  }
}
