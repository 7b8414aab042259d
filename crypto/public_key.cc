#include "crypto/public_key.h"

#include <bit>

#include "crypto/der.h"
#include "crypto/ecdsa.h"

namespace inkan {
namespace {

constexpr const char* kField = "subjectPublicKeyInfo";

// 1.2.840.113549.1.1.1 rsaEncryption (RFC 3279 section 2.3.1).
constexpr uint8_t kRsaEncryption[] = {0x2a, 0x86, 0x48, 0x86, 0xf7,
                                      0x0d, 0x01, 0x01, 0x01};
// 1.2.840.10045.2.1 id-ecPublicKey (RFC 5480 section 2.1.1).
constexpr uint8_t kEcPublicKey[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01};
// 1.2.840.10045.3.1.7 secp256r1 and 1.3.132.0.34 secp384r1 (section 2.1.1.1).
constexpr uint8_t kSecp256r1[] = {0x2a, 0x86, 0x48, 0xce,
                                  0x3d, 0x03, 0x01, 0x07};
constexpr uint8_t kSecp384r1[] = {0x2b, 0x81, 0x04, 0x00, 0x22};

constexpr uint8_t kUncompressedPoint = 0x04;

size_t BitLength(Bytes big_endian) {
  return big_endian.empty()
             ? 0
             : big_endian.size() * 8 -
                   static_cast<size_t>(std::countl_zero(big_endian.front()));
}

// Reads an INTEGER that is not negative: its magnitude without leading zeros.
bool ReadMagnitude(DerReader& reader, Bytes* magnitude) {
  Bytes contents;
  if (!reader.ReadInteger(&contents) || (contents[0] & 0x80) != 0) return false;
  if (contents[0] == 0) contents.remove_prefix(1);
  *magnitude = contents;
  return true;
}

Fault ParseRsa(DerReader parameters, PublicKey* key) {
  // RFC 3279 section 2.3.1: the parameters are NULL. RFC 4055 section 1.2
  // repeats it, and no certificate in use leaves them out.
  Bytes null;
  if (!parameters.Read(der::kNull, &null) || !null.empty() ||
      !parameters.empty()) {
    return {kField, "rsaEncryption parameters are not NULL"};
  }
  DerReader outer(key->key_bits);
  Bytes rsa_public_key;
  if (!outer.Read(der::kSequence, &rsa_public_key) || !outer.empty()) {
    return {kField, "RSAPublicKey is not one DER SEQUENCE"};
  }
  DerReader numbers(rsa_public_key);
  Bytes modulus;
  Bytes exponent;
  if (!ReadMagnitude(numbers, &modulus)) {
    return {kField, "RSA modulus is not a positive DER INTEGER"};
  }
  if (!ReadMagnitude(numbers, &exponent)) {
    return {kField, "RSA exponent is not a positive DER INTEGER"};
  }
  if (!numbers.empty()) {
    return {kField, "octets after the numbers of RSAPublicKey"};
  }
  key->kind = KeyKind::kRsa;
  key->rsa_modulus = modulus;
  key->rsa_modulus_bits = BitLength(modulus);
  if (exponent.size() <= sizeof(uint64_t)) {
    for (const uint8_t octet : exponent) {
      key->rsa_exponent = (key->rsa_exponent << 8) | octet;
    }
  }
  return {};
}

Fault ParseEc(DerReader parameters, PublicKey* key) {
  // A curve given in full (specifiedCurve, a SEQUENCE) or inherited (NULL) is
  // forbidden in certificates by RFC 5480 section 2.1.1 and so merely a kind of
  // key that we do not know.
  Bytes curve;
  if (!parameters.ReadOid(&curve) || !parameters.empty()) return {};
  size_t coordinate_bytes = 0;
  if (SameBytes(curve, kSecp256r1)) {
    key->kind = KeyKind::kEcP256;
    coordinate_bytes = 32;
  } else if (SameBytes(curve, kSecp384r1)) {
    key->kind = KeyKind::kEcP384;
    coordinate_bytes = 48;
  } else {
    return {};
  }
  if (key->key_bits.empty() || key->key_bits[0] != kUncompressedPoint) {
    return {kField, "EC point is not uncompressed"};
  }
  if (key->key_bits.size() != 1 + 2 * coordinate_bytes) {
    return {kField, "EC point is not of the curve's size"};
  }
  return {};
}

}  // namespace

Fault ParsePublicKey(Bytes spki, PublicKey* key) {
  *key = PublicKey();
  key->spki = spki;
  DerReader outer(spki);
  Bytes contents;
  if (!outer.Read(der::kSequence, &contents) || !outer.empty()) {
    return {kField, "not one DER SEQUENCE"};
  }
  DerReader fields(contents);
  Bytes algorithm_contents;
  if (!fields.Read(der::kSequence, &algorithm_contents)) {
    return {kField, "algorithm is not a DER SEQUENCE"};
  }
  if (!fields.ReadOctetAlignedBitString(&key->key_bits) || !fields.empty()) {
    return {kField, "subjectPublicKey is not one DER BIT STRING of octets"};
  }
  DerReader algorithm(algorithm_contents);
  Bytes oid;
  if (!algorithm.ReadOid(&oid)) {
    return {kField, "algorithm does not begin with an OBJECT IDENTIFIER"};
  }
  if (SameBytes(oid, kRsaEncryption)) return ParseRsa(algorithm, key);
  if (SameBytes(oid, kEcPublicKey)) return ParseEc(algorithm, key);
  return {};
}

Fault CheckKeyStrength(const PublicKey& key, size_t rsa_modulus_bits_min) {
  switch (key.kind) {
    case KeyKind::kUnsupported:
      return {kField, "kind of key is not supported"};
    case KeyKind::kEcP256:
    case KeyKind::kEcP384:
      if (!IsPointOnCurve(key)) return {kField, "EC point is not on its curve"};
      return {};
    case KeyKind::kRsa:
      break;
  }
  if (key.rsa_modulus_bits <= 1) return {kField, "RSA modulus is 0 or 1"};
  if ((key.rsa_modulus.back() & 1) == 0) {
    return {kField, "RSA modulus is even"};
  }
  if (key.rsa_modulus_bits < rsa_modulus_bits_min) {
    return {kField, "RSA modulus is shorter than policy allows"};
  }
  if (key.rsa_modulus_bits > kRsaModulusBitsMax) {
    return {kField, "RSA modulus is longer than 4096 bits"};
  }
  if (key.rsa_exponent == 0) {
    return {kField, "RSA exponent is 0 or longer than 64 bits"};
  }
  if (key.rsa_exponent == 1) return {kField, "RSA exponent is 1"};
  if ((key.rsa_exponent & 1) == 0) return {kField, "RSA exponent is even"};
  return {};
}

}  // namespace inkan
