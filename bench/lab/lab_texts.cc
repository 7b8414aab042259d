#include "bench/lab/lab_texts.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "bench/lab/filing_kinds.h"

namespace inkan::lab {
namespace {

std::string ProfileText(const Authorities& authorities, CertificateKind kind) {
  const bool signature = kind == CertificateKind::kSignature;
  std::string text = absl::StrCat(
      signature ? "# Filings: signed with the signature certificate.\n"
                : "# Log-in: signed with the authentication certificate.\n",
      "profiles {\n  name: \"",
      signature ? "jpki-signature" : "jpki-authentication", "\"\n");
  for (const Authority& ca : authorities.all()) {
    if (ca.kind != kind) continue;
    absl::StrAppend(&text, "  anchor_files: \"anchors/", ca.file_stem,
                    ".cer\"\n");
  }
  absl::StrAppend(&text, "  policies: \"",
                  signature ? kSignaturePolicy : kAuthenticationPolicy, "\"\n");
  absl::StrAppend(
      &text, signature ? "  required_key_usage: KEY_USAGE_NON_REPUDIATION\n"
                       : "  required_key_usage: "
                         "KEY_USAGE_DIGITAL_SIGNATURE\n"
                         "  forbidden_key_usage: "
                         "KEY_USAGE_NON_REPUDIATION\n");
  absl::StrAppend(&text, "  revocation: REVOCATION_MODE_REQUIRED\n}\n");
  return text;
}

// "SIGNATURE_ALGORITHM_RSA_PKCS1_SHA256" to "rsa-pkcs1-sha256".
std::string AlgorithmWord(api::SignatureAlgorithm algorithm) {
  const std::string name = api::SignatureAlgorithm_Name(algorithm);
  return absl::AsciiStrToLower(absl::StrReplaceAll(
      absl::StripPrefix(name, "SIGNATURE_ALGORITHM_"), {{"_", "-"}}));
}

}  // namespace

std::string ConfigText(const LabOptions& options,
                       const Authorities& authorities) {
  return absl::StrCat(
      "# inkan.config.v1.ServerConfig for this lab.\n"
      "# Start the server with:  inkand --config inkand.textproto\n"
      "listener {\n  address: \"",
      options.listen,
      "\"\n  plaintext: \"I understand that filings travel unencrypted\"\n}\n",
      ProfileText(authorities, CertificateKind::kSignature),
      ProfileText(authorities, CertificateKind::kAuthentication),
      "crl_sources { directory: \"crls\" }\n"
      "reflection: true\n");
}

std::string ReadmeText(const LabOptions& options, const LabCounts& counts,
                       const LabClock& clock) {
  std::string text = absl::StrCat(
      kReadmeTitle,
      "\n"
      "===================================\n\n"
      "Nothing here is real: keys come from a seed anyone can read and share\n"
      "primes, people and places are invented. Never trust these anchors.\n\n",
      absl::StrFormat(
          "Made with --citizens %d --municipalities %d --filings %d --seed %d\n"
          "          --now %s\n"
          "The same options give the same bytes.\n\n",
          options.citizens, options.municipalities, options.filings,
          options.seed, Rfc3339Japan(options.now)),
      absl::StrFormat(
          "%d certificates issued in the citizens' lives, %d CRLs with %d "
          "entries,\neach CRL valid from %s\n               to %s.\n"
          "Filings came in from %s to now.\n\n",
          counts.certificates, counts.crls, counts.revoked,
          Rfc3339Japan(clock.this_update), Rfc3339Japan(clock.next_update),
          Rfc3339Japan(clock.season_start)),
      "anchors/          the CAs' self-signed certificates, DER: signca "
      "(filings)\n"
      "                  and authca (log-in), three generations of one name "
      "each\n"
      "crls/             one CRL for each municipality and CA generation, "
      "DER;\n"
      "                  generations whose CA has expired publish none\n"
      "inkand.textproto  configuration of the server\n"
      "corpus.binpb      the filings with their truth: "
      "inkan.lab.v1.CorpusEntry\n"
      "                  messages, each after its length as a varint\n"
      "samples/          one filing of each kind as single files\n\n"
      "Start the server:   inkand --config inkand.textproto\n"
      "Verify everything:  inkan-load --target ",
      options.listen, " --corpus corpus.binpb --mode batch --count ",
      options.filings, "\n\nKinds of filings, each with its true verdict:\n\n");
  const std::vector<uint64_t> counts_of_kinds = CountsOfKinds(options.filings);
  for (const KindFacts& kind : AllKinds()) {
    const std::string verdict =
        kind.indication == api::INDICATION_TOTAL_PASSED
            ? "TOTAL_PASSED"
            : api::SubIndication_Name(kind.sub_indication).substr(15);
    absl::StrAppendFormat(&text, "%7d  %-27s %-34s %s\n",
                          counts_of_kinds[static_cast<size_t>(kind.kind)],
                          kind.name, verdict, kind.what);
  }
  return text;
}

std::string SampleText(const lab::v1::CorpusEntry& entry) {
  const api::Filing& filing = entry.filing();
  std::string anchors;
  for (const char* generation : {"01", "02", "03"}) {
    absl::StrAppend(&anchors, " --anchor ../../anchors/",
                    filing.profile() == "jpki-signature" ? "signca" : "authca",
                    generation, ".cer");
  }
  // What the profile of this name in inkand.textproto asks for.
  const std::string rules = filing.profile() == "jpki-signature"
                                ? absl::StrCat(
                                      "--required-key-usage nonRepudiation "
                                      "--initial-policy ",
                                      kSignaturePolicy)
                                : absl::StrCat(
                                      "--required-key-usage digitalSignature "
                                      "--initial-policy ",
                                      kAuthenticationPolicy);
  const bool passed =
      entry.truth().indication() == api::INDICATION_TOTAL_PASSED;
  return absl::StrCat(
      "kind:       ", entry.truth().kind(), "\nprofile:    ", filing.profile(),
      "\nalgorithm:  ", AlgorithmWord(filing.signature_algorithm()),
      "\nreceived:   ", Rfc3339Japan(filing.verification_time().seconds()),
      "\nverdict:    ",
      api::Indication_Name(entry.truth().indication()).substr(11),
      passed ? "" : " ",
      passed
          ? ""
          : api::SubIndication_Name(entry.truth().sub_indication()).substr(15),
      "\n\nBy hand, from this folder:\n  inkan verify --local --certificate "
      "certificate.cer --signature signature.bin \\\n    ",
      filing.has_document() ? "--document document.xml"
                            : "--digest $(cat digest.hex)",
      " \\\n    --algorithm ", AlgorithmWord(filing.signature_algorithm()),
      " --at ", Rfc3339Japan(filing.verification_time().seconds()), " \\\n   ",
      anchors, " \\\n    ", rules,
      " --require-explicit-policy \\\n    --crl ../../crls --revocation "
      "required\n");
}

}  // namespace inkan::lab
