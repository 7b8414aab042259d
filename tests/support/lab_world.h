// A small PKI for tests: keys by name, made once, and the usual
// certificates and CRLs of a CA.
#ifndef INKAN_TESTS_SUPPORT_LAB_WORLD_H_
#define INKAN_TESTS_SUPPORT_LAB_WORLD_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "bench/lab/certificate_builder.h"
#include "bench/lab/crl_builder.h"
#include "cache/crl_data.h"
#include "cache/profile.h"
#include "crypto/certificate.h"
#include "gtest/gtest.h"

namespace inkan::testing_world {

inline const lab::PrivateKey& KeyOf(const std::string& name) {
  static auto* const keys = new std::map<std::string, lab::PrivateKey>;
  const auto found = keys->find(name);
  if (found != keys->end()) return found->second;
  return keys->emplace(name, lab::PrivateKey::RsaFromSeed(name)).first->second;
}

inline lab::Name CaName() { return {{"C", "JP"}, {"O", "Lab CA"}}; }

// A self-signed CA of this name with the key `key`.
inline std::string CaDer(const std::string& key,
                         const lab::Name& name = CaName()) {
  return lab::SelfSignedCa(name, KeyOf(key));
}

// A user certificate of CaName(), signed with `ca_key`, one distribution point
// unless `point` is empty.
inline lab::CertificateBuilder LeafBuilder(uint64_t serial,
                                           const std::string& ca_key,
                                           const std::string& point) {
  lab::CertificateBuilder builder;
  builder.serial(serial)
      .issuer(CaName())
      .subject({{"CN", "leaf"}})
      .public_key(KeyOf("leaf"))
      .issued_by(KeyOf(ca_key))
      .add(lab::extension::KeyUsage(lab::kDigitalSignature |
                                    lab::kNonRepudiation));
  if (!point.empty()) {
    lab::DistributionPoint where;
    where.full_name = {lab::DirectoryName({{"CN", point}})};
    builder.add(lab::extension::CrlDistributionPoints({where}));
  }
  return builder;
}

// A CRL of CaName() for one distribution point, or for all.
inline lab::CrlBuilder CrlFor(const std::string& point, uint64_t number = 1) {
  lab::CrlBuilder builder;
  builder.issuer(CaName()).add(lab::extension::CrlNumber(number));
  if (!point.empty()) {
    lab::IssuingDistributionPointFields where;
    where.full_name = {lab::DirectoryName({{"CN", point}})};
    builder.add(lab::extension::IssuingDistributionPoint(where));
  }
  return builder;
}

inline lab::CrlEntry Revoked(
    uint64_t serial, int64_t at,
    std::optional<lab::Reason> reason = lab::Reason::kKeyCompromise) {
  lab::CrlEntry entry;
  entry.serial = lab::SerialContents(serial);
  entry.revoked_at = at;
  entry.reason = reason;
  return entry;
}

// A delta of Kyoto's CRL that lists serial 7.
inline std::string DeltaDer(uint64_t number, uint64_t base) {
  return CrlFor("Kyoto", number)
      .this_update(lab::UtcSeconds(2024, 1, 2))
      .next_update(lab::UtcSeconds(2040, 1, 1))
      .add(lab::extension::DeltaCrlIndicator(base))
      .revoke(Revoked(7, lab::UtcSeconds(2023, 1, 1)))
      .Sign(KeyOf("ca"));
}

inline std::shared_ptr<const CrlData> Read(const std::string& der,
                                           const std::string& source = "crl") {
  auto crl = ReadCrl(AsBytes(der), source);
  EXPECT_TRUE(crl.ok()) << crl.status();
  return crl.ok() ? *crl : nullptr;
}

// A certificate with the bytes it points into.
struct OwnedLeaf {
  explicit OwnedLeaf(std::string der_in) : der(std::move(der_in)) {
    const Fault fault = ParseCertificate(AsBytes(der), &view);
    EXPECT_TRUE(fault.ok()) << fault.field << ": " << fault.problem;
  }
  OwnedLeaf(const OwnedLeaf&) = delete;
  OwnedLeaf& operator=(const OwnedLeaf&) = delete;

  std::string der;
  Certificate view;
};

}  // namespace inkan::testing_world

#endif  // INKAN_TESTS_SUPPORT_LAB_WORLD_H_
