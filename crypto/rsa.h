// The RSA public operation s^e mod n (RFC 8017 section 5.2.2, RSAVP1), many at
// a time.
//
//   std::vector<RsaJob> jobs = ...;   // any mix of sizes and keys
//   RsaPublicOperations(absl::MakeSpan(jobs));
//
// Everything here is public data (signatures and public keys), so nothing is
// constant-time. Thread safety: any thread at once. Memory is the caller's.
#ifndef INKAN_CRYPTO_RSA_H_
#define INKAN_CRYPTO_RSA_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "crypto/bytes.h"
#include "crypto/fault.h"
#include "crypto/public_key.h"

namespace inkan {

// A key whose constants were worked out once, for issuers' keys that are used
// thousands of times. Immutable; share freely.
class RsaPreparedKey;

struct RsaPreparedKeyDeleter {
  void operator()(const RsaPreparedKey* key) const;
};
using RsaPreparedKeyPtr =
    std::unique_ptr<const RsaPreparedKey, RsaPreparedKeyDeleter>;

// Null if `key` is not an RSA key that CheckKeyStrength accepts. Copies the
// key's bytes.
RsaPreparedKeyPtr PrepareRsaKey(const PublicKey& key);

struct RsaJob {
  // The key, and its prepared form if there is one (of the same key).
  const PublicKey* key = nullptr;
  const RsaPreparedKey* prepared = nullptr;
  // s, big-endian.
  Bytes signature;
  // Room for key->rsa_modulus.size() octets: s^e mod n, big-endian,
  // left-padded.
  uint8_t* result = nullptr;
  // Set by RsaPublicOperations. If not ok(), nothing was written to `result`:
  // the key fails CheckKeyStrength, the signature is not exactly as long as the
  // modulus, or s >= n.
  Fault fault;
};

void RsaPublicOperations(absl::Span<RsaJob> jobs);

// What this thread's calls did since it began, for metrics.
struct RsaCounts {
  // [n]: calls of the kernel with n operations; [0] is not used.
  uint64_t groups[9] = {};
  // Operations too few for its lanes, in few_name's kernel instead.
  uint64_t alone = 0;
};
const RsaCounts& ThreadRsaCounts();

// The kernel in use, chosen once by CPUID, proven by a known-answer test, and
// overridden by INKAN_ISA=portable|avx2|avx512ifma.
struct RsaKernelInfo {
  std::string name;    // "portable", "avx2" or "avx512ifma"
  std::string reason;  // why this one, for the log
  // What runs operations too few for its lanes: "portable" or "avx512ifma_few".
  std::string few_name = {};
};

// Chooses the kernel if that has not been done. An INKAN_ISA that names an
// unknown kernel or one this machine cannot run is a fault for which a server
// refuses to start; library users that never call this get the process ended
// with that message at first use.
Fault InitRsaKernel();
const RsaKernelInfo& GetRsaKernelInfo();

}  // namespace inkan

#endif  // INKAN_CRYPTO_RSA_H_
