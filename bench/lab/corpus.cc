#include "bench/lab/corpus.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bench/lab/check.h"
#include "bench/lab/document.h"
#include "bench/lab/parallel.h"
#include "bench/lab/random.h"
#include "inkan/lab/v1/corpus.pb.h"

namespace inkan::lab {
namespace {

// A private arc under the UUID tree (ITU-T X.667), so that no one knows it.
constexpr char kUnknownExtensionOid[] = "2.25.48879";
constexpr unsigned kWeakModulusBits = 1024;

struct Credential {
  PrivateKey key;
  PrivateKey another_key;
  std::string certificate;
  std::string common_name;
};

// How a kind is signed, and what the filing says about it.
struct Signing {
  SigningAlgorithm done = SigningAlgorithm::kRsaPkcs1Sha256;
  api::SignatureAlgorithm said = api::SIGNATURE_ALGORITHM_RSA_PKCS1_SHA256;
};

Signing SigningOf(FilingKind kind) {
  switch (kind) {
    case FilingKind::kGoodSha384:
      return {SigningAlgorithm::kRsaPkcs1Sha384,
              api::SIGNATURE_ALGORITHM_RSA_PKCS1_SHA384};
    case FilingKind::kGoodSha512:
      return {SigningAlgorithm::kRsaPkcs1Sha512,
              api::SIGNATURE_ALGORITHM_RSA_PKCS1_SHA512};
    case FilingKind::kGoodPss:
      return {SigningAlgorithm::kRsaPssSha256,
              api::SIGNATURE_ALGORITHM_RSA_PSS_SHA256};
    case FilingKind::kWrongAlgorithm:
      return {SigningAlgorithm::kRsaPkcs1Sha256,
              api::SIGNATURE_ALGORITHM_RSA_PKCS1_SHA512};
    case FilingKind::kSha1Signature:
      return {SigningAlgorithm::kRsaPkcs1Sha1,
              api::SIGNATURE_ALGORITHM_RSA_PKCS1_SHA1};
    default:
      return {};
  }
}

void FlipBit(std::string* bytes, uint64_t bit) {
  char& octet = (*bytes)[bit / 8];
  octet = static_cast<char>(static_cast<uint8_t>(octet) ^ (1U << (bit % 8)));
}

// Changes one digit of the subject's CN: the certificate still parses, and its
// issuer's signature no longer fits.
void AlterSubject(const std::string& common_name, DeterministicRandom* random,
                  std::string* certificate) {
  const size_t at = certificate->find(common_name);
  Require(at != std::string::npos, "the subject is not in the certificate");
  // The lowest bit turns every digit into another digit.
  FlipBit(certificate, (at + random->Below(common_name.size())) * 8);
}

class CorpusMaker {
 public:
  CorpusMaker(const CorpusOptions& options, const PrimePool& keys)
      : options_(options),
        keys_(keys),
        rogue_key_(
            PrivateKey::RsaFromSeed(absl::StrCat(options.seed, "/rogue"))) {}

  Credential MakeCredential(const IssuedCertificate& record,
                            uint64_t key_index) const;
  std::string MakeEntry(const PlannedFiling& planned, uint64_t index,
                        const Credential& credential) const;

 private:
  // Who signs this certificate, in truth or in fraud.
  Authority IssuerOf(const IssuedCertificate& record) const;

  const CorpusOptions& options_;
  const PrimePool& keys_;
  const PrivateKey rogue_key_;
};

Authority CorpusMaker::IssuerOf(const IssuedCertificate& record) const {
  const CertificateKind kind =
      record.variant == Variant::kMisissuedAuthentication
          ? CertificateKind::kSignature
          : record.kind;
  Authority issuer = options_.authorities->At(kind, record.not_before);
  if (record.variant == Variant::kUnknownIssuer) {
    issuer.name = {{"C", "JP"}, {"O", "Unregistered Certification Company"}};
    issuer.key = rogue_key_;
  } else if (record.variant == Variant::kWrongCaKey) {
    issuer.key = rogue_key_;
  }
  return issuer;
}

Credential CorpusMaker::MakeCredential(const IssuedCertificate& record,
                                       uint64_t key_index) const {
  const PrivateKey key =
      record.variant == Variant::kWeakKey
          ? PrivateKey::RsaFromSeed(
                absl::StrCat(options_.seed, "/weak/", record.serial),
                kWeakModulusBits)
          : keys_.Key(key_index);
  const Authority issuer = IssuerOf(record);
  CertificateBuilder builder =
      LeafBuilder(issuer, record, options_.population->citizens[record.citizen],
                  (*options_.places)[record.municipality], key);
  if (record.variant == Variant::kUnknownCriticalExtension) {
    builder.add({kUnknownExtensionOid, true, std::string("\x05\x00", 2)});
  }
  return {key, keys_.Key((key_index + 1) % keys_.keys()),
          builder.Sign(issuer.key), SubjectCommonName(record)};
}

std::string CorpusMaker::MakeEntry(const PlannedFiling& planned, uint64_t index,
                                   const Credential& credential) const {
  const FilingKind kind = planned.kind;
  const KindFacts& facts = FactsOf(kind);
  const Signing signing = SigningOf(kind);
  DeterministicRandom random(options_.seed, "filing", index);
  const bool log_in = kind == FilingKind::kGoodAuthentication;
  std::string document =
      log_in ? random.Octets(32)
             : MakeTaxReturn(credential.common_name, planned.time, &random);
  const PrivateKey& signer = kind == FilingKind::kSignatureOfAnotherKey
                                 ? credential.another_key
                                 : credential.key;
  std::string signature = signer.Sign(signing.done, document);
  std::string certificate = credential.certificate;
  switch (kind) {
    case FilingKind::kDocumentAltered:
      FlipBit(&document, random.Below(document.size() * 8));
      break;
    case FilingKind::kSignatureAltered:
      FlipBit(&signature, random.Below(signature.size() * 8));
      break;
    case FilingKind::kCertificateAltered:
      AlterSubject(credential.common_name, &random, &certificate);
      break;
    case FilingKind::kTrailingBytes:
      certificate += random.Octets(1 + random.Below(16));
      break;
    case FilingKind::kTruncatedCertificate:
      certificate.resize(1 + random.Below(certificate.size() - 1));
      break;
    default:
      break;
  }

  lab::v1::CorpusEntry entry;
  api::Filing* filing = entry.mutable_filing();
  filing->set_filing_id(absl::StrFormat("filing-%08d", index));
  filing->set_profile(log_in ? "jpki-authentication" : "jpki-signature");
  if (kind == FilingKind::kGoodDigest) {
    filing->set_digest(DigestFor(signing.done, document));
  } else {
    filing->set_document(std::move(document));
  }
  filing->set_signature_algorithm(signing.said);
  filing->set_signature(std::move(signature));
  filing->set_certificate(std::move(certificate));
  filing->mutable_verification_time()->set_seconds(planned.time);
  entry.mutable_truth()->set_kind(facts.name);
  entry.mutable_truth()->set_indication(facts.indication);
  entry.mutable_truth()->set_sub_indication(facts.sub_indication);
  return entry.SerializeAsString();
}

// Filing numbers by certificate, in the order of certificates.
std::vector<std::pair<size_t, std::vector<uint64_t>>> GroupByCertificate(
    const std::vector<PlannedFiling>& plan) {
  std::map<size_t, std::vector<uint64_t>> groups;
  for (uint64_t i = 0; i < plan.size(); ++i) {
    groups[plan[i].certificate].push_back(i);
  }
  return {groups.begin(), groups.end()};
}

}  // namespace

uint64_t KeysNeeded(const std::vector<PlannedFiling>& plan) {
  // Two at least, so that everyone has another's key to sign with.
  return std::max<uint64_t>(2, GroupByCertificate(plan).size());
}

std::vector<std::string> MakeCorpus(const CorpusOptions& options,
                                    const std::vector<PlannedFiling>& plan,
                                    const PrimePool& keys,
                                    const std::function<void()>& on_filing) {
  const CorpusMaker maker(options, keys);
  const auto groups = GroupByCertificate(plan);
  std::vector<std::string> entries(plan.size());
  ParallelFor(groups.size(), options.threads, [&](uint64_t g) {
    const auto& [certificate, filings] = groups[g];
    const Credential credential =
        maker.MakeCredential(options.population->certificates[certificate], g);
    for (const uint64_t i : filings) {
      entries[i] = maker.MakeEntry(plan[i], i, credential);
      on_filing();
    }
  });
  return entries;
}

}  // namespace inkan::lab
