// One CRL, read: who says it, for what scope, when, and the index of its
// entries. Its bytes are no longer needed once it is made.
//
// A CrlData says nothing about trust: whether its signature is that of a CRL
// issuer a profile accepts is decided when it is linked into that profile's
// partitions (cache/crl_store.h). Immutable; shared between profiles and
// snapshots.
#ifndef INKAN_CACHE_CRL_DATA_H_
#define INKAN_CACHE_CRL_DATA_H_

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "cache/crl_control.h"
#include "cache/crl_index.h"
#include "crypto/crl.h"
#include "crypto/signature.h"

namespace inkan {

struct CrlData {
  std::string source;                // path or URI
  std::array<uint8_t, 32> sha256{};  // over the whole CRL

  std::string issuer;            // Name element
  std::string canonical_issuer;  // CanonicalName(issuer)
  std::string authority_key_id;  // keyIdentifier; may be empty
  int64_t this_update = 0;
  bool has_next_update = false;
  int64_t next_update = 0;
  std::string crl_number;  // INTEGER contents; empty if absent
  bool is_delta = false;
  std::string base_crl_number;  // deltas
  bool has_expired_certs_on_crl = false;
  int64_t expired_certs_on_crl = 0;

  // issuingDistributionPoint (RFC 5280 section 5.2.5).
  CrlScope scope;  // flags; its views are not kept
  std::vector<std::string>
      scope_names;             // canonical names, CanonicalGeneralName
  std::string scope_encoding;  // fullName as encoded; may be empty
  std::string scope_text;      // for people

  // What the signature was made over and how, to try candidate signers on.
  SignatureAlgorithm signature_algorithm;
  std::string tbs_digest;
  std::string signature;
  // SHA-256 of the SubjectPublicKeyInfo that whoever compiled the CRL saw it
  // verify with; empty if nobody looked. For reports only.
  std::string signer_key_sha256;

  // Entries of certificates issued by the CRL issuer itself.
  CrlIndex index;
  // Indirect CRLs: entries of other certificate issuers, by canonical name.
  absl::flat_hash_map<std::string, CrlIndex> indirect;

  size_t entries() const;
  size_t memory_bytes() const;
};

// Reads a whole CRL, DER. Errors name the field: kInvalidArgument. Refused:
// what is not strictly DER, version 1 with extensions, unknown critical
// extensions in the CRL or in an entry, serials above kSerialBytesMax, SHA-1
// and MD5.
//
// The octets are read several times over (cache/crl_build.h); the first time
// the digests are computed too. An indirect CRL may list at most
// kIndirectEntriesMax certificates, because those are collected first, of at
// most kIndirectIssuersMax issuers, because each gets an index of its own,
// which takes some kilobytes and up to 15 ms.
absl::StatusOr<std::shared_ptr<const CrlData>> ReadCrl(
    Bytes der, std::string source, const CrlControl& control = {});

// They take as much memory as the buffer of any other build.
inline constexpr size_t kIndirectEntriesMax = 1'000'000;
// More than there are CAs under any one national bridge.
inline constexpr size_t kIndirectIssuersMax = 256;

}  // namespace inkan

#endif  // INKAN_CACHE_CRL_DATA_H_
