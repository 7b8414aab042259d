#include "crypto/ecdsa.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/obj_mac.h>

#include <cstdlib>
#include <memory>

#include "crypto/der.h"

// The low-level calls are deprecated in OpenSSL 3 in favour of EVP, which
// decodes and fetches for every key, at several times the cost of the
// verification itself. They remain supported through all of OpenSSL 3.
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

namespace inkan {
namespace {

struct EcDeleter {
  void operator()(EC_GROUP* group) const { EC_GROUP_free(group); }
  void operator()(EC_KEY* key) const { EC_KEY_free(key); }
  void operator()(EC_POINT* point) const { EC_POINT_free(point); }
  void operator()(ECDSA_SIG* signature) const { ECDSA_SIG_free(signature); }
  void operator()(BN_CTX* context) const { BN_CTX_free(context); }
  void operator()(BIGNUM* bn) const { BN_free(bn); }
};
template <typename T>
using EcPtr = std::unique_ptr<T, EcDeleter>;

struct ErrorMark {
  ErrorMark() { ERR_set_mark(); }
  ~ErrorMark() { ERR_pop_to_mark(); }
  ErrorMark(const ErrorMark&) = delete;
  ErrorMark& operator=(const ErrorMark&) = delete;
};

const EC_GROUP* Group(KeyKind kind) {
  static const EC_GROUP* const kP256 =
      EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
  static const EC_GROUP* const kP384 =
      EC_GROUP_new_by_curve_name(NID_secp384r1);
  return kind == KeyKind::kEcP256 ? kP256 : kP384;
}

// r and s of Ecdsa-Sig-Value: two positive INTEGERs in shortest form and
// nothing else. OpenSSL's own reader is laxer than DER.
bool ParseSignature(Bytes signature, size_t order_bytes, Bytes* r, Bytes* s) {
  DerReader outer(signature);
  Bytes contents;
  if (!outer.Read(der::kSequence, &contents) || !outer.empty()) return false;
  DerReader numbers(contents);
  if (!numbers.ReadInteger(r) || !numbers.ReadInteger(s) || !numbers.empty()) {
    return false;
  }
  for (const Bytes* number : {r, s}) {
    // No number below the group's order needs more octets than the order and
    // one for the sign.
    if (((*number)[0] & 0x80) != 0 || number->size() > order_bytes + 1) {
      return false;
    }
  }
  return true;
}

BIGNUM* ToBn(Bytes number) {
  return BN_bin2bn(number.data(), static_cast<int>(number.size()), nullptr);
}

// The key's point; null if it does not lie on the curve. Both curves have
// cofactor 1, so a point on the curve is in the group.
EcPtr<EC_POINT> MakePoint(const PublicKey& key, BN_CTX* context) {
  const EC_GROUP* group = Group(key.kind);
  EcPtr<EC_POINT> point(group == nullptr ? nullptr : EC_POINT_new(group));
  if (point == nullptr || context == nullptr) std::abort();
  if (EC_POINT_oct2point(group, point.get(), key.key_bits.data(),
                         key.key_bits.size(), context) != 1 ||
      EC_POINT_is_at_infinity(group, point.get()) == 1 ||
      EC_POINT_is_on_curve(group, point.get(), context) != 1) {
    return nullptr;
  }
  return point;
}

// The key, its point proven to lie on the curve; null if it does not.
EcPtr<EC_KEY> MakeKey(const PublicKey& key, BN_CTX* context) {
  const EcPtr<EC_POINT> point = MakePoint(key, context);
  if (point == nullptr) return nullptr;
  EcPtr<EC_KEY> ec_key(EC_KEY_new());
  if (ec_key == nullptr) std::abort();
  if (EC_KEY_set_group(ec_key.get(), Group(key.kind)) != 1 ||
      EC_KEY_set_public_key(ec_key.get(), point.get()) != 1) {
    return nullptr;
  }
  return ec_key;
}

BN_CTX* ThreadContext() {
  thread_local const EcPtr<BN_CTX> kContext(BN_CTX_new());
  return kContext.get();
}

}  // namespace

bool IsPointOnCurve(const PublicKey& key) {
  const ErrorMark mark;
  return MakePoint(key, ThreadContext()) != nullptr;
}

bool VerifyEcdsa(const PublicKey& key, Bytes digest, Bytes signature,
                 Fault* fault) {
  // What OpenSSL has to say about bad input must not stay behind in the
  // thread's error queue, where TLS on the same thread would find it.
  const ErrorMark mark;
  const size_t order_bytes = key.kind == KeyKind::kEcP256 ? 32 : 48;
  Bytes r;
  Bytes s;
  if (!ParseSignature(signature, order_bytes, &r, &s)) {
    *fault = {"signature", "not a DER Ecdsa-Sig-Value of the curve"};
    return false;
  }
  const EcPtr<EC_KEY> ec_key = MakeKey(key, ThreadContext());
  if (ec_key == nullptr) {
    *fault = {"subjectPublicKeyInfo", "EC point is not on the curve"};
    return false;
  }
  EcPtr<ECDSA_SIG> parsed(ECDSA_SIG_new());
  EcPtr<BIGNUM> r_number(ToBn(r));
  EcPtr<BIGNUM> s_number(ToBn(s));
  if (parsed == nullptr || r_number == nullptr || s_number == nullptr) {
    std::abort();
  }
  // Takes both numbers over.
  ECDSA_SIG_set0(parsed.get(), r_number.release(), s_number.release());
  return ECDSA_do_verify(digest.data(), static_cast<int>(digest.size()),
                         parsed.get(), ec_key.get()) == 1;
}

}  // namespace inkan
