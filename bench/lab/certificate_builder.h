// Builds X.509 certificates (RFC 5280 section 4), right ones and wrong ones.
//
//   PrivateKey ca = PrivateKey::RsaFromSeed("ca");
//   std::string der = CertificateBuilder()
//       .serial(17)
//       .issuer({{"C", "JP"}, {"O", "JPKI"}})
//       .subject({{"C", "JP"}, {"CN", "20260315"}})
//       .validity(UtcSeconds(2024, 1, 1), UtcSeconds(2029, 1, 1))
//       .public_key(leaf)
//       .issued_by(ca)                       // authorityKeyIdentifier
//       .add(extension::KeyUsage(kDigitalSignature))
//       .Sign(ca);
//
// Every part has a default, so a test writes down only what it is about. The
// order of extensions is the order of add(). One thread per object.
#ifndef INKAN_BENCH_LAB_CERTIFICATE_BUILDER_H_
#define INKAN_BENCH_LAB_CERTIFICATE_BUILDER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/lab/calendar.h"
#include "bench/lab/extensions.h"
#include "bench/lab/keys.h"
#include "bench/lab/name.h"

namespace inkan::lab {

class CertificateBuilder {
 public:
  // 1, 2 or 3 (default 3); 1 is left out, as DER wants.
  CertificateBuilder& version(unsigned number);
  // Default 1.
  CertificateBuilder& serial(uint64_t number);
  // INTEGER contents as they are: 20 octets, 21, negative, padded, empty.
  CertificateBuilder& serial_contents(std::string_view contents);
  // Default CN=Lab CA and CN=Lab Subject.
  CertificateBuilder& issuer(Name name);
  CertificateBuilder& subject(Name name);
  // Default 2020-01-01 to 2040-01-01. UTCTime and GeneralizedTime by the rule.
  CertificateBuilder& validity(int64_t not_before, int64_t not_after);
  // The whole Validity element, raw.
  CertificateBuilder& validity_der(std::string element);
  CertificateBuilder& public_key(const PrivateKey& key);
  // A whole SubjectPublicKeyInfo element. REQUIRED, one or the other.
  CertificateBuilder& public_key_der(std::string spki);
  CertificateBuilder& issuer_unique_id(std::string_view octets);
  CertificateBuilder& subject_unique_id(std::string_view octets);

  // Appends, even if there is one with this OID already.
  CertificateBuilder& add(Extension extension);
  // Replaces the first with this OID, or appends.
  CertificateBuilder& set(Extension extension);
  CertificateBuilder& remove(std::string_view oid);

  // A CA: basicConstraints, keyUsage keyCertSign + cRLSign, and
  // subjectKeyIdentifier of the public key.
  CertificateBuilder& ca(std::optional<uint64_t> path_length = {});
  // subjectKeyIdentifier of `key`; authorityKeyIdentifier of `issuer_key`.
  CertificateBuilder& key_identifier_of(const PrivateKey& key);
  CertificateBuilder& issued_by(const PrivateKey& issuer_key);

  // Overrides of the two AlgorithmIdentifier elements, for when they disagree.
  CertificateBuilder& inner_algorithm_der(std::string element);
  CertificateBuilder& outer_algorithm_der(std::string element);

  // The signed certificate, DER.
  std::string Sign(const PrivateKey& issuer_key) const;
  std::string Sign(const PrivateKey& issuer_key,
                   SigningAlgorithm algorithm) const;
  std::string Tbs(SigningAlgorithm algorithm) const;

 private:
  std::string Assemble(SigningAlgorithm algorithm, std::string_view tbs,
                       std::string_view signature) const;

  unsigned version_ = 3;
  std::string serial_ = "\x01";
  Name issuer_ = {{"CN", "Lab CA"}};
  Name subject_ = {{"CN", "Lab Subject"}};
  int64_t not_before_ = UtcSeconds(2020, 1, 1);
  int64_t not_after_ = UtcSeconds(2040, 1, 1);
  std::string validity_der_;
  std::string spki_;
  std::string key_identifier_;
  std::optional<std::string> issuer_unique_id_;
  std::optional<std::string> subject_unique_id_;
  std::vector<Extension> extensions_;
  std::string inner_algorithm_;
  std::string outer_algorithm_;
};

// A self-signed CA certificate: name, key, validity, and what ca() adds.
std::string SelfSignedCa(const Name& name, const PrivateKey& key,
                         int64_t not_before = UtcSeconds(2020, 1, 1),
                         int64_t not_after = UtcSeconds(2040, 1, 1));

// Shortest INTEGER contents of a non-negative number.
std::string SerialContents(uint64_t number);

}  // namespace inkan::lab

#endif  // INKAN_BENCH_LAB_CERTIFICATE_BUILDER_H_
