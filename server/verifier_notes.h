// What a check compared, in words for the clerk who reads the list of checks:
// "keyUsage digitalSignature, nonRepudiation; the profile requires
// nonRepudiation". Written only for callers that want every check.
//
// Pure functions; any thread.
#ifndef INKAN_SERVER_VERIFIER_NOTES_H_
#define INKAN_SERVER_VERIFIER_NOTES_H_

#include <cstdint>
#include <string>

#include "cache/issuer_paths.h"
#include "cache/profile.h"
#include "cache/revocation.h"
#include "crypto/certificate.h"
#include "crypto/policy.h"
#include "crypto/signature.h"
#include "crypto/verdict.h"

namespace inkan {

// "RSA 2048 bits, exponent 65537".
std::string KeyText(const PublicKey& key);
// "RSA PKCS#1 v1.5 with SHA-256".
std::string AlgorithmText(const SignatureAlgorithm& algorithm);
// "digitalSignature, nonRepudiation"; "none" without any.
std::string KeyUsageText(uint16_t usage);

// A rule about `certificate`, a CA's or the signer's. `path` may be null.
std::string CheckNote(CheckId check, const Certificate& certificate,
                      bool is_signer, const Profile& profile,
                      const IssuerPath* path, const PolicySet& valid_policies);

// "notBefore 2024-.. <= T 2026-.. <= notAfter 2029-..".
std::string ValidityNote(const Validity& validity, int64_t time);

// "serial 07: on no CRL that covers it; CRL number 1 of .. to .., T ..".
std::string RevocationNote(const RevocationEvidence& evidence, Bytes serial,
                           int64_t time);

}  // namespace inkan

#endif  // INKAN_SERVER_VERIFIER_NOTES_H_
