#include "bench/lab/authority.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bench/lab/check.h"
#include "bench/lab/parallel.h"

namespace inkan::lab {
namespace {

// otherName types of the signature certificate's personal data.
constexpr char kCommonNameOid[] = "1.2.392.200149.8.5.5.1";
constexpr char kSubstituteOfNameOid[] = "1.2.392.200149.8.5.5.2";
constexpr char kSexOid[] = "1.2.392.200149.8.5.5.3";
constexpr char kDateOfBirthOid[] = "1.2.392.200149.8.5.5.4";
constexpr char kAddressOid[] = "1.2.392.200149.8.5.5.5";
constexpr char kSubstituteOfAddressOid[] = "1.2.392.200149.8.5.5.6";

constexpr char kOcspAccessMethod[] = "1.3.6.1.5.5.7.48.1";

struct GenerationFacts {
  uint64_t serial;
  int64_t not_before;
  int64_t not_after;
};

// The dates and serials of the real roots.
GenerationFacts FactsOf(CertificateKind kind, unsigned generation) {
  const bool sign = kind == CertificateKind::kSignature;
  switch (generation) {
    case 1:
      return {1,
              sign ? UtcSeconds(2015, 10, 20, 2, 40, 28)
                   : UtcSeconds(2015, 10, 20, 3, 8, 13),
              EndOfDayInJapan({2025, 10, 19})};
    case 2:
      return {sign ? 20'104'363U : 20'169'545U,
              sign ? UtcSeconds(2019, 9, 14, 23, 41, 56)
                   : UtcSeconds(2019, 9, 14, 23, 41, 59),
              EndOfDayInJapan({2029, 9, 14})};
    default:
      return {sign ? 108'816'929U : 114'393'094U,
              sign ? UtcSeconds(2023, 7, 16, 0, 50, 27)
                   : UtcSeconds(2023, 7, 16, 1, 1, 4),
              EndOfDayInJapan({2033, 7, 15})};
  }
}

const char* UnitOf(CertificateKind kind) {
  return kind == CertificateKind::kSignature ? "JPKI for digital signature"
                                             : "JPKI for user authentication";
}

Name AuthorityName(CertificateKind kind) {
  return {{"C", "JP"},
          {"O", "JPKI"},
          {"OU", UnitOf(kind)},
          {"OU", "Japan Agency for Local Authority Information Systems"}};
}

// The CA's name in Japanese, which both its own certificate and those it issues
// carry as an alternative name.
std::string JapaneseName(CertificateKind kind) {
  return DirectoryName({{"C", "JP"},
                        {"O", "公的個人認証サービス"},
                        {"OU", kind == CertificateKind::kSignature
                                   ? "公的個人認証サービス署名用"
                                   : "公的個人認証サービス利用者証明用"},
                        {"OU", "地方公共団体情報システム機構"}});
}

Authority MakeAuthority(uint64_t seed, CertificateKind kind,
                        unsigned generation) {
  const GenerationFacts facts = FactsOf(kind, generation);
  const std::string stem = absl::StrFormat(
      "%sca%02d", kind == CertificateKind::kSignature ? "sign" : "auth",
      generation);
  const Name name = AuthorityName(kind);
  const PrivateKey key = PrivateKey::RsaFromSeed(absl::StrCat(seed, "/", stem));
  DistributionPoint own;
  own.full_name = {DirectoryName(name)};
  std::string certificate =
      CertificateBuilder()
          .serial(facts.serial)
          .issuer(name)
          .subject(name)
          .validity(facts.not_before, facts.not_after)
          .public_key(key)
          .add(extension::KeyUsage(kKeyCertSign | kCrlSign))
          .add(extension::SubjectAltName({JapaneseName(kind)}))
          .add(extension::BasicConstraints(true))
          .add(extension::CrlDistributionPoints({own}))
          .add(extension::SubjectKeyIdentifier(key.key_identifier()))
          .Sign(key);
  return {kind,
          generation,
          stem,
          name,
          key,
          facts.serial,
          facts.not_before,
          facts.not_after,
          std::move(certificate)};
}

// The digit is the era of the Japanese calendar, the rest the Western date.
std::string EraDate(Date date) {
  const char era = date >= Date{2019, 5, 1}     ? '5'
                   : date >= Date{1989, 1, 8}   ? '4'
                   : date >= Date{1926, 12, 25} ? '3'
                                                : '2';
  return absl::StrFormat("%c%04d%02d%02d", era, date.year, date.month,
                         date.day);
}

// One '0' for each character: none was replaced by a look-alike.
std::string NoSubstitutes(const std::string& utf8) {
  size_t characters = 0;
  for (const char c : utf8) {
    if ((static_cast<uint8_t>(c) & 0xc0U) != 0x80U) ++characters;
  }
  return std::string(characters, '0');
}

Extension PersonalData(const IssuedCertificate& record,
                       const Citizen& citizen) {
  return extension::SubjectAltName(
      {OtherNameUtf8(kCommonNameOid, record.name),
       OtherNameUtf8(kSubstituteOfNameOid, NoSubstitutes(record.name)),
       OtherNameUtf8(kSexOid, citizen.female ? "2" : "1"),
       OtherNameUtf8(kDateOfBirthOid, EraDate(citizen.birth)),
       OtherNameUtf8(kAddressOid, record.address),
       OtherNameUtf8(kSubstituteOfAddressOid, NoSubstitutes(record.address))});
}

Name SubjectName(const IssuedCertificate& record, const Municipality& place) {
  Name name = {{"C", "JP"}};
  if (record.kind == CertificateKind::kSignature) {
    name.Add("L", place.prefecture).Add("L", place.name);
  }
  return name.Add("CN", SubjectCommonName(record));
}

}  // namespace

Authorities::Authorities(uint64_t seed, unsigned threads) {
  std::vector<std::optional<Authority>> made(2 * kGenerations);
  ParallelFor(made.size(), threads, [&](uint64_t i) {
    made[i] = MakeAuthority(seed,
                            i < kGenerations ? CertificateKind::kSignature
                                             : CertificateKind::kAuthentication,
                            static_cast<unsigned>(i % kGenerations) + 1);
  });
  for (std::optional<Authority>& authority : made) {
    all_.push_back(*std::move(authority));
  }
}

const Authority& Authorities::At(CertificateKind kind, int64_t time) const {
  const Authority* latest = nullptr;
  for (const Authority& authority : all_) {
    if (authority.kind == kind && authority.not_before <= time) {
      latest = &authority;
    }
  }
  Require(latest != nullptr, "before the first generation");
  return *latest;
}

Name DistributionPointName(CertificateKind kind, const Municipality& place) {
  return {{"C", "JP"},
          {"O", "JPKI"},
          {"OU", UnitOf(kind)},
          {"OU", "CRL Distribution Points"},
          {"OU", place.prefecture},
          {"CN", absl::StrCat(place.name, " CRLDP")}};
}

std::string SubjectCommonName(const IssuedCertificate& record) {
  return absl::StrFormat("%s%03d%09d",
                         CompactUtc(record.not_before).substr(0, 14),
                         record.serial % 1000, record.serial);
}

CertificateBuilder LeafBuilder(const Authority& ca,
                               const IssuedCertificate& record,
                               const Citizen& citizen,
                               const Municipality& place,
                               const PrivateKey& key) {
  const bool signature = record.kind == CertificateKind::kSignature;
  DistributionPoint point;
  point.full_name = {DirectoryName(DistributionPointName(ca.kind, place))};
  CertificateBuilder builder;
  builder.serial(record.serial)
      .issuer(ca.name)
      .subject(SubjectName(record, place))
      .validity(record.not_before, record.not_after)
      .public_key(key)
      .add(extension::KeyUsage(signature ? kDigitalSignature | kNonRepudiation
                                         : kDigitalSignature))
      .add(extension::CertificatePolicies(
               {signature ? kSignaturePolicy : kAuthenticationPolicy})
               .MakeCritical());
  if (signature) builder.add(PersonalData(record, citizen));
  builder.add(extension::IssuerAltName({JapaneseName(ca.kind)}))
      .add(extension::CrlDistributionPoints({point}))
      .add(extension::AuthorityInfoAccess(
          {{kOcspAccessMethod, UriName("http://ocsp.jpki.invalid")}}))
      .add(extension::AuthorityKeyIdentifier(ca.key.key_identifier(),
                                             {DirectoryName(ca.name)},
                                             SerialContents(ca.serial)))
      .add(extension::SubjectKeyIdentifier(key.key_identifier()));
  return builder;
}

}  // namespace inkan::lab
