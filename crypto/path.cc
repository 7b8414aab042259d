#include "crypto/path.h"

#include <algorithm>

#include "crypto/der.h"
#include "crypto/signature.h"

namespace inkan {
namespace {

constexpr Fault kNoFault;

// Reports each check once and keeps the worst fault.
class Checklist {
 public:
  Checklist(int certificate, PathState::Observer observe, void* context)
      : certificate_(certificate), observe_(observe), context_(context) {}

  void Report(CheckId check, Outcome if_failed, const Fault& fault) {
    PathFault result;
    result.check = check;
    result.certificate = certificate_;
    if (!fault.ok()) {
      result.outcome = if_failed;
      result.fault = fault;
    }
    if (observe_ != nullptr) observe_(context_, check, result);
    if (result.outcome < worst_.outcome) worst_ = result;
  }

  const PathFault& worst() const { return worst_; }

 private:
  int certificate_;
  PathState::Observer observe_;
  void* context_;
  PathFault worst_;
};

Fault CheckStrength(const Certificate& certificate, size_t modulus_bits_min) {
  if (Fault fault = CheckKeyStrength(certificate.key, modulus_bits_min);
      !fault.ok()) {
    return fault;
  }
  return CheckAlgorithmStrength(certificate.signature_algorithm);
}

Fault CheckKeyUsage(const Certificate& leaf, const LeafRules& rules) {
  if (!leaf.has_key_usage) {
    // Without the extension a key may be used for anything, a forbidden use
    // among it; but nobody has said that it is for the required one.
    if (rules.forbidden_key_usage != 0) {
      return {"keyUsage", "absent, so a use the profile forbids is allowed"};
    }
    if (rules.required_key_usage != 0) {
      return {"keyUsage", "absent, but the profile requires a use"};
    }
    return kNoFault;
  }
  if ((leaf.key_usage & rules.required_key_usage) != rules.required_key_usage) {
    return {"keyUsage", "lacks a use the profile requires"};
  }
  if ((leaf.key_usage & rules.forbidden_key_usage) != 0) {
    return {"keyUsage", "has a use the profile forbids"};
  }
  return kNoFault;
}

bool AllowsAnyPurpose(const Certificate& certificate) {
  constexpr uint8_t kAnyPurpose[] = {0x55, 0x1d, 0x25, 0x00};  // 2.5.29.37.0
  DerReader usages(certificate.extended_key_usage);
  Bytes usage;
  while (usages.ReadOid(&usage)) {
    if (SameBytes(usage, kAnyPurpose)) return true;
  }
  return false;
}

Fault CheckExtendedKeyUsage(const Certificate& leaf, const LeafRules& rules) {
  for (const std::string& required : rules.required_extended_key_usage) {
    DerReader usages(leaf.extended_key_usage);
    Bytes usage;
    bool found = false;
    while (usages.ReadOid(&usage)) {
      found |= SameBytes(usage, AsBytes(required));
    }
    if (!found) {
      return {"extKeyUsage", "lacks a purpose the profile requires"};
    }
  }
  // A critical list of purposes nobody asked about restricts the key to uses we
  // cannot tell apart from ours.
  if (rules.required_extended_key_usage.empty() &&
      leaf.extended_key_usage_critical && !AllowsAnyPurpose(leaf)) {
    return {"extKeyUsage", "critical, and the profile names no purpose"};
  }
  return kNoFault;
}

Fault CheckCriticalExtensions(const Certificate& certificate) {
  if (certificate.unknown_critical_extension.empty()) return kNoFault;
  return {"extensions",
          "an unknown extension, or policy qualifier, is critical"};
}

void CheckAlone(const Certificate& leaf, const LeafRules& rules,
                size_t modulus_bits_min, Checklist* checks) {
  checks->Report(CheckId::kAlgorithmStrength,
                 Outcome::kCryptoConstraintsFailure,
                 CheckStrength(leaf, modulus_bits_min));
  checks->Report(CheckId::kKeyUsage, Outcome::kChainConstraintsFailure,
                 CheckKeyUsage(leaf, rules));
  checks->Report(CheckId::kExtendedKeyUsage, Outcome::kChainConstraintsFailure,
                 CheckExtendedKeyUsage(leaf, rules));
  checks->Report(CheckId::kCriticalExtensions,
                 Outcome::kChainConstraintsFailure,
                 CheckCriticalExtensions(leaf));
}

}  // namespace

PathState PathState::FromAnchor(const Certificate& anchor,
                                const PathRules& rules) {
  PathState state;
  state.rsa_modulus_bits_min_ = rules.rsa_modulus_bits_min;
  state.chain_.push_back(&anchor);
  state.window_ = anchor.validity;
  state.policies_ =
      PolicyState(rules.initial_policies, rules.require_explicit_policy,
                  rules.inhibit_policy_mapping, rules.inhibit_any_policy);
  // An anchor's own signature proves nothing, so only its key has to be strong.
  if (Fault fault = CheckKeyStrength(anchor.key, rules.rsa_modulus_bits_min);
      !fault.ok()) {
    state.Break(Outcome::kCryptoConstraintsFailure, CheckId::kAlgorithmStrength,
                fault.field, fault.problem);
  }
  state.CheckCaExtensions(anchor);
  if (anchor.path_length >= 0) {
    state.path_length_left_ =
        std::min(state.path_length_left_, anchor.path_length);
  }
  if (Fault fault = state.name_constraints_.Add(anchor); !fault.ok()) {
    state.Break(Outcome::kChainConstraintsFailure, CheckId::kNameConstraints,
                fault.field, fault.problem);
  }
  state.prepared_ = PrepareRsaKey(anchor.key);
  return state;
}

void PathState::Break(Outcome outcome, CheckId check, const char* field,
                      const char* problem) {
  if (outcome >= broken_.outcome) return;
  broken_ = {
      outcome, check, static_cast<int>(chain_.size()) - 1, {field, problem}};
}

void PathState::CheckCaStrength(const Certificate& ca) {
  if (Fault fault = CheckStrength(ca, rsa_modulus_bits_min_); !fault.ok()) {
    Break(Outcome::kCryptoConstraintsFailure, CheckId::kAlgorithmStrength,
          fault.field, fault.problem);
  }
}

// 6.1.4 (k), (n), (o). Version 1 and 2 certificates cannot say that they are a
// CA's, so as intermediates they are not.
void PathState::CheckCaExtensions(const Certificate& ca) {
  const bool is_anchor = chain_.size() == 1;
  const bool old_anchor = is_anchor && ca.version < 3;
  if (!ca.is_ca && !old_anchor) {
    Break(Outcome::kChainConstraintsFailure, CheckId::kBasicConstraints,
          "basicConstraints", "the issuer is not a CA (cA is not TRUE)");
  }
  if (ca.has_key_usage && (ca.key_usage & key_usage::kKeyCertSign) == 0) {
    Break(Outcome::kChainConstraintsFailure, CheckId::kKeyUsage, "keyUsage",
          "a CA certificate lacks keyCertSign");
  }
  // RFC 5280 section 4.2.1.12 expects no extKeyUsage on a CA; where a CA's key
  // is bound to purposes in so many words, signing certificates is none of
  // them.
  if (ca.extended_key_usage_critical && !AllowsAnyPurpose(ca)) {
    Break(Outcome::kChainConstraintsFailure, CheckId::kExtendedKeyUsage,
          "extKeyUsage", "a CA's key is restricted to other purposes");
  }
  if (Fault fault = CheckCriticalExtensions(ca); !fault.ok()) {
    Break(Outcome::kChainConstraintsFailure, CheckId::kCriticalExtensions,
          fault.field, fault.problem);
  }
}

// Whether the working key made the signature on `ca`.
bool PathState::Issued(const Certificate& ca) const {
  std::array<uint8_t, kDigestBytesMax> digest;
  const size_t size = DigestSize(ca.signature_algorithm.hash);
  SignatureJob job;
  if (size != 0) {
    const DigestJob hash = {ca.signature_algorithm.hash, ca.tbs, digest.data()};
    DigestBatch({&hash, 1});
    job.key = &key();
    job.prepared = prepared_.get();
    job.algorithm = ca.signature_algorithm;
    job.digest = Bytes(digest.data(), size);
    job.signature = ca.signature;
    VerifyBatch({&job, 1});
  }
  return job.result == SignatureResult::kValid;
}

// 6.1.4 (l)-(m).
void PathState::TightenCounters(const Certificate& ca) {
  if (!ca.self_issued) {
    if (path_length_left_ <= 0) {
      Break(Outcome::kChainConstraintsFailure, CheckId::kPathLength,
            "pathLenConstraint", "more CA certificates follow than allowed");
    } else {
      --path_length_left_;
    }
  }
  if (ca.path_length >= 0) {
    path_length_left_ = std::min(path_length_left_, ca.path_length);
  }
}

void PathState::Extend(const Certificate& ca) {
  const bool issued = Issued(ca);
  issued_ = issued_ && issued;
  chain_.push_back(&ca);
  window_.not_before = std::max(window_.not_before, ca.validity.not_before);
  window_.not_after = std::min(window_.not_after, ca.validity.not_after);
  CheckCaStrength(ca);
  if (!issued) {
    Break(Outcome::kCertificateChainGeneralFailure,
          CheckId::kCertificateSignature, "signatureValue",
          "does not verify with the issuer's key");
    // Anyone may have written it, so no work is spent on what it says.
    prepared_ = PrepareRsaKey(ca.key);
    return;
  }
  if (!ca.self_issued) {
    if (Fault fault = name_constraints_.Check(ca); !fault.ok()) {
      Break(Outcome::kChainConstraintsFailure, CheckId::kNameConstraints,
            fault.field, fault.problem);
    }
  }
  if (Fault fault = policies_.Extend(ca); !fault.ok()) {
    Break(Outcome::kChainConstraintsFailure, CheckId::kPolicies, fault.field,
          fault.problem);
  }
  if (Fault fault = name_constraints_.Add(ca); !fault.ok()) {
    Break(Outcome::kChainConstraintsFailure, CheckId::kNameConstraints,
          fault.field, fault.problem);
  }
  CheckCaExtensions(ca);
  TightenCounters(ca);
  prepared_ = PrepareRsaKey(ca.key);
}

PathFault PathState::Accept(const Certificate& leaf, const LeafRules& rules,
                            PolicySet* policies, Observer observe,
                            void* context, QualifierSet* qualifiers) const {
  Checklist checks(static_cast<int>(chain_.size()), observe, context);
  CheckAlone(leaf, rules, rsa_modulus_bits_min_, &checks);
  checks.Report(CheckId::kNameConstraints, Outcome::kChainConstraintsFailure,
                name_constraints_.Check(leaf));
  if (!rules.any_policy) {
    checks.Report(CheckId::kPolicies, Outcome::kChainConstraintsFailure,
                  policies_.Accept(leaf, policies, qualifiers));
  }
  return broken_.outcome <= checks.worst().outcome && !broken_.ok()
             ? broken_
             : checks.worst();
}

PathFault PathState::CheckValidity(int64_t time) const {
  PathFault worst;
  worst.check = CheckId::kValidity;
  if (time >= window_.not_before && time <= window_.not_after) return worst;
  for (size_t i = chain_.size(); i-- > 0;) {
    const Validity& validity = chain_[i]->validity;
    const int certificate = static_cast<int>(i);
    if (time < validity.not_before && worst.outcome > Outcome::kNotYetValid) {
      worst = {Outcome::kNotYetValid,
               CheckId::kValidity,
               certificate,
               {"notBefore", "a CA certificate is not valid yet"}};
    } else if (time > validity.not_after && worst.outcome > Outcome::kExpired) {
      worst = {Outcome::kExpired,
               CheckId::kValidity,
               certificate,
               {"notAfter", "a CA certificate has expired"}};
    }
  }
  return worst;
}

PathFault CheckLeafAlone(const Certificate& leaf, const LeafRules& rules,
                         size_t rsa_modulus_bits_min,
                         PathState::Observer observe, void* context) {
  Checklist checks(0, observe, context);
  CheckAlone(leaf, rules, rsa_modulus_bits_min, &checks);
  return checks.worst();
}

}  // namespace inkan
