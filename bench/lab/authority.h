// The two CAs of the lab, three generations each, and the profile of what they
// issue.
//
//   Authorities authorities(seed, /*threads=*/2);
//   const Authority& ca = authorities.At(CertificateKind::kSignature, time);
//   std::string der = LeafBuilder(ca, record, citizen, place,
//   key).Sign(ca.key);
//
// Generations of one CA share its name and differ in key, serial and dates, so
// that only the key identifier tells them apart. Immutable once made; any
// thread.
#ifndef INKAN_BENCH_LAB_AUTHORITY_H_
#define INKAN_BENCH_LAB_AUTHORITY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "bench/lab/certificate_builder.h"
#include "bench/lab/keys.h"
#include "bench/lab/name.h"
#include "bench/lab/population.h"

namespace inkan::lab {

inline constexpr char kSignaturePolicy[] = "1.2.392.200149.8.5.1.1.20";
inline constexpr char kAuthenticationPolicy[] = "1.2.392.200149.8.5.1.3.30";

inline constexpr unsigned kGenerations = 3;

struct Authority {
  CertificateKind kind;
  unsigned generation;    // 1 to kGenerations
  std::string file_stem;  // "signca01"
  Name name;
  PrivateKey key;
  uint64_t serial;
  int64_t not_before;
  int64_t not_after;
  std::string certificate;  // DER, self-signed
};

class Authorities {
 public:
  Authorities(uint64_t seed, unsigned threads);

  const std::vector<Authority>& all() const { return all_; }
  // The generation that issues at a time.
  const Authority& At(CertificateKind kind, int64_t time) const;

 private:
  std::vector<Authority> all_;
};

// The distribution point that a CA keeps for a municipality.
Name DistributionPointName(CertificateKind kind, const Municipality& place);

// The subject's CN: time of issue to the millisecond, then a sequence number.
std::string SubjectCommonName(const IssuedCertificate& record);

// The certificate of `record` by the profile of its kind, ready to sign. A test
// or a defect changes it before signing.
CertificateBuilder LeafBuilder(const Authority& ca,
                               const IssuedCertificate& record,
                               const Citizen& citizen,
                               const Municipality& place,
                               const PrivateKey& key);

}  // namespace inkan::lab

#endif  // INKAN_BENCH_LAB_AUTHORITY_H_
