// Path validation (RFC 5280 section 6.1) as a value.
//
//   PathState state = PathState::FromAnchor(anchor, rules);
//   state.Extend(intermediate);                    // once for each CA below
//   PathFault fault = state.Accept(leaf, ...);     // any number of leaves,
//   const
//
// A PathState is what the algorithm knows after the last CA certificate:
// working key, permitted and excluded names, valid policies, counters. It is
// built once for each CA and then only read: accepting a leaf allocates
// nothing.
//
// Left to the caller, because they are judged for each filing at its own time
// or in batches: the leaf's signature, validity (CheckValidity), revocation.
//
// A fault met on the way down sticks: the state stays usable, so that the
// leaves below a broken CA get a verdict that names what is broken, but Accept
// never passes any more.
//
// Units: times are seconds since 1970. Ownership: states point into the
// certificates they were made from, which must outlive them. Thread safety:
// const methods from any thread.
#ifndef INKAN_CRYPTO_PATH_H_
#define INKAN_CRYPTO_PATH_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/types/span.h"
#include "crypto/bytes.h"
#include "crypto/certificate.h"
#include "crypto/fault.h"
#include "crypto/name_constraints.h"
#include "crypto/policy.h"
#include "crypto/rsa.h"
#include "crypto/verdict.h"

namespace inkan {

// CA certificates below the anchor. Mozilla's and Go's verifiers stop at about
// this depth; PKITS needs 4, JPKI none.
inline constexpr int kPathDepthMax = 8;

// RFC 5280 section 6.1.1 inputs, and the weakest key accepted.
struct PathRules {
  // OIDs as DER contents; empty: anyPolicy.
  absl::Span<const std::string> initial_policies;
  bool require_explicit_policy = false;
  bool inhibit_policy_mapping = false;
  bool inhibit_any_policy = false;
  size_t rsa_modulus_bits_min = kRsaModulusBitsMin;
};

// What the purpose asks of the leaf.
struct LeafRules {
  uint16_t required_key_usage = 0;
  uint16_t forbidden_key_usage = 0;
  absl::Span<const std::string> required_extended_key_usage;
  // Whatever policies it asserts: for a CRL signer, whose certificate need not
  // be for what filings are signed under.
  bool any_policy = false;
};

// What a path fails for. `certificate` counts from the anchor downwards: 0 is
// the anchor, 1 the first certificate below it.
struct PathFault {
  Outcome outcome = Outcome::kPassed;
  CheckId check = CheckId::kChain;
  int certificate = 0;
  Fault fault;

  bool ok() const { return outcome == Outcome::kPassed; }
};

class PathState {
 public:
  // The anchor is trusted as name and key. Beyond RFC 5280 section 6.1, which
  // leaves it open, what a self-signed anchor says about itself is honoured:
  // validity, key strength, key usage, path length and name constraints.
  static PathState FromAnchor(const Certificate& anchor,
                              const PathRules& rules);

  // Goes down by one CA certificate: section 6.1.3 and 6.1.4, its signature
  // included, except validity and revocation.
  // REQUIRES: `ca.issuer` is the same name as the state's subject.
  void Extend(const Certificate& ca);

  // Judges the last certificate: section 6.1.3 without (a)(1) to (a)(3), 6.1.5
  // and the purpose's rules. All rules are looked at; the worst fault is
  // returned. `policies` (may be null) receives the user-constrained set.
  // `observe` is called for each check looked at, if not null; `qualifiers`
  // (may be null) receives those of the valid policies.
  using Observer = void (*)(void* context, CheckId check,
                            const PathFault& fault);
  PathFault Accept(const Certificate& leaf, const LeafRules& rules,
                   PolicySet* policies, Observer observe = nullptr,
                   void* context = nullptr,
                   QualifierSet* qualifiers = nullptr) const;

  // Whether every CA certificate, the anchor's included, is valid at `time`.
  PathFault CheckValidity(int64_t time) const;

  // The fault that broke the path, if one did.
  const PathFault& broken() const { return broken_; }

  // Whether every CA certificate's signature verified with the key above it.
  // A graver fault may stand in broken() where one did not.
  bool issued() const { return issued_; }

  // The chain so far: the anchor first.
  absl::Span<const Certificate* const> chain() const { return chain_; }
  const Certificate& anchor() const { return *chain_.front(); }
  const Certificate& last() const { return *chain_.back(); }
  const PublicKey& key() const { return chain_.back()->key; }
  // The working key with its constants; null if it is not RSA.
  const RsaPreparedKey* prepared_key() const { return prepared_.get(); }

 private:
  PathState() = default;
  void Break(Outcome outcome, CheckId check, const char* field,
             const char* problem);
  void CheckCaStrength(const Certificate& ca);
  void CheckCaExtensions(const Certificate& ca);
  bool Issued(const Certificate& ca) const;
  void TightenCounters(const Certificate& ca);

  PathFault broken_;
  bool issued_ = true;
  std::vector<const Certificate*> chain_;
  std::shared_ptr<const RsaPreparedKey> prepared_;
  Validity window_;  // where every certificate of the chain is valid
  size_t rsa_modulus_bits_min_ = kRsaModulusBitsMin;
  int path_length_left_ = kPathDepthMax;
  NameConstraints name_constraints_;
  PolicyState policies_;
};

// The checks that a target certificate meets by itself, without a path: for
// certificates trusted as they are, and for verdicts on certificates without a
// path.
PathFault CheckLeafAlone(const Certificate& leaf, const LeafRules& rules,
                         size_t rsa_modulus_bits_min,
                         PathState::Observer observe = nullptr,
                         void* context = nullptr);

}  // namespace inkan

#endif  // INKAN_CRYPTO_PATH_H_
