#include "server/convert.h"

namespace inkan {
SignatureAlgorithm AlgorithmFromProto(v1::SignatureAlgorithm algorithm) {
  using enum SignatureScheme;
  using enum HashAlgorithm;
  switch (algorithm) {
    case v1::SIGNATURE_ALGORITHM_RSA_PKCS1_SHA256:
      return {kRsaPkcs1, kSha256, 0};
    case v1::SIGNATURE_ALGORITHM_RSA_PKCS1_SHA384:
      return {kRsaPkcs1, kSha384, 0};
    case v1::SIGNATURE_ALGORITHM_RSA_PKCS1_SHA512:
      return {kRsaPkcs1, kSha512, 0};
    case v1::SIGNATURE_ALGORITHM_RSA_PSS_SHA256:
      return {kRsaPss, kSha256, 32};
    case v1::SIGNATURE_ALGORITHM_RSA_PSS_SHA384:
      return {kRsaPss, kSha384, 48};
    case v1::SIGNATURE_ALGORITHM_RSA_PSS_SHA512:
      return {kRsaPss, kSha512, 64};
    case v1::SIGNATURE_ALGORITHM_ECDSA_SHA256:
      return {kEcdsa, kSha256, 0};
    case v1::SIGNATURE_ALGORITHM_ECDSA_SHA384:
      return {kEcdsa, kSha384, 0};
    case v1::SIGNATURE_ALGORITHM_ECDSA_SHA512:
      return {kEcdsa, kSha512, 0};
    case v1::SIGNATURE_ALGORITHM_RSA_PKCS1_SHA1:
      return {kRsaPkcs1, kSha1, 0};
    case v1::SIGNATURE_ALGORITHM_RSA_PKCS1_MD5:
      return {kRsaPkcs1, kMd5, 0};
    default:
      return {};
  }
}

v1::Indication IndicationOf(Outcome outcome) {
  switch (outcome) {
#define INKAN_CASE(name, indication, sub_indication) \
  case Outcome::name:                                \
    return v1::INDICATION_##indication;
    // One case an outcome, though many share an indication.
    INKAN_OUTCOMES(INKAN_CASE)  // NOLINT(bugprone-branch-clone)
#undef INKAN_CASE
  }
  return v1::INDICATION_INDETERMINATE;
}

v1::SubIndication SubIndicationOf(Outcome outcome) {
  switch (outcome) {
#define INKAN_CASE(name, indication, sub_indication) \
  case Outcome::name:                                \
    return v1::SUB_INDICATION_##sub_indication;
    INKAN_OUTCOMES(INKAN_CASE)
#undef INKAN_CASE
  }
  return v1::SUB_INDICATION_GENERIC;
}

void TimeToProto(int64_t unix_seconds, google::protobuf::Timestamp* out) {
  out->set_seconds(unix_seconds);
}

std::string ToHex(Bytes bytes) {
  std::string text;
  AppendHex(bytes, &text);
  return text;
}

void AppendHex(Bytes bytes, std::string* text) {
  constexpr char kDigits[] = "0123456789abcdef";
  const size_t before = text->size();
  text->resize(before + 2 * bytes.size());
  char* out = text->data() + before;
  for (const uint8_t octet : bytes) {
    *out++ = kDigits[octet >> 4];
    *out++ = kDigits[octet & 15];
  }
}

Bytes WithoutLeadingZeros(Bytes integer) {
  while (integer.size() > 1 && integer[0] == 0) integer.remove_prefix(1);
  return integer;
}

std::string NumberToHex(Bytes integer) {
  return ToHex(WithoutLeadingZeros(integer));
}

void SnapshotToProto(const Snapshot& snapshot, v1::SnapshotId* out) {
  out->set_generation(snapshot.generation);
  out->set_digest(snapshot.digest.data(), snapshot.digest.size());
}

}  // namespace inkan
