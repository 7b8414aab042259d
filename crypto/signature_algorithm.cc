// Reading of AlgorithmIdentifier for signatures.
#include "crypto/der.h"
#include "crypto/signature.h"

namespace inkan {
namespace {

constexpr const char* kField = "signatureAlgorithm";

enum class Parameters : uint8_t { kNullOrAbsent, kAbsent, kPss };

struct Known {
  // The OBJECT IDENTIFIER's contents and their length.
  uint8_t oid[9];
  uint8_t oid_bytes;
  SignatureScheme scheme;
  HashAlgorithm hash;
  Parameters parameters;
};

constexpr Known kKnown[] = {
    // 1.2.840.113549.1.1.N: RFC 8017 appendix A.2.
    {{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11},
     9,
     SignatureScheme::kRsaPkcs1,
     HashAlgorithm::kSha256,
     Parameters::kNullOrAbsent},
    {{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 12},
     9,
     SignatureScheme::kRsaPkcs1,
     HashAlgorithm::kSha384,
     Parameters::kNullOrAbsent},
    {{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 13},
     9,
     SignatureScheme::kRsaPkcs1,
     HashAlgorithm::kSha512,
     Parameters::kNullOrAbsent},
    {{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10},
     9,
     SignatureScheme::kRsaPss,
     HashAlgorithm::kNone,
     Parameters::kPss},
    {{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5},
     9,
     SignatureScheme::kRsaPkcs1,
     HashAlgorithm::kSha1,
     Parameters::kNullOrAbsent},
    {{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 4},
     9,
     SignatureScheme::kRsaPkcs1,
     HashAlgorithm::kMd5,
     Parameters::kNullOrAbsent},
    // 1.2.840.10045.4.3.N and 4.1: RFC 5758 section 3.2, RFC 3279 section
    // 2.2.3.
    {{0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2},
     8,
     SignatureScheme::kEcdsa,
     HashAlgorithm::kSha256,
     Parameters::kAbsent},
    {{0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3},
     8,
     SignatureScheme::kEcdsa,
     HashAlgorithm::kSha384,
     Parameters::kAbsent},
    {{0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4},
     8,
     SignatureScheme::kEcdsa,
     HashAlgorithm::kSha512,
     Parameters::kAbsent},
    {{0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1},
     7,
     SignatureScheme::kEcdsa,
     HashAlgorithm::kSha1,
     Parameters::kAbsent},
};

constexpr uint8_t kMgf1[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 8};
// 2.16.840.1.101.3.4.2.N: NIST's SHA-2. 1.3.14.3.2.26: SHA-1.
constexpr uint8_t kSha2Arc[] = {0x60, 0x86, 0x48, 0x01, 0x65, 3, 4, 2};
constexpr uint8_t kSha1Oid[] = {0x2b, 0x0e, 0x03, 0x02, 0x1a};

bool IsNullOrAbsent(DerReader parameters) {
  if (parameters.empty()) return true;
  Bytes null;
  return parameters.Read(der::kNull, &null) && null.empty() &&
         parameters.empty();
}

// A hash's AlgorithmIdentifier. kNone if it is one we do not know; false if it
// is malformed. RFC 4055 section 2.1: receivers take NULL and absent alike.
bool ReadHash(DerReader& reader, HashAlgorithm* hash) {
  Bytes contents;
  Bytes oid;
  if (!reader.Read(der::kSequence, &contents)) return false;
  DerReader fields(contents);
  if (!fields.ReadOid(&oid)) return false;
  *hash = HashAlgorithm::kNone;
  if (SameBytes(oid, kSha1Oid)) *hash = HashAlgorithm::kSha1;
  if (oid.size() == 9 && SameBytes(oid.first(8), kSha2Arc)) {
    if (oid[8] == 1) *hash = HashAlgorithm::kSha256;
    if (oid[8] == 2) *hash = HashAlgorithm::kSha384;
    if (oid[8] == 3) *hash = HashAlgorithm::kSha512;
  }
  return *hash == HashAlgorithm::kNone || IsNullOrAbsent(fields);
}

// Reads the [n] EXPLICIT field if it is there.
bool ReadExplicit(DerReader& fields, unsigned n, bool* present,
                  DerReader* inner) {
  *present = fields.NextIs(der::ContextConstructed(n));
  Bytes contents;
  if (*present && !fields.Read(der::ContextConstructed(n), &contents)) {
    return false;
  }
  *inner = DerReader(contents);
  return true;
}

bool ReadMgf(DerReader& reader, HashAlgorithm* hash) {
  Bytes contents;
  Bytes oid;
  if (!reader.Read(der::kSequence, &contents)) return false;
  DerReader fields(contents);
  return fields.ReadOid(&oid) && SameBytes(oid, kMgf1) &&
         ReadHash(fields, hash) && fields.empty();
}

// RSASSA-PSS-params, RFC 8017 appendix A.2.3. Each field left out means SHA-1,
// MGF1 with SHA-1, 20 octets, trailer 1. DER leaves out a field that has its
// default, but RFC 4055 section 3.1 tells receivers to take both forms of the
// trailer, and certificates with an explicit SHA-1 exist, so both are read.
Fault ParsePss(DerReader parameters, SignatureAlgorithm* algorithm) {
  Bytes contents;
  if (!parameters.Read(der::kSequence, &contents) || !parameters.empty()) {
    return {kField, "RSASSA-PSS parameters are not one DER SEQUENCE"};
  }
  DerReader fields(contents);
  DerReader inner;
  bool present;
  HashAlgorithm hash = HashAlgorithm::kSha1;
  if (!ReadExplicit(fields, 0, &present, &inner) ||
      (present && (!ReadHash(inner, &hash) || !inner.empty()))) {
    return {kField, "RSASSA-PSS hashAlgorithm is malformed"};
  }
  HashAlgorithm mgf_hash = HashAlgorithm::kSha1;
  if (!ReadExplicit(fields, 1, &present, &inner) ||
      (present && (!ReadMgf(inner, &mgf_hash) || !inner.empty()))) {
    return {kField, "RSASSA-PSS maskGenAlgorithm is not a known MGF1"};
  }
  uint64_t salt_bytes = 20;
  if (!ReadExplicit(fields, 2, &present, &inner) ||
      (present && (!inner.ReadUint64(&salt_bytes) || !inner.empty()))) {
    return {kField, "RSASSA-PSS saltLength is not a DER INTEGER"};
  }
  uint64_t trailer = 1;
  if (!ReadExplicit(fields, 3, &present, &inner) ||
      (present && (!inner.ReadUint64(&trailer) || !inner.empty())) ||
      trailer != 1) {
    return {kField, "RSASSA-PSS trailerField is not 1"};
  }
  if (!fields.empty()) {
    return {kField, "octets after the RSASSA-PSS parameters"};
  }
  if (mgf_hash != hash) {
    return {kField, "RSASSA-PSS masks with another hash than it signs with"};
  }
  if (salt_bytes > kRsaModulusBitsMax / 8) {
    return {kField, "RSASSA-PSS saltLength is longer than any modulus"};
  }
  if (hash == HashAlgorithm::kNone) return {};  // a hash we do not know
  algorithm->scheme = SignatureScheme::kRsaPss;
  algorithm->hash = hash;
  algorithm->pss_salt_bytes = static_cast<uint16_t>(salt_bytes);
  return {};
}

}  // namespace

Fault ParseSignatureAlgorithm(Bytes algorithm_identifier,
                              SignatureAlgorithm* algorithm) {
  *algorithm = SignatureAlgorithm();
  DerReader outer(algorithm_identifier);
  Bytes contents;
  if (!outer.Read(der::kSequence, &contents) || !outer.empty()) {
    return {kField, "not one DER SEQUENCE"};
  }
  DerReader fields(contents);
  Bytes oid;
  if (!fields.ReadOid(&oid)) {
    return {kField, "does not begin with an OBJECT IDENTIFIER"};
  }
  for (const Known& known : kKnown) {
    if (!SameBytes(oid, Bytes(known.oid, known.oid_bytes))) continue;
    if (known.parameters == Parameters::kPss)
      return ParsePss(fields, algorithm);
    if (known.parameters == Parameters::kAbsent && !fields.empty()) {
      return {kField, "ECDSA has parameters, which must be absent"};
    }
    if (!IsNullOrAbsent(fields)) {
      return {kField, "RSA PKCS#1 parameters are neither NULL nor absent"};
    }
    algorithm->scheme = known.scheme;
    algorithm->hash = known.hash;
    return {};
  }
  return {};
}

Fault CheckAlgorithmStrength(const SignatureAlgorithm& algorithm) {
  if (algorithm.scheme == SignatureScheme::kUnknown) {
    return {kField, "not a signature algorithm that is supported"};
  }
  switch (algorithm.hash) {
    case HashAlgorithm::kSha256:
    case HashAlgorithm::kSha384:
    case HashAlgorithm::kSha512:
      return {};
    case HashAlgorithm::kSha1:
      return {kField, "SHA-1 is too weak"};
    case HashAlgorithm::kMd5:
      return {kField, "MD5 is too weak"};
    case HashAlgorithm::kNone:
      return {kField, "no hash algorithm"};
  }
  return {kField, "no hash algorithm"};
}

}  // namespace inkan
