// OpenSSL's objects as owned values, for the lab's .cc files only.
#ifndef INKAN_BENCH_LAB_OPENSSL_TYPES_H_
#define INKAN_BENCH_LAB_OPENSSL_TYPES_H_

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include <memory>
#include <string>
#include <string_view>

#include "bench/lab/check.h"

namespace inkan::lab {

template <auto kFree>
struct FreeWith {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};

using Bn = std::unique_ptr<BIGNUM, FreeWith<BN_clear_free>>;
using BnCtx = std::unique_ptr<BN_CTX, FreeWith<BN_CTX_free>>;
using BnMont = std::unique_ptr<BN_MONT_CTX, FreeWith<BN_MONT_CTX_free>>;
using EvpPkey = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;
using EvpPkeyCtx = std::unique_ptr<EVP_PKEY_CTX, FreeWith<EVP_PKEY_CTX_free>>;
using EcGroup = std::unique_ptr<EC_GROUP, FreeWith<EC_GROUP_free>>;
using EcPoint = std::unique_ptr<EC_POINT, FreeWith<EC_POINT_free>>;
using ParamBuild =
    std::unique_ptr<OSSL_PARAM_BLD, FreeWith<OSSL_PARAM_BLD_free>>;
using Params = std::unique_ptr<OSSL_PARAM, FreeWith<OSSL_PARAM_free>>;
using Bio = std::unique_ptr<BIO, FreeWith<BIO_free_all>>;

inline const unsigned char* Octets(std::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}
inline unsigned char* Octets(std::string* bytes) {
  return reinterpret_cast<unsigned char*>(bytes->data());
}

inline Bn NewBn() { return Bn(BN_new()); }
inline Bn BnFromBytes(std::string_view bytes) {
  return Bn(BN_bin2bn(Octets(bytes), static_cast<int>(bytes.size()), nullptr));
}
inline Bn BnFromWord(uint64_t word) {
  Bn bn = NewBn();
  Require(BN_set_word(bn.get(), word) == 1, "BN_set_word");
  return bn;
}
inline std::string BnToBytes(const BIGNUM* bn) {
  std::string bytes(static_cast<size_t>(BN_num_bytes(bn)), '\0');
  BN_bn2bin(bn, Octets(&bytes));
  return bytes;
}

}  // namespace inkan::lab

#endif  // INKAN_BENCH_LAB_OPENSSL_TYPES_H_
