#include "server/verifier_notes.h"

#include <string_view>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "cache/crl_data.h"
#include "crypto/der.h"
#include "crypto/digest.h"
#include "crypto/general_name.h"
#include "crypto/name.h"
#include "crypto/oid.h"
#include "server/verifier_finding.h"

namespace inkan {
namespace {

// Items of one list that are written out; lists in certificates are as long as
// their authors like.
constexpr size_t kItemsMax = 16;

class List {
 public:
  void Add(std::string_view item) {
    if (++count_ > kItemsMax) return;
    absl::StrAppend(&text_, text_.empty() ? "" : ", ", std::string(item));
  }

  std::string Text(const char* if_empty) const {
    if (count_ == 0) return if_empty;
    if (count_ <= kItemsMax) return text_;
    return absl::StrCat(text_, " and ", count_ - kItemsMax, " more");
  }

 private:
  std::string text_;
  size_t count_ = 0;
};

std::string Hex(Bytes bytes) {
  return absl::BytesToHexString(absl::string_view(
      reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

const char* HashText(HashAlgorithm hash) {
  switch (hash) {
    case HashAlgorithm::kSha256:
      return "SHA-256";
    case HashAlgorithm::kSha384:
      return "SHA-384";
    case HashAlgorithm::kSha512:
      return "SHA-512";
    case HashAlgorithm::kSha1:
      return "SHA-1";
    case HashAlgorithm::kMd5:
      return "MD5";
    default:
      return "an unknown hash";
  }
}

std::string KeyUsageNote(const Certificate& certificate, bool is_signer,
                         const Profile& profile) {
  std::string note =
      absl::StrCat("keyUsage ", certificate.has_key_usage
                                    ? KeyUsageText(certificate.key_usage)
                                    : std::string("absent"));
  if (!is_signer) return note + "; a CA's must have keyCertSign";
  if (profile.required_key_usage != 0) {
    absl::StrAppend(&note, "; the profile requires ",
                    KeyUsageText(profile.required_key_usage));
  }
  if (profile.forbidden_key_usage != 0) {
    absl::StrAppend(&note, "; it forbids ",
                    KeyUsageText(profile.forbidden_key_usage));
  }
  return note;
}

std::string ExtendedKeyUsageNote(const Certificate& certificate, bool is_signer,
                                 const Profile& profile) {
  List has;
  DerReader usages(certificate.extended_key_usage);
  Bytes usage;
  while (usages.ReadOid(&usage)) has.Add(OidDisplay(usage));
  std::string note = absl::StrCat(
      "extKeyUsage ", has.Text("absent"),
      certificate.extended_key_usage_critical ? " (critical)" : "");
  if (!is_signer || profile.required_extended_key_usage.empty()) return note;
  List required;
  for (const std::string& one : profile.required_extended_key_usage) {
    required.Add(OidDisplay(AsBytes(one)));
  }
  return absl::StrCat(note, "; the profile requires ", required.Text(""));
}

std::string PoliciesNote(const Certificate& certificate, bool is_signer,
                         const Profile& profile, const PolicySet& valid) {
  List lists;
  DerReader policies(certificate.policies);
  Bytes information;
  while (policies.Read(der::kSequence, &information)) {
    DerReader reader(information);
    Bytes oid;
    if (reader.ReadOid(&oid)) lists.Add(OidDisplay(oid));
  }
  std::string note = absl::StrCat("certificatePolicies ", lists.Text("absent"));
  List accepted;
  for (const std::string& one : profile.initial_policies) {
    accepted.Add(OidDisplay(AsBytes(one)));
  }
  absl::StrAppend(&note, "; the profile accepts ", accepted.Text("any"),
                  profile.require_explicit_policy ? " and requires one" : "");
  if (!is_signer) return note;
  List outcome;
  for (const Bytes policy : valid) outcome.Add(OidDisplay(policy));
  return absl::StrCat(note, "; valid on this path: ", outcome.Text("none"));
}

std::string NamesNote(const Certificate& certificate, const IssuerPath* path) {
  bool constrained = false;
  if (path != nullptr) {
    for (const Certificate* ca : path->state.chain()) {
      constrained |=
          !ca->permitted_subtrees.empty() || !ca->excluded_subtrees.empty();
    }
  }
  if (!constrained) return "no CA of the path constrains names";
  List names;
  names.Add(NameToText(certificate.subject));
  DerReader reader(certificate.subject_alt_names);
  GeneralName name;
  while (!reader.empty() && ReadGeneralName(&reader, &name)) {
    names.Add(GeneralNameToText(name));
  }
  return absl::StrCat("names compared with the path's subtrees: ",
                      names.Text(""));
}

std::string BasicConstraintsNote(const Certificate& ca) {
  return absl::StrCat(
      ca.has_basic_constraints ? (ca.is_ca ? "basicConstraints cA TRUE"
                                           : "basicConstraints cA FALSE")
                               : "basicConstraints absent",
      ca.path_length >= 0 ? absl::StrCat(", pathLenConstraint ", ca.path_length)
                          : "");
}

}  // namespace

std::string KeyText(const PublicKey& key) {
  switch (key.kind) {
    case KeyKind::kRsa:
      return absl::StrCat("RSA ", key.rsa_modulus_bits, " bits, exponent ",
                          key.rsa_exponent);
    case KeyKind::kEcP256:
      return "EC P-256";
    case KeyKind::kEcP384:
      return "EC P-384";
    case KeyKind::kUnsupported:
      break;
  }
  return "a key of an unsupported kind";
}

std::string AlgorithmText(const SignatureAlgorithm& algorithm) {
  const char* scheme = "an unsupported scheme";
  switch (algorithm.scheme) {
    case SignatureScheme::kRsaPkcs1:
      scheme = "RSA PKCS#1 v1.5";
      break;
    case SignatureScheme::kRsaPss:
      scheme = "RSA PSS";
      break;
    case SignatureScheme::kEcdsa:
      scheme = "ECDSA";
      break;
    case SignatureScheme::kUnknown:
      return scheme;
  }
  return absl::StrCat(scheme, " with ", HashText(algorithm.hash));
}

std::string KeyUsageText(uint16_t usage) {
  // RFC 5280 section 4.2.1.3, bit 0 first.
  constexpr const char* kNames[] = {
      "digitalSignature", "nonRepudiation", "keyEncipherment",
      "dataEncipherment", "keyAgreement",   "keyCertSign",
      "cRLSign",          "encipherOnly",   "decipherOnly"};
  List names;
  for (size_t bit = 0; bit < std::size(kNames); ++bit) {
    if ((usage >> bit & 1U) != 0) names.Add(kNames[bit]);
  }
  return names.Text("none");
}

std::string CheckNote(CheckId check, const Certificate& certificate,
                      bool is_signer, const Profile& profile,
                      const IssuerPath* path, const PolicySet& valid_policies) {
  switch (check) {
    case CheckId::kAlgorithmStrength:
      return absl::StrCat(KeyText(certificate.key), " (RSA: at least ",
                          profile.rsa_modulus_bits_min, " bits); signed with ",
                          AlgorithmText(certificate.signature_algorithm));
    case CheckId::kKeyUsage:
      return KeyUsageNote(certificate, is_signer, profile);
    case CheckId::kExtendedKeyUsage:
      return ExtendedKeyUsageNote(certificate, is_signer, profile);
    case CheckId::kCriticalExtensions:
      return certificate.unknown_critical_extension.empty()
                 ? "every critical extension is processed"
                 : absl::StrCat(
                       "critical and not processed: ",
                       OidDisplay(certificate.unknown_critical_extension));
    case CheckId::kNameConstraints:
      return NamesNote(certificate, path);
    case CheckId::kPolicies:
      return PoliciesNote(certificate, is_signer, profile, valid_policies);
    case CheckId::kBasicConstraints:
    case CheckId::kPathLength:
      return BasicConstraintsNote(certificate);
    default:
      return "";
  }
}

std::string ValidityNote(const Validity& validity, int64_t time) {
  const auto relation = [](int64_t a, int64_t b) {
    return a <= b ? " <= " : " > ";
  };
  return absl::StrCat("notBefore ", TimeText(validity.not_before),
                      relation(validity.not_before, time), "T ", TimeText(time),
                      relation(time, validity.not_after), "notAfter ",
                      TimeText(validity.not_after));
}

namespace {

void AppendCrl(const CrlData& crl, std::string* note) {
  if (!crl.crl_number.empty()) {
    absl::StrAppend(note, "number ", Hex(AsBytes(crl.crl_number)), " ");
  }
  absl::StrAppend(
      note, "of ", TimeText(crl.this_update), " to ",
      crl.has_next_update ? TimeText(crl.next_update) : "no nextUpdate");
}

}  // namespace

std::string RevocationNote(const RevocationEvidence& evidence, Bytes serial,
                           int64_t time) {
  std::string note = absl::StrCat("serial ", Hex(serial), ": ");
  if (evidence.has_entry) {
    absl::StrAppend(&note, "listed since ",
                    TimeText(evidence.entry.EffectiveAt()),
                    evidence.entry.EffectiveAt() <= time ? " <= T " : " > T ",
                    TimeText(time), ", reasonCode ",
                    static_cast<int>(evidence.entry.reason));
  } else {
    absl::StrAppend(&note,
                    evidence.status == RevocationStatus::kGood
                        ? "on no CRL that covers it"
                        : "not decided",
                    " at T ", TimeText(time));
  }
  const CrlData* crl = evidence.crl;
  if (crl == nullptr) return note + "; no CRL";
  const bool by_delta = crl == evidence.delta;
  absl::StrAppend(&note, by_delta ? "; delta CRL " : "; CRL ");
  AppendCrl(*crl, &note);
  absl::StrAppend(&note, " for ", crl->scope_text);
  if (evidence.delta == nullptr) return note;
  absl::StrAppend(&note, by_delta ? "; over CRL " : "; with delta CRL ");
  AppendCrl(by_delta ? *evidence.complete : *evidence.delta, &note);
  return note;
}

}  // namespace inkan
