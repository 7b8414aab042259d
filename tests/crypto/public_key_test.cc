#include "crypto/public_key.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "gtest/gtest.h"

namespace inkan {
namespace {

std::string Tlv(int tag, const std::string& contents) {
  std::string out(1, static_cast<char>(tag));
  const size_t size = contents.size();
  if (size >= 256) {
    out += {static_cast<char>(0x82), static_cast<char>(size >> 8)};
  } else if (size >= 128) {
    out += static_cast<char>(0x81);
  }
  out += static_cast<char>(size & 0xff);
  return out + contents;
}

const std::string kNull("\x05\x00", 2);
const std::string kRsaOid("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01");
const std::string kEcOid("\x06\x07\x2a\x86\x48\xce\x3d\x02\x01");
const std::string kP256("\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07");
const std::string kP384("\x06\x05\x2b\x81\x04\x00\x22", 7);
const std::string kF4("\x01\x00\x01", 3);

std::string Spki(const std::string& algorithm, const std::string& key_bits) {
  return Tlv(0x30,
             Tlv(0x30, algorithm) + Tlv(0x03, std::string(1, '\0') + key_bits));
}

std::string RsaSpki(const std::string& modulus, const std::string& exponent) {
  return Spki(kRsaOid + kNull,
              Tlv(0x30, Tlv(0x02, modulus) + Tlv(0x02, exponent)));
}

// The INTEGER contents of an odd modulus of so many bits.
std::string Modulus(size_t bits) {
  const size_t bytes = (bits + 7) / 8;
  std::string out(bytes, '\x55');
  out[0] = static_cast<char>(1U << ((bits - 1) % 8));
  if (bits % 8 == 0) out.insert(out.begin(), '\0');
  return out;
}

Fault Parse(const std::string& spki, PublicKey* key) {
  return ParsePublicKey(AsBytes(spki), key);
}

std::string Refusal(const std::string& spki) {
  PublicKey key;
  const Fault fault = Parse(spki, &key);
  return fault.ok() ? "" : fault.problem;
}

// Parses, then asks the policy.
std::string Weakness(const std::string& spki, size_t bits_min = 2048) {
  PublicKey key;
  const Fault parsed = Parse(spki, &key);
  EXPECT_TRUE(parsed.ok()) << parsed.problem;
  const Fault fault = CheckKeyStrength(key, bits_min);
  return fault.ok() ? "" : fault.problem;
}

TEST(PublicKey, AnRsaKeyIsReadWhereItLies) {
  const std::string spki = RsaSpki(Modulus(2048), kF4);
  PublicKey key;
  ASSERT_TRUE(Parse(spki, &key).ok());
  EXPECT_EQ(key.kind, KeyKind::kRsa);
  EXPECT_EQ(key.rsa_modulus_bits, 2048U);
  EXPECT_EQ(key.rsa_modulus.size(), 256U);
  EXPECT_EQ(AsText(key.rsa_modulus), Modulus(2048).substr(1));
  EXPECT_EQ(key.rsa_exponent, 65537U);
  EXPECT_EQ(key.spki.data(), AsBytes(spki).data());
  EXPECT_TRUE(CheckKeyStrength(key).ok());
}

TEST(PublicKey, ModulusBitsAreCountedFromTheTopBit) {
  for (const size_t bits : {2041U, 2047U, 2048U, 2049U, 3072U, 4096U, 4097U}) {
    const std::string spki = RsaSpki(Modulus(bits), kF4);
    PublicKey key;
    ASSERT_TRUE(Parse(spki, &key).ok()) << bits;
    EXPECT_EQ(key.rsa_modulus_bits, bits);
  }
}

TEST(PublicKey, ModulusLengthIsLimitedOnBothSides) {
  EXPECT_EQ(Weakness(RsaSpki(Modulus(2047), kF4)),
            "RSA modulus is shorter than policy allows");
  EXPECT_EQ(Weakness(RsaSpki(Modulus(2048), kF4)), "");
  EXPECT_EQ(Weakness(RsaSpki(Modulus(4096), kF4)), "");
  EXPECT_EQ(Weakness(RsaSpki(Modulus(4097), kF4)),
            "RSA modulus is longer than 4096 bits");
  EXPECT_EQ(Weakness(RsaSpki(Modulus(3071), kF4), 3072),
            "RSA modulus is shorter than policy allows");
  EXPECT_EQ(Weakness(RsaSpki(Modulus(3072), kF4), 3072), "");
}

TEST(PublicKey, ModulusZeroAndOneAndEvenAreEachNamed) {
  EXPECT_EQ(Weakness(RsaSpki(std::string(1, '\0'), kF4)),
            "RSA modulus is 0 or 1");
  EXPECT_EQ(Weakness(RsaSpki("\x01", kF4)), "RSA modulus is 0 or 1");
  std::string even = Modulus(2048);
  even.back() = '\x54';
  EXPECT_EQ(Weakness(RsaSpki(even, kF4)), "RSA modulus is even");
}

TEST(PublicKey, ExponentsAreLimited) {
  const std::string n = Modulus(2048);
  EXPECT_EQ(Weakness(RsaSpki(n, "\x03")), "");
  EXPECT_EQ(Weakness(RsaSpki(n, std::string("\x01\x00\x00\x00\x01", 5))), "");
  EXPECT_EQ(Weakness(RsaSpki(n, std::string(1, '\0') + std::string(8, '\xff'))),
            "");
  EXPECT_EQ(Weakness(RsaSpki(n, std::string("\x01\0\0\0\0\0\0\0\x01", 9))),
            "RSA exponent is 0 or longer than 64 bits");
  EXPECT_EQ(Weakness(RsaSpki(n, std::string(1, '\0'))),
            "RSA exponent is 0 or longer than 64 bits");
  EXPECT_EQ(Weakness(RsaSpki(n, "\x01")), "RSA exponent is 1");
  EXPECT_EQ(Weakness(RsaSpki(n, "\x04")), "RSA exponent is even");
}

TEST(PublicKey, NumbersMustBePositiveAndInShortestForm) {
  const std::string n = Modulus(2048);
  EXPECT_EQ(Refusal(RsaSpki(std::string(1, '\0') + n, kF4)),
            "RSA modulus is not a positive DER INTEGER");
  EXPECT_EQ(Refusal(RsaSpki(n.substr(1).replace(0, 1, "\x80"), kF4)),
            "RSA modulus is not a positive DER INTEGER");
  EXPECT_EQ(Refusal(RsaSpki("", kF4)),
            "RSA modulus is not a positive DER INTEGER");
  EXPECT_EQ(Refusal(RsaSpki(n, std::string(1, '\0') + kF4)),
            "RSA exponent is not a positive DER INTEGER");
  EXPECT_EQ(Refusal(RsaSpki(n, "\xff")),
            "RSA exponent is not a positive DER INTEGER");
}

TEST(PublicKey, NothingMayFollowAnyPart) {
  const std::string numbers = Tlv(0x02, Modulus(2048)) + Tlv(0x02, kF4);
  EXPECT_EQ(Refusal(RsaSpki(Modulus(2048), kF4) + kNull),
            "not one DER SEQUENCE");
  EXPECT_EQ(Refusal(Spki(kRsaOid + kNull, Tlv(0x30, numbers + kNull))),
            "octets after the numbers of RSAPublicKey");
  EXPECT_EQ(Refusal(Spki(kRsaOid + kNull, Tlv(0x30, numbers) + kNull)),
            "RSAPublicKey is not one DER SEQUENCE");
  EXPECT_EQ(Refusal(Spki(kRsaOid + kNull + kNull, Tlv(0x30, numbers))),
            "rsaEncryption parameters are not NULL");
  EXPECT_EQ(Refusal(Spki(kRsaOid, Tlv(0x30, numbers))),
            "rsaEncryption parameters are not NULL");
}

TEST(PublicKey, EveryTruncationIsRefused) {
  for (const std::string& spki :
       {RsaSpki(Modulus(2048), kF4),
        Spki(kEcOid + kP256, "\x04" + std::string(64, '\x11'))}) {
    for (size_t size = 0; size < spki.size(); ++size) {
      EXPECT_NE(Refusal(spki.substr(0, size)), "") << size;
    }
    EXPECT_EQ(Refusal(spki), "");
  }
}

TEST(PublicKey, EcPointsHaveTheCurvesSizeAndAreUncompressed) {
  const auto point = [](size_t size) {
    return "\x04" + std::string(size, '\x11');
  };
  PublicKey key;
  const std::string p256 = Spki(kEcOid + kP256, point(64));
  ASSERT_TRUE(Parse(p256, &key).ok());
  EXPECT_EQ(key.kind, KeyKind::kEcP256);
  EXPECT_EQ(key.key_bits.size(), 65U);
  const std::string p384 = Spki(kEcOid + kP384, point(96));
  ASSERT_TRUE(Parse(p384, &key).ok());
  EXPECT_EQ(key.kind, KeyKind::kEcP384);
  for (const size_t size : {63U, 65U, 96U, 0U}) {
    EXPECT_EQ(Refusal(Spki(kEcOid + kP256, point(size))),
              "EC point is not of the curve's size");
  }
  EXPECT_EQ(Refusal(Spki(kEcOid + kP256, "\x02" + std::string(32, '\x11'))),
            "EC point is not uncompressed");
  EXPECT_EQ(Refusal(Spki(kEcOid + kP256, "")), "EC point is not uncompressed");
}

TEST(PublicKey, AnEcPointLiesOnItsCurve) {
  // The base points (SEC 2 sections 2.4.2 and 2.5.1).
  const std::string g256 = absl::HexStringToBytes(
      "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
      "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5");
  const std::string g384 = absl::HexStringToBytes(
      "04aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a38"
      "5502f25dbf55296c3a545e3872760ab73617de4a96262c6f5d9e98bf9292dc29f8"
      "f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f");
  for (const auto& [curve, point] :
       {std::pair(kP256, g256), std::pair(kP384, g384)}) {
    EXPECT_EQ(Weakness(Spki(kEcOid + curve, point)), "");
    for (const size_t at : {size_t{1}, point.size() - 1}) {
      std::string off = point;
      off[at] = static_cast<char>(off[at] ^ 1);
      EXPECT_EQ(Weakness(Spki(kEcOid + curve, off)),
                "EC point is not on its curve");
    }
    // A coordinate beyond the field's prime, and no point at all.
    std::string beyond = point;
    std::fill(beyond.begin() + 1, beyond.end(), '\xff');
    EXPECT_EQ(Weakness(Spki(kEcOid + curve, beyond)),
              "EC point is not on its curve");
    EXPECT_EQ(Weakness(Spki(kEcOid + curve,
                            "\x04" + std::string(point.size() - 1, '\0'))),
              "EC point is not on its curve");
  }
}

TEST(PublicKey, AKeyOfAnUnknownKindIsNoFaultButRefusedByPolicy) {
  const std::string ed25519 =
      Spki(std::string("\x06\x03\x2b\x65\x70", 5), std::string(32, '\x07'));
  EXPECT_EQ(Weakness(ed25519), "kind of key is not supported");
  const std::string secp256k1 =
      Spki(kEcOid + std::string("\x06\x05\x2b\x81\x04\x00\x0a", 7),
           std::string(65, '\x04'));
  EXPECT_EQ(Weakness(secp256k1), "kind of key is not supported");
  EXPECT_EQ(Weakness(Spki(kEcOid + kNull, std::string(65, '\x04'))),
            "kind of key is not supported");
}

}  // namespace
}  // namespace inkan
