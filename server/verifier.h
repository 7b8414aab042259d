// Filings in, verdicts out: the whole judgement, in one straight line, for a
// span of filings at a time. No gRPC, no protobuf, no threads, no clock.
//
//   Verifier verifier(&verified_certificates);  // one a worker thread, reused
//   verifier.Verify(filings, absl::MakeSpan(verdicts));
//
// Thread safety: one thread at a time; it keeps scratch memory between calls.
// Ownership: verdicts point into the filings' bytes and into the snapshot; both
// must outlive them. The memory of verified certificates, which all workers
// share, must outlive the verifier; without one every signature is computed.
#ifndef INKAN_SERVER_VERIFIER_H_
#define INKAN_SERVER_VERIFIER_H_

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "cache/revocation.h"
#include "cache/snapshot.h"
#include "cache/verified_certificates.h"
#include "crypto/bytes.h"
#include "crypto/certificate.h"
#include "crypto/policy.h"
#include "crypto/signature.h"
#include "crypto/verdict.h"

namespace inkan {

// One filing, as views over the request.
struct FilingView {
  // Null: the profile is not configured; `profile_name` is then used to say so.
  const ProfileSnapshot* profile = nullptr;
  std::string_view profile_name;

  // CheckCertificate: the certificate alone is judged; the four fields after
  // this one are ignored.
  bool certificate_only = false;
  SignatureAlgorithm algorithm;  // kUnknown: not said
  Bytes signature;
  enum class Content : uint8_t {
    kNone,
    kDocument,
    kDigest
  } content = Content::kNone;
  Bytes document_or_digest;

  Bytes certificate;
  absl::Span<const Bytes> intermediates;

  int64_t time = 0;  // T, seconds since 1970
  bool want_checks = false;
};

// One rule that was looked at.
struct CheckRecord {
  CheckId check;
  CheckResult result;
  int certificate_index = -1;  // -1: about the filing
  std::string detail;
};

struct FilingVerdict {
  Outcome outcome = Outcome::kGeneric;
  // For people; empty if passed.
  std::string diagnostic;
  // 0 the signer's, then upwards; -1: none at fault.
  int certificate_index = -1;

  // Facts, if the certificate could be read.
  bool has_certificate = false;
  Certificate certificate;
  std::array<uint8_t, 32> fingerprint{};  // SHA-256 over the certificate
  // NameToText of the certificate's issuer, where the snapshot has it ready;
  // else empty.
  std::string_view issuer_text;
  // user-constrained-policy-set (RFC 5280 section 6.1.6): OIDs as DER contents.
  // Contains anyPolicy (2.5.29.32.0) if every policy is valid.
  PolicySet valid_policies;
  // What the certificate says about them (section 6.1.2 (a)).
  QualifierSet policy_qualifiers;

  // Evidence about the certificate at fault, else the signer's.
  bool has_revocation = false;
  RevocationEvidence revocation;

  // Filled if want_checks.
  std::vector<CheckRecord> checks;
};

class Verifier {
 public:
  explicit Verifier(VerifiedCertificates* verified = nullptr);
  ~Verifier();
  Verifier(const Verifier&) = delete;
  Verifier& operator=(const Verifier&) = delete;

  // Judges filings[i] into verdicts[i]. Every filing gets its verdict, whatever
  // its bytes; none affects another.
  // REQUIRES: filings.size() == verdicts.size().
  void Verify(absl::Span<const FilingView> filings,
              absl::Span<FilingVerdict> verdicts);

 private:
  struct Workspace;
  std::unique_ptr<Workspace> workspace_;
};

}  // namespace inkan

#endif  // INKAN_SERVER_VERIFIER_H_
